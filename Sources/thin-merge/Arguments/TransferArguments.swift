internal import ArgumentParser
internal import MergeEngine

/// Default values for transfer options, as worded in help text.
protocol TransferDefaults {
  static var queueDepth: String { get }
  static var ioSize: String { get }
  static var checkpointInterval: String { get }
}

/// The default transfer options of most verbs.
enum DefaultTransfer: TransferDefaults {
  static let depth = TransferOptions().queueDepth
  static let ioByteCount = TransferOptions().ioByteCount
  static let interval = DecimalSeconds(MergeOptions().checkpointInterval)

  static let queueDepth = "default: \(depth)"
  static let ioSize = "default: \(ByteSize(byteCount: ioByteCount))"
  static let checkpointInterval = "default: \(interval)"
}

/// The default transfer options of a resumed merge.
enum RecordedTransfer: TransferDefaults {
  static let queueDepth = "default: as in the journal"
  static let ioSize = queueDepth
  static let checkpointInterval = queueDepth
}

/// The option for the maximum size of a transfer.
struct IOSizeArguments<Defaults: TransferDefaults>: ParsableArguments {
  @Option(
    name: .customLong("io-size"), parsing: .unconditional,
    help: ArgumentHelp(
      "Maximum transfer size (\(Defaults.ioSize)).", valueName: "size"),
    transform: TypedNumber.ioSize)
  var ioSize: ByteSize?
}

/// Options for the number and size of requests.
struct QueueArguments<Defaults: TransferDefaults>: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Requests in flight (\(Defaults.queueDepth)).", valueName: "number"),
    transform: TypedNumber.queueDepth)
  var queueDepth: Int?

  @OptionGroup var io: IOSizeArguments<Defaults>

  func validate() throws {
    guard let queueDepth else { return }
    let range = TransferOptions.queueDepthRange
    guard range.contains(queueDepth) else {
      throw ValidationError(
        "--queue-depth must be from \(range.lowerBound) to \(range.upperBound), not \(queueDepth)")
    }
  }

  /// The options in the form that the engine takes.
  var options: TransferOptions {
    TransferOptions(
      queueDepth: queueDepth ?? DefaultTransfer.depth,
      ioByteCount: io.ioSize?.byteCount ?? DefaultTransfer.ioByteCount)
  }
}

/// Options for the rate limit and the interval between checkpoints.
struct PaceArguments<Defaults: TransferDefaults>: ParsableArguments {
  @OptionGroup var queue: QueueArguments<Defaults>

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Maximum bytes per second written to the origin.", valueName: "size"),
    transform: TypedNumber.size)
  var rateLimit: ByteSize?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds between checkpoints (\(Defaults.checkpointInterval)).", valueName: "seconds"),
    transform: TypedNumber.seconds)
  var checkpointInterval: DecimalSeconds?

  func validate() throws {
    if rateLimit?.byteCount == 0 {
      throw ValidationError("--rate-limit 0 would never finish; omit --rate-limit for no limit")
    }
    if let interval = checkpointInterval,
      !MergeOptions.checkpointIntervalRange.contains(interval.duration)
    {
      throw ValidationError(
        "--checkpoint-interval must be from 0.01 to 86400 seconds, not \(interval)")
    }
  }

  /// The command-line words that specify the same options.
  var words: [String] {
    let given: [(String, String?)] = [
      ("--queue-depth", queue.queueDepth.map { String($0) }),
      ("--io-size", queue.io.ioSize.map { String($0.byteCount) }),
      ("--rate-limit", rateLimit.map { String($0.byteCount) }),
      ("--checkpoint-interval", checkpointInterval.map { "\($0)" }),
    ]
    return given.flatMap { option, value in value.map { [option, $0] } ?? [] }
  }

  /// The transfer options in the form that the engine takes.
  var transfer: TransferOptions {
    var options = queue.options
    options.rateLimit = rateLimit?.byteCount
    return options
  }
}
