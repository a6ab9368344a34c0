extension UInt64 {
  /// The byte count in human-readable form, with one decimal place unless that digit is 0: `1536`
  /// is `1.5 KiB`.
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
  /// The text as a word of a shell command, quoted only if necessary.
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

  /// Returns a hint with commands below it, each on its own line indented by two spaces, ready
  /// to paste into a shell.
  package func above(_ commands: String...) -> String { above(commands) }

  /// Returns a hint with the given commands below it.
  package func above(_ commands: [String]) -> String {
    ([self + ":"] + commands.map { "  " + $0 }).joined(separator: "\n")
  }

  /// The command within a sentence: in quotes, unless it contains quotes of its own.
  ///
  /// Its own quotes would end the outer ones, and a user who copies both would give the shell an
  /// unquoted name.
  package var commandInSentence: String { contains("'") ? self : "'\(self)'" }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }

  /// Returns a byte as it appears between `$'` and `'`.
  private static func byteQuoted(_ byte: UInt8) -> String {
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\\"): "\\" + String(Unicode.Scalar(byte))
    case 0x20..<0x7F: String(Unicode.Scalar(byte))
    // An escape has exactly three octal digits, so a digit that follows is separate.
    default: "\\" + String(UInt16(byte) + 0o1000, radix: 8).dropFirst()
    }
  }
}
