import Testing

@testable import MergeEngine
@testable import thin_merge

/// The path from each code to its hint, and from the hint onward.
@Suite("Errors: following hints", .waitsForPrograms, .needsTracing)
struct HintsLeadOnTests {
  private static let situations = ErrorSituations.all.flatMap(\.situations)

  @Test("every error has a hint, except under the codes whose reason suffices")
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

  /// The codes under which some errors have no hint, because the reason implies the action.
  private static let saysItAll: Set = [
    "cannot-open", "interrupted", "not-approved", "buffers-too-large", "wrong-file-kind",
  ]

  @Test(
    "following a hint's commands never leads back to an earlier error",
    arguments: situations)
  func leadsOn(situation: ErrorSituation) throws {
    let steps = try situation.followed()
    for (index, step) in steps.enumerated() {
      let before = Set(steps[...index].map(\.code))
      #expect(step.error.map { !before.contains($0.code) } ?? true, "\(steps)")
      #expect(step.error?.exitStatus != ExitStatus.usage.rawValue, "\(steps)")
    }
  }

  @Test("over 50 recorded hints contain a command that can be followed")
  func someCanBeFollowed() throws {
    let commands = try RecordedMessages().errors.flatMap(\.commands)
    #expect(commands.count > 200)
    #expect(commands.count(where: HintFollower.canFollow) > 50)
  }
}
