/// What earlier runs left behind, according to their records and the kernel.
public struct Leftovers: Equatable, Sendable {
  /// What is left in pools.
  public var pools: [PoolLeftovers]
  /// What is left of merges where no pool was active.
  public var origins: [OriginLeftovers]
  /// The volumes of LVM that are active for runs.
  public var volumes: [VolumeLeftovers]

  package init(
    pools: [PoolLeftovers], origins: [OriginLeftovers] = [], volumes: [VolumeLeftovers] = []
  ) {
    self.pools = pools
    self.origins = origins
    self.volumes = volumes
  }
}

/// A volume of LVM that a run activated for itself.
public struct VolumeLeftovers: Equatable, Sendable {
  /// Its name in LVM.
  public var name: String
  /// The file that tells of it.
  public var recordPath: String
  /// Whether a run uses it now, and deactivates it itself.
  public var isInUse: Bool
  /// Whether it was deactivated, or its record was dropped.
  public var isUndone = false
  /// Why it could not be deactivated.
  public var notUndone: [MergeNote] = []

  package init(name: String, recordPath: String, isInUse: Bool) {
    self.name = name
    self.recordPath = recordPath
    self.isInUse = isInUse
  }
}

/// What earlier runs left behind at an origin where no pool was active.
public struct OriginLeftovers: Equatable, Sendable {
  /// The file of what was done to the origin.
  public var recordPath: String
  /// When that was changed last, in seconds since 1970.
  public var recordedSeconds: Int64?
  /// Whether a run works on the origin: what is recorded is that run's, which undoes it itself.
  public var isInUse: Bool
  /// The layers of the origin that were made writable.
  public var writableLayers: [PoolLeftovers.WritableLayer] = []
  /// What could not be undone.
  public var notUndone: [MergeNote] = []
  /// Why the record cannot be read, or cannot be had.
  public var error: MergeError?

  package init(recordPath: String, recordedSeconds: Int64? = nil, isInUse: Bool = false) {
    self.recordPath = recordPath
    self.recordedSeconds = recordedSeconds
    self.isInUse = isInUse
  }
}

/// What earlier runs left behind in a pool, according to its record and the kernel.
public struct PoolLeftovers: Equatable, Sendable {
  /// Whether the pool can be settled now.
  public enum State: String, Sendable {
    /// The pool is active, and no run works on it.
    case active = "active"
    /// A run works on the pool: what is recorded is that run's, which undoes it itself.
    case inUse = "in-use"
    /// The pool is not active, or not any more: what is recorded stays until it is.
    case notActive = "not-active"
  }

  /// A metadata snapshot that is held, or that a run asked for.
  public struct MetadataSnapshot: Equatable, Sendable {
    /// Who holds it.
    public enum Owner: String, Sendable {
      /// A run recorded that it took it.
      case recorded = "recorded"
      /// A run recorded that it was about to take one when there was none.
      case maybe = "maybe"
      /// No record has it.
      case unrecorded = "unrecorded"
    }

    /// Its block in the metadata device; nil where the pool is not active and nothing tells.
    public var block: UInt64?
    /// Who holds it.
    public var owner: Owner
    /// The thin device that is merged in part from it, if there is one: if that was deleted, the metadata snapshot
    /// is its only copy, and is kept.
    public var maybeOnlyCopyOf: UInt32?
    /// Whether it was released, or found not to be held any more.
    public var isUndone = false
  }

  /// A snapshot of a thin device, made to be merged in its place.
  public struct Snapshot: Equatable, Sendable {
    /// What it is still for.
    public enum Use: String, Sendable {
      /// A merge that is not finished, which keeps it.
      case unfinishedMerge = "unfinished-merge"
      /// No merge has begun to read it, and the thin device that it was made of is gone: it is kept.
      case onlyCopy = "only-copy"
      /// No merge has begun to read it, and nothing tells now whether that thin device is gone.
      case maybeOnlyCopy = "maybe-only-copy"
      /// Nothing: it is to be deleted.
      case none = "none"
    }

