/// The plan of a merge.
///
/// Pool values come from the superblock: `dm-thin-metadata.c`, `struct thin_disk_superblock`.
public struct PlanReport: Equatable, Sendable {
  /// The thin device's ID in the pool.
  public var deviceID: UInt32
  /// The ID of the snapshot merged in place of the thin device; nil if there is none yet, or if
  /// the thin device itself is merged.
  public var snapshotID: UInt32?
  /// True if a snapshot of the thin device is created first and merged in its place.
  public var makesSnapshot: Bool = false
  /// True if the thin device was written after an earlier run created that snapshot.
  public var isWrittenSinceSnapshot: Bool = false
  /// True if the thin device is open; later writes to it are not merged.
  public var thinDeviceIsOpen: Bool = false
  /// The origin's name in LVM, if LVM keeps the origin read-only as an external origin and the
  /// merge makes it writable temporarily.
  public var protectedOriginName: String?
  /// The size of a pool block in bytes: a multiple of 64 KiB, up to 1 GiB.
  ///
  /// The superblock stores the size in sectors of 512 bytes.
  public var blockByteCount: UInt64
  /// The number of mappings of the thin device; each maps one block.
  public var mappedBlockCount: UInt64
  /// The number of runs: sequences of mappings that are consecutive both on the thin device and on
  /// the data device.
  public var runCount: UInt64
  /// Bytes to be written to the origin.
  public var byteCount: UInt64
  /// The number of mapped blocks that begin past the end of the merge.
  public var pastEndBlockCount: UInt64
  /// The number of bytes skipped in the block that crosses the end of the merge.
  public var clippedByteCount: UInt64
  /// The size of the thin device in bytes.
  public var thinByteCount: UInt64
  /// True if the thin device's size is unknown and `thinByteCount` is the end of the merge instead:
  /// the origin's end or that of the last mapping.
  public var thinByteCountIsAssumed: Bool
  /// The origin's current size in bytes; nil if no origin was given.
  public var originByteCount: UInt64?
  /// The origin's size in bytes after the merge extends it; nil if the merge does not extend it.
  public var grownOriginByteCount: UInt64?
  /// The maximum size of the journal, in bytes, if the merge is never interrupted.
  public var journalByteCountMax: UInt64
  /// The path of the journal; nil if no origin was given.
  public var journalPath: String?
  /// CRC-64/ECMA and CRC-32C of the mappings, in hexadecimal.
  public var fingerprint: String
  /// The pool's transaction id in the superblock read.
  public var transactionID: UInt64
  /// The metadata snapshot read, as the number of its block of 4096 bytes, which is the
  /// superblock's held root; nil for the live tree.
  public var heldRoot: UInt64?
  /// True if that metadata snapshot was taken for this plan and is released afterwards.
  public var isOwnMetadataSnapshot: Bool = false
  /// The number of other devices in the same metadata.
  public var otherDeviceCount: UInt64
  /// The lengths of the runs and their places on the origin.
  public var layout = MappingLayout()
  /// Bytes already recorded by earlier runs of the same merge.
  public var recordedByteCount: UInt64 = 0
  /// Bytes recorded by earlier runs that the merge reads again and compares.
  public var comparedByteCount: UInt64 = 0
  /// True if an earlier run finished this merge; a merge then compares and writes nothing, unless
  /// ``MergeOptions/mergesAgain`` is set.
  public var isFinished: Bool = false
  /// True if the merge is finished and is run again because of ``MergeOptions/mergesAgain``.
  public var isMergedAgain: Bool = false
  /// The journals of merges abandoned in favor of this merge, which renames those journals.
  public var journalsPutAside: [String] = []
  /// The remains of abandoned merges on the origin, in places that this merge does not overwrite.
  public var remnants: [MergeRemnant] = []
  /// The changes made in LVM once the merge is finished, if they were requested.
  public var handover: VolumeHandover?
  /// The error with which a merge would be refused now; nil if it would start or resume.
  public var refusal: MergeError?
}

