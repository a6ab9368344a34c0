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
  /// Says that the data device is a copy of the one of the earlier run.
  ///
  /// What the earlier run merged is not replaced by what the copy has there: ``MergeOptions/trustsEarlierRuns`` and
  /// ``MergeOptions/verifies`` have no effect, and the earlier run's checksums decide.
  public var dataIsTheSame: Bool
  /// Merges also onto a file that is a container, such as qcow2, and over a LUKS header, which is refused
  /// otherwise.
  public var forcesFormat: Bool
  /// Lets the origin take the place of the thin volume in LVM once the merge is finished and everything was compared:
  /// the thin volume is removed, and the origin becomes an ordinary volume.
  public var handsOver: Bool
  /// Gives the origin the thin volume's name then.
  public var takesName: Bool
  /// What may be done to an active pool and its devices.
  public var pool: PoolOptions

  /// Describes a merge.
  public init(
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions(),
    journalPath: String? = nil, restarts: Bool = false, mergesAgain: Bool = false,
    comparesFinished: Bool = true, trustsEarlierRuns: Bool = false,
    verifies: Bool = false, checkpointInterval: Duration = .seconds(5),
    originIsTheSame: Bool = false, dataIsTheSame: Bool = false, forcesFormat: Bool = false,
    handsOver: Bool = false, takesName: Bool = false, pool: PoolOptions = PoolOptions()
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
    self.dataIsTheSame = dataIsTheSame
    self.forcesFormat = forcesFormat
    self.handsOver = handsOver
    self.takesName = takesName
    self.pool = pool
  }

  /// Whether the origin is compared with the source in the end; a copy of the source may lack what was merged.
  var comparesWithSource: Bool { verifies && !dataIsTheSame }

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
  /// As in ``MergeOptions``.
  public var dataIsTheSame = false
  /// As in ``MergeOptions``.
  public var handsOver = false
  /// As in ``MergeOptions``.
  public var takesName = false
  /// What may be done to an active pool and its devices, besides what the journal says.
  ///
  /// The journal names each thin device whose change was agreed to; others are refused again.
  public var pool = PoolOptions()

  /// Changes nothing.
  public init() {}
}

/// What to do with mapped blocks that the origin has no room for.
public enum PastEndPolicy: String, Sendable, CaseIterable {
  /// Do not merge at all: the plan throws a `MergeError` of the kind `refused`.
  case refuse
  /// Leave them out, and say so.
  case clip
  /// Extend the origin, which must be a regular file, to the thin device's end, or to that of the last
  /// mapping where it is not known.
  case grow

  /// What stands for the policy in fingerprints and journals.
  package var code: UInt8 {
    switch self {
    case .refuse: 0
    case .clip: 1
    case .grow: 2
    }
  }

  package init?(code: UInt64) {
    guard let policy = Self.allCases.first(where: { UInt64($0.code) == code }) else { return nil }
    self = policy
  }
}

/// How the origin's end and the thin device's end are brought together.
public struct ExtentOptions: Equatable, Sendable {
  /// Bytes of the thin device; nil takes it to be as long as the origin.
  ///
  /// The pool's metadata does not have it: device-mapper's table does, in sectors of 512 bytes.
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

  /// The most requests in flight; for each, 128 KiB may be under way, or eight transfers if that is more.
  public package(set) var queueDepth: Int
  /// The largest transfer, in bytes.
  ///
  /// Buffers take at most `queueDepth` times as much memory.
  public package(set) var ioByteCount: UInt64
  /// Bytes a second written to the origin, above zero; nil for as many as it takes.
  public package(set) var rateLimit: UInt64?

  /// Describes how bytes are moved.
  ///
  /// Precondition: the values lie in their ranges, and `ioByteCount` is a multiple of 4096.
  public init(queueDepth: Int = 64, ioByteCount: UInt64 = 1 << 20, rateLimit: UInt64? = nil) {
    precondition(Self.queueDepthRange.contains(queueDepth))
    precondition(Self.ioByteCountRange.contains(ioByteCount) && ioByteCount.isMultiple(of: 4096))
    precondition(rateLimit != 0)
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    self.rateLimit = rateLimit
  }
}

/// What may be done to an active pool, its thin devices and the origin for a merge.
///
/// A source that is not of an active pool needs none of it.
public struct PoolOptions: Equatable, Sendable {
  /// Merges although somebody has the thin device open: what is written to it from then on is not merged.
  public var allowsOpenThinDevice: Bool
  /// Merges the thin device itself instead of a snapshot: nobody may have it open, and a writable device is removed
  /// while the merge runs.
  public var mergesThinDeviceItself: Bool
  /// Puts a thin device back that was removed for the time of the merge.
  public var reactivates: Bool
  /// Lets the origin be written to for the time of the merge if device-mapper has it read-only.
  public var makesOriginWritable: Bool
  /// Merges although other thin devices show the origin, or may do so: all that are there when the merge is planned.
  ///
  /// A later run asks about those that came since.
  public var allowsOtherUsers: Bool
  /// Other thin devices that earlier runs were allowed to change.
  package var agreedSharers = AgreedSharers()

  /// Describes what may be done; nothing unless said.
  public init(
    allowsOpenThinDevice: Bool = false, mergesThinDeviceItself: Bool = false,
    reactivates: Bool = false, makesOriginWritable: Bool = false, allowsOtherUsers: Bool = false
  ) {
    self.allowsOpenThinDevice = allowsOpenThinDevice
    self.mergesThinDeviceItself = mergesThinDeviceItself
    self.reactivates = reactivates
    self.makesOriginWritable = makesOriginWritable
    self.allowsOtherUsers = allowsOtherUsers
  }

  /// One bit each.
  package var code: UInt64 {
    (allowsOpenThinDevice ? 1 : 0) | (reactivates ? 2 : 0) | (makesOriginWritable ? 4 : 0)
      | (allowsOtherUsers ? 8 : 0) | (mergesThinDeviceItself ? 16 : 0)
  }

  package init(code: UInt64) {
    self.init(
      allowsOpenThinDevice: code & 1 != 0, mergesThinDeviceItself: code & 16 != 0,
      reactivates: code & 2 != 0, makesOriginWritable: code & 4 != 0,
      allowsOtherUsers: code & 8 != 0)
  }

  /// What either allows.
  package func union(_ other: PoolOptions) -> PoolOptions {
    var union = PoolOptions(code: code | other.code)
    union.agreedSharers = agreedSharers
    union.agreedSharers.add(other.agreedSharers.all)
    return union
  }
}