    /// Its number in the pool.
    public var deviceID: UInt32
    /// The number of the thin device that it was made of.
    public var originalID: UInt32
    /// What tells the origin that it is merged onto from others; nil where nothing was written from it.
    public var originName: String?
    /// What it is still for.
    public var use: Use
    /// Whether the pool has it; nil where the pool's metadata cannot be read now.
    public var isThere: Bool?
    /// Bytes of its blocks, which it keeps at most from being freed; nil where that cannot be read now.
    public var byteCount: UInt64?
    /// The device that a run suspended for it and that is suspended still.
    public var suspendedDevicePath: String?
    /// Whether it was deleted, or found not to be there.
    public var isUndone = false
  }

  /// A mapped thin device that was removed for the time of a merge.
  public struct RemovedDevice: Equatable, Sendable {
    /// Its node, where it is active.
    public var path: String
    /// Its name in LVM, if it is a volume.
    public var volumeName: String?
    /// Whether it was to be put back.
    public var isPutBack: Bool
    /// Whether it is active now.
    public var isActive: Bool
    /// Whether it was put back, or its record was dropped.
    public var isUndone = false
  }

  /// A layer of an origin that was made writable for the time of a merge.
  public struct WritableLayer: Equatable, Sendable {
    /// Its node.
    public var path: String
    /// Whether it is writable now; nil where it is not there.
    public var isWritable: Bool?
    /// The name in LVM of the volume that it is, or is under.
    package var volumeName: String?
    /// Whether it was made read-only again, or its record was dropped.
    public var isUndone = false
  }

  /// A merge from the pool that is not finished.
  public struct Journal: Equatable, Sendable {
    /// The journal that goes on with it.
    public var path: String
    /// The thin device that is merged.
    public var deviceID: UInt32
    /// The origin, as the journal has it.
    public var originPath: String
  }

  /// The pool's name in device-mapper; nil where it is not active.
  public var poolName: String?
  /// Whether the pool can be settled now.
  public var state: State
  /// The file of what was done to the pool; nil where there is none.
  public var recordPath: String?
  /// When that was changed last, in seconds since 1970.
  public var recordedSeconds: Int64?
  /// The metadata snapshot that is held; nil where none is.
  public var metadataSnapshot: MetadataSnapshot?
  /// The snapshots that were made.
  public var snapshots: [Snapshot] = []
  /// The thin devices that were removed.
  public var removedDevices: [RemovedDevice] = []
  /// The layers of origins that were made writable.
  public var writableLayers: [WritableLayer] = []
  /// The unfinished merges from the pool whose journals are in the state folder, or are named by marks there.
  public var journals: [Journal] = []
  /// What could not be undone, and what is kept because it may be needed.
  public var notUndone: [MergeNote] = []
  /// Why the record cannot be read, or the pool cannot be had.
  public var error: MergeError?

  /// Whether nothing is left in the pool.
  public var isEmpty: Bool {
    metadataSnapshot == nil && snapshots.isEmpty && removedDevices.isEmpty
      && writableLayers.isEmpty && error == nil
  }
}

/// Something that a run left, and that is known again by what it names.
protocol Leftover {
  associatedtype Name: Equatable

  var name: Name { get }
  var isUndone: Bool { get set }
}

extension PoolLeftovers.Snapshot: Leftover { var name: UInt32 { deviceID } }
extension PoolLeftovers.RemovedDevice: Leftover { var name: String { path } }
extension PoolLeftovers.WritableLayer: Leftover { var name: String { path } }

extension Array where Element: Leftover {
  /// Returns what there was before and is not any more, as undone, and then what there is.
  func addingUndone(of before: [Element]) -> [Element] {
    let left = map(\.name)
    let undone = before.filter { !left.contains($0.name) }.map { gone in
      var gone = gone
      gone.isUndone = true
      return gone
    }
    return undone + self
  }
}

/// What of an earlier run stays in a pool that somebody only looks at.
struct PoolRemainder {
  var snapshotIDs: [UInt32]
  var removedPaths: [String]
  var writableLayerPaths: [String]

  var isEmpty: Bool {
    snapshotIDs.isEmpty && removedPaths.isEmpty && writableLayerPaths.isEmpty
  }

  var text: String {
    let parts =
      snapshotIDs.map { "dev \($0), a snapshot that no merge needs" }
      + removedPaths.map { "\($0), removed" }
      + writableLayerPaths.map { "\($0), a layer of an origin, made writable" }
    return parts.joined(separator: "; ")
  }
}
