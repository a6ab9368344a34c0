/// Everything about a merge besides its source and origin.
public struct MergeOptions: Equatable, Sendable {
  /// How the two ends are brought together.
  public var extent: ExtentOptions
  /// How bytes are moved.
  public var transfer: TransferOptions
  /// Where the journal is; nil for the place that belongs to the origin.
  public var journalPath: String?
  /// Puts an earlier journal aside and begins again.
  public var restarts: Bool
  /// Does not read again what earlier runs recorded.
  public var trustsEarlierRuns: Bool
  /// Reads every merged block back and compares.
  public var verifies: Bool
  /// How long a checkpoint may be away.
  public var checkpointInterval: Duration
  /// Says that an origin without any identity of its own is the one of the earlier run.
  public var originIsTheSame: Bool
  /// What may be done to an active pool and its devices.
  public var pool: PoolOptions

  /// Describes a merge.
  public init(
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions(),
    journalPath: String? = nil, restarts: Bool = false, trustsEarlierRuns: Bool = false,
    verifies: Bool = false, checkpointInterval: Duration = .seconds(5),
    originIsTheSame: Bool = false, pool: PoolOptions = PoolOptions()
  ) {
    self.extent = extent
    self.transfer = transfer
    self.journalPath = journalPath
    self.restarts = restarts
    self.trustsEarlierRuns = trustsEarlierRuns
    self.verifies = verifies
    self.checkpointInterval = checkpointInterval
    self.originIsTheSame = originIsTheSame
    self.pool = pool
  }
}

/// What to change when a merge is resumed from its journal; nil leaves what the journal says.
public struct ResumeOptions: Equatable, Sendable {
  /// Where the same devices are now.
  public var metadataPath, dataPath, originPath: String?
  /// How bytes are moved.
  public var queueDepth: Int?
  /// The largest transfer, in bytes.
  public var ioByteCount: UInt64?
  /// Bytes a second written to the origin.
  public var rateLimit: UInt64?
  /// How long a checkpoint may be away.
  public var checkpointInterval: Duration?
  /// Does not read again what earlier runs recorded.
  public var trustsEarlierRuns = false
  /// Reads every merged block back and compares, also where the journal does not ask for it.
  public var verifies = false
  /// Says that an origin without any identity of its own is the one of the earlier run.
  public var originIsTheSame = false
  /// What may be done to an active pool and its devices.
  public var pool = PoolOptions()

  /// Changes nothing.
  public init() {}
}
