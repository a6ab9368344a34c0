/// A piece of the origin that was written and the checksum of its new content.
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

/// Packs ranges of the origin, storing the distance of each range from the previous one.
///
/// A range is stored as two variable-length integers: its distance from the end of the previous
/// range and its length, both in 512-byte sectors. Only the last piece of an origin may have a
/// length that is not a whole number of sectors; that length is stored as 0 sectors followed by the
/// byte count. An entry is a range followed by a four-byte checksum.
struct RangePacker {
  static let unitByteCount: UInt64 = 512
  /// The maximum size of a packed entry in bytes: a 54-bit gap (8 bytes), 0 sectors and a 63-bit
  /// byte count (1 + 9 bytes), and the checksum.
  static let entryByteCountMax = 8 + 10 + 4

  private var previousEnd: UInt64 = 0
  /// The byte offset from which the next range's distance is measured; at most 2⁶³.
  private var nextBase: UInt64 { previousEnd.roundedUp(toMultipleOf: Self.unitByteCount) }

  /// Packs an entry into `writer`.
  ///
  /// - Precondition: Entries are packed in ascending order and start at multiples of 512.
  mutating func pack(_ entry: JournalEntry, into writer: inout ByteWriter) {
    pack(entry.range, into: &writer)
    writer.append(entry.checksum)
  }

  /// Packs a range into `writer`.
  ///
  /// - Precondition: Ranges are packed in ascending order and start at multiples of 512.
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

  /// Unpacks the next entry; returns nil if the bytes are not a valid entry.
  @inline(__always)
  @_lifetime(reader: copy reader)
  mutating func unpackEntry(_ reader: inout ByteReader) -> JournalEntry? {
    // Resuming decodes millions of entries before it writes anything, and nearly all of them take
    // up at most eight bytes.
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

  /// Unpacks the next range; returns nil if the bytes are not a valid range.
  @inline(__always)
  @_lifetime(reader: copy reader)
  mutating func unpack(_ reader: inout ByteReader) -> ByteRange? {
    guard let gap = reader.nextVariable(), let sectors = reader.nextVariable(),
      let byteCount = sectors == 0 ? reader.nextVariable() : Self.byteCount(of: sectors),
      byteCount > 0, let distance = Self.byteCount(of: gap)
    else { return nil }
    return next(gap: distance, byteCount: byteCount)
  }

  /// Returns the next range; nil if it would end past the maximum file offset.
  ///
  /// - Precondition: The gap is less than 2⁶³.
  @inline(__always)
  private mutating func next(gap: UInt64, byteCount: UInt64) -> ByteRange? {
    // The base is at most 2⁶³ and the gap is less than 2⁶³, so the sum fits.
    let start = nextBase &+ gap
    let (end, overflow) = start.addingReportingOverflow(byteCount)
    guard !overflow, end <= UInt64(Int64.max) else { return nil }
    previousEnd = end
    return ByteRange(start: start, end: end)
  }

  /// Converts a number of sectors to bytes; returns nil if the result exceeds the maximum file
  /// size.
  @inline(__always)
  private static func byteCount(of sectors: UInt64) -> UInt64? {
    sectors <= UInt64(Int64.max) / unitByteCount ? sectors &* unitByteCount : nil
  }
}
