extension UInt64 {
  /// A byte count as people read it: `1536` as `1.5 KiB`, with one decimal where it is not 0.
  package var formattedByteCount: String {
    guard self >= 1024 else { return "\(self) bytes" }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(self) / 1024
    var unit = 0
    while value >= 1023.95, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    return "\(Self.decimal(value)) \(units[unit])"
  }

  private static func decimal(_ value: Double) -> String {
    let tenths = UInt64((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}

extension String {
  /// A word of a command as a shell passes it on unchanged, quoted only where it must be.
  package var shellQuoted: String {
    let plain = "_@%+=:,./-"
    let isPlain = unicodeScalars.allSatisfy { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9": true
      default: plain.unicodeScalars.contains(scalar)
      }
    }
    guard isEmpty || !isPlain else { return self }
    if unicodeScalars.contains(where: { Self.isControl($0) || PathText.byte(of: $0) != nil }) {
      return "$'" + PathText.bytes(of: self).map { Self.byteQuoted($0) }.joined() + "'"
    }
    return "'"
      + split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }

  /// Words of a hint with commands under them, each on a line of its own behind two blanks, as a shell takes it.
  package func above(_ commands: String...) -> String { above(commands) }

  /// Words of a hint with those commands under them.
  package func above(_ commands: [String]) -> String {
    ([self + ":"] + commands.map { "  " + $0 }).joined(separator: "\n")
  }

  /// A command within a sentence: in quotes, unless it has some of its own.
  ///
  /// Those would end where the others begin, and whoever copies both gives the shell a name without quotes.
  package var commandInSentence: String { contains("'") ? self : "'\(self)'" }

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
