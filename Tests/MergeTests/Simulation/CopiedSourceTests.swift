import Fixtures
import Testing

@testable import MergeEngine

@Suite("In-memory merges: resuming from a copy of the data device")
struct CopiedSourceTests {
  private static let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)

  /// Returns a stopped merge, and the pieces recorded in its journal.
  private static func stopped() throws -> (harness: MergeHarness, pieces: [RecordedPiece]) {
    for reap in 20...400 {
      let harness = MergeHarness(InterruptedMergeTests.merge(transfer), seed: Seed.current.value)
      let first = try harness.run(.init(interruptedAtReap: reap))
      try #require(first.end == .interrupted, "\(reap)")
      let pieces = try harness.disk.recordedPieces()
      if pieces.count >= 12 { return (harness, pieces) }
    }
    throw SupportError("no such stop")
  }

  private static func run(
    _ harness: MergeHarness, trusts: Bool = false
  ) throws -> MergeHarness.RunResult {
    try harness.run(
      .init(trustsEarlierRuns: trusts, sourceIsCopy: true, skipsOriginCheck: false))
  }

  @Test("bytes missing from the copy do not replace merged bytes", arguments: [false, true])
  func lacking(trusts: Bool) throws {
    let (harness, pieces) = try Self.stopped()
    let original = harness.disk[.data]
    for piece in pieces.dropFirst(5) { try harness.wipeSource(of: piece.range) }
    let second = try Self.run(harness, trusts: trusts)
    #expect(second.isFinished && second.state.isFinished)
    #expect(second.rewrittenByteCount == 0)
    #expect(second.recheckedByteCount == pieces.reduce(0) { $0 + $1.range.byteCount })
    for piece in pieces { try harness.putBackSource(of: piece.range, from: original) }
    #expect(harness.wrongPlace() == nil)
    let recorded = try harness.compareWithJournal()
    #expect(recorded.end == .finished && recorded.differences.byteCount == 0)
  }

  @Test("a transfer lost on the origin is rewritten from the copy")
  func lostOnOrigin() throws {
    let (harness, pieces) = try Self.stopped()
    harness.restoreOrigin(sector: Int(pieces[3].range.start / 512))
    let second = try Self.run(harness)
    try harness.expectMerged(second, "lost on the origin")
    #expect(second.rewrittenByteCount == pieces[3].range.byteCount)
  }

  @Test(
    "a transfer that is lost on both the origin and the copy stops the merge, and is not overwritten"
  )
  func lostOnBoth() throws {
    let (harness, pieces) = try Self.stopped()
    try harness.wipeSource(of: pieces[3].range)
    harness.restoreOrigin(sector: Int(pieces[3].range.start / 512))
    let before = harness.disk[.target].bytes(
      at: pieces[3].range.start, count: Int(pieces[3].range.byteCount))
    let second = try Self.run(harness)
    guard case .failed(let error) = second.end else {
      Issue.record("\(second.end)")
      return
    }
    #expect(error.code == .mergedBytesLost && error.kind == .stopped)
    #expect(!second.state.isFinished)
    let after = harness.disk[.target].bytes(
      at: pieces[3].range.start, count: Int(pieces[3].range.byteCount))
    #expect(before == after)
  }

  @Test("the re-check reports the lowest lost byte, whatever order the transfers arrive in")
  func lowestLost() {
    let (source, target) = ([UInt8](repeating: 1, count: 512), [UInt8](repeating: 2, count: 512))
    var step = RecheckStep(keepsRecorded: true)
    for start in [8192, 4096, 12288] as [UInt64] {
      let verdict = step.inspect(
        ByteRange(start: start, end: start + 512), recordedChecksum: 0,
        source: RawSpan(_elements: source.span),
        target: RawSpan(_elements: target.span))
      #expect(verdict == .keep)
    }
    #expect(step.lowestLostByteOffset == 4096)
    #expect(step.lostByteCount == 3 * 512)
  }

  @Test("a data device that is not a copy of the original is refused before any write")
  func noCopy() throws {
    let (harness, pieces) = try Self.stopped()
    for piece in pieces { try harness.wipeSource(of: piece.range) }
    let error = #expect(throws: MergeError.self) { try Self.run(harness) }
    #expect(error?.code == .noCopyOfData && error?.kind == .journalConflict)
    #expect(harness.disk.originWrites.isEmpty)
  }
}

extension MergeHarness {
  /// Overwrites the source bytes of an origin range with zeros.
  fileprivate func wipeSource(of range: ByteRange) throws {
    disk.put(
      [UInt8](repeating: 0, count: Int(range.byteCount)), on: .data, at: try source(of: range))
  }

  func putBackSource(of range: ByteRange, from content: SparseContent) throws {
    let start = try source(of: range)
    disk.put(content.bytes(at: start, count: Int(range.byteCount)), on: .data, at: start)
  }

  private func source(of range: ByteRange) throws -> UInt64 {
    let block = UInt64(merge.model.blockByteCount)
    let mapping = try #require(merge.model.mappings.first { $0.thinBlock == range.start / block })
    return mapping.dataBlock * block + range.start % block
  }
}
