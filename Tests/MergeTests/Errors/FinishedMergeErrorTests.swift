import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: finished merges, and origins that lost merged data", .waitsForPrograms)
struct FinishedMergeErrorTests {
  @Test(
    "every error about a finished merge or a restored origin has the expected code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations: [ErrorSituation] = [
    ErrorSituation(
      "the thin device was written to after the merge", "source-changed", .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.changeSource()
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin was written to after the merge", "origin-changed", .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try overwrite(merge.originFile, with: Data(repeating: 1, count: 512))
        return try merge.merge()
      }),
    ErrorSituation(
      "thin device and origin were written to after the merge", "both-changed", .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.changeSource()
        try overwrite(merge.originFile, with: Data(repeating: 1, count: 512))
        return try merge.merge()
      }),
    ErrorSituation(
      "the mappings changed after the merge", "mappings-changed", .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.merge()
      }),
    ErrorSituation(
      "a finished merge is wanted with another end", "other-merge-finished", .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        return try merge.merge(["--thin-size", "1M", "--past-end", "clip"])
      }),
    ErrorSituation("a program resumes a finished merge", "merge-finished", .refused) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      do throws(MergeError) {
        _ = try Merger().resume(journalPath: merge.journal)
      } catch {
        return ReportedError(error).naming([(merge.folder.path, "FOLDER")])
      }
      throw SupportError("resumed")
    },
    ErrorSituation(
      "the origin was restored after the merge stopped", "origin-lost", .journalConflict
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      try merge.restoreOrigin()
      let said = try ReportedError(merge.merge()).followed().naming([(merge.folder.path, "FOLDER")])
      let counts = said.message.matches(of: /\b\d+ of the first \d+/).map { String($0.0) }
      return said.naming(counts.map { ($0, "COUNT of the first COUNT") })
    },
  ]
}

extension MergeCase {
  /// Overwrites, in place, one sector of the fourth mapped block of the merge's source.
  fileprivate func changeSource() throws {
    try overwrite(
      dataFile, at: Int(mappings[3].dataBlock) * blockByteCount,
      with: Data(repeating: 0x5a, count: 512))
  }
}
