import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// A merge that was finished before, and devices that changed since; origins that lost what was merged.
enum WhyAFinishedMergeIsNotMerged {
  static let rows: [ErrorRow] = [
    ErrorRow(
      "an origin that was restored after a merge that stopped", .journalConflict,
      """
      the origin does not hold what was merged, FOLDER/origin.img: COUNT of the first COUNT \
      recorded transfers are not there: it is another disk, or was restored from a copy; \
      nothing was written
      """,
      hints: [
        """
        if it is another disk, give the path of the right one with --origin; if it was \
        restored, --same-origin merges all of it again
        """
      ]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      try merge.restoreOrigin()
      let said = try SaidError(merge.merge()).naming([(merge.folder.path, "FOLDER")])
      let counts = said.message.matches(of: /\b\d+ of the first \d+/).map { String($0.0) }
      return said.naming(counts.map { ($0, "COUNT of the first COUNT") })
    }
  ]
}
