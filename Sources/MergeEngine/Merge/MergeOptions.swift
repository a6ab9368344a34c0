/// What to do with mapped blocks that the origin has no room for.
public enum PastEndPolicy: String, Sendable, CaseIterable {
  /// Do not merge at all.
  case refuse
  /// Leave them out, and say so.
  case clip
  /// Extend the origin, which must be a regular file.
  case grow
}

/// How the origin's end and the thin device's end are brought together.
public struct ExtentOptions: Equatable, Sendable {
  /// Where the thin device ends; nil takes it to be as long as the origin.
  public var thinByteCount: UInt64?
  /// What to do with mapped blocks that the origin has no room for.
  public var pastEnd: PastEndPolicy

  /// Describes the two ends.
  public init(thinByteCount: UInt64? = nil, pastEnd: PastEndPolicy = .refuse) {
    self.thinByteCount = thinByteCount
    self.pastEnd = pastEnd
  }
}

/// How bytes are moved.
public struct TransferOptions: Equatable, Sendable {
  /// The smallest and largest `queueDepth`.
  public static let queueDepthRange = 1...4096
  /// The smallest and largest `ioByteCount`, which is also a multiple of the smallest.
  public static let ioByteCountRange: ClosedRange<UInt64> = 4096...(64 << 20)

  /// Requests in flight.
  public var queueDepth: Int
  /// The largest transfer, in bytes.
  public var ioByteCount: UInt64
  /// Bytes a second written to the origin; nil for as many as it takes.
  public var rateLimit: UInt64?

  /// Describes how bytes are moved. Precondition: the values lie in their ranges.
  public init(queueDepth: Int = 64, ioByteCount: UInt64 = 1 << 20, rateLimit: UInt64? = nil) {
    precondition(Self.queueDepthRange.contains(queueDepth))
    precondition(Self.ioByteCountRange.contains(ioByteCount) && ioByteCount.isMultiple(of: 4096))
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    self.rateLimit = rateLimit
  }
}

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

  /// Describes a merge.
  public init(
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions(),
    journalPath: String? = nil, restarts: Bool = false, trustsEarlierRuns: Bool = false,
    verifies: Bool = false, checkpointInterval: Duration = .seconds(5),
    originIsTheSame: Bool = false
  ) {
    self.extent = extent
    self.transfer = transfer
    self.journalPath = journalPath
    self.restarts = restarts
    self.trustsEarlierRuns = trustsEarlierRuns
    self.verifies = verifies
    self.checkpointInterval = checkpointInterval
    self.originIsTheSame = originIsTheSame
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

  /// Changes nothing.
  public init() {}
}
