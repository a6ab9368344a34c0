internal import MergeEngine

/// One moment of a phase, as a line.
struct ProgressLine {
  var progress: MergeProgress
  var pace: Pace

  /// A bar and numbers in at most `columnCount` columns; what matters least is left out first.
  func bar(columnCount: Int) -> String {
    let now = pace.current(progress).map { Amount.rate($0) }
    let average = Pace.average(progress).map { "\(Amount.rate($0)) avg" }
    let numbers = [amount, now, average, "ETA \(remaining)"]
    let least = [now, "ETA \(remaining)"]
    for parts in [numbers, [amount, now, "ETA \(remaining)"], least, ["ETA \(remaining)"]] {
      let tail = parts.compactMap(\.self).joined(separator: "  ")
      // A bar with fewer cells than this says nothing.
      let cellCount = columnCount - head.count - tail.count - 5
      guard cellCount >= 10 else { continue }
      // The width of the numbers changes from moment to moment; that of the bar should not.
      let calmCount = min(max(10, columnCount / 4), 40)
      return "\(head) [\(cells(min(cellCount, calmCount)))]  \(tail)"
    }
    let plain = "\(head)  ETA \(remaining)"
    return String((plain.count <= columnCount ? plain : percent).prefix(max(0, columnCount)))
  }

  /// A sentence for logs.
  var sentence: String {
    var parts = ["\(amount) (\(wholePercent)%)"]
    if let rate = pace.current(progress) { parts.append("\(Amount.rate(rate)) now") }
    if let rate = Pace.average(progress) { parts.append("\(Amount.rate(rate)) on average") }
    if progress.doneByteCount < progress.totalByteCount { parts.append("ETA \(remaining)") }
    return "\(progress.phase.rawValue): \(parts.joined(separator: ", "))"
  }

  /// The sentence, and what goes on inside.
  var detailedSentence: String {
    let reads = Amount.text(progress.readsInFlight, "read")
    let writes = Amount.text(progress.writesInFlight, "write")
    let checkpoint = progress.sinceCheckpoint.map { ", last checkpoint \(Amount.time($0)) ago" }
    return "\(sentence), \(reads) and \(writes) in flight\(checkpoint ?? "")"
  }

  private var head: String { "\(progress.phase.rawValue) \(percent)" }

  private var wholePercent: Int {
    Amount.percent(progress.doneByteCount, of: progress.totalByteCount)
  }

  private var percent: String {
    let value = String(wholePercent)
    return String(repeating: " ", count: max(0, 3 - value.count)) + value + "%"
  }

  private var amount: String {
    let done = BinaryText.bytes(progress.doneByteCount)
    return "\(done) of \(BinaryText.bytes(progress.totalByteCount))"
  }

  private func cells(_ count: Int) -> String {
    let share =
      progress.doneByteCount >= progress.totalByteCount
      ? 1 : Double(progress.doneByteCount) / Double(progress.totalByteCount)
    let filled = min(count, Int(Double(count) * share))
    return String(repeating: "#", count: filled) + String(repeating: "-", count: count - filled)
  }

  /// The time that is left, like a clock.
  private var remaining: String {
    guard let seconds = pace.remainingSeconds(progress), seconds < 8_640_000 else { return "--:--" }
    let whole = Int(seconds.rounded(.up))
    let minutes = Self.twoDigits(whole / 60 % 60)
    guard whole >= 3600 else { return "\(whole / 60):\(Self.twoDigits(whole % 60))" }
    guard whole >= 86_400 else { return "\(whole / 3600):\(minutes):\(Self.twoDigits(whole % 60))" }
    return "\(whole / 86_400)d \(Self.twoDigits(whole / 3600 % 24)):\(minutes)"
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// One moment of a phase, for programs.
struct ProgressDocument: Encodable {
  private let type = "progress"
  private let phase: String
  private let doneByteCount, totalByteCount, earlierByteCount: UInt64
  private let elapsedSeconds: Double
  @Nullable private var bytesPerSecond: UInt64?
  @Nullable private var averageBytesPerSecond: UInt64?
  @Nullable private var remainingSeconds: UInt64?
  private let readsInFlight, writesInFlight: Int
  @Nullable private var secondsSinceCheckpoint: Double?

  init(_ line: ProgressLine) {
    let progress = line.progress
    phase = progress.phase.rawValue
    doneByteCount = progress.doneByteCount
    totalByteCount = progress.totalByteCount
    earlierByteCount = progress.earlierByteCount
    elapsedSeconds = progress.elapsed.seconds
    bytesPerSecond = line.pace.current(progress).map { Amount.whole($0) }
    averageBytesPerSecond = Pace.average(progress).map { Amount.whole($0) }
    remainingSeconds = line.pace.remainingSeconds(progress).map { Amount.whole($0) }
    readsInFlight = progress.readsInFlight
    writesInFlight = progress.writesInFlight
    secondsSinceCheckpoint = progress.sinceCheckpoint?.seconds
  }

  private enum CodingKeys: String, CodingKey {
    case type, phase
    case doneByteCount = "done_bytes"
    case totalByteCount = "total_bytes"
    case earlierByteCount = "earlier_bytes"
    case elapsedSeconds = "elapsed_seconds"
    case bytesPerSecond = "bytes_per_second"
    case averageBytesPerSecond = "average_bytes_per_second"
    case remainingSeconds = "eta_seconds"
    case readsInFlight = "reads_in_flight"
    case writesInFlight = "writes_in_flight"
    case secondsSinceCheckpoint = "seconds_since_checkpoint"
  }
}
