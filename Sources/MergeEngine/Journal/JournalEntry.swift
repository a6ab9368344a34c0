/// A piece of the origin that was written, and the checksum of its new content.
package struct JournalEntry: Equatable, Sendable {
  package var start: UInt64
  package var byteCount: UInt64
  /// The CRC-32C of the piece's bytes.
  package var checksum: UInt32

  package var end: UInt64 { start + byteCount }
  package var range: ByteRange { ByteRange(start: start, end: end) }

  package init(start: UInt64, byteCount: UInt64, checksum: UInt32) {
    self.start = start
    self.byteCount = byteCount
    self.checksum = checksum
  }
}

/// Packs ranges of the origin, each by its distance from the previous one.
///
/// A range is two variable-length numbers: its distance from the end of the previous range and its
/// length, in sectors of 512 bytes. Only the last piece of an origin may have another byte count;
/// its length is stored as 0 sectors, then the byte count. An entry is its range, then four bytes
/// of checksum.
struct RangePacker {
  static let unitByteCount: UInt64 = 512
  /// The largest packed entry: a 54-bit gap (8 bytes), 0 sectors and a 63-bit byte count (1 + 9
  /// bytes), and the checksum.
  static let entryByteCountMax = 8 + 10 + 4

  private var previousEnd: UInt64 = 0
  /// The byte offset from which the next range's distance is counted; at most 2⁶³.
  private var nextBase: UInt64 { previousEnd.roundedUp(toMultipleOf: Self.unitByteCount) }

  /// - Precondition: Entries rise, and start at multiples of 512.
  mutating func pack(_ entry: JournalEntry, into writer: inout ByteWriter) {
    pack(entry.range, into: &writer)
    writer.append(entry.checksum)
  }

  /// - Precondition: Ranges rise, and start at multiples of 512.
  mutating func pack(_ range: ByteRange, into writer: inout ByteWriter) {
    precondition(range.start >= previousEnd && range.start.isMultiple(of: Self.unitByteCount))
    writer.appendVariable((range.start - nextBase) / Self.unitByteCount)
    if range.byteCount.isMultiple(of: Self.unitByteCount) {
      writer.appendVariable(range.byteCount / Self.unitByteCount)
    } else {
      writer.appendVariable(0)
      writer.appendVariable(range.byteCount)
    }
    previousEnd = range.end
  }

  /// Returns nil if the bytes are not an entry.
  @inline(__always)
  @_lifetime(reader: copy reader)
  mutating func unpackEntry(_ reader: inout ByteReader) -> JournalEntry? {
    // A resume decodes millions of entries before it writes, nearly all of them in eight bytes or
    // less.
    if let word = reader.peek(UInt64.self),
      let (gap, sectors, byteCount) = ShortVariable.two(word), sectors > 0
    {
      guard
        let range = next(gap: gap &* Self.unitByteCount, byteCount: sectors &* Self.unitByteCount)
      else { return nil }
      reader.skip(byteCount &+ 4)
      return JournalEntry(
        start: range.start, byteCount: range.byteCount,
        checksum: UInt32(truncatingIfNeeded: word &>> UInt64(8 &* byteCount)))
    }
    guard let range = unpack(&reader), let checksum = reader.next(UInt32.self) else { return nil }
    return JournalEntry(start: range.start, byteCount: range.byteCount, checksum: checksum)
  }

  /// Returns nil if the bytes are not a range.
  @inline(__always)
  @_lifetime(reader: copy reader)
  mutating func unpack(_ reader: inout ByteReader) -> ByteRange? {
    guard let gap = reader.nextVariable(), let sectors = reader.nextVariable(),
      let byteCount = sectors == 0 ? reader.nextVariable() : Self.byteCount(of: sectors),
      byteCount > 0, let distance = Self.byteCount(of: gap)
    else { return nil }
    return next(gap: distance, byteCount: byteCount)
  }

  /// Returns nil if the range ends past the largest file offset.
  ///
  /// - Precondition: The gap is less than 2⁶³.
  @inline(__always)
  private mutating func next(gap: UInt64, byteCount: UInt64) -> ByteRange? {
    // At most 2⁶³ plus less than 2⁶³: the sum fits.
    let start = nextBase &+ gap
    let (end, overflow) = start.addingReportingOverflow(byteCount)
    guard !overflow, end <= UInt64(Int64.max) else { return nil }
    previousEnd = end
    return ByteRange(start: start, end: end)
  }

  /// Returns nil if the sectors exceed the largest file size.
  @inline(__always)
  private static func byteCount(of sectors: UInt64) -> UInt64? {
    sectors <= UInt64(Int64.max) / unitByteCount ? sectors &* unitByteCount : nil
  }
}
