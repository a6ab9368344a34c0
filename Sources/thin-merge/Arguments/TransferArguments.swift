internal import ArgumentParser
internal import MergeEngine

/// The largest transfer.
struct IOSizeArguments: ParsableArguments {
  /// What the largest transfer is unless told.
  static let byteCountDefault = TransferOptions().ioByteCount

  @Option(
    name: .customLong("io-size"), parsing: .unconditional,
    help: ArgumentHelp(
      "Largest transfer (usually \(ByteSize(byteCount: byteCountDefault))).",
      valueName: "size"),
    transform: TypedNumber.size)
  var ioSize: ByteSize?

  func validate() throws {
    guard let byteCount = ioSize?.byteCount else { return }
    let range = TransferOptions.ioByteCountRange
    guard range.contains(byteCount), byteCount.isMultiple(of: range.lowerBound) else {
      let smallest = ByteSize(byteCount: range.lowerBound)
      let largest = ByteSize(byteCount: range.upperBound)
      throw ValidationError(
        "--io-size must be a multiple of \(smallest), up to \(largest), not \(ByteSize(byteCount: byteCount))"
      )
    }
  }
}

/// How many requests of which size.
struct QueueArguments: ParsableArguments {
  /// How many requests are in flight unless told.
  static let depthDefault = TransferOptions().queueDepth

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Requests in flight (usually \(depthDefault)).", valueName: "number"),
    transform: TypedNumber.queueDepth)
  var queueDepth: Int?

  @OptionGroup var io: IOSizeArguments

  func validate() throws {
    guard let queueDepth else { return }
    let range = TransferOptions.queueDepthRange
    guard range.contains(queueDepth) else {
      throw ValidationError(
        "--queue-depth must be from \(range.lowerBound) to \(range.upperBound), not \(queueDepth)")
    }
  }

  /// What the engine is told.
  var options: TransferOptions {
    TransferOptions(
      queueDepth: queueDepth ?? Self.depthDefault,
      ioByteCount: io.ioSize?.byteCount ?? IOSizeArguments.byteCountDefault)
  }
}

/// How fast, and how often it is recorded.
struct PaceArguments: ParsableArguments {
  /// The time between checkpoints unless told.
  static let intervalDefault = DecimalSeconds(MergeOptions().checkpointInterval)

  @OptionGroup var queue: QueueArguments

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Most bytes a second written to the origin.", valueName: "size"),
    transform: TypedNumber.size)
  var rateLimit: ByteSize?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Time between checkpoints (usually \(intervalDefault)).", valueName: "seconds"),
    transform: TypedNumber.seconds)
  var checkpointInterval: DecimalSeconds?

  func validate() throws {
    if rateLimit?.byteCount == 0 {
      throw ValidationError("--rate-limit 0 would never end; leave it out for no limit")
    }
    if let interval = checkpointInterval,
      !MergeOptions.checkpointIntervalRange.contains(interval.duration)
    {
      throw ValidationError(
        "--checkpoint-interval must be from 0.01 to 86400 seconds, not \(interval)")
    }
  }

  /// What the engine is told of transfers.
  var transfer: TransferOptions {
    var options = queue.options
    options.rateLimit = rateLimit?.byteCount
    return options
  }
}
