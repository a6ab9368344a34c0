/// Byte counts as people read them.
package enum BinaryText {
  /// `1536` as `1.5 KiB`, with as many decimals as make three digits.
  package static func bytes(_ byteCount: UInt64) -> String {
    guard byteCount >= 1024 else { return "\(byteCount) bytes" }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(byteCount) / 1024
    var unit = 0
    while value >= 1023.95, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    return "\(decimal(value)) \(units[unit])"
  }

  private static func decimal(_ value: Double) -> String {
    let tenths = UInt64((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}

/// Words of commands that people are told to type.
package enum ShellWord {
  /// The word as a shell passes it on unchanged, quoted only where it must be.
  package static func quoted(_ word: String) -> String {
    let plain = "_@%+=:,./-"
    let isPlain = word.unicodeScalars.allSatisfy { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9": true
      default: plain.unicodeScalars.contains(scalar)
      }
    }
    guard word.isEmpty || !isPlain else { return word }
    if word.unicodeScalars.contains(where: { isControl($0) || PathText.byte(of: $0) != nil }) {
      return "$'" + PathText.bytes(of: word).map { byteQuoted($0) }.joined() + "'"
    }
    return "'"
      + word.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }

  /// A byte between `$'` and `'`.
  private static func byteQuoted(_ byte: UInt8) -> String {
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\\"): "\\" + String(Unicode.Scalar(byte))
    case 0x20..<0x7F: String(Unicode.Scalar(byte))
    // Three digits are taken, so a digit that follows is one of its own.
    default: "\\" + String(UInt16(byte) + 0o1000, radix: 8).dropFirst()
    }
  }
}
