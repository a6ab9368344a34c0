import Fixtures
import Testing

@testable import MergeEngine

@Suite("In-memory merges: a finished merge compared with its records")
struct FinishedMergeTests {
  private static let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)

  /// Returns a finished merge, and the content of its journal.
  private static func finished() throws -> (harness: MergeHarness, journal: SparseContent) {
    let harness = MergeHarness(InterruptedMergeTests.merge(transfer), seed: Seed.current.value)
    try harness.expectMerged(try harness.run(), "\(Seed.current)")
    harness.disk.beginRun()
    return (harness, harness.disk[.journal])
  }

  /// Expects a comparison to write nothing, and to fail with an error containing `words`, if any.
  private static func expectComparison(
    _ harness: MergeHarness, _ journal: SparseContent, source: UInt64, origin: UInt64,
    says words: [String]?, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try harness.compareWithRecorded()
    let planned = harness.merge.plannedRanges.byteCount
    #expect(found.end == .finished, sourceLocation: sourceLocation)
    #expect(found.sourceDifferences.byteCount == source, sourceLocation: sourceLocation)
    #expect(found.targetDifferences.byteCount == origin, sourceLocation: sourceLocation)
    try harness.expectNoViolation(
      "\(harness.disk.violation ?? "")", sourceLocation: sourceLocation)
    #expect(harness.disk.originWrites.isEmpty, sourceLocation: sourceLocation)
    #expect(harness.disk[.journal].byteCount == journal.byteCount, sourceLocation: sourceLocation)
    let all = ByteRange(start: 0, end: journal.byteCount)
    #expect(
      journal.firstDifference(all, from: harness.disk[.journal], at: 0) == nil,
      sourceLocation: sourceLocation)
    let error = found.error(
      sourceName: "vg/vm1", originPath: "base", journalPath: "journal", plannedByteCount: planned)
    #expect(error?.kind == (words == nil ? nil : .journalConflict), sourceLocation: sourceLocation)
    for word in words ?? [] {
      #expect(error?.message.contains(word) == true, sourceLocation: sourceLocation)
    }
  }

  @Test("comparing a finished, unchanged merge reports no difference and writes nothing")
  func unchanged() throws {
    let (harness, journal) = try Self.finished()
    try Self.expectComparison(harness, journal, source: 0, origin: 0, says: nil)
    #expect(
      try harness.compareWithRecorded().comparedByteCount == harness.merge.plannedRanges.byteCount)
  }

  @Test(
    "a comparison finds each source sector written after the merge, and does not change the origin")
  func sourceChanged() throws {
    let (harness, journal) = try Self.finished()
    harness.disk.put([UInt8](repeating: 0x5a, count: 1024), on: .data, at: 4 * 65_536 + 512)
    try Self.expectComparison(
      harness, journal, source: 1024, origin: 0,
      says: [
        "vg/vm1 was written to after the merge", "1 KiB", "the first at byte 512 of the origin",
      ])
  }

  @Test(
    "a comparison finds each origin sector written after the merge, and does not change the sector")
  func originChanged() throws {
    let (harness, journal) = try Self.finished()
    let sector = harness.restoreOrigin(sector: 9 * 128 + 5)
    try Self.expectComparison(
      harness, journal, source: 0, origin: 512,
      says: ["base was written to, or restored from a copy, after the merge", "\(sector.start)"])
  }

  @Test(
    "a comparison reports both source and origin as changed if both were written to after the merge"
  )
  func bothChanged() throws {
    let (harness, journal) = try Self.finished()
    harness.disk.put([UInt8](repeating: 0x5a, count: 512), on: .data, at: 4 * 65_536)
    harness.restoreOrigin(sector: 9 * 128 + 5)
    try Self.expectComparison(
      harness, journal, source: 512, origin: 512,
      says: ["vg/vm1 was written to", "and base was written to, or restored"])
  }

  @Test(
    "a comparison reports both sides as changed if they are equal but differ from the recorded bytes"
  )
  func sameChangeOnBothSides() throws {
    let (harness, journal) = try Self.finished()
    let bytes = [UInt8](repeating: 0x5a, count: 512)
    harness.disk.put(bytes, on: .data, at: 4 * 65_536)
    harness.disk.put(bytes, on: .target, at: 0)
    try Self.expectComparison(
      harness, journal, source: 16_384, origin: 16_384, says: ["vg/vm1 was", "and base was"])
  }

  @Test("a source with unreadable sectors is not reported as equal to the origin")
  func unreadableSource() throws {
    let (harness, _) = try Self.finished()
    let bad = ByteRange(start: 4 * 65_536 + 512, end: 4 * 65_536 + 1024)
    harness.disk.faults.addBadRange(.read, .data, bad)
    let found = try harness.compareWithRecorded()
    let error = found.error(
      sourceName: "vg/vm1", originPath: "base", journalPath: "journal",
      plannedByteCount: harness.merge.plannedRanges.byteCount)
    #expect(found.unreadable.byteCount == 512)
    #expect(error?.kind == .stopped && error?.code == .notAllCompared)
    #expect(harness.disk.originWrites.isEmpty)
  }

  @Test("a finished journal that records only part of the plan is not reported as equal")
  func partOfThePlan() throws {
    let (harness, _) = try Self.finished()
    let found = try harness.compareWithRecorded()
    let error = found.error(
      sourceName: "vg/vm1", originPath: "base", journalPath: "journal",
      plannedByteCount: found.comparedByteCount + 512)
    #expect(error?.kind == .stopped)
  }

  @Test("a run over a finished merge rereads all of its data, even if earlier runs are trusted")
  func trustedAndFinished() throws {
    let (harness, _) = try Self.finished()
    harness.overwriteSource(block: 4)
    // The first of these runs withdraws the `finished` state of the merge before the second starts.
    _ = try harness.run(.init(interruptedAtReap: 3, trustsEarlierRuns: true))
    let result = try harness.run(.init(trustsEarlierRuns: true))
    try harness.expectMerged(result, "\(harness.wrongPlace() ?? "")")
    #expect(result.recheckedByteCount == harness.merge.plannedRanges.byteCount)
  }
}
