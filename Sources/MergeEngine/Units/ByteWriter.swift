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