/// The remains, on the origin, of an unfinished merge that was abandoned in favor of another merge.
///
/// The abandoned merge was of another thin device, or of an earlier state of the same thin device.
public struct MergeRemnant: Equatable, Sendable {
  /// The ID of the merge's thin device; nil if the merge's journal is missing or unreadable.
  public var deviceID: UInt32?
  /// The fingerprint of the merge's mappings; may be empty if `deviceID` is nil.
  public var fingerprint: String
  /// Bytes recorded by the merge; 0 if the merge's journal is missing or unreadable.
  ///
  /// The merge may have written more bytes than it recorded. All of those bytes remain wherever the
  /// merge that replaced it writes nothing.
  public var recordedByteCount: UInt64
}

/// The state of a thin device after its merge or comparison, relative to what was read.
public enum ThinDeviceState: String, Sendable {
  /// Everything on the thin device was read.
  case asMerged = "as-merged"
  /// Everything on the thin device so far was read, but the device is open and may be written to.
  case open
  /// The thin device was written to after it was read.
  case writtenSince = "written-since"
  /// The thin device no longer exists.
  case gone
  /// The state cannot be determined.
  case unknown
}

/// The result of a merge or a resumed merge.
public struct MergeReport: Equatable, Sendable {
  /// The outcome of a merge.
  public enum State: Equatable, Sendable {
    /// The whole plan is durable on the origin.
    case finished
    /// The merge is incomplete and can be resumed from its journal, unless
    /// ``MergeReport/canBeResumed`` is false; the error is the reason.
    case stopped(MergeError)
  }

  /// An earlier run that had finished the merge.
  public struct Earlier: Equatable, Sendable {
    /// When the run finished, in seconds since 1970.
    public var finishedSeconds: Int64
    /// True if this call read the source and the origin, and they match the state that the earlier
    /// run left.
    public var isCompared: Bool
    /// True if the thin device was active and writable during the comparison: writes still cached
    /// by its users were not compared.
    public var sourceMayChange: Bool = false
  }

  /// The executed plan.
  public var plan: PlanReport
  /// The earlier run that finished the merge, in which case this call wrote nothing; nil if this
  /// call merged.
  public var earlier: Earlier?
  /// The outcome.
  public var state: State
  /// Bytes written to the origin by this run.
  public var writtenByteCount: UInt64
  /// Bytes of the plan already recorded by earlier runs.
  public var resumedFromByteCount: UInt64
  /// Bytes written by earlier runs that this run read again and compared.
  public var recheckedByteCount: UInt64
  /// The part of `recheckedByteCount` that differed and was written again.
  public var rewrittenByteCount: UInt64
  /// The duration of this run.
  public var duration: Duration
  /// The part of `duration` that the kernel took to accept requests.
  public var submitDuration: Duration
  /// Checkpoints made durable by this run.
  public var checkpointCount: UInt64
  /// The result of reading everything back; nil if that was not requested.
  public var verification: VerifyReport?
  /// The thin device's state, relative to what was merged.
  public var thinDevice: ThinDeviceState = .unknown
  /// The progress of the handover from the thin volume to its origin; nil if they are not LVM
  /// volumes or the merge is unfinished.
  public var handover: HandoverState?
  /// The path of the journal.
  public var journalPath: String
  /// Ranges of the origin whose source was unreadable; they were not changed.
  public var unreadable: [ByteRange]
  /// False if the merge stopped and no run can resume it: its journal was removed or replaced
  /// during the merge, or is inconsistent.
  public var canBeResumed: Bool = true
  /// Changes to an active pool or its devices that could not be undone.
  public var cleanupFailures: [MergeNote] = []
}

/// The result of a comparison.
public struct VerifyReport: Equatable, Sendable {
  /// The unit of one difference.
  public enum Granularity: String, Sendable {
    /// Sectors of 512 bytes, compared with the source.
    case sector
    /// Entries of the journal, compared with their checksums.
    case entry
  }

  /// The maximum number of differences that are listed.
  public static let differenceCountMax = 100

