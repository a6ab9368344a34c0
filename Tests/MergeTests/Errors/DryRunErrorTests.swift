import Testing

@testable import thin_merge

/// Situations in which a merge ends in an error, each met once more with a dry run before.
@Suite("Errors: dry runs", .waitsForPrograms, .needsTracing)
struct DryRunErrorTests {
  private static let situations = ErrorSituations.all.flatMap(\.situations)

  /// What only writing tells, what comparing a finished merge does, and the answer to a question.
  private static let unknown: Set<String> = [
    "cannot-append-journal", "cannot-cut-journal", "cannot-lock-journal",
    "cannot-make-state-folder", "cannot-mark-origin",
    "cannot-name-journal", "cannot-remove-journal", "both-changed", "origin-changed",
    "source-changed", "not-approved", "cannot-make-origin-writable", "no-device-mapper",
    "cannot-delete-snapshot", "cannot-make-snapshot", "snapshot-ids-used-up",
    "cannot-remove-thin-device", "snapshot-left", "pool-changed", "suspend-too-long",
    "thin-device-just-activated", "thin-device-resumed",
  ]

  @Test("a dry run ends as the merge would, with the same error", arguments: situations)
  func endsAsTheMerge(situation: ErrorSituation) throws {
    for pair in try situation.rehearsed() where pair.dry != pair.real {
      // That fault comes once, and leaves the pool in another state.
      guard !["cannot-take-metadata-snapshot", "snapshot-gone"].contains(pair.dry.code) else {
        continue
      }
      // A merge that stops had begun.
      let isStopped = pair.real.exitStatus == ExitStatus.stopped.rawValue
      #expect(pair.dry.exitStatus == 0, "\(pair)")
      #expect(isStopped || Self.unknown.contains(pair.real.code ?? ""), "\(pair)")
    }
  }
}
