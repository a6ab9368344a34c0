internal import SystemPackage

/// Reads a journal's header and records through an I/O queue of its own.
package struct JournalReader<IO: BlockIO & ~Copyable>: ~Copyable {
  package static var slabByteCount: Int { 256 << 10 }

  /// The content found at a byte offset of the journal.
  enum Found {
    case record(JournalRecord, frame: RecordFrame, nextByteOffset: UInt64)
    case invalid
    /// The byte offset is at or past the end of the file.
    case end
  }

  /// A record and its position in the journal.
  struct Placed {
    var record: JournalRecord
    var frame: RecordFrame
    var byteOffset: UInt64
    var endByteOffset: UInt64
  }

  package let path: String
  package let byteCount: UInt64
  package let header: JournalHeader
  package let headerByteCount: UInt64
  /// The CRC-32C of the whole header, including its last four bytes; the first input to every
  /// record's checksum.
  package let headerChecksum: UInt32
  /// The CRC-32C stored in the header's last four bytes, which differs from one header to the next.
  package let headerProof: UInt32
  private var io: IO
  private var windowByteOffset: UInt64 = 0
  private var windowByteCount = 0

  /// Reads and checks the journal's header.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if the file is not a journal or is corrupt.
  package init(path: String, byteCount: UInt64, io: consuming IO) throws(MergeError) {
    var io = io
    do throws(JournalFault) {
      let first = try Self.read(0, count: 16, byteCount, &io)
      guard first.count == 16 else { throw .cutInFirstBytes() }
      let bytes = try Self.read(
        0, count: JournalHeader.byteCount(of: first), byteCount, &io)
      header = try JournalHeader(decoding: bytes)
      headerChecksum = CRC32C.checksum(of: RawSpan(_elements: bytes.span))
      headerProof = RawSpan(_elements: bytes.span).littleEndian(
        at: bytes.count - 4, as: UInt32.self)
      // This is the size of the bytes whose checksum was verified.
      self.headerByteCount = UInt64(bytes.count)
    } catch {
      throw error.conflict(path: path)
    }
    self.path = path
    self.byteCount = byteCount
    self.io = io
  }

  /// Reads `count` bytes, one slab at a time; returns fewer at the end of the file.
  private static func read(
    _ byteOffset: UInt64, count: Int, _ byteCount: UInt64, _ io: inout IO
  ) throws(JournalFault) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, byteOffset + UInt64(bytes.count) < byteCount {
      let wanted = min(count - bytes.count, io.slabByteCount)
      let result = io.perform(
        IORequest(
          .read, .journal, byteOffset: byteOffset + UInt64(bytes.count), byteCount: wanted, tag: 0))
      guard result >= 0 else {
        throw .cannotRead(Errno(result: result))
      }
      guard result > 0 else { break }
      bytes += io.bytes(at: 0, count: Int(result)).copiedBytes(at: 0, count: Int(result))
    }
    return bytes
  }

  /// The bytes returned by the last read.
  private var window: RawSpan {
    @_lifetime(borrow self)
    borrowing get { io.bytes(at: 0, count: windowByteCount) }
  }

  /// Returns the position of the requested bytes in the window, reading them first if needed.
  ///
  /// The position is valid until the next call, and covers fewer bytes at the end of the file.
  private mutating func place(_ byteOffset: UInt64, count: Int) throws(JournalFault) -> Range<Int> {
    let there = byteOffset < byteCount ? min(UInt64(count), byteCount - byteOffset) : 0
    guard there > 0 else { return 0..<0 }
    if byteOffset < windowByteOffset
      || byteOffset + there > windowByteOffset + UInt64(windowByteCount)
    {
      windowByteOffset = byteOffset
      windowByteCount = 0
      while windowByteCount < Int(there) {
        let result = io.perform(
          IORequest(
            .read, .journal, byteOffset: byteOffset + UInt64(windowByteCount),
            slabByteOffset: windowByteCount, byteCount: io.slabByteCount - windowByteCount, tag: 0))
        guard result >= 0 else {
          throw .cannotRead(Errno(result: result))
        }
        guard result > 0 else { break }
        windowByteCount += Int(result)
      }
    }
    let first = Int(byteOffset - windowByteOffset)
    return first..<min(first + Int(there), windowByteCount)
  }

  mutating func record(at byteOffset: UInt64) throws(JournalFault) -> Found {
    guard byteOffset < byteCount else { return .end }
    let head = try place(byteOffset, count: RecordFrame.byteCount)
    guard let frame = RecordFrame(window.extracting(head)), frame.mayStand(at: byteOffset)
    else { return .invalid }
    let body = try place(
      byteOffset + UInt64(RecordFrame.byteCount), count: frame.payloadByteCount)
    let payload = window.extracting(body)
    // A record without its padding was never fully appended, so no later append depends on it.
    guard payload.byteCount == frame.payloadByteCount,
      byteCount - byteOffset >= UInt64(frame.recordByteCount),
      frame.proves(payload, headerChecksum: headerChecksum)
    else { return .invalid }
    guard
      let record = JournalRecord(
        kindCode: frame.kindCode, payload: payload, dataBlockByteCount: header.dataBlockByteCount)
    else {
      // The checksum is valid, so this is not a torn write: a newer version wrote the record, or
      // the file was crafted.
      throw .recordUnknown(at: byteOffset)
    }
    return .record(
      record, frame: frame, nextByteOffset: byteOffset + UInt64(frame.recordByteCount))
  }

  /// Returns the next record, either from the same append or from the start of the next one; nil if
  /// there is none.
  mutating func record(
    following byteOffset: UInt64, sequence: UInt64
  ) throws(JournalFault) -> Placed? {
    let nextAppend = byteOffset.roundedUp(toMultipleOf: JournalEncoder.appendAlignmentByteCount)
    for place in byteOffset == nextAppend ? [byteOffset] : [byteOffset, nextAppend] {
      if case .record(let record, let frame, let end) = try record(at: place),
        frame.sequence == sequence
      {
        return Placed(
          record: record, frame: frame, byteOffset: place, endByteOffset: end)
      }
    }
    return nil
  }

  /// Returns true if a later append proves that the bytes at `byteOffset` are corrupt, because the
  /// append began after record `sequence` was durable or because it begins with that record.
  mutating func hasAppend(
    behind byteOffset: UInt64, after sequence: UInt64
  ) throws(JournalFault) -> Bool {
    let alignment = JournalEncoder.appendAlignmentByteCount
    var place = byteOffset.roundedUp(toMultipleOf: alignment)
    while place < byteCount {
      if case .record(_, let frame, _) = try record(at: place),
        frame.appendSequence > sequence || frame.sequence == sequence
      {
        return true
      }
      place += alignment
    }
    return false
  }
}
