/// What a merge would do.
///
/// What is said of the pool is read from its superblock: `dm-thin-metadata.c`, `struct
/// thin_disk_superblock`.
public struct PlanReport: Equatable, Sendable {
  /// The thin device's number in the pool.
  public var deviceID: UInt32
  /// The number of its snapshot that is merged in its place; nil where there is none yet, or the thin device itself
  /// is merged.
  public var snapshotID: UInt32?
  /// Whether a snapshot of the thin device is made first, and merged in its place.
  public var makesSnapshot: Bool = false
  /// Whether the thin device was written to after that snapshot of an earlier run was made.
  public var isWrittenSinceSnapshot: Bool = false
  /// Whether somebody has the thin device open: what is written to it from then on is not merged.
  public var thinDeviceIsOpen: Bool = false
  /// The name of the origin in LVM, where LVM has it read-only as an external origin and the merge makes it writable
  /// meanwhile.
  public var protectedOriginName: String?
  /// Bytes of a pool block: a multiple of 64 KiB, up to 1 GiB.
  ///
  /// The superblock has it in sectors of 512 bytes.
  public var blockByteCount: UInt64
  /// Mappings of the thin device, each of one block.
  public var mappedBlockCount: UInt64
  /// Runs: mappings that are consecutive both on the thin device and on the data device.
  public var runCount: UInt64
  /// Bytes to be written to the origin.
  public var byteCount: UInt64
  /// Mapped blocks that begin behind the end of what is merged.
  public var pastEndBlockCount: UInt64
  /// Bytes of the block across that end which are left out.
  public var clippedByteCount: UInt64
  /// Bytes of the thin device.
  public var thinByteCount: UInt64
  /// Whether that is only taken to be the origin's.
  public var thinByteCountIsAssumed: Bool
  /// The origin's bytes now; nil where no origin was given.
  public var originByteCount: UInt64?
  /// The origin's bytes once it has been extended, where it is to be.
  public var grownOriginByteCount: UInt64?
  /// The most bytes that the journal of an uninterrupted merge can have.
  public var journalByteCountMax: UInt64
  /// The journal's place; nil where no origin was given.
  public var journalPath: String?
  /// CRC-64/ECMA and CRC-32C of the mappings, in hexadecimal.
  public var fingerprint: String
  /// The pool's transaction id in the superblock that was read.
  public var transactionID: UInt64
  /// The metadata snapshot that was read, as the number of its block of 4096 bytes, which is the
  /// superblock's held root; nil for the live tree.
  public var heldRoot: UInt64?
  /// Whether that was taken for this, and is released afterwards.
  public var isOwnMetadataSnapshot: Bool = false
  /// Other devices in the same metadata.
  public var otherDeviceCount: UInt64
  /// How long the runs are, and where they lie.
  public var layout = MappingLayout()
  /// Bytes that earlier runs of the same merge have recorded already.
  public var recordedByteCount: UInt64 = 0
  /// Bytes that earlier runs have recorded, and that the merge reads again and compares.
  public var comparedByteCount: UInt64 = 0
  /// Whether an earlier run has finished this merge: a merge then compares and writes nothing, unless
  /// ``MergeOptions/mergesAgain`` is set.
  public var isFinished: Bool = false
  /// Whether it is finished and merged again, as ``MergeOptions/mergesAgain`` says.
  public var isMergedAgain: Bool = false
  /// The journals of merges that are given up for this one, and get other names.
  public var journalsPutAside: [String] = []
  /// What unfinished merges that were given up have left on the origin, wherever this one writes nothing.
  public var remnants: [MergeRemnant] = []
  /// What is done in LVM once the merge is finished, where that was asked for.
  public var handover: VolumeHandover?
  /// What a merge would be refused for as things are; nil where it would begin or go on.
  public var refusal: MergeError?
}

/// What a merge of another thin device, or of an earlier state of this one, has left on the origin: it was not finished,
/// and another one was begun in its place.
public struct MergeRemnant: Equatable, Sendable {
  /// The number of its thin device; nil where its journal is gone or cannot be read.
  public var deviceID: UInt32?
  /// The fingerprint of its mappings; may be empty where the number is nil.
  public var fingerprint: String
  /// Bytes that it had recorded; 0 where its journal is gone or cannot be read.
  ///
  /// It may have written more. They stay wherever the other merge writes nothing.
  public var recordedByteCount: UInt64
}

/// What a thin device has besides what was read of it, once that is merged or compared.
public enum ThinDeviceState: String, Sendable {
  /// Nothing: all that it has was read.
  case asMerged = "as-merged"
  /// Nothing yet, and somebody has it open who may write to it.
  case open
  /// It was written to since.
  case writtenSince = "written-since"
  /// It is not there any more.
  case gone
  /// It cannot be told.
  case unknown
}

