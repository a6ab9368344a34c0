import Testing

@testable import MergeEngine
@testable import thin_merge

/// The way from each code to its hint, and from the hint on.
@Suite("Errors: hints lead on", .waitsForPrograms, .needsTracing)
struct HintsLeadOnTests {
  private static let situations = ErrorSituations.all.flatMap(\.situations)

  @Test("every error of a code has a hint, unless the code is one whose reason says it all")
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

  /// Codes of errors of which some have no hint: what is to be done follows from the reason.
  private static let saysItAll: Set = [
    "cannot-open", "interrupted", "not-approved", "buffers-too-large", "wrong-file-kind",
  ]

  @Test(
    "what a hint says to do does not end with the same error, nor in a circle",
    arguments: situations)
  func leadsOn(situation: ErrorSituation) throws {
    let steps = try situation.followed()
    for (index, step) in steps.enumerated() {
      let before = Set(steps[...index].map(\.code))
      #expect(step.error.map { !before.contains($0.code) } ?? true, "\(steps)")
      #expect(step.error?.exitStatus != ExitStatus.usage.rawValue, "\(steps)")
    }
  }

  @Test("of the situations, many have hints with a command that can be followed")
  func someCanBeFollowed() throws {
    let commands = try RecordedMessages().errors.flatMap(\.commands)
    #expect(commands.count > 200)
    #expect(commands.count(where: HintFollower.canFollow) > 50)
  }
}
