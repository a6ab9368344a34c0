import Fixtures
import Foundation
import Testing

@testable import MergeEngine

/// A finished merge whose journal was rewritten, and whose origin has only the blocks recorded
/// there.
struct CraftedMerge {
  let merge: MergeCase
  /// The entries that the merge recorded: eight entries of one block each, at every third block.
  let entries: [JournalEntry]
  let run: JournalRecord
  /// The offset at which the plan ends.
  var end: UInt64 { entries.last?.end ?? 0 }

  init() throws {
    merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try merge.merge())
    entries = try JournalOnDisk.entries(of: merge.journal)
    try #require(entries.count == 8 && entries.allSatisfy { $0.byteCount == 65_536 })
    run = .attempt(
      JournalRecord.Attempt(
        seconds: 1, bootID: "boot", metadataPath: merge.metadata, dataPath: merge.data,
        originPath: merge.origin))
  }

  /// Writes the records to the journal, and restores the origin except for the ranges in `kept`.
  func put(_ records: [JournalRecord], keeping kept: [JournalEntry]) throws {
    let merged = try content(of: merge.originFile)
    var origin = merge.before
    for entry in kept {
      let range = Int(entry.start)..<Int(entry.end)
      origin.replaceSubrange(range, with: merged[range])
    }
    try overwrite(merge.originFile, with: origin)
    try JournalOnDisk.rewrite(merge.journal, records)
  }

  /// Writes a journal with the given entries and a watermark at the end of the plan.
  func put(_ recorded: [JournalEntry], isFinished: Bool) throws {
    try put(
      [run, checkpoint(recorded)] + (isFinished ? [.finished(seconds: 3)] : []),
      keeping: recorded.filter(entries.contains))
  }

  /// Writes a journal in which a retry recorded only the first page of the first entry again.
  func putReplacedInPart(isFinished: Bool = true) throws {
    let start = Int(entries[0].start)
    let page = Array(try content(of: merge.originFile)[start..<start + 4096])
    let retried = JournalEntry(
      start: entries[0].start, byteCount: 4096,
      checksum: CRC32C.checksum(of: RawSpan(_elements: page.span)))
    try put(
      [
        run, checkpoint(entries), run, .unreadable([retried.range]),
        checkpoint([retried], .retry, sweep: 1),
      ] + (isFinished ? [.finished(seconds: 3)] : []), keeping: entries)
  }

  /// Runs the command and returns the error it reported.
  func reported(_ arguments: [String]) throws -> ReportedError {
    try ReportedError(ThinMergeCommand.run(arguments)).naming([(merge.folder.path, "FOLDER")])
  }

  /// The first half of the entries, each followed by an unmapped range of the same length.
  var halfAndUnmapped: [JournalEntry] {
    entries.prefix(4).flatMap {
      [$0, JournalEntry(start: $0.end, byteCount: $0.byteCount, checksum: 1)]
    }
  }

  func checkpoint(
    _ entries: [JournalEntry], _ kind: JournalRecord.SweepKind = .merge, sweep: UInt64 = 0
  ) -> JournalRecord {
    JournalSample.checkpoint(kind, sweep: sweep, watermark: end, entries)
  }
}

@Suite("Command: journals that record less than the whole merge", .waitsForPrograms)
struct HalfRecordedMergeTests {
  @Test(
    "a journal that records the same half twice is refused by every verb, and nothing is written")
  func sameHalfTwice() throws {
    let crafted = try CraftedMerge()
    let merge = crafted.merge
    let half = Array(crafted.entries.prefix(4))
    try crafted.put(
      [
        crafted.run, crafted.checkpoint(half), crafted.run, crafted.checkpoint(half, sweep: 1),
        .finished(seconds: 3),
      ], keeping: half)
    let origin = try content(of: merge.originFile)
    for arguments in [
      merge.mergeArguments(), ["resume", merge.journal], ["status", merge.journal],
      ["verify", "--journal", merge.journal],
    ] {
      expectError(try ThinMergeCommand.run(arguments), exitStatus: 4, naming: merge.journal)
    }
    #expect(try content(of: merge.originFile) == origin)
  }

  @Test(
    "every verb treats a half-recorded merge as unfinished, even if its journal says finished",
    arguments: [[], ["--trust-earlier-runs"]], [false, true])
  func half(options: [String], isSecondHalf: Bool) throws {
    let crafted = try CraftedMerge()
    let merge = crafted.merge
    try crafted.put(
      Array(isSecondHalf ? crafted.entries.suffix(4) : crafted.entries.prefix(4)),
      isFinished: true)
    #expect(try merge.status()["state"]?.string == "stopped")
    let verified = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
    expectError(verified, exitStatus: 3, naming: merge.journal)
    for result in [try merge.merge(options), try merge.resume(options)] {
      expectError(result, exitStatus: 3, naming: merge.journal)
      #expect(result.standardError.contains("does not record the whole merge"))
      #expect(result.standardError.contains("--restart"))
    }
    #expect(try merge.status()["state"]?.string == "stopped")
    expectSuccess(try merge.merge(["--restart"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "recorded bytes that the thin device does not map do not count toward finishing a merge",
    arguments: [[], ["--trust-earlier-runs"]])
  func unmapped(options: [String]) throws {
    let crafted = try CraftedMerge()
    try crafted.put(crafted.halfAndUnmapped, isFinished: false)
    let result = try crafted.merge.merge(options)
    expectError(result, exitStatus: 3, naming: "the journal")
    #expect(result.standardError.contains("map"))
    #expect(try crafted.merge.status()["state"]?.string == "stopped")
  }

  @Test("verify --journal reports an incomplete comparison if part of a journal entry was replaced")
  func replacedInPart() throws {
    let crafted = try CraftedMerge()
    let merge = crafted.merge
    try crafted.putReplacedInPart()
    #expect(try merge.status()["state"]?.string == "finished")
    let verify = ["verify", "--journal", merge.journal]
    let result = try ThinMergeCommand.run(verify)
    expectError(result, exitStatus: 3, naming: merge.journal)
    #expect(result.standardError.contains("462848 of 524288 bytes"))
    // The re-check has no checksum for the rest of the first entry, so it records that rest again.
    try crafted.putReplacedInPart(isFinished: false)
    expectSuccess(try merge.merge())
    expectSuccess(try ThinMergeCommand.run(verify))
    // A difference takes precedence over a missing checksum.
    try crafted.putReplacedInPart()
    try overwrite(merge.originFile, with: merge.before)
    #expect(try ThinMergeCommand.run(verify).exitStatus == 1)
  }
}
