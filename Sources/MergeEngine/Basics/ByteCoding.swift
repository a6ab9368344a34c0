/// Decodes integers from bytes that may be truncated or corrupt; a read past the end returns nil.
package struct ByteReader: ~Escapable {
  private let bytes: RawSpan
  private var position = 0

  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan) {
    self.bytes = bytes
  }

  package var remainingByteCount: Int { bytes.byteCount &- position }

  @inline(__always)
  @_lifetime(self: copy self)
  package mutating func next<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) -> Number? {
    guard let number = peek(type) else { return nil }
    position &+= MemoryLayout<Number>.size
    return number
  }

  /// Returns the number that `next` would return.
  @inline(__always)
  func peek<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) -> Number? {
    guard remainingByteCount >= MemoryLayout<Number>.size else { return nil }
    return bytes.littleEndian(at: position, as: type)
  }

  /// - Precondition: At least `byteCount` bytes remain.
  @inline(__always)
  @_lifetime(self: copy self)
  mutating func skip(_ byteCount: Int) {
    assert(byteCount <= remainingByteCount)
    position &+= byteCount
  }

  @inline(__always)
  @_lifetime(self: copy self)
  package mutating func nextVariable() -> UInt64? {
    if let pair = peek(UInt16.self), let short = ShortVariable(UInt64(pair)) {
      position &+= short.byteCount
      return short.number
    }
    guard let (number, end) = longVariable() else { return nil }
    position = end
    return number
  }

  /// Decodes a variable-length integer of any length.
  ///
  /// Not inlined and not mutating, so that the caller's position may stay in a register.
  @inline(never)
  private func longVariable() -> (number: UInt64, end: Int)? {
    var number: UInt64 = 0
    var shift: UInt64 = 0
    for place in position..<bytes.byteCount {
      let byte = bytes.littleEndian(at: place, as: UInt8.self)
      let bits = UInt64(byte & 0x7F)
      guard shift < 63 || bits <= 1, shift <= 63 else { return nil }
      number |= bits << shift
      guard byte & 0x80 != 0 else { return (number, place + 1) }
      shift += 7
    }
    return nil
  }

  @_lifetime(self: copy self)
  package mutating func next(_ byteCount: Int) -> [UInt8]? {
    guard byteCount >= 0, remainingByteCount >= byteCount else { return nil }
    defer { position += byteCount }
    return bytes.copiedBytes(at: position, count: byteCount)
  }
}

/// A variable-length integer of one or two bytes, like nearly all integers in a journal.
struct ShortVariable {
  /// The value, less than 2¹⁴.
  var number: UInt64
  var byteCount: Int

  /// Decodes the lowest bytes of `word`; returns nil if the integer is longer than two bytes.
  @inline(__always)
  init?(_ word: UInt64) {
    if word & 0x80 == 0 {
      number = word & 0x7F
      byteCount = 1
    } else if word & 0x8000 == 0 {
      number = word & 0x7F | word &>> 1 & 0x3F80
      byteCount = 2
    } else {
      return nil
    }
  }

  /// Decodes two consecutive integers, and returns them with their total byte count.
  @inline(__always)
  static func two(_ word: UInt64) -> (first: UInt64, second: UInt64, byteCount: Int)? {
    // If both have two bytes, the second does not wait for the first to be decoded.
    if word & 0x8080_8080 == 0x0080_0080 {
      return (word & 0x7F | word &>> 1 & 0x3F80, word &>> 16 & 0x7F | word &>> 17 & 0x3F80, 4)
    }
    guard let first = Self(word), let second = Self(word &>> UInt64(8 &* first.byteCount))
    else { return nil }
    return (first.number, second.number, first.byteCount &+ second.byteCount)
  }
}

/// Appends bytes and little-endian integers.
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

  /// Appends an integer, seven bits per byte, lowest bits first; the eighth bit is set if more
  /// bytes follow.
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
