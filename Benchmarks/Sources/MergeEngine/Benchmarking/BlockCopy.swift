/// A metadata block in memory, to be changed.
package struct BlockCopy {
  package private(set) var bytes: [UInt8]

  /// A block of zeros.
  package init() { bytes = Array(repeating: 0, count: BlockKind.blockByteCount) }

  package init(_ span: RawSpan) {
    bytes = span.copiedBytes(at: 0, count: BlockKind.blockByteCount)
  }

  package var span: RawSpan {
    @_lifetime(borrow self)
    get { RawSpan(_elements: bytes.span) }
  }

  /// The little-endian number at `byteOffset`.
  package subscript(byteOffset: Int) -> UInt64 {
    get { span.littleEndian(at: byteOffset, as: UInt64.self) }
    set { store(newValue, at: byteOffset) }
  }

  /// Puts the checksum of a block of that kind into it.
  package mutating func seal(as kind: BlockKind) {
    let plain = ~CRC32C.checksum(of: span.extracting(4..<BlockKind.blockByteCount))
    store(plain ^ kind.rawValue, at: 0)
  }

  private mutating func store<Number: FixedWidthInteger>(_ number: Number, at byteOffset: Int) {
    for index in 0..<MemoryLayout<Number>.size {
      bytes[byteOffset + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
    }
  }
}
