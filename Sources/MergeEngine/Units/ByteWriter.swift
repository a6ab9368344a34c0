/// Puts numbers and texts one behind the other, little endian.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    var rest = number.littleEndian
    for _ in 0..<MemoryLayout<Number>.size {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  /// Seven bits a byte, lowest first; the eighth says that more follows.
  package mutating func appendVariable(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  package mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  package mutating func pad(toMultipleOf unit: Int) {
    while !bytes.count.isMultiple(of: unit) { bytes.append(0) }
  }

  package mutating func reserveCapacity(_ byteCount: Int) { bytes.reserveCapacity(byteCount) }
  package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}

/// Takes numbers from bytes that may be cut or damaged: each read is nil where they do not suffice.
package struct ByteReader {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    end = bytes.count
  }

  package var remainingByteCount: Int { end - position }

  @inline(__always)
  package mutating func next<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) -> Number? {
    let byteCount = MemoryLayout<Number>.size
    guard remainingByteCount >= byteCount else { return nil }
    defer { position += byteCount }
    return RawSpan(_elements: bytes.span).littleEndian(at: position, as: type)
  }

  @inline(__always)
  package mutating func nextVariable() -> UInt64? {
    // Nearly all numbers of a journal have one byte or two.
    if remainingByteCount >= 2 {
      let first = bytes[position]
      let second = bytes[position &+ 1]
      if first < 0x80 {
        position &+= 1
        return UInt64(first)
      }
      if second < 0x80 {
        position &+= 2
        return UInt64(first & 0x7F) | UInt64(second) << 7
      }
    }
    return nextLongVariable()
  }

  private mutating func nextLongVariable() -> UInt64? {
    var number: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes[position]
      position += 1
      let bits = UInt64(byte & 0x7F)
      guard shift < 63 || bits <= 1, shift <= 63 else { return nil }
      number |= bits << shift
      guard byte & 0x80 != 0 else { return number }
      shift += 7
    }
    return nil
  }

  package mutating func next(_ byteCount: Int) -> [UInt8]? {
    guard byteCount >= 0, remainingByteCount >= byteCount else { return nil }
    defer { position += byteCount }
    return Array(bytes[position..<position + byteCount])
  }
}
