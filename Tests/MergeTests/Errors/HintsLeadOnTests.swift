import Testing

@testable import MergeEngine
@testable import thin_merge

/// Tests that errors have hints, and that running a hint's commands makes progress.
@Suite("Errors: running the commands from hints", .waitsForPrograms, .needsTracing)
struct HintsLeadOnTests {
  private static let situations = ErrorSituations.all.flatMap(\.situations)

  @Test(
    "every error has a hint, except those with a code whose stated reason already implies the fix")
  func everyCodeHasAHint() throws {
    var codes: (all: Set<String>, withoutHint: Set<String>) = ([], [])
    for error in try RecordedMessages().errors {
      codes.all.insert(error.code)
      if error.hints.isEmpty { codes.withoutHint.insert(error.code) }
    }
    let known = MergeError.Code.allCases.map(\.rawValue) + FailureCode.allCases.map(\.rawValue)
    #expect(Set(known).subtracting(codes.all) == [])
    #expect(codes.withoutHint == Self.saysItAll)
  }

  /// The codes of errors that may lack a hint because the stated reason already implies what to do.
  private static let saysItAll: Set = [
    "cannot-open", "interrupted", "not-approved", "buffers-too-large", "wrong-file-kind",
  ]

  @Test(
    "running the commands from hints never leads back to an error that was already reported",
    arguments: situations)
  func leadsOn(situation: ErrorSituation) throws {
    let steps = try situation.followed()
    for (index, step) in steps.enumerated() {
      let before = Set(steps[...index].map(\.code))
      #expect(step.error.map { !before.contains($0.code) } ?? true, "\(steps)")
      #expect(step.error?.exitStatus != ExitStatus.usage.rawValue, "\(steps)")
    }
  }

  @Test("over 50 commands in the recorded hints can be run unchanged")
  func someCanBeFollowed() throws {
    let commands = try RecordedMessages().errors.flatMap(\.commands)
    #expect(commands.count > 200)
    #expect(commands.count(where: HintFollower.canFollow) > 50)
  }
}
