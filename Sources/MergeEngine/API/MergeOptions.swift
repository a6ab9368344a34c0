/// The options of a merge, besides its source and origin.
public struct MergeOptions: Equatable, Sendable {
  /// The range of `checkpointInterval`.
  public static let checkpointIntervalRange: ClosedRange<Duration> =
    .milliseconds(10)...(.seconds(86_400))

  /// The treatment of the origin's end and the thin device's end.
  public var extent: ExtentOptions
  /// The transfer settings.
  public var transfer: TransferOptions
  /// The path of the journal; nil for the origin's default: beside a regular file, as its path with
  /// `.thin-merge` appended, else in ``Environment/stateFolder``.
  public var journalPath: String?
  /// Renames an earlier journal, with `.old` appended, and starts from the beginning.
  public var restarts: Bool
  /// Runs a finished merge again: all of it is compared, and differences are written to the origin,
  /// overwriting later changes there.
  public var mergesAgain: Bool
  /// Compares a finished merge; otherwise only the mappings are read.
  public var comparesFinished: Bool
  /// Skips the check of bytes recorded by earlier runs; otherwise source and origin are compared
  /// there, and differences are written again, before the merge is finished.
  ///
  /// A merge that was finished before is checked regardless.
  public var trustsEarlierRuns: Bool
  /// Reads every merged block back, past the page cache, and compares:
  /// ``MergeReport/verification``.
  public var verifies: Bool
  /// The maximum time between checkpoints, and so the maximum work lost in a crash.
  ///
  /// A value outside ``checkpointIntervalRange`` is clamped to it.
  public var checkpointInterval: Duration
  /// Asserts that an origin or data device without an identity is the one from the earlier run.
  public var originIsTheSame: Bool
  /// Asserts that the data device is a copy of the one from the earlier run.
  ///
  /// Bytes merged by the earlier run are not replaced by the copy's:
  /// ``MergeOptions/trustsEarlierRuns`` and ``MergeOptions/verifies`` have no effect, and the
  /// earlier run's checksums decide.
  public var dataIsTheSame: Bool
  /// Allows merging onto a container file, such as qcow2, and over a LUKS header, both of which are
  /// otherwise refused.
  public var forcesFormat: Bool
  /// Lets the origin take the place of the thin volume in LVM once the merge is finished and fully
  /// compared: the thin volume is removed, and the origin becomes an ordinary volume.
  public var handsOver: Bool
  /// Gives the origin the thin volume's name if the handover is carried out.
  public var takesName: Bool
  /// The permitted changes to an active pool and its devices.
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

  /// True if the origin is finally compared with the source; a copy of the source may lack merged
  /// bytes.
  var comparesWithSource: Bool { verifies && !dataIsTheSame }

  /// The `checkpointInterval`, clamped to its range.
  var checkpointIntervalInRange: Duration {
    let range = Self.checkpointIntervalRange
    return min(max(checkpointInterval, range.lowerBound), range.upperBound)
  }
}

/// The changes to make when a merge is resumed from its journal; nil keeps the journal's value.
public struct ResumeOptions: Equatable, Sendable {
  /// The current paths of the same devices.
  ///
  /// Other devices are refused: the journal contains the identities.
  public var metadataPath, dataPath, originPath: String?
  /// The maximum number of requests in flight.
  ///
  /// The transfers in flight have at most 128 KiB per request, or eight times the largest transfer
  /// if that is more.
  public var queueDepth: Int?
  /// As in ``TransferOptions``; resuming with a value out of range traps.
  public var ioByteCount: UInt64?
  /// As in ``TransferOptions``; resuming with zero traps.
  public var rateLimit: UInt64?
  /// As in ``MergeOptions``.
  public var checkpointInterval: Duration?
  /// As in ``MergeOptions``.
  public var mergesAgain = false
  /// As in ``MergeOptions``.
  public var trustsEarlierRuns = false
  /// Reads every merged block back and compares, even if the journal does not ask for it.
  public var verifies = false
  /// As in ``MergeOptions``.
  public var originIsTheSame = false
  /// As in ``MergeOptions``.
  public var dataIsTheSame = false
  /// As in ``MergeOptions``.
  public var handsOver = false
  /// As in ``MergeOptions``.
  public var takesName = false
  /// The permitted changes to an active pool and its devices, in addition to the journal's.
  ///
  /// The journal names each thin device whose change was agreed to; others are refused again.
  public var pool = PoolOptions()

