import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// A merge that was finished before, and devices that changed since; origins that lost what was merged.
enum WhyAFinishedMergeIsNotMerged {
  static let rows: [ErrorRow] = [
    ErrorRow(
      "a source that was written to after the merge", .journalConflict,
      """
      dev 0 of FOLDER/metadata.img was written to after the merge, \
      FOLDER/origin.img.thin-merge: 512 bytes differ from what was merged, the first at byte \
      589824 of the origin; nothing was written
      """, hints: ["to merge what was written since: add --again"],
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.changeSource()
        return try merge.merge()
      }),
    ErrorRow(
      "an origin that was written to after the merge", .journalConflict,
      """
      FOLDER/origin.img was written to, or restored from a copy, after the merge, \
      FOLDER/origin.img.thin-merge: 512 bytes differ from what was merged, the first at byte 0 \
      of the origin; nothing was written
      """,
      hints: [
        """
        to keep the origin as it is, there is nothing to do; to overwrite on the origin what \
        differs from the thin device: add --again
        """
      ],
      command: { merge in
        expectSuccess(try merge.merge())
        try overwrite(merge.originFile, with: Data(repeating: 1, count: 512))
        return try merge.merge()
      }),
    ErrorRow(
      "source and origin that were written to after the merge", .journalConflict,
      """
      dev 0 of FOLDER/metadata.img was written to after the merge, and FOLDER/origin.img was \
      written to, or restored from a copy, after the merge, FOLDER/origin.img.thin-merge: thin \
      device: 512 bytes differ from what was merged, the first at byte 589824 of the origin; \
      origin: 512 bytes differ from what was merged, the first at byte 0 of the origin; nothing \
      was written
      """,
      hints: [
        """
        to keep the origin as it is, there is nothing to do; to overwrite on the origin what \
        differs from the thin device: add --again
        """
      ],
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.changeSource()
        try overwrite(merge.originFile, with: Data(repeating: 1, count: 512))
        return try merge.merge()
      }),
    ErrorRow(
      "mappings that changed after the merge", .journalConflict,
      """
      dev 0 of FOLDER/metadata.img was written to after the merge, \
      FOLDER/origin.img.thin-merge: the device's mappings changed: the fingerprint is \
      b5302913342f37cb-0a236b67, the journal's c43485fd9f615259-ae57ea57; nothing was written
      """,
      hints: [
        "to merge it as it is now, overwriting what was written to the origin since: add --again"
      ],
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.merge()
      }),
    ErrorRow(
      "another end than the finished merge had", .journalConflict,
      """
      another merge of these devices is finished, FOLDER/origin.img.thin-merge: it merges up to \
      byte 1572864 (--past-end refuse), this merge up to byte 1048576 (--past-end clip); \
      nothing was written
      """,
      hints: [
        "to merge it as it is now, overwriting what was written to the origin since: add --again"
      ],
      command: { merge in
        expectSuccess(try merge.merge())
        return try merge.merge(["--thin-size", "1M", "--past-end", "clip"])
      }),
    ErrorRow(
      "a finished merge, to be resumed by a program", .refused,
      "the merge is finished, FOLDER/origin.img.thin-merge: nothing is left to resume",
      hints: ["--again merges again what differs between thin device and origin"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      do throws(MergeError) {
        _ = try Merger().resume(journalPath: merge.journal)
      } catch {
        return SaidError(error).naming([(merge.folder.path, "FOLDER")])
      }
      throw SupportError("resumed")
    },
    ErrorRow(
      onlyStated: "a finished merge of which the journal records only part", .stopped,
      """
      only part of the merge could be compared, JOURNAL: 4096 of 8192 bytes are recorded
      """, hints: ["to merge it again: add --again"]),
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
        restored, 'thin-merge merge' with --restart merges all of it again
        """
      ]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      try merge.restoreOrigin()
      let said = try SaidError(merge.merge()).naming([(merge.folder.path, "FOLDER")])
      let counts = said.message.matches(of: /\b\d+ of the first \d+/).map { String($0.0) }
      return said.naming(counts.map { ($0, "COUNT of the first COUNT") })
    },
  ]
}

extension MergeCase {
  /// Writes a sector of the fourth block of the source, in place.
  fileprivate func changeSource() throws {
    try overwrite(
      dataFile, at: Int(mappings[3].dataBlock) * blockByteCount,
      with: Data(repeating: 0x5a, count: 512))
  }
}