/// What a merge or a resumed merge did.
public struct MergeReport: Equatable, Sendable {
  /// How a merge ended.
  public enum State: Equatable, Sendable {
    /// All of the plan is durable on the origin.
    case finished
    /// Something is left to be done, and the journal can be gone on from; why.
    case stopped(MergeError)
  }

  /// An earlier run that had finished the merge.
  public struct Earlier: Equatable, Sendable {
    /// Seconds since 1970 when it finished.
    public var finishedSeconds: Int64
    /// True where source and origin have now been read and found as that run left them.
    public var isCompared: Bool
    /// True where the thin device was active and writable meanwhile: writes that its users still cache
    /// were not compared.
    public var sourceMayChange: Bool = false
  }

  /// The plan that was carried out.
  public var plan: PlanReport
  /// The earlier run that had finished the merge, so that this call wrote nothing; nil where it merged.
  public var earlier: Earlier?
  /// How it ended.
  public var state: State
  /// Bytes written to the origin by this run.
  public var writtenByteCount: UInt64
  /// Bytes of the plan that earlier runs had recorded.
  public var resumedFromByteCount: UInt64
  /// Bytes of earlier runs that this run read again and compared.
  public var recheckedByteCount: UInt64
  /// Of those, bytes that differed and were written again.
  public var rewrittenByteCount: UInt64
  /// How long it took.
  public var duration: Duration
  /// Of that, how long the kernel took to accept requests.
  public var submitDuration: Duration
  /// Checkpoints made durable by this run.
  public var checkpointCount: UInt64
  /// What reading everything back found; nil where it was not asked for.
  public var verification: VerifyReport?
  /// Whether the thin device has anything that was not merged.
  public var thinDevice: ThinDeviceState = .unknown
  /// How far the handover from the thin volume to its origin is; nil where the two are no volumes of LVM, or the merge
  /// is not finished.
  public var handover: HandoverState?
  /// Where the journal is.
  public var journalPath: String
  /// Ranges of the origin whose source could not be read, which are as they were.
  public var unreadable: [ByteRange]
  /// False where the merge stopped and no run can resume it: its journal was removed or replaced meanwhile,
  /// or does not record what it says.
  public var canBeResumed: Bool = true
  /// What was done to an active pool or its devices and could not be undone.
  public var cleanupFailures: [MergeNote] = []
}

/// What comparing found.
public struct VerifyReport: Equatable, Sendable {
  /// What one difference stands for.
  public enum Granularity: String, Sendable {
    /// Sectors of 512 bytes, compared with the source.
    case sector
    /// Entries of the journal, compared with their checksums.
    case entry
  }

  /// The most differences that are listed.
  public static let differenceCountMax = 100

  /// What one difference stands for.
  public var granularity: Granularity
  /// Bytes of the origin that were compared.
  public var comparedByteCount: UInt64
  /// Bytes in ranges that differ.
  public var differingByteCount: UInt64
  /// The first differing ranges of the origin, each as long as it goes.
  public var differences: [ByteRange]
  /// Ranges of the origin that could not be compared.
  public var unreadable: [ByteRange]
  /// How long it took.
  public var duration: Duration
  /// Why not everything was compared; nil if it was.
  public var incomplete: MergeError?
  /// Whether the thin device has anything that was not compared; nil where it was not read.
  public var thinDevice: ThinDeviceState?
  /// What unfinished merges that were given up have left on the origin, as the journal tells.
  public var remnants: [MergeRemnant] = []
  /// A merge onto the origin that is not finished, as the journal in its usual place told when comparing
  /// with a source began.
  public var unfinishedMerge: StatusReport?
  /// A finished merge of another thin device onto the origin, as the journal in its usual place tells.
  package var otherMerge: StatusReport?
  /// Whether the unfinished merge cannot be resumed, since the thin device has other mappings than were recorded.
  package var isWrittenSinceMergeStopped = false

  /// Whether everything was compared and nothing differs.
  public var isClean: Bool {
    incomplete == nil && differingByteCount == 0 && unreadable.isEmpty
  }
}

/// What a journal says of its merge.
public struct StatusReport: Equatable, Sendable {
  /// How far the merge is.
  public enum State: String, Sendable {
    /// A merge has the journal open.
    case running
    /// Something is left to be done.
    case stopped
    /// Recorded in full.
    case finished
    /// Recorded in full, read back and found right.
    case verified
    /// Given up for another merge: nobody goes on with it.
    case givenUp = "given-up"
  }

  /// When a merge was given up, and for which.
  public struct GivenUp: Equatable, Sendable {
    /// Seconds since 1970.
    public var seconds: Int64
    /// The thin device of the merge that took its place.
    public var deviceID: UInt32
    /// Where that merge's journal was.
    public var journalPath: String
  }

