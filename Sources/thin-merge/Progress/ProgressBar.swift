internal import MergeEngine

/// One moment of a phase, as a line that is redrawn in place.
///
/// The choice of figures depends only on the width and the phase, and each figure keeps the columns
/// that it may need, so nothing jumps between redraws.
struct ProgressBar {
  var line: ProgressLine
  var glyphs: Glyphs
  /// True if the bar stays on the screen, so that figures need no constant columns.
  var isLast = false

  /// A figure of the bar, in words and in as few columns as possible.
  private struct Figure {
    var words, short: String
    /// The priority for removal: the highest rank goes first.
    var rank: Int
  }

  /// The fewest cells of a useful bar.
  private static let cellCountMin = 4
  /// The fewest cells beside figures in words; a shorter bar gets short figures.
  private static let cellCountMinBesideWords = 20
  /// The number of figures that are more important than the cells.
  private static let figureCountBeforeCells = 2

  /// Returns the line in at most `columnCount` columns; the least important figures go first.
  func text(columnCount: Int) -> String {
    var shown = figures
    let words = shown.map { "  \($0.words)" }.joined()
    let room = columnCount - head.count - words.count - " []".count
    if room >= Self.cellCountMinBesideWords { return "\(head) [\(cells(room))]\(words)".trimmed }
    while true {
      let short = shown.map { " \($0.short)" }.joined()
      let room = columnCount - head.count - short.count
      if room >= " []".count + Self.cellCountMin {
        return "\(head) [\(cells(room - " []".count))]\(short)".trimmed
      }
      if room >= 0, shown.count <= Self.figureCountBeforeCells { return (head + short).trimmed }
      guard let least = shown.indices.max(by: { shown[$0].rank < shown[$1].rank }) else { break }
      shown.remove(at: least)
    }
    return percent.count <= columnCount ? percent : ""
  }

  private var progress: MergeProgress { line.progress }

  private var percent: String { Self.right("\(line.wholePercent)", in: 3) + "%" }

  private var head: String { "\(line.phase) \(percent)" }

  private func cells(_ count: Int) -> String {
    let share =
      progress.doneByteCount >= progress.totalByteCount
      ? 1 : Double(progress.doneByteCount) / Double(progress.totalByteCount)
    return glyphs.bar(share, cellCount: count)
  }

  /// The figures of the phase, in display order.
  private var figures: [Figure] {
    // Planning reads mappings and moves no bytes, so its speed is meaningless.
    guard progress.phase != .planning else { return [amount, remaining] }
    // A finished phase has no time left, and a current speed only if it took long enough.
    let isOver = isLast && line.isDone
    return [
      amount, unreadable, isOver && line.pace.current(progress) == nil ? nil : current, average,
      isOver ? nil : remaining, inFlight, checkpoint,
    ].compactMap(\.self)
  }

  private var amount: Figure {
    let (done, total) = (progress.doneByteCount, progress.totalByteCount)
    return Figure(
      words: "\(Self.right(done.formattedByteCount, in: 10)) of \(total.formattedByteCount)",
      short: "\(Self.right(Amount.shortBytes(done), in: 4))/\(Amount.shortBytes(total))", rank: 2)
  }

  private var unreadable: Figure? {
    guard progress.unreadableByteCount > 0 else { return nil }
    return Figure(
      words: "\(progress.unreadableByteCount.formattedByteCount) unreadable",
      short: "bad \(Self.left(Amount.shortBytes(progress.unreadableByteCount), in: 4))", rank: 3)
  }

  private var current: Figure {
    let rate = line.pace.current(progress)
    return Figure(words: Self.rate(rate), short: Self.shortRate(rate), rank: 1)
  }

  private var average: Figure {
    let rate = RateEstimator.average(progress)
    return Figure(
      words: "average \(Self.rate(rate))", short: "avg \(Self.shortRate(rate))", rank: 4)
  }

  private var remaining: Figure {
    let text = "ETA \(Self.left(line.remaining, in: 8))"
    return Figure(words: text, short: text, rank: 0)
  }

  private var inFlight: Figure {
    let (reads, writes) = (progress.readsInFlight, progress.writesInFlight)
    // A comparison writes nothing.
    guard progress.phase != .verifying else {
      return Figure(
        words: Self.left(Amount.text(reads, "read"), in: 8), short: Self.left("r\(reads)", in: 3),
        rank: 6)
    }
    return Figure(
      words: Self.left("\(Amount.text(reads, "read")), \(Amount.text(writes, "write"))", in: 19),
      short: Self.left("r\(reads) w\(writes)", in: 7), rank: 6)
  }

  private var checkpoint: Figure? {
    guard ![.planning, .verifying].contains(progress.phase) else { return nil }
    guard let time = progress.sinceCheckpoint else {
      return Figure(
        words: Self.left("no checkpoint yet", in: 18), short: Self.left("cp --", in: 6), rank: 5)
    }
    let seconds = Int(max(0, time.seconds))
    return Figure(
      words: Self.left("checkpoint \(Amount.shortTime(seconds)) ago", in: 18),
      short: Self.left("cp \(Amount.shortTime(seconds))", in: 6), rank: 5)
  }

  private static func rate(_ bytesPerSecond: Double?) -> String {
    right(bytesPerSecond.map { Amount.rate($0) } ?? "--", in: 12)
  }

  private static func shortRate(_ bytesPerSecond: Double?) -> String {
    right(bytesPerSecond.map { "\(Amount.shortBytes(Amount.whole($0)))/s" } ?? "--", in: 6)
  }

  private static func left(_ text: String, in columnCount: Int) -> String {
    text + String(repeating: " ", count: max(0, columnCount - text.count))
  }

  private static func right(_ text: String, in columnCount: Int) -> String {
    String(repeating: " ", count: max(0, columnCount - text.count)) + text
  }
}

extension String {
  /// The text without trailing spaces.
  fileprivate var trimmed: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
