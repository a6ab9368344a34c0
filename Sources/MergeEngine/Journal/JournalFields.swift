/// Encodes tagged fields, so that a reader can skip fields that it does not know.
///
/// Each field consists of a tag (2 bytes), zeros (2 bytes), the byte count of the value (4 bytes),
/// and the value.
struct FieldWriter<Tag: RawRepresentable> where Tag.RawValue == UInt16 {
  private var writer = ByteWriter()
  var bytes: [UInt8] { writer.bytes }

  mutating func append(_ tag: Tag, _ number: UInt64) {
    var value = ByteWriter()
    value.append(number)
    append(tag, value.bytes)
  }

  mutating func append(_ tag: Tag, _ text: String) { append(tag, Array(text.utf8)) }

  mutating func append(_ tag: Tag, path: String) { append(tag, PathText.bytes(of: path)) }

  mutating func append(_ tag: Tag, _ value: [UInt8]) {
    writer.append(tag.rawValue)
    writer.append(0 as UInt16)
    writer.append(UInt32(value.count))
    writer.append(value)
  }
}

/// Decodes tagged fields and finds them by tag; if a tag is repeated, the last field wins.
struct FieldReader<Tag: RawRepresentable & Hashable> where Tag.RawValue == UInt16 {
  private var values: [Tag: [UInt8]] = [:]

  /// Reads fields until one is truncated or has tag 0, which marks padding.
  init(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    while let number = reader.next(UInt16.self), number != 0, reader.next(UInt16.self) != nil,
      let byteCount = reader.next(UInt32.self), let value = reader.next(Int(byteCount))
    {
      if let tag = Tag(rawValue: number) { values[tag] = value }
    }
  }

  func number(_ tag: Tag) -> UInt64? {
    guard let value = values[tag], value.count == 8 else { return nil }
    var reader = ByteReader(RawSpan(_elements: value.span))
    return reader.next(UInt64.self)
  }

  /// Returns the integer in an optional field: `absent` if there is no such field, nil if its value
  /// is not an integer.
  func number(_ tag: Tag, ifAbsent absent: UInt64) -> UInt64? {
    values[tag] == nil ? absent : number(tag)
  }

  func number<Number: FixedWidthInteger>(_ tag: Tag, as type: Number.Type) -> Number? {
    number(tag).flatMap { Number(exactly: $0) }
  }

  func text(_ tag: Tag) -> String? {
    values[tag].map { String(decoding: $0, as: UTF8.self) }
  }

  func bytes(_ tag: Tag) -> [UInt8]? { values[tag] }

  func path(_ tag: Tag) -> String? { values[tag].map { PathText.text($0) } }
}
