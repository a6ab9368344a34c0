internal import MergeEngine

/// The format of a report (text or JSON) and the layout of its text.
struct ReportStyle {
  var format = OutputFormat.text
  /// The column at which lines wrap; nil if lines do not wrap.
  var columnCount: Int?
  /// True if the report includes details that few readers need.
  var showsDetails = false
  var colors = Colors.none

  /// A style without line wrapping, color or details.
  static let plain = ReportStyle()
}

/// A report for people: a sentence, aligned lines with labels and values, figures, and the next
/// steps.
struct ReportText {
  /// A line of the report with its label.
  private struct Row {
    var label: String
    var value: String
  }

  /// A line below the labeled rows.
  private enum Line {
    /// Text that may wrap.
    case words(String)
    /// A command or part of a figure, which stays on one line.
    case fixed(String)
  }

  private let heading: String
  private let style: ReportStyle
  private var rows: [Row] = []
  private var figures: [Line] = []
  private var closing: [Line] = []

  /// Begins a report with the given heading.
  init(_ heading: String, _ style: ReportStyle = .plain) {
    self.heading = TerminalText.forPeople(heading)
    self.style = style
  }

  /// Adds a line with a label; an empty label continues the line above.
  mutating func add(_ label: String, _ value: String) {
    rows.append(Row(label: label, value: TerminalText.forPeople(value)))
  }

  /// Adds a line with details that few readers need.
  mutating func addDetail(_ label: String, _ value: String) {
    if style.showsDetails { add(label, value) }
  }

  /// Adds a figure with a caption above it.
  mutating func addFigure(_ caption: String, _ lines: [String]) {
    figures += [.words(caption), .fixed("")] + lines.map { .fixed("  \($0)") } + [.fixed("")]
  }

  /// Adds a sentence that describes a next step, and the command for that step.
  mutating func addNext(_ sentence: String, _ command: ShellCommand? = nil) {
    closing.append(.words(TerminalText.forPeople(sentence)))
    if let command { closing.append(.fixed("  \(command.text)")) }
  }

  /// Adds a hint below the line that it refers to.
  mutating func add(hint: String) {
    closing += TerminalText.lines(ofHint: hint).map { line in
      line.hasPrefix("  ") ? .fixed("  \(line)") : .words("  \(line)")
    }
  }

  /// Adds a sentence that describes a next step, and commands of other programs for that step.
  mutating func addNext(_ sentence: String, commands: [String]) {
    addNext(sentence)
    closing += commands.map { .fixed("  \(TerminalText.escaped($0))") }
  }

  /// Returns a statement on whether the thin device is still needed, given that the origin matches
  /// the data that was read from it.
  ///
  /// - `leavesOut`: true if some blocks of the thin device were skipped on purpose.
  /// - `remnants`: data on the origin that was left there by abandoned merges.
  static func whatIsLeft(
    in state: ThinDeviceState, leavesOut: Bool, remnants: [MergeRemnant] = []
  ) -> String {
    if let warning = warning(of: state) ?? warning(of: remnants) { return warning }
    return leavesOut
      ? "You need the thin device only for the blocks that the merge skipped."
      : "All blocks of the thin device are on the origin. You can remove the thin device, unless "
        + "it is written to again."
  }

  /// The sentence that introduces the command for merging a thin device that was written to after
  /// its merge.
  static let mergesAsItIs = "To merge the thin device with the later writes:"

  /// Returns a warning about a completely merged thin device that is still needed or no longer
  /// exists; nil if there is nothing to warn about.
  static func warning(of state: ThinDeviceState) -> String? {
    switch state {
    case .asMerged: nil
    case .gone: "The thin device no longer exists."
    case .writtenSince:
      "Keep the thin device: it was written to after the merge read it."
    case .open:
      "Keep the thin device: it is in use, and later writes to it are not on the origin."
    case .unknown:
      "Keep the thin device: it may have been written to after the merge read it. To find out, "
        + "deactivate it and run 'thin-merge verify'."
    }
  }

  /// Returns the reason that a completely merged origin may differ from the thin device; nil if
  /// there is none.
  static func warning(of remnants: [MergeRemnant]) -> String? {
    guard !remnants.isEmpty else { return nil }
    let ids = Set(remnants.compactMap(\.deviceID)).sorted().map { "\($0)" }
    let whose =
      remnants.contains { $0.deviceID == nil }
      ? "a merge whose journal is missing or unreadable"
      : ids.count == 1
        ? "thin device \(ids[0]), whose merge was abandoned"
        : "thin devices \(ids.joined(separator: ", ")), whose merges were abandoned"
    return
      "Keep the thin device: the origin may differ from it. Where the thin device has no block of "
      + "its own, the origin may have blocks of \(whose)."
  }

  /// Adds the data that abandoned merges left on the origin, one line per merge.
  mutating func add(_ remnants: [MergeRemnant], besides deviceID: UInt32) {
    for remnant in remnants {
      guard let remnantID = remnant.deviceID else {
        add(
          "remnants",
          "an unknown amount from a merge whose journal is missing or unreadable; it stays wherever "
            + "this thin device has no block")
        continue
      }
      let whose =
        remnantID == deviceID
        ? "an earlier state of this thin device" : "thin device \(remnantID)"
      add(
        "remnants",
        "at least \(remnant.recordedByteCount.formattedByteCount) from \(whose), whose merge is "
          + "unfinished; it stays wherever this thin device has no block")
    }
  }

