/// The leftovers of earlier runs, according to their records and the kernel.
public struct Leftovers: Equatable, Sendable {
  /// The leftovers in pools.
  public var pools: [PoolLeftovers]
  /// The leftovers of merges without an active pool.
  public var origins: [OriginLeftovers]
  /// The LVM volumes activated for runs.
  public var volumes: [VolumeLeftovers]

  package init(
    pools: [PoolLeftovers], origins: [OriginLeftovers] = [], volumes: [VolumeLeftovers] = []
  ) {
    self.pools = pools
    self.origins = origins
    self.volumes = volumes
  }
}

/// An LVM volume that a run activated for itself.
public struct VolumeLeftovers: Equatable, Sendable {
  /// The volume's name in LVM.
  public var name: String
  /// The path of the volume's record.
  public var recordPath: String
  /// True if a run is using the volume and will deactivate it.
  public var isInUse: Bool
  /// True if the volume was deactivated, or its record was discarded.
  public var isUndone = false
  /// The reason that the volume could not be deactivated.
  public var notUndone: [MergeNote] = []

  package init(name: String, recordPath: String, isInUse: Bool) {
    self.name = name
    self.recordPath = recordPath
    self.isInUse = isInUse
  }
}

/// The leftovers of earlier runs at an origin used without an active pool.
public struct OriginLeftovers: Equatable, Sendable {
  /// The path of the record of changes to the origin.
  public var recordPath: String
  /// When the record was last changed, in seconds since 1970.
  public var recordedSeconds: Int64?
  /// True if a run is using the origin: the recorded changes are that run's, which undoes them
  /// itself.
  public var isInUse: Bool
  /// The layers of the origin that were made writable.
  public var writableLayers: [PoolLeftovers.WritableLayer] = []
  /// The changes that could not be undone.
  public var notUndone: [MergeNote] = []
  /// The reason that the record is unreadable or unavailable.
  public var error: MergeError?

  package init(recordPath: String, recordedSeconds: Int64? = nil, isInUse: Bool = false) {
    self.recordPath = recordPath
    self.recordedSeconds = recordedSeconds
    self.isInUse = isInUse
  }
}

/// The leftovers of earlier runs in a pool, according to its record and the kernel.
public struct PoolLeftovers: Equatable, Sendable {
  /// The pool's readiness to be settled.
  public enum State: String, Sendable {
    /// The pool is active, and no run is using it.
    case active = "active"
    /// A run is using the pool: the recorded changes are that run's, which undoes them itself.
    case inUse = "in-use"
    /// The pool is not active: the record stays until it is.
    case notActive = "not-active"
  }

  /// A metadata snapshot that is held, or that a run was about to take.
  public struct MetadataSnapshot: Equatable, Sendable {
    /// The holder of a metadata snapshot.
    public enum Owner: String, Sendable {
      /// A run recorded that it took the metadata snapshot.
      case recorded = "recorded"
      /// A run recorded that it was about to take a metadata snapshot when there was none.
      case maybe = "maybe"
      /// No record mentions the metadata snapshot.
      case unrecorded = "unrecorded"
    }

    /// The metadata snapshot's block in the metadata device; nil if the pool is not active and the
    /// block is unknown.
    public var block: UInt64?
    /// The holder of the metadata snapshot.
    public var owner: Owner
    /// The thin device partly merged from the metadata snapshot, if any: if that device was
    /// deleted, the metadata snapshot is its only copy and is kept.
    public var maybeOnlyCopyOf: UInt32?
    /// True if the metadata snapshot was released, or is no longer held.
    public var isUndone = false
  }

  /// A snapshot of a thin device, created to be merged in its place.
  public struct Snapshot: Equatable, Sendable {
    /// The remaining use of a snapshot.
    public enum Use: String, Sendable {
      /// An unfinished merge needs the snapshot, so it is kept.
      case unfinishedMerge = "unfinished-merge"
      /// No merge has read the snapshot yet, and its thin device is gone, so it is kept.
      case onlyCopy = "only-copy"
      /// No merge has read the snapshot yet, and its thin device may be gone.
      case maybeOnlyCopy = "maybe-only-copy"
      /// The snapshot has no use and is to be deleted.
      case none = "none"
    }

