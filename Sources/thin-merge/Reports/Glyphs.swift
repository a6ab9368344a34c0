/// The characters used to draw bars and maps.
///
/// Each character is one column wide.
struct Glyphs: Equatable, Sendable {
  /// The characters for a cell of a bar, from empty to full.
  let bar: [Character]
  /// The characters for a cell of a map, from no merged bytes to completely covered.
  let map: [Character]

  /// Characters that every terminal shows correctly.
  static let ascii = Glyphs(bar: Array("-#"), map: Array(".-=+*#"))
  /// Block characters, which fill a cell in steps of one eighth.
  static let blocks = Glyphs(bar: Array(" ▏▎▍▌▋▊▉█"), map: Array("·▁▂▃▄▅▆▇█"))

  /// Returns the characters that the terminal and the locale can show.
  static func suited(to variables: [String: String]) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { variables[$0] }
      .first { !$0.isEmpty }
    guard let locale = locale?.lowercased() else { return .ascii }
    let parts = locale.prefix { $0 != "@" }.split(separator: ".", maxSplits: 1)
    guard parts.count == 2, ["utf-8", "utf8"].contains(parts[1]) else { return .ascii }
    // Fonts for these languages may draw block characters two columns wide.
    guard !["ja", "ko", "zh"].contains(parts[0].prefix { $0 != "_" }) else { return .ascii }
    // The kernel's own terminal has only a few of the block characters.
    return variables["TERM"] == "linux" ? .ascii : .blocks
  }

  /// Returns a bar of `cellCount` cells with the given share filled.
  func bar(_ share: Double, cellCount: Int) -> String {
    let steps = bar.count - 1
    let filled = Int(Double(cellCount * steps) * min(max(share, 0), 1))
    return String(
      (0..<cellCount).map { bar[min(max(filled - $0 * steps, 0), steps)] })
  }

  /// Returns the character for a cell of a map: the first one only if nothing is covered, the last
  /// one only if the whole cell is covered.
  func mapCell(_ part: UInt64, of whole: UInt64) -> Character {
    guard part > 0 else { return map[0] }
    guard part < whole else { return map[map.count - 1] }
    let between = map.count - 2
    return map[1 + min(between - 1, Int(Double(part) / Double(whole) * Double(between)))]
  }
}