  /// The unit of one difference.
  public var granularity: Granularity
  /// Bytes of the origin compared.
  public var comparedByteCount: UInt64
  /// Bytes in ranges that differ.
  public var differingByteCount: UInt64
  /// The first differing ranges of the origin, with adjacent ones joined.
  public var differences: [ByteRange]
  /// Ranges of the origin that could not be compared.
  public var unreadable: [ByteRange]
  /// The duration of the comparison.
  public var duration: Duration
  /// The reason that not everything was compared; nil if everything was.
  public var incomplete: MergeError?
  /// The thin device's state, relative to what was compared; nil if the thin device was not read.
  public var thinDevice: ThinDeviceState?
  /// The remains of abandoned merges on the origin, according to the journal.
  public var remnants: [MergeRemnant] = []
  /// An unfinished merge onto the origin, according to the journal at its default path when a
  /// comparison with a source began.
  public var unfinishedMerge: StatusReport?
  /// A finished merge of another thin device onto the origin, according to the journal at its
  /// default path.
  package var otherMerge: StatusReport?
  /// True if the unfinished merge cannot be resumed because the thin device's mappings differ from
  /// those recorded.
  package var isWrittenSinceMergeStopped = false

  /// True if everything was compared and nothing differs.
  public var isClean: Bool {
    incomplete == nil && differingByteCount == 0 && unreadable.isEmpty
  }
}

/// The status of a merge, according to its journal.
public struct StatusReport: Equatable, Sendable {
  /// The progress of a merge.
  public enum State: String, Sendable {
    /// A merge has the journal open.
    case running
    /// The merge is incomplete, and no run has its journal open.
    case stopped
    /// The merge is recorded in full.
    case finished
    /// The merge is recorded in full, and reading it back found no difference.
    case verified
    /// The merge was abandoned in favor of another merge and cannot be resumed.
    case givenUp = "given-up"
  }

  /// The time at which a merge was abandoned, and the merge that replaced it.
  public struct GivenUp: Equatable, Sendable {
    /// When the merge was abandoned, in seconds since 1970.
    public var seconds: Int64
    /// The ID of the thin device of the merge that replaced this one.
    public var deviceID: UInt32
    /// The path, at that time, of the journal of the merge that replaced this one.
    public var journalPath: String
  }

  /// The progress of the merge.
  public var state: State
  /// The number of bytes of the plan recorded so far.
  public var doneByteCount: UInt64
  /// The total number of bytes in the plan.
  public var totalByteCount: UInt64
  /// Seconds spent writing, summed from the first record of each run to its last.
  public var writingSeconds: Int64
  /// The number of runs so far.
  public var runCount: UInt64
  /// When the first run began and when the last record was written, in seconds since 1970.
  public var begunSeconds, recordedSeconds: Int64
  /// When the merge was finished, in seconds since 1970; nil if it is unfinished.
  public var finishedSeconds: Int64?
  /// The details if the merge was abandoned in favor of another merge; nil otherwise.
  public var givenUp: GivenUp?
  /// The paths of the devices in the journal.
  public var metadataPath, dataPath, originPath: String
  /// The origin's name in LVM at the time; nil if the origin is not an LVM volume.
  public var originName: String?
  /// The thin device's name, which is the LVM name if the device is an LVM volume; nil if the
  /// journal contains no name.
  public var thinDeviceName: String?
  /// The thin device's ID in the pool.
  public var deviceID: UInt32
  /// The changes made in LVM after the merge finished; nil if the handover has not begun.
  public var handover: VolumeHandover?
  /// True if the handover is complete.
  public var isHandedOver: Bool
  /// Ranges of the origin whose source was unreadable.
  public var unreadable: [ByteRange]
  /// The path of the journal.
  public var journalPath: String
}

/// A journal in the state folder, or one named by a mark there.
public struct JournalListing: Equatable, Sendable {
  /// The path of the journal.
  public var path: String
  /// The status of the journal's merge; nil if the journal is unreadable.
  public var status: StatusReport?
  /// The reason that the journal is unreadable.
  public var error: MergeError?