    /// The snapshot's ID in the pool.
    public var deviceID: UInt32
    /// The ID of the thin device that the snapshot was taken of.
    public var originalID: UInt32
    /// The identity of the origin that the snapshot is merged onto; nil if nothing was written from
    /// the snapshot.
    public var originName: String?
    /// The remaining use of the snapshot.
    public var use: Use
    /// True if the pool contains the snapshot; nil if the pool's metadata is unreadable now.
    public var isThere: Bool?
    /// The size of the snapshot's blocks in bytes, which is the maximum that deleting it could
    /// free; nil if unreadable now.
    public var byteCount: UInt64?
    /// The device that a run suspended for the snapshot and that is still suspended.
    public var suspendedDevicePath: String?
    /// True if the snapshot was deleted, or no longer exists.
    public var isUndone = false
  }

  /// A mapped thin device that was removed for a merge.
  public struct RemovedDevice: Equatable, Sendable {
    /// The path of the device's node while it is active.
    public var path: String
    /// The device's name in LVM, if it is a volume.
    public var volumeName: String?
    /// True if the device was to be restored.
    public var isPutBack: Bool
    /// True if the device is active now.
    public var isActive: Bool
    /// True if the device was restored, or its record was discarded.
    public var isUndone = false
  }

  /// A layer of an origin that was made writable for a merge.
  public struct WritableLayer: Equatable, Sendable {
    /// The path of the layer's node.
    public var path: String
    /// True if the layer is writable now; nil if it does not exist.
    public var isWritable: Bool?
    /// The name in LVM of the volume that the layer is, or is under.
    package var volumeName: String?
    /// True if the layer was made read-only again, or its record was discarded.
    public var isUndone = false
  }

  /// An unfinished merge from the pool.
  public struct Journal: Equatable, Sendable {
    /// The path of the journal from which to resume the merge.
    public var path: String
    /// The thin device being merged.
    public var deviceID: UInt32
    /// The origin's path in the journal.
    public var originPath: String
  }

  /// The pool's name in device-mapper; nil if the pool is not active.
  public var poolName: String?
  /// The pool's readiness to be settled.
  public var state: State
  /// The path of the record of changes to the pool; nil if there is none.
  public var recordPath: String?
  /// When the record was last changed, in seconds since 1970.
  public var recordedSeconds: Int64?
  /// The metadata snapshot that is held, or that a run was about to take; nil if there is none.
  public var metadataSnapshot: MetadataSnapshot?
  /// The snapshots created by runs.
  public var snapshots: [Snapshot] = []
  /// The thin devices removed by runs.
  public var removedDevices: [RemovedDevice] = []
  /// The layers of origins made writable by runs.
  public var writableLayers: [WritableLayer] = []
  /// The unfinished merges from the pool whose journals are in the state folder or named by marks
  /// there.
  public var journals: [Journal] = []
  /// The changes that could not be undone, and those kept because they may be needed.
  public var notUndone: [MergeNote] = []
  /// The reason that the record is unreadable or the pool is unavailable.
  public var error: MergeError?

  /// True if nothing is left in the pool.
  public var isEmpty: Bool {
    metadataSnapshot == nil && snapshots.isEmpty && removedDevices.isEmpty
      && writableLayers.isEmpty && error == nil
  }
}

/// A leftover of a run, identified by its `name`.
protocol Leftover {
  associatedtype Name: Equatable

  var name: Name { get }
  var isUndone: Bool { get set }
}

extension PoolLeftovers.Snapshot: Leftover { var name: UInt32 { deviceID } }
extension PoolLeftovers.RemovedDevice: Leftover { var name: String { path } }
extension PoolLeftovers.WritableLayer: Leftover { var name: String { path } }

extension Array where Element: Leftover {
  /// Returns the elements of `before` that are missing from this array, marked as undone, followed
  /// by this array's elements.
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

/// The leftovers of an earlier run that stay because the pool is only inspected.
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
