import Fixtures
@testable import MergeEngine

/// Checks each record against the state of the disk at the moment it is appended to the journal.
///
/// Every entry must be durable on the origin with a matching checksum. Every planned byte before
/// the watermark must be recorded or listed as unreadable.
final class CheckpointAudit {
  private unowned let disk: SimulatedDisk
  private let planned: RangeSet
  private var journal: [UInt8]
  private var known: Set<Entry> = []
  private(set) var checkpointCount = 0
  /// The maximum number of bytes written to the origin but not yet recorded, over the whole run.
  private(set) var unrecordedByteCountMax: UInt64 = 0
  private var recordedByteCount: UInt64 = 0
  private let recordedBefore: UInt64

  private struct Entry: Hashable {
    var range: ByteRange
    var checksum: UInt32?
  }

  /// Creates an audit that starts from the current content of the journal.
  init(_ disk: SimulatedDisk, planned: RangeSet) throws(MergeError) {
    self.disk = disk
    self.planned = planned
    journal = disk[.journal].bytes(at: 0, count: Int(disk[.journal].byteCount))
    recordedBefore = try disk.journalState().doneByteCount
    recordedByteCount = recordedBefore
    known = Set(try entries().pieces)
  }

  /// Audits bytes that are about to be appended to the journal.
  func append(_ bytes: [UInt8], at byteOffset: UInt64) {
    guard byteOffset == UInt64(journal.count).roundedUp(toMultipleOf: 4096) else {
      return disk.stop("a record at byte \(byteOffset) of a journal of \(journal.count)")
    }
    journal += [UInt8](repeating: 0, count: Int(byteOffset) - journal.count) + bytes
    let written = disk.originWrites.reduce(0) { $0 + $1.byteCount }
    let unrecorded = written - min(written, recordedByteCount - recordedBefore)
    unrecordedByteCountMax = max(unrecordedByteCountMax, unrecorded)
    do throws(MergeError) {
      let now = try entries()
      recordedByteCount = max(recordedByteCount, now.state.doneByteCount)
      // In a finished merge, every entry must be intact, no matter which run recorded it.
      for entry in now.pieces where known.insert(entry).inserted || now.state.isFinished {
        check(entry)
      }
      checkpointCount += 1
      var missing = planned
      missing.remove(ByteRange(start: now.state.watermark, end: .max >> 1))
      for entry in now.pieces { missing.remove(entry.range) }
      for range in now.state.unreadable.ranges { missing.remove(range) }
      if !missing.isEmpty {
        disk.stop("watermark \(now.state.watermark) passes over \(missing.ranges.prefix(3))")
      }
    } catch {
      disk.stop("the journal that is being written cannot be read: \(error.message)")
    }
  }

  private func check(_ entry: Entry) {
    // The remainder of a partly replaced entry has no checksum.
    guard let checksum = entry.checksum, !disk.faults.originLies else { return }
    guard disk.isDurable(entry.range, on: .target) else {
      return disk.stop("a checkpoint claims \(entry.range), which is not durable")
    }
    let bytes = disk[.target].bytes(at: entry.range.start, count: Int(entry.range.byteCount))
    if CRC32C.checksum(of: RawSpan(_elements: bytes.span)) != checksum {
      disk.stop("a checkpoint's checksum is not that of \(entry.range)")
    }
  }

  private func entries() throws(MergeError) -> (state: JournalState, pieces: [Entry]) {
    let copy = SimulatedDisk(journal: journal)
    var reader = try copy.journalReader()
    let state = try JournalState(reading: &reader)
    if state.hasTornEnd { disk.stop("the journal ends in something that is no record") }
    var recorded = JournaledPieces(reader, state)
    var pieces: [Entry] = []
    while let piece = try recorded.next() {
      pieces.append(Entry(range: piece.range, checksum: piece.checksum))
    }
    return (state, pieces)
  }
}

extension SimulatedDisk {
  /// Returns a journal reader that is subject to the faults of this disk, as in a merge.
  func journalReader() throws(MergeError) -> JournalReader<SimulatedQueue> {
    try JournalReader(
      path: "journal", byteCount: self[.journal].byteCount,
      io: try SimulatedQueue(
        self, requestCount: 1, slabByteCount: JournalReader<SimulatedQueue>.slabByteCount))
  }

  /// A disk without faults that contains only a copy of the journal.
  private var journalAlone: SimulatedDisk {
    SimulatedDisk(seed: 0, contents: [.journal: self[.journal]])
  }

  /// Returns the state recorded in the journal.
  func journalState() throws(MergeError) -> JournalState {
    var reader = try journalAlone.journalReader()
    return try JournalState(reading: &reader)
  }

  /// Returns the records of the journal, up to the first that is missing or invalid.
  func journalRecords() throws -> [JournalReader<SimulatedQueue>.Placed] {
    var reader = try journalAlone.journalReader()
    var records: [JournalReader<SimulatedQueue>.Placed] = []
    while let next = try reader.record(
      following: records.last?.endByteOffset ?? reader.headerByteCount,
      sequence: UInt64(records.count) + 1)
    {
      records.append(next)
    }
    return records
  }

  /// Returns the recorded pieces.
  ///
  /// If entries overlap, only the newest counts.
  func recordedPieces() throws(MergeError) -> [RecordedPiece] {
    var recorded = JournaledPieces(try journalAlone.journalReader(), try journalState())
    var pieces: [RecordedPiece] = []
    while let piece = try recorded.next() { pieces.append(piece) }
    return pieces
  }
}
