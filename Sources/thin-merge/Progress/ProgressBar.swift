internal import MergeEngine

/// The progress of a phase at one moment, shown as a line that is redrawn in place.
///
/// Which figures are shown depends only on the width and the phase, and each figure reserves the
/// columns that it may need, so nothing jumps between redraws.
struct ProgressBar {
  var line: ProgressLine
  var glyphs: Glyphs
  /// True if the bar stays on the screen and is not redrawn, so figures need no fixed width.
  var isLast = false

  /// A figure of the bar.
  private struct Figure {
    var text: String
    /// The priority for removal; the figure with the highest rank is removed first.
    var rank: Int
  }

  /// The minimum number of cells in a useful bar.
  private static let cellCountMin = 4
  /// The minimum number of cells next to a figure that the bar can do without.
  private static let cellCountMinBesideSpare = 20
  /// The lowest rank of a figure that the bar can do without.
  private static let spareRank = 4
  /// The number of figures that are more important than the bar's cells.
  private static let figureCountBeforeCells = 2

  /// Returns the line in at most `columnCount` columns, dropping the least important figures first.
  func text(columnCount: Int) -> String {
    var shown = figures
    while true {
      let texts = shown.map { "  \($0.text)" }.joined()
      let room = columnCount - head.count - texts.count
      let hasSpare = shown.contains { $0.rank >= Self.spareRank }
      let cellCount = room - " []".count
      if cellCount >= (hasSpare ? Self.cellCountMinBesideSpare : Self.cellCountMin) {
        return "\(head) [\(cells(cellCount))]\(texts)".trimmed
      }
      if room >= 0, !hasSpare, shown.count <= Self.figureCountBeforeCells {
        return (head + texts).trimmed
      }
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
    // A finished phase has no time remaining, and has a current speed only if it took long enough.
    guard isLast, line.isDone else {
      return [amount, unreadable, remaining, current, average].compactMap(\.self)
    }
    let hasCurrent = line.pace.current(progress) != nil
    return [amount, unreadable, hasCurrent ? current : nil, average].compactMap(\.self)
  }

  private var amount: Figure {
    let total = progress.totalByteCount.formattedByteCount
    let unit = total.drop { $0 != " " }
    let (done, all) = (
      Self.number(progress.doneByteCount, unit), Self.number(progress.totalByteCount, unit)
    )
    return Figure(text: "\(Self.right(done, in: all.count)) of \(all)\(unit)", rank: 1)
  }

  private var unreadable: Figure? {
    guard progress.unreadableByteCount > 0 else { return nil }
    return Figure(
      text: Self.left("\(progress.unreadableByteCount.formattedByteCount) unreadable", in: 21),
      rank: 2)
  }

  private var remaining: Figure { Figure(text: "ETA \(Self.left(line.remaining, in: 8))", rank: 0) }

  private var current: Figure {
    // For a finished phase, the average speed matters more.
    let isOver = isLast && line.isDone
    return Figure(text: Self.rate(line.pace.current(progress)), rank: isOver ? Self.spareRank : 3)
  }

  private var average: Figure {
    let isOver = isLast && line.isDone
    return Figure(
      text: "average \(Self.rate(RateEstimator.average(progress)))",
      rank: isOver ? 0 : Self.spareRank)
  }

  private static func rate(_ bytesPerSecond: Double?) -> String {
    left(bytesPerSecond.map { Amount.rate($0) } ?? "--", in: 12)
  }

  /// Returns a byte count in the given unit, with one decimal unless the unit is bytes.
  private static func number(_ byteCount: UInt64, _ unit: Substring) -> String {
    let units = [" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"]
    guard let exponent = units.firstIndex(where: { $0 == unit }) else { return "\(byteCount)" }
    let divisor = Double(UInt64(1) << (10 * UInt64(exponent + 1)))
    let tenths = UInt64((Double(byteCount) / divisor * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
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
