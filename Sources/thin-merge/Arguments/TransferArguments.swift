internal import ArgumentParser
internal import MergeEngine

/// The largest transfer.
struct IOSizeArguments: ParsableArguments {
  /// What the largest transfer is unless told.
  static let byteCountDefault = TransferOptions().ioByteCount

  @Option(
    name: .customLong("io-size"),
    help: ArgumentHelp(
      "Largest transfer (\(ByteSize(byteCount: byteCountDefault).defaultValueDescription) unless told).",
      discussion: "Sizes take b, s (512-byte sectors), k, M, G, T, 1024-based.",
      valueName: "size"))
  var ioSize: ByteSize?

  func validate() throws {
    guard let byteCount = ioSize?.byteCount else { return }
    let range = TransferOptions.ioByteCountRange
    guard range.contains(byteCount), byteCount.isMultiple(of: range.lowerBound) else {
      let smallest = ByteSize(byteCount: range.lowerBound).defaultValueDescription
      let largest = ByteSize(byteCount: range.upperBound).defaultValueDescription
      throw ValidationError("--io-size must be a multiple of \(smallest), up to \(largest)")
    }
  }
}

/// How many requests of which size.
struct QueueArguments: ParsableArguments {
  /// How many requests are in flight unless told.
  static let depthDefault = TransferOptions().queueDepth

  @Option(
    help: ArgumentHelp("Requests in flight (\(depthDefault) unless told).", valueName: "number"))
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
  static let intervalDefault =
    DecimalSeconds(MergeOptions().checkpointInterval).defaultValueDescription

  @OptionGroup var queue: QueueArguments

  @Option(
    help: ArgumentHelp(
      "Bytes a second written to the origin, in the same units.", valueName: "size"))
  var rateLimit: ByteSize?

  @Option(
    help: ArgumentHelp(
      "Seconds between checkpoints, decimals allowed (\(intervalDefault) unless told).",
      valueName: "seconds"))
  var checkpointInterval: DecimalSeconds?

  func validate() throws {
    if rateLimit?.byteCount == 0 {
      throw ValidationError("--rate-limit 0 would never end; leave it out for no limit")
    }
    if let interval = checkpointInterval,
      !MergeOptions.checkpointIntervalRange.contains(interval.duration)
    {
      throw ValidationError("--checkpoint-interval must be from 0.01 to 86400 seconds")
    }
  }

  /// What the engine is told of transfers.
  var transfer: TransferOptions {
    var options = queue.options
    options.rateLimit = rateLimit?.byteCount
    return options
  }
}
