/// The effects of a run, one per line, in order of occurrence.
struct EffectText {
  private(set) var lines: [String] = []

  /// Adds an effect, unless it is identical to the previous one.
  mutating func add(_ line: String) {
    if lines.last != line { lines.append(line) }
  }

  /// Returns the lines, with each repeating sequence that contains `line` shown only once.
  ///
  /// How often such a sequence repeats depends on sizes and timing.
  func folded(roundsOf line: String) -> [String] {
    var result: [String] = []
    var place = 0
    while place < lines.count {
      guard
        let count = (2...8).first(where: {
          comesAgain($0, at: place) && lines[place..<place + $0].contains(line)
        })
      else {
        result.append(lines[place])
        place += 1
        continue
      }
      result.append("again and again:")
      result += lines[place..<place + count].map { "  " + $0 }
      let first = place
      place += count
      // The last repetition may be incomplete.
      while place < lines.count, lines[place] == lines[first + (place - first) % count] {
        place += 1
      }
      let rest = (place - first) % count
      result += lines[place - rest..<place]
    }
    return result
  }

  private func comesAgain(_ count: Int, at place: Int) -> Bool {
    guard place + 2 * count <= lines.count else { return false }
    return lines[place..<place + count] == lines[place + count..<place + 2 * count]
  }
}

/// A list of runs and their effects, as the text of a file under Tests/Effects.
struct EffectRecord {
  private(set) var text: String

  init(_ about: String) { text = about + "\n" }

  mutating func add(_ name: String, _ effects: [String], end: String) {
    text += "\n## \(name)\n" + effects.map { $0 + "\n" }.joined() + "\(end)\n"
  }
}
