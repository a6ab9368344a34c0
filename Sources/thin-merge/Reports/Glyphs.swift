/// The characters that bars and maps are drawn with.
///
/// Each is one column wide.
struct Glyphs: Equatable, Sendable {
  /// From an empty cell of a bar to a full one.
  let bar: [Character]
  /// From a cell of a map in which there is nothing to one that is all covered.
  let map: [Character]

  /// Shown right everywhere.
  static let ascii = Glyphs(bar: Array("-#"), map: Array(".-=+*#"))
  /// Cells that are filled by eighths.
  static let blocks = Glyphs(bar: Array(" ▏▎▍▌▋▊▉█"), map: Array("·▁▂▃▄▅▆▇█"))

  /// What the terminal and the locale can show.
  static func suited(to variables: [String: String]) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { variables[$0] }
      .first { !$0.isEmpty }
    guard let locale = locale?.lowercased() else { return .ascii }
    let parts = locale.prefix { $0 != "@" }.split(separator: ".", maxSplits: 1)
    guard parts.count == 2, ["utf-8", "utf8"].contains(parts[1]) else { return .ascii }
    // Fonts of these languages may have blocks that are two columns wide.
    guard !["ja", "ko", "zh"].contains(parts[0].prefix { $0 != "_" }) else { return .ascii }
    // The kernel's own terminal has a few of the blocks only.
    return variables["TERM"] == "linux" ? .ascii : .blocks
  }

  /// A bar of `cellCount` cells, of which a share is filled.
  func bar(_ share: Double, cellCount: Int) -> String {
    let steps = bar.count - 1
    let filled = Int(Double(cellCount * steps) * min(max(share, 0), 1))
    return String(
      (0..<cellCount).map { bar[min(max(filled - $0 * steps, 0), steps)] })
  }

  /// A cell of a map: the first only where there is nothing, the last only where all is covered.
  func mapCell(_ part: UInt64, of whole: UInt64) -> Character {
    guard part > 0 else { return map[0] }
    guard part < whole else { return map[map.count - 1] }
    let between = map.count - 2
    return map[1 + min(between - 1, Int(Double(part) / Double(whole) * Double(between)))]
  }
}