  /// Creates options that change nothing.
  public init() {}
}

/// The treatment of mapped blocks past the origin's end.
public enum PastEndPolicy: String, Sendable, CaseIterable {
  /// Refuses the merge: the plan throws a `MergeError` of the kind `refused`.
  case refuse
  /// Skips mapped blocks past the origin's end and reports them.
  case clip
  /// Extends the origin, which must be a regular file, to the thin device's end, or to the end of
  /// the last mapping if the thin device's size is unknown.
  case grow

  /// The policy's value in fingerprints and journals.
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

/// The treatment of the origin's end and the thin device's end.
public struct ExtentOptions: Equatable, Sendable {
  /// Bytes of the thin device; nil assumes the origin's size.
  ///
  /// The pool's metadata lacks this size; device-mapper's table contains it, in sectors of 512
  /// bytes.
  public var thinByteCount: UInt64?
  /// The treatment of mapped blocks past the origin's end.
  public var pastEnd: PastEndPolicy

  /// Creates options for the two ends.
  public init(thinByteCount: UInt64? = nil, pastEnd: PastEndPolicy = .refuse) {
    self.thinByteCount = thinByteCount
    self.pastEnd = pastEnd
  }
}

/// The transfer settings.
public struct TransferOptions: Equatable, Sendable {
  /// The range of `queueDepth`.
  public static let queueDepthRange = 1...4096
  /// The range of `ioByteCount`, which is also a multiple of the lower bound.
  public static let ioByteCountRange: ClosedRange<UInt64> = 4096...(64 << 20)

  /// The most requests in flight; each may have 128 KiB in flight, or eight transfers if that is
  /// more.
  public package(set) var queueDepth: Int
  /// The largest transfer, in bytes.
  ///
  /// Buffers take at most `queueDepth` times as much memory.
  public package(set) var ioByteCount: UInt64
  /// Bytes per second written to the origin, above zero; nil for no limit.
  public package(set) var rateLimit: UInt64?

  /// Creates transfer settings.
  ///
  /// - Precondition: The values are in their ranges, and `ioByteCount` is a multiple of 4096.
  public init(queueDepth: Int = 64, ioByteCount: UInt64 = 1 << 20, rateLimit: UInt64? = nil) {
    precondition(Self.queueDepthRange.contains(queueDepth))
    precondition(Self.ioByteCountRange.contains(ioByteCount) && ioByteCount.isMultiple(of: 4096))
    precondition(rateLimit != 0)
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    self.rateLimit = rateLimit
  }
}

/// The permitted changes to an active pool, its thin devices and the origin.
///
/// A source outside an active pool needs none of them.
public struct PoolOptions: Equatable, Sendable {
  /// Merges even if the thin device is open: later writes to it are not merged.
  public var allowsOpenThinDevice: Bool
  /// Merges the thin device itself instead of a snapshot: it must not be open, and a writable
  /// device is removed during the merge.
  public var mergesThinDeviceItself: Bool
  /// Restores a thin device that was removed for the merge.
  public var reactivates: Bool
  /// Makes the origin writable during the merge if device-mapper has it read-only.
  public var makesOriginWritable: Bool
  /// Merges even if other thin devices read from the origin, or may do so: this covers all that
  /// exist when the merge is planned.
  ///
  /// A later run asks about newer ones.
  public var allowsOtherUsers: Bool
  /// The other thin devices that earlier runs were allowed to change.
  package var agreedSharers = AgreedSharers()

  /// Creates options that permit nothing by default.
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

  /// The options as a bit mask, one bit each.
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

  /// Returns the options that permit what either set permits.
  package func union(_ other: PoolOptions) -> PoolOptions {
    var union = PoolOptions(code: code | other.code)
    union.agreedSharers = agreedSharers
    union.agreedSharers.add(other.agreedSharers.all)
    return union
  }
}
