import Foundation
import MergeEngine
import Testing

@testable import thin_merge

/// Files of a merge that are removed while it runs.
enum WhyAMergeLostItsFiles {
  static let rows: [ErrorRow] = [
    ErrorRow(
      "an origin that was removed in mid-merge", .stopped,
      """
      the origin is not at its path any more, FOLDER/origin.img: another file is there, or \
      none; the blocks went to the file that was there
      """,
      hints: [
        "put that file back to its path, then: thin-merge resume FOLDER/origin.img.thin-merge"
      ],
      command: { merge in
        try merge.changingFiles { try Program.remove(merge.originFile) }
      }),
    ErrorRow(
      "a journal that was removed in mid-merge", .stopped,
      """
      the journal is gone, FOLDER/origin.img.thin-merge: it was removed or replaced during the \
      merge; there is nothing to resume from
      """,
      hints: [
        """
        the origin may be merged in part: move away what is at that path now, if anything, and \
        merge from the beginning with 'thin-merge merge'
        """
      ],
      command: { merge in
        try merge.changingFiles { try Program.remove(merge.journal) }
      }),
  ]
}

@Suite("Errors: files that were moved in mid-merge", .waitsForPrograms)
struct MovedFileErrorTests {
  @Test("an error says so in these words", arguments: WhyAMergeLostItsFiles.rows)
  func words(row: ErrorRow) throws { try row.check() }
}

extension MergeCase {
  /// Merges, and does something while the merge is stopped once the journal has a checkpoint.
  fileprivate func changingFiles(_ change: () throws -> Void) throws -> CommandResult {
    let running = try startMerge(Self.slowly + ["--rate-limit", "128k"])
    try #require(try running.waitUntilCheckpoint(1, in: journal))
    try running.whileStopped {
      try #require(try !JournalOnDisk.state(of: journal).isFinished)
      try change()
    }
    return try running.wait()
  }
}
