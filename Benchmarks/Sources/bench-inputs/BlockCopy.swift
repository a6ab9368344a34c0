internal import MergeEngine

/// A copy of a metadata block, to be changed.
struct BlockCopy {
  private var bytes: [UInt8]

  init(_ span: RawSpan) { bytes = span.copiedBytes(at: 0, count: BlockKind.blockByteCount) }

  var span: RawSpan {
    @_lifetime(borrow self)
    get { RawSpan(_elements: bytes.span) }
  }

  subscript(byteOffset: Int) -> UInt64 {
    get { span.littleEndian(at: byteOffset, as: UInt64.self) }
    set { store(newValue, at: byteOffset) }
  }

  /// Puts the checksum of a block of that kind into it.
  mutating func seal(as kind: BlockKind) {
    let plain = ~CRC32C.checksum(of: span.extracting(4..<BlockKind.blockByteCount))
    store(plain ^ kind.rawValue, at: 0)
  }

  private mutating func store<Number: FixedWidthInteger>(_ number: Number, at byteOffset: Int) {
    var writer = ByteWriter()
    writer.append(number)
    bytes.replaceSubrange(byteOffset..<byteOffset + writer.bytes.count, with: writer.bytes)
  }
}
