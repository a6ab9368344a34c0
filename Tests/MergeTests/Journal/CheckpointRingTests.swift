import Testing

@testable import MergeEngine

@Suite("Checkpoints: more transfers than fit in the ring of waiting transfers")
struct CheckpointRingTests {
  private static let unit: UInt64 = 4096
  private static let transferCount = UInt64(Checkpointer.waitingCountMax) + 1000

  @Test("every transfer is recorded in order, even with thousands of transfers between checkpoints")
  func all() throws {
    let disk = Self.disk()
    try Self.record(on: disk)
    var reader = try JournalReader(
      path: "journal", byteCount: disk[.journal].byteCount,
      io: SimulatedQueue(
        disk, requestCount: 1, slabByteCount: JournalReader<SimulatedQueue>.slabByteCount))
    var entries = EntryStream(try JournalState(reading: &reader))
    var number: UInt64 = 0
    while let piece = try entries.next(&reader) {
      let expected = RecordedPiece(range: Self.range(number), checksum: Self.checksum(number))
      try #require(piece == expected)
      number += 1
    }
    #expect(number == Self.transferCount)
  }

  private static func range(_ number: UInt64) -> ByteRange {
    ByteRange(start: 2 * number * unit, end: (2 * number + 1) * unit)
  }

  private static func checksum(_ number: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: number &* 0x9E37_79B1)
  }

  private static let header: JournalHeader = {
    var header = JournalSample.header
    header.plannedByteCount = transferCount * unit
    header.endByteOffset = 2 * transferCount * unit
    return header
  }()

  private static func disk() -> SimulatedDisk {
    let disk = SimulatedDisk(journal: header.encoded)
    disk.rules = nil
    return disk
  }

  private static func record(on disk: SimulatedDisk) throws {
    let encoded = header.encoded
    var io = try SimulatedQueue(
      disk, requestCount: PipelineShape.ledgerRequestCount,
      slabByteCount: Checkpointer.slabByteCount)
    var checkpoints = Checkpointer(
      journal: JournalEncoder(
        endByteOffset: UInt64(encoded.count), nextSequence: 1,
        headerChecksum: JournalSample.checksum(encoded),
        dataBlockByteCount: header.dataBlockByteCount),
      watermark: 0, nextSweep: 1, interval: .seconds(5), slabByteOffset: 0, targetPath: "origin",
      journalPath: "journal", now: .zero, secondsSince1970: { 0 })
    checkpoints.beginSweep(.merge)
    var batch = CompletionBatch()
    for number in 0..<transferCount {
      let ticket = checkpoints.began(range(number))
      checkpoints.ended(ticket, .merged(checksum: checksum(number)))
      guard number % 7000 == 6999 || number == transferCount - 1 else { continue }
      while !checkpoints.isSettled {
        checkpoints.advance(&io, now: .zero, isLast: true)
        io.submit()
        try io.reap(atLeast: 1, timeout: nil, into: &batch)
        for index in 0..<batch.count { checkpoints.completed(batch[index], &io, now: .zero) }
      }
    }
    #expect(checkpoints.failure == nil)
    #expect(checkpoints.recordedByteCount == transferCount * unit)
    #expect(disk.violation == nil)
  }
}
