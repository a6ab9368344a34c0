import Testing

@testable import thin_merge

/// Situations in which a merge fails, each run again with a dry run first.
@Suite("Errors: dry runs", .waitsForPrograms, .needsTracing)
struct DryRunErrorTests {
  private static let situations = ErrorSituations.all.flatMap(\.situations)

  /// The codes of failures that only a write, the comparison of a finished merge or an answer
  /// reveals.
  private static let unknown: Set<String> = [
    "cannot-append-journal", "cannot-cut-journal", "cannot-lock-journal",
    "cannot-make-state-folder", "cannot-mark-origin",
    "cannot-name-journal", "cannot-remove-journal", "both-changed", "origin-changed",
    "source-changed", "not-approved", "cannot-make-origin-writable", "no-device-mapper",
    "cannot-delete-snapshot", "cannot-make-snapshot", "snapshot-ids-used-up",
    "cannot-remove-thin-device", "snapshot-left", "pool-changed", "suspend-too-long",
    "thin-device-just-activated", "thin-device-resumed",
  ]

  @Test(
    "a dry run ends with the merge's error, or with success where only the merge can find it",
    arguments: situations)
  func endsAsTheMerge(situation: ErrorSituation) throws {
    for pair in try situation.rehearsed() where pair.dry != pair.real {
      // These faults occur once and change the pool's state.
      guard !["cannot-take-metadata-snapshot", "snapshot-gone"].contains(pair.dry.code) else {
        continue
      }
      // A merge that stops has passed all checks of a dry run.
      let isStopped = pair.real.exitStatus == ExitStatus.stopped.rawValue
      #expect(pair.dry.exitStatus == 0, "\(pair)")
      #expect(isStopped || Self.unknown.contains(pair.real.code ?? ""), "\(pair)")
    }
  }
}
