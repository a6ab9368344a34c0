/// A piece of the origin that was written, and what it then held.
package struct JournalEntry: Equatable, Sendable {
  package var start: UInt64
  package var byteCount: UInt64
  /// CRC-32C of its bytes.
  package var checksum: UInt32

  package var end: UInt64 { start + byteCount }
  package var range: ByteRange { ByteRange(start: start, end: end) }

  package init(start: UInt64, byteCount: UInt64, checksum: UInt32) {
    self.start = start
    self.byteCount = byteCount
    self.checksum = checksum
  }
}

/// Packs ranges of the origin, each by its distance from the one before.
///
/// A range is two variable-length numbers: sectors of 512 bytes from the end of the one before, and
/// sectors of it. Only the last piece of an origin may have another byte count; it then stands as 0
/// sectors followed by its bytes.
struct RangePacker {
  static let unitByteCount: UInt64 = 512
  /// Bytes of a packed entry at most: both numbers of 63 bits less 9, and the checksum.
  static let entryByteCountMax = 8 + 10 + 4

  private var previousEnd: UInt64 = 0

  /// Precondition: ranges rise, and start at multiples of 512.
  mutating func pack(start: UInt64, byteCount: UInt64, into writer: inout ByteWriter) {
    precondition(start >= previousEnd && start.isMultiple(of: Self.unitByteCount))
    let base = previousEnd.roundedUp(toMultipleOf: Self.unitByteCount)
    writer.appendVariable((start - base) / Self.unitByteCount)
    if byteCount.isMultiple(of: Self.unitByteCount) {
      writer.appendVariable(byteCount / Self.unitByteCount)
    } else {
      writer.appendVariable(0)
      writer.appendVariable(byteCount)
    }
    previousEnd = start + byteCount
  }

  /// Nil where the bytes are no range.
  @inline(__always)
  mutating func unpack(_ reader: inout ByteReader) -> ByteRange? {
    guard let gap = reader.nextVariable(), let sectors = reader.nextVariable(),
      let byteCount = sectors == 0
        ? reader.nextVariable() : sectors.multiplied(by: Self.unitByteCount),
      byteCount > 0, let distance = gap.multiplied(by: Self.unitByteCount)
    else { return nil }
    let base = previousEnd.roundedUp(toMultipleOf: Self.unitByteCount)
    let (start, startOverflow) = base.addingReportingOverflow(distance)
    let (end, endOverflow) = start.addingReportingOverflow(byteCount)
    guard !startOverflow, !endOverflow, end <= UInt64(Int64.max) else { return nil }
    previousEnd = end
    return ByteRange(start: start, end: end)
  }
}

extension UInt64 {
  fileprivate func multiplied(by factor: UInt64) -> UInt64? {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }
}
