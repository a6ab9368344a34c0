/// Everything about a merge besides its source and origin.
public struct MergeOptions: Equatable, Sendable {
  /// The shortest and longest `checkpointInterval`.
  public static let checkpointIntervalRange: ClosedRange<Duration> =
    .milliseconds(10)...(.seconds(86_400))

  /// How the two ends are brought together.
  public var extent: ExtentOptions
  /// How bytes are moved.
  public var transfer: TransferOptions
  /// Where the journal is; nil for the place that belongs to the origin: beside a regular file, as its
  /// path with `.thin-merge` appended, else in ``Environment/stateFolder``.
  public var journalPath: String?
  /// Puts an earlier journal aside, its name with `.old` appended, and begins again.
  public var restarts: Bool
  /// Begins another run of a merge that is finished: all of it is compared again, and what differs is
  /// written to the origin, changes made there since included.
  public var mergesAgain: Bool
  /// Compares a merge that is finished; otherwise only the mappings are read.
  public var comparesFinished: Bool
  /// Does not read again what earlier runs recorded; otherwise source and origin are compared there, and
  /// what differs is written again, before the merge is finished.
  ///
  /// A merge that has been finished before is read again all the same.
  public var trustsEarlierRuns: Bool
  /// Reads every merged block back, past the page cache, and compares: ``MergeReport/verification``.
  public var verifies: Bool
  /// How long a checkpoint may be away: what a crash costs at most.
  ///
  /// Outside of ``checkpointIntervalRange``, the nearest in it.
  public var checkpointInterval: Duration
  /// Says that an origin or data device without any identity of its own is the one of the earlier run.
  public var originIsTheSame: Bool
  /// What may be done to an active pool and its devices.
  public var pool: PoolOptions

  /// Describes a merge.
  public init(
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions(),
    journalPath: String? = nil, restarts: Bool = false, mergesAgain: Bool = false,
    comparesFinished: Bool = true, trustsEarlierRuns: Bool = false,
    verifies: Bool = false, checkpointInterval: Duration = .seconds(5),
    originIsTheSame: Bool = false, pool: PoolOptions = PoolOptions()
  ) {
    self.extent = extent
    self.transfer = transfer
    self.journalPath = journalPath
    self.restarts = restarts
    self.mergesAgain = mergesAgain
    self.comparesFinished = comparesFinished
    self.trustsEarlierRuns = trustsEarlierRuns
    self.verifies = verifies
    self.checkpointInterval = checkpointInterval
    self.originIsTheSame = originIsTheSame
    self.pool = pool
  }

  /// `checkpointInterval`, or the nearest that there may be.
  var checkpointIntervalInRange: Duration {
    let range = Self.checkpointIntervalRange
    return min(max(checkpointInterval, range.lowerBound), range.upperBound)
  }
}

/// What to change when a merge is resumed from its journal; nil leaves what the journal says.
public struct ResumeOptions: Equatable, Sendable {
  /// Where the same devices are now.
  ///
  /// Others are refused: their identity is in the journal.
  public var metadataPath, dataPath, originPath: String?
  /// As in ``TransferOptions``; resuming with one that it does not allow is a trap.
  public var queueDepth: Int?
  /// As in ``TransferOptions``; resuming with one that it does not allow is a trap.
  public var ioByteCount: UInt64?
  /// As in ``TransferOptions``; resuming with zero is a trap.
  public var rateLimit: UInt64?
  /// As in ``MergeOptions``.
  public var checkpointInterval: Duration?
  /// As in ``MergeOptions``.
  public var mergesAgain = false
  /// As in ``MergeOptions``.
  public var trustsEarlierRuns = false
  /// Reads every merged block back and compares, also where the journal does not ask for it.
  public var verifies = false
  /// As in ``MergeOptions``.
  public var originIsTheSame = false
  /// What may be done to an active pool and its devices, besides what the journal says.
  public var pool = PoolOptions()

  /// Changes nothing.
  public init() {}
}