  /// How far the merge is.
  public var state: State
  /// Bytes recorded.
  public var doneByteCount: UInt64
  /// Bytes of the plan.
  public var totalByteCount: UInt64
  /// Time spent writing, from the first record of each run to its last.
  public var writingSeconds: Int64
  /// Runs so far.
  public var runCount: UInt64
  /// Seconds since 1970 of the first run's beginning and of the last record.
  public var begunSeconds, recordedSeconds: Int64
  /// Seconds since 1970 when the merge was finished; nil while it is not.
  public var finishedSeconds: Int64?
  /// Set where the merge was given up for another one.
  public var givenUp: GivenUp?
  /// The devices as the journal names them.
  public var metadataPath, dataPath, originPath: String
  /// The origin's name in LVM as it was then; nil for what is no volume of LVM.
  public var originName: String?
  /// The thin device's name, of a volume its name in LVM; nil where the journal has none.
  public var thinDeviceName: String?
  /// The thin device's number in the pool.
  public var deviceID: UInt32
  /// What is done in LVM now that the merge is finished; nil where that has not begun.
  public var handover: VolumeHandover?
  /// Whether all of that is done.
  public var isHandedOver: Bool
  /// Ranges of the origin whose source could not be read.
  public var unreadable: [ByteRange]
  /// Where the journal is.
  public var journalPath: String
}

/// A journal in the state folder, or one that a mark there names.
public struct JournalListing: Equatable, Sendable {
  /// Where it is.
  public var path: String
  /// What it says; nil where it cannot be read.
  public var status: StatusReport?
  /// Why it cannot be read.
  public var error: MergeError?

  package init(path: String, status: StatusReport? = nil, error: MergeError? = nil) {
    self.path = path
    self.status = status
    self.error = error
  }
}

/// A thin device in the pool's metadata: `dm-thin-metadata.c`, `struct disk_device_details`.
public struct ThinDevice: Equatable, Sendable {
  /// Its number in the pool, up to 16777215: `dm-thin.c`, `MAX_DEV_ID`.
  public var deviceID: UInt32
  /// Its mappings, each of one block of the pool.
  public var mappedBlockCount: UInt64
  /// The pool's transaction id when it was made.
  public var transactionID: UInt64
  /// The pool's snapshot counter when it was made.
  public var creationTime: UInt32
  /// The pool's snapshot counter when it last took part in a snapshot.
  public var snapshottedTime: UInt32
}

/// What the merged bytes look like: how long their runs are, and where on the origin they lie.
public struct MappingLayout: Equatable, Sendable {
  /// Runs of one length, up to a factor of two.
  public struct RunLength: Equatable, Sendable {
    /// Bytes of the shortest run that is counted here, a power of two; the next one's are twice as many.
    public var byteCountMin: UInt64
    /// How many runs there are.
    public var runCount: UInt64
    /// Bytes of all of them.
    public var byteCount: UInt64
  }

  /// Runs by their length, from the shortest that there is to the longest, as they are merged.
  public var runLengths: [RunLength] = []
  /// Nothing of the origin at or behind this is merged.
  public var endByteOffset: UInt64 = 0
  /// Bytes of the origin that one cell of the map stands for, a power of two.
  public var cellByteCount: UInt64 = 0
  /// How many bytes of each cell are merged, from the origin's first byte to the end.
  public var cells: [UInt64] = []
}

extension MappingLayout {
  /// Bytes of all runs.
  var byteCount: UInt64 { runLengths.reduce(0) { $0 + $1.byteCount } }

  /// The map with cells so large that there are at most `cellCountMax` of them.
  ///
  /// Precondition: `cellCountMax` is not 0.
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

/// A thin device of this system that has an external origin, and what is in the way of its merge.
public struct ThinDeviceListing: Equatable, Sendable {
  /// Something that a merge would be refused for.
  public struct Obstacle: Equatable, Sendable {
    /// The code of the error that a merge would end with.
    public var code: MergeError.Code
    /// Part of a sentence.
    public var text: String
  }

  /// Of a volume its name in LVM, of another device that of device-mapper.
  public var name: String
  /// The same of its pool.
  public var poolName: String
  /// The same of its origin, or the path of a device that is neither.
  public var originName: String
  /// The thin device's number in the pool.
  public var deviceID: UInt32
  /// Bytes of the thin device.
  public var byteCount: UInt64
  /// Bytes of the blocks that are its own, shared ones among them; nil where it is not active, which nothing tells then.
  public var ownByteCount: UInt64?
  /// Whether it is active.
  public var isActive: Bool
  /// How many have it open.
  public var openCount: Int
  /// Where its file system is mounted; empty where it is not.
  public var mountPath: String?
  /// The latest merge of it whose journal is known.
  public var merge: StatusReport?
  /// What is in the way of a merge, as far as it can be seen without changing the pool.
  public var obstacles: [Obstacle]
}