  package init(path: String, status: StatusReport? = nil, error: MergeError? = nil) {
    self.path = path
    self.status = status
    self.error = error
  }
}

/// A thin device in the pool's metadata: `dm-thin-metadata.c`, `struct disk_device_details`.
public struct ThinDevice: Equatable, Sendable {
  /// The thin device's ID in the pool, up to 16777215: `dm-thin.c`, `MAX_DEV_ID`.
  public var deviceID: UInt32
  /// The number of mappings of the thin device; each maps one block of the pool.
  public var mappedBlockCount: UInt64
  /// The pool's transaction id when the thin device was created.
  public var transactionID: UInt64
  /// The pool's snapshot counter when the thin device was created.
  public var creationTime: UInt32
  /// The pool's snapshot counter when the thin device last took part in a snapshot.
  public var snapshottedTime: UInt32
}

/// The layout of the merged bytes: the lengths of their runs, and their places on the origin.
public struct MappingLayout: Equatable, Sendable {
  /// The runs in one class of lengths, each class a factor of two wide.
  public struct RunLength: Equatable, Sendable {
    /// The lower bound of the class in bytes, a power of two; the next class starts at twice
    /// this size.
    public var byteCountMin: UInt64
    /// The number of runs.
    public var runCount: UInt64
    /// The total bytes of the runs.
    public var byteCount: UInt64
  }

  /// The runs by length class, from the shortest class present to the longest, as they are merged.
  public var runLengths: [RunLength] = []
  /// The end of the merged bytes on the origin: nothing at or past this offset is merged.
  public var endByteOffset: UInt64 = 0
  /// Bytes of the origin per cell of the map, a power of two.
  public var cellByteCount: UInt64 = 0
  /// The merged bytes of each cell, from the origin's first byte to the end.
  public var cells: [UInt64] = []
}

extension MappingLayout {
  /// The total bytes of all runs.
  var byteCount: UInt64 { runLengths.reduce(0) { $0 + $1.byteCount } }

  /// Returns the map with cells enlarged until there are at most `cellCountMax` of them.
  ///
  /// - Precondition: `cellCountMax` is not 0.
  public func cells(atMost cellCountMax: Int) -> (byteCount: UInt64, mapped: [UInt64]) {
    var byteCount = cellByteCount
    var cells = cells
    while cells.count > cellCountMax {
      cells = stride(from: 0, to: cells.count, by: 2).map { first in
        cells[first] + (first + 1 < cells.count ? cells[first + 1] : 0)
      }
      byteCount *= 2
    }
    return (byteCount, cells)
  }
}

/// A thin device of this system that has an external origin, and the obstacles to its merge.
public struct ThinDeviceListing: Equatable, Sendable {
  /// A reason why a merge would be refused.
  public struct Obstacle: Equatable, Sendable {
    /// The code of the error with which a merge would fail.
    public var code: MergeError.Code
    /// The reason, as part of a sentence.
    public var text: String
  }

  /// The thin device's name: in LVM for a volume, otherwise in device-mapper.
  public var name: String
  /// The pool's name, in LVM or device-mapper.
  public var poolName: String
  /// The origin's name, in LVM or device-mapper, or the path of a device that has neither.
  public var originName: String
  /// The thin device's ID in the pool.
  public var deviceID: UInt32
  /// The size of the thin device in bytes.
  public var byteCount: UInt64
  /// Bytes of the blocks that the thin device itself maps, including shared ones; nil if the thin
  /// device is inactive, because the number is then unknown.
  public var ownByteCount: UInt64?
  /// True if the thin device is active.
  public var isActive: Bool
  /// The number of times the thin device is open.
  public var openCount: Int
  /// The mount point of the thin device's file system; nil if it is not mounted.
  public var mountPath: String?
  /// The latest merge of the thin device whose journal is known, excluding abandoned merges.
  public var merge: StatusReport?
  /// The obstacles to a merge, as far as they can be determined without changing the pool.
  public var obstacles: [Obstacle]
}
