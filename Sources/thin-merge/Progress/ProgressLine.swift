internal import MergeEngine

/// The progress of a phase at one moment, shown as a line of text.
struct ProgressLine {
  var progress: MergeProgress
  var pace: RateEstimator

  /// The current activity, as a single word.
  var phase: String { progress.isSalvaging ? "salvaging" : progress.phase.rawValue }

  /// True if the current phase is complete.
  var isDone: Bool { progress.doneByteCount >= progress.totalByteCount }

  /// The progress, as a sentence.
  var sentence: String {
    var parts = ["\(amount) (\(wholePercent)%)"]
    if progress.unreadableByteCount > 0 {
      parts.append("\(progress.unreadableByteCount.formattedByteCount) unreadable")
    }
    // Planning reads mappings and moves no bytes, so its speed is meaningless.
    if progress.phase != .planning { parts += rates }
    if !isDone { parts.append("ETA \(remaining)") }
    return "\(phase): \(parts.joined(separator: ", "))"
  }

  private var rates: [String] {
    let current = pace.current(progress).map { "\(Amount.rate($0)) now" }
    return [current, RateEstimator.average(progress).map { "\(Amount.rate($0)) on average" }]
      .compactMap(\.self)
  }

  /// The progress as a sentence for logs, including requests in flight and the last checkpoint.
  var detailedSentence: String {
    // Planning moves no bytes, and a complete phase has nothing in flight.
    guard progress.phase != .planning, !isDone else { return sentence }
    let reads = Amount.text(progress.readsInFlight, "read")
    // A comparison writes nothing.
    let writes =
      progress.phase == .verifying ? "" : " and \(Amount.text(progress.writesInFlight, "write"))"
    let checkpoint = progress.sinceCheckpoint.map { ", last checkpoint \(Amount.time($0)) ago" }
    return "\(sentence), \(reads)\(writes) in flight\(checkpoint ?? "")"
  }

  /// The progress in whole percent; it is 100 only if everything is done.
  var wholePercent: Int { Amount.percent(progress.doneByteCount, of: progress.totalByteCount) }

  private var amount: String {
    let done = progress.doneByteCount.formattedByteCount
    return "\(done) of \(progress.totalByteCount.formattedByteCount)"
  }

  /// The remaining time, formatted like a clock.
  var remaining: String {
    guard let seconds = pace.remainingSeconds(progress), seconds < 8_640_000 else { return "--:--" }
    let whole = Int(seconds.rounded(.up))
    let minutes = Self.twoDigits(whole / 60 % 60)
    guard whole >= 3600 else { return "\(whole / 60):\(Self.twoDigits(whole % 60))" }
    guard whole >= 86_400 else { return "\(whole / 3600):\(minutes):\(Self.twoDigits(whole % 60))" }
    return "\(whole / 86_400)d \(Self.twoDigits(whole / 3600 % 24)):\(minutes)"
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// The progress of a phase at one moment, in a form for programs.
struct ProgressDocument: Encodable {
  private let type = "progress"
  private let phase: String
  private let doneByteCount, totalByteCount, earlierByteCount: UInt64
  private let elapsedSeconds: Double
  @Nullable private var bytesPerSecond: UInt64?
  @Nullable private var averageBytesPerSecond: UInt64?
  @Nullable private var remainingSeconds: UInt64?
  private let readsInFlight, writesInFlight: Int
  private let isSalvaging: Bool
  private let unreadableByteCount: UInt64
  @Nullable private var secondsSinceCheckpoint: Double?

  init(_ line: ProgressLine) {
    let progress = line.progress
    phase = progress.phase.rawValue
    doneByteCount = progress.doneByteCount
    totalByteCount = progress.totalByteCount
    earlierByteCount = progress.earlierByteCount
    elapsedSeconds = progress.elapsed.seconds
    bytesPerSecond = line.pace.current(progress).map { Amount.whole($0) }
    averageBytesPerSecond = RateEstimator.average(progress).map { Amount.whole($0) }
    remainingSeconds = line.pace.remainingSeconds(progress).map { Amount.whole($0) }
    readsInFlight = progress.readsInFlight
    writesInFlight = progress.writesInFlight
    isSalvaging = progress.isSalvaging
    unreadableByteCount = progress.unreadableByteCount
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
    case isSalvaging = "salvaging"
    case unreadableByteCount = "unreadable_bytes"
    case secondsSinceCheckpoint = "seconds_since_checkpoint"
  }
}
