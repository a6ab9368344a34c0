import Fixtures
import Testing

@testable import MergeEngine

@Suite("In-memory merges: the origin check before resuming")
struct OriginCheckTests {
  private static let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)

  /// Returns a merge that was stopped after at least `count` transfers were recorded.
  private static func stopped(recorded count: Int) throws -> MergeHarness {
    for reap in 20...400 {
      let harness = MergeHarness(InterruptedMergeTests.merge(transfer), seed: Seed.current.value)
      let first = try harness.run(.init(interruptedAtReap: reap))
      try #require(first.end == .interrupted, "\(reap)")
      if try harness.disk.recordedPieces().count >= count { return harness }
    }
    throw SupportError("no such stop")
  }

  private static func restore(_ pieces: some Sequence<RecordedPiece>, of harness: MergeHarness) {
    for piece in pieces {
      let (start, count) = (piece.range.start, Int(piece.range.byteCount))
      harness.disk.put(harness.before.bytes(at: start, count: count), on: .target, at: start)
    }
  }

  @Test("a resumed merge stops before writing if the origin has none of the recorded bytes")
  func restoredAsAWhole() throws {
    let harness = try Self.stopped(recorded: 10)
    Self.restore(try harness.disk.recordedPieces(), of: harness)
    let journal = harness.disk[.journal].byteCount
    let error = #expect(throws: MergeError.self) { try harness.run(.init(skipsOriginCheck: false)) }
    #expect(error?.kind == .journalConflict && error?.code == .originLost)
    #expect(harness.disk.originWrites.isEmpty && harness.disk[.journal].byteCount == journal)
    try harness.expectMerged(try harness.run(.init(skipsOriginCheck: true)), "not looked at")
  }

  @Test(
    "a merge stops if nine of ten recorded transfers are missing from the origin, but not if fewer are"
  )
  func threshold() throws {
    for stops in [true, false] {
      let harness = try Self.stopped(recorded: 10)
      let pieces = try harness.disk.recordedPieces()
      let kept = pieces.count / 10 + (stops ? 0 : 1)
      Self.restore(pieces.dropLast(kept), of: harness)
      if stops {
        let error = #expect(throws: MergeError.self) {
          try harness.run(.init(skipsOriginCheck: false))
        }
        #expect(error?.kind == .journalConflict)
      } else {
        try harness.expectMerged(try harness.run(.init(skipsOriginCheck: false)), "kept \(kept)")
      }
    }
  }

  @Test("a resumed merge continues even if its whole source was overwritten")
  func sourceChanged() throws {
    let harness = try Self.stopped(recorded: 10)
    for block in 0..<10 { harness.overwriteSource(block: block) }
    try harness.expectMerged(try harness.run(.init(skipsOriginCheck: false)), "source changed")
  }

  @Test(
    "a resumed merge stops at a restored origin, even if every recorded source transfer changed")
  func bothChanged() throws {
    let harness = try Self.stopped(recorded: 10)
    let pieces = try harness.disk.recordedPieces()
    for piece in pieces { try harness.changeSource(of: piece.range) }
    Self.restore(pieces, of: harness)
    let error = #expect(throws: MergeError.self) { try harness.run(.init(skipsOriginCheck: false)) }
    #expect(error?.code == .originLost)
    #expect(harness.disk.originWrites.isEmpty)
  }

  @Test(
    "without a data device identity, one changed source transfer stops a resumed merge",
    arguments: [false, true])
  func unidentifiedSource(trusts: Bool) throws {
    let harness = try Self.stopped(recorded: 10)
    let piece = try #require(try harness.disk.recordedPieces().last)
    let options = MergeHarness.RunOptions(
      trustsEarlierRuns: trusts, sourceIsIdentified: false, skipsOriginCheck: false)
    let original = harness.disk[.data]
    try harness.changeSource(of: piece.range)
    let journal = harness.disk[.journal].byteCount
    let error = #expect(throws: MergeError.self) { try harness.run(options) }
    #expect(error?.kind == .journalConflict && error?.code == .dataNotAsRecorded)
    #expect(harness.disk.originWrites.isEmpty && harness.disk[.journal].byteCount == journal)
    try harness.putBackSource(of: piece.range, from: original)
    try harness.expectMerged(try harness.run(options), "the source is back")
  }

  @Test("a run over a finished merge does not stop at a restored origin")
  func finished() throws {
    let harness = MergeHarness(InterruptedMergeTests.merge(Self.transfer), seed: Seed.current.value)
    try harness.expectMerged(try harness.run(), "first")
    Self.restore(try harness.disk.recordedPieces(), of: harness)
    try harness.expectMerged(try harness.run(.init(skipsOriginCheck: false)), "again")
  }
}

extension MergeHarness {
  /// Overwrites the first 512 source bytes of `range` in place.
  fileprivate func changeSource(of range: ByteRange) throws {
    let block = UInt64(merge.model.blockByteCount)
    let mapping = try #require(merge.model.mappings.first { $0.thinBlock == range.start / block })
    disk.put(
      [UInt8](repeating: 0x5a, count: 512), on: .data,
      at: mapping.dataBlock * block + range.start % block)
  }
}
