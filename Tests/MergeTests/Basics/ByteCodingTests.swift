import MergeEngine
import Testing

@Suite("Units: encoding integers as bytes")
struct ByteCodingTests {
  /// Integers at which the encoded byte count changes, and their neighbors.
  private static let edges: [UInt64] = (0..<64).flatMap { (shift: UInt64) -> [UInt64] in
    let power: UInt64 = 1 << shift
    return [power - 1, power, power | 1]
  }

  @Test("variable-length integers survive a round trip and use the fewest bytes at 7 bits per byte")
  func roundTrip() {
    for number in Self.edges {
      var writer = ByteWriter()
      writer.appendVariable(number)
      let bits = max(1, 64 - number.leadingZeroBitCount)
      #expect(writer.bytes.count == (bits + 6) / 7, "\(number)")
      let bytes = writer.bytes + [0xAA]
      var reader = ByteReader(RawSpan(_elements: bytes.span))
      #expect(reader.nextVariable() == number)
      #expect(reader.remainingByteCount == 1, "\(number)")
    }
  }

  @Test("a truncated variable-length integer is rejected")
  func cut() {
    for number in Self.edges {
      var writer = ByteWriter()
      writer.appendVariable(number)
      for byteCount in 0..<writer.bytes.count {
        let bytes = Array(writer.bytes.prefix(byteCount))
        var reader = ByteReader(RawSpan(_elements: bytes.span))
        #expect(reader.nextVariable() == nil, "\(number) cut to \(byteCount) bytes")
      }
    }
  }

  @Test(
    "a variable-length integer of more than 64 bits is rejected",
    arguments: [
      [UInt8](repeating: 0xFF, count: 9) + [0x02], [UInt8](repeating: 0xFF, count: 9) + [0x7F],
      [UInt8](repeating: 0x80, count: 10) + [0x01], [UInt8](repeating: 0x80, count: 9) + [0x02],
      [UInt8](repeating: 0xFF, count: 20), [UInt8](repeating: 0x80, count: 30) + [0x00],
    ])
  func tooLarge(bytes: [UInt8]) {
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    #expect(reader.nextVariable() == nil)
  }

  @Test("fixed-width integers are little-endian and survive a round trip")
  func fixed() {
    var writer = ByteWriter()
    writer.append(0x0102_0304 as UInt32)
    writer.append(0xFFFE as UInt16)
    writer.append(-2 as Int64)
    writer.append(.max as UInt64)
    writer.append(0x80 as UInt8)
    #expect(writer.bytes.prefix(6) == [4, 3, 2, 1, 0xFE, 0xFF])
    let bytes = writer.bytes
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    #expect(reader.next(UInt32.self) == 0x0102_0304)
    #expect(reader.next(UInt16.self) == 0xFFFE)
    #expect(reader.next(Int64.self) == -2)
    #expect(reader.next(UInt64.self) == .max)
    #expect(reader.next(UInt8.self) == 0x80)
    #expect(reader.next(UInt8.self) == nil)
  }

  @Test("a read past the end returns nil and consumes nothing")
  func short() {
    let bytes: [UInt8] = [1, 2, 3]
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    #expect(reader.next(UInt32.self) == nil)
    #expect(reader.next(4) == nil)
    #expect(reader.next(-1) == nil)
    #expect(reader.next(.max) == nil)
    #expect(reader.remainingByteCount == 3)
    #expect(reader.next(0) == [])
    #expect(reader.next(3) == [1, 2, 3])
  }

  @Test("padding extends to the next multiple of the alignment")
  func padding() {
    for byteCount in 0...17 {
      var writer = ByteWriter()
      writer.append([UInt8](repeating: 9, count: byteCount))
      writer.pad(toMultipleOf: 8)
      #expect(writer.bytes.count == (byteCount + 7) / 8 * 8)
      #expect(writer.bytes.dropFirst(byteCount).allSatisfy { $0 == 0 })
    }
  }
}