  /// The complete report as text.
  var text: String {
    let width = rows.map(\.label.count).max() ?? 0
    var lines = wrapped(heading, indent: 0).map(style.colors.heading) + [""]
    for row in rows {
      let padding = String(repeating: " ", count: width - row.label.count)
      lines += wrapped("  \(row.label)\(padding)  \(row.value)", indent: width + 4)
    }
    if !rows.isEmpty { lines.append("") }
    lines += figures.flatMap(laidOut)
    if !closing.isEmpty { lines += closing.flatMap(laidOut) } else { lines.removeLast() }
    return lines.joined(separator: "\n") + "\n"
  }

  private func laidOut(_ line: Line) -> [String] {
    switch line {
    case .words(let text): wrapped(text, indent: text.prefix { $0 == " " }.count)
    case .fixed(let text): [text]
    }
  }

  private func wrapped(_ text: String, indent: Int) -> [String] {
    guard let columnCount = style.columnCount else { return [text] }
    return TerminalText.wrapped(text, at: columnCount, indent: indent)
  }

  /// The maximum number of ranges listed in a report for people; a report for programs may list
  /// more.
  private static let listedRangeCountMax = 12

  /// Adds a list of ranges of the origin, one per line.
  ///
  /// `countMax`: the maximum number of ranges that the engine records; if `ranges` has that many,
  /// there may be more.
  mutating func add(
    _ label: String, ranges: [ByteRange], of byteCount: UInt64, countMax: Int = .max
  ) {
    guard let first = ranges.first else { return }
    let number =
      ranges.count >= countMax
      ? "\(ranges.count) ranges or more" : Amount.text(ranges.count, "range")
    add(label, "\(byteCount.formattedByteCount) in \(number):")
    let width = String(ranges.last?.start ?? first.start).count
    for range in ranges.prefix(Self.listedRangeCountMax) {
      let start = String(range.start)
      let padding = String(repeating: " ", count: max(0, width - start.count))
      add("", "offset \(padding)\(start), \(Amount.text(range.byteCount, "byte"))")
    }
    if ranges.count > Self.listedRangeCountMax {
      add("", "… \(ranges.count - Self.listedRangeCountMax) more; --output json lists them")
    }
  }
}

/// A table with column headings, in which each column is as wide as its widest cell.
struct TextTable {
  /// The alignment of a column's cells.
  enum Alignment { case left, right }

  let heads: [(text: String, alignment: Alignment)]
  let rows: [[String]]

  var text: String {
    let all = [heads.map(\.text)] + rows
    let widths = heads.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let line = zip(row, zip(widths, heads)).map { cell, column in
        let padding = String(repeating: " ", count: column.0 - cell.count)
        return column.1.alignment == .left ? cell + padding : padding + cell
      }.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }
}

/// Quantities formatted for people.
enum Amount {
  /// Returns a count with its noun: `1 run`, `2 runs`.
  static func text(_ count: some BinaryInteger, _ thing: String) -> String {
    count == 1 ? "1 \(thing)" : "\(count) \(thing)s"
  }

  /// Returns a share in whole percent, which is 100 only if everything is done.
  static func percent(_ part: UInt64, of whole: UInt64) -> Int {
    guard part < whole else { return 100 }
    return min(99, Int(Double(part) / Double(whole) * 100))
  }

  /// Returns a duration as text.
  static func time(_ duration: Duration) -> String {
    let seconds = max(0, duration.seconds)
    guard seconds >= 0.995 else { return "\(Int((seconds * 1000).rounded())) ms" }
    guard seconds >= 99.95 else { return "\(tenths(seconds)) s" }
    guard seconds < 1e15 else { return "more than a million years" }
    let whole = Int(seconds.rounded())
    guard whole >= 3600 else { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// Returns a rate in bytes per second as text; nil if the amount or the time is zero.
  static func rate(_ byteCount: UInt64, in duration: Duration) -> String? {
    let seconds = duration.seconds
    guard byteCount > 0, seconds > 0 else { return nil }
    return rate(Double(byteCount) / seconds)
  }

  /// Returns a rate in bytes per second as text.
  static func rate(_ bytesPerSecond: Double) -> String {
    "\(whole(bytesPerSecond).formattedByteCount)/s"
  }

  /// Returns the nearest whole number that fits in a `UInt64`.
  static func whole(_ value: Double) -> UInt64 {
    guard value > 0 else { return 0 }
    return UInt64(exactly: value.rounded()) ?? .max
  }

  private static func tenths(_ value: Double) -> String {
    let count = Int((value * 10).rounded())
    return count % 10 == 0 ? "\(count / 10)" : "\(count / 10).\(count % 10)"
  }
}

extension [ByteRange] {
  /// The total number of bytes in all ranges.
  var byteCount: UInt64 { reduce(0) { $0 &+ $1.byteCount } }
}
