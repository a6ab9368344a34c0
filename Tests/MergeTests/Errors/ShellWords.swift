/// The words that a shell splits a command into.
struct ShellWords {
  /// The words; nil if a quote is not closed or if the shell would do more than split words.
  let words: [String]?

  init(_ command: String) { words = Self.split(command) }

  private static func split(_ command: String) -> [String]? {
    var rest = Substring(command)
    var words: [String] = []
    var word: [UInt8]?
    while let letter = rest.popFirst() {
      switch letter {
      case " ":
        if let bytes = word { words.append(String(decoding: bytes, as: UTF8.self)) }
        word = nil
      case "'":
        guard let end = rest.firstIndex(of: "'") else { return nil }
        word = (word ?? []) + rest[..<end].utf8
        rest = rest[end...].dropFirst()
      case "\\":
        guard let next = rest.popFirst() else { return nil }
        word = (word ?? []) + String(next).utf8
      case "$" where rest.first == "'":
        rest.removeFirst()
        guard let bytes = escaped(&rest) else { return nil }
        word = (word ?? []) + bytes
      case "\"", "$", "`", ";", "&", "|", "<", ">", "(", ")", "*", "?", "\n": return nil
      default: word = (word ?? []) + String(letter).utf8
      }
    }
    if let bytes = word { words.append(String(decoding: bytes, as: UTF8.self)) }
    return words
  }

  /// Returns the bytes that the text between `$'` and `'` stands for.
  private static func escaped(_ rest: inout Substring) -> [UInt8]? {
    var bytes: [UInt8] = []
    while let letter = rest.popFirst(), letter != "'" {
      guard letter == "\\" else {
        bytes += String(letter).utf8
        continue
      }
      if let code = UInt8(rest.prefix(3), radix: 8), rest.prefix(3).count == 3 {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else if let next = rest.popFirst() {
        bytes += String(next).utf8
      } else {
        return nil
      }
    }
    return bytes
  }
}
