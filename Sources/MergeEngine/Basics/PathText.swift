/// Converts paths between bytes, which the system uses, and text; every sequence of bytes has one
/// text.
///
/// Valid UTF-8 is its own text. A byte outside valid UTF-8 becomes the private scalar U+10FE00 plus
/// the byte. Bytes that are the UTF-8 of such a scalar become four of them, so that no two paths
/// have the same text.
///
/// The engine keeps all paths as such texts, and converts them back for system calls.
package enum PathText {
  private static let firstScalar: UInt32 = 0x10FE80
  private static let lastScalar: UInt32 = 0x10FEFF

  /// Returns the text of a path.
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    if let text = String(validating: bytes, as: UTF8.self), isText(text) { return text }
    var text = String.UnicodeScalarView()
    var place = 0
    while place < bytes.count {
      if let scalar = scalar(at: place, in: bytes), byte(of: scalar) == nil {
        text.append(scalar)
        place += UTF8.width(scalar)
      } else {
        if let scalar = Unicode.Scalar(firstScalar - 0x80 + UInt32(bytes[place])) {
          text.append(scalar)
        }
        place += 1
      }
    }
    return String(text)
  }

  /// Returns the path whose text is `text`.
  package static func bytes(of text: String) -> [UInt8] {
    guard !isText(text) else { return Array(text.utf8) }
    return text.unicodeScalars.flatMap { scalar in
      byte(of: scalar).map { [$0] }
        ?? Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
  }

  /// Returns true if a path is valid UTF-8, and so its own text.
  package static func isText(_ text: String) -> Bool {
    // The UTF-8 of every such scalar begins with this byte.
    !text.utf8.contains(0xF4) || !text.unicodeScalars.contains { byte(of: $0) != nil }
  }

  /// Returns the byte that a scalar represents; nil for all other scalars.
  package static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    (firstScalar...lastScalar).contains(scalar.value)
      ? UInt8(scalar.value - firstScalar + 0x80) : nil
  }

  /// Returns the scalar whose UTF-8 begins at `place`; nil if there is none.
  private static func scalar(at place: Int, in bytes: [UInt8]) -> Unicode.Scalar? {
    let byteCount: Int
    switch bytes[place] {
    case 0..<0x80: byteCount = 1
    case 0xC2...0xDF: byteCount = 2
    case 0xE0...0xEF: byteCount = 3
    case 0xF0...0xF4: byteCount = 4
    default: return nil
    }
    guard byteCount <= bytes.count - place else { return nil }
    return String(validating: bytes[place..<place + byteCount], as: UTF8.self)?.unicodeScalars.first
  }
}
