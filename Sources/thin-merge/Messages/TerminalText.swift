internal import MergeEngine

/// Prepares text for a terminal; the text may contain untrusted parts such as file names.
enum TerminalText {
  /// Returns a sentence or a value in the form shown to people: escaped, and with LVM's names for
  /// volumes.
  static func forPeople(_ text: String) -> String { escaped(VolumeNames.system.inText(text)) }

  /// Returns the lines of a hint, ready to print: text follows `hint: `, and commands are indented
  /// by two spaces so that they are easy to copy.
  static func lines(ofHint hint: String, names: VolumeNames = .system) -> [String] {
    hint.split(separator: "\n").map { part in
      let line = String(part)
      guard line.hasPrefix("  ") else { return "hint: \(escaped(names.inText(line)))" }
      // Other programs do not accept LVM's names for all devices.
      return escaped(line.hasPrefix("  thin-merge ") ? names.inText(line) : line)
    }
  }

  /// The minimum number of columns next to a hanging indent; a deeper indent would leave too little
  /// room for text.
  private static let wrappedColumnCountMin = 24

  /// Returns a line, wrapped between words if it is wider than `columnCount` columns.
  ///
  /// A word that is too long is not split, so that a path can be copied. A number stays with its unit.
  ///
  /// - `indent`: the hanging indent: the number of columns before the second and each later line.
  static func wrapped(_ text: String, at columnCount: Int, indent: Int) -> [String] {
    let indent = columnCount - indent < wrappedColumnCountMin ? min(indent, 4) : indent
    var lines: [String] = []
    var line = ""
    var blanks = ""
    var hasWords = false
    for word in wordsWithUnits(text) {
      let isFirstOfValue = line.count + blanks.count <= indent
      if !hasWords || isFirstOfValue || line.count + blanks.count + word.count <= columnCount {
        line += blanks + word
      } else {
        lines.append(line)
        line = String(repeating: " ", count: indent) + word
      }
      blanks = " "
      hasWords = hasWords || !word.isEmpty
    }
    return lines + [line]
  }

  /// Returns the words of a text, each number together with the unit of bytes that follows it.
  private static func wordsWithUnits(_ text: String) -> [String] {
    var words: [String] = []
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      let isUnit = word.wholeMatch(of: /(bytes|[KMGTPE]iB)(\/s)?[,.;:)]*/) != nil
      if isUnit, words.last?.last?.isNumber == true {
        words[words.count - 1] += " " + word
      } else {
        words.append(String(word))
      }
    }
    return words
  }

  /// Returns the text with control characters and invalid bytes shown as escapes: `\n`, `\x1B`.
  static func escaped(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { escape($0) != nil }) else { return text }
    return text.unicodeScalars.map { escape($0) ?? String($0) }.joined()
  }

  /// Returns the escape sequence for a scalar; nil if the scalar is safe to print on a terminal.
  private static func escape(_ scalar: Unicode.Scalar) -> String? {
    if let byte = PathText.byte(of: scalar) { return hexadecimal([byte]) }
    switch scalar.value {
    case 0x09: return "\\t"
    case 0x0A: return "\\n"
    case 0x0D: return "\\r"
    case 0..<0x20, 0x7F..<0xA0: return hexadecimal(Array(String(scalar).utf8))
    default: return nil
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { "\\x" + ($0 < 0x10 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
  }
}
