/// A plan for changing an active pool's devices so that the data to merge cannot change and the
/// origin can be written to.
///
/// Making the plan changes nothing and uses a single observation of the pool.
/// ``PoolSession/apply(_:)`` makes the changes.
package struct QuiescencePlan: Sendable {
  /// The source of the data to merge, and how that data is kept from changing.
  package enum Way: Sendable {
    /// A new snapshot of the thin device, made while its writable mapped device, if any, is
    /// suspended.
    case snapshot(through: MappedDevice?)
    /// A snapshot that an earlier run made for this merge.
    case earlierSnapshot(PoolState.Snapshot)
    /// An earlier run's metadata snapshot, which is the only copy of the data to merge.
    case held
    /// The thin device itself, because nothing can write to it.
    case asItIs
    /// The thin device itself, after its mapped devices are removed; no program has them open.
    case removed([MappedDevice], isPutBack: Bool)
  }

  /// The ID of the thin device to merge.
  package let deviceID: UInt32
  package let way: Way
  /// The reason the thin device itself is read instead of a snapshot; nil if a snapshot is read or
  /// the user asked to merge the thin device itself.
  package let noSnapshot: NoSnapshotReason?
  /// The mapped devices for the merged data that programs have open and may still write to.
  package let open: [MappedDevice]
  /// The mapped devices for the thin device, which may hold the origin until the plan is applied.
  let usersBefore: [MappedDevice]
  /// The mapped devices for the thin device that remain after the plan is applied.
  let users: [MappedDevice]
  /// The plan for the origin; nil if the origin is not a block device.
  package let origin: OriginPlan?

  /// The ID of the existing snapshot to merge; nil if there is none yet.
  package var snapshotID: UInt32? {
    if case .earlierSnapshot(let snapshot) = way, snapshot.deviceID != deviceID {
      return snapshot.deviceID
    }
    return nil
  }

  package var makesSnapshot: Bool {
    if case .snapshot = way { return true }
    return false
  }

  /// True if a snapshot is read, so the thin device may be used or even deleted during the merge.
  package var readsSnapshot: Bool {
    switch way {
    case .snapshot, .earlierSnapshot: true
    case .asItIs, .held, .removed: false
    }
  }

  /// True if the thin device can be written to until the plan is applied.
  package var changesThinDevice: Bool {
    switch way {
    case .asItIs, .held, .earlierSnapshot: false
    case .removed, .snapshot: true
    }
  }

  /// - `earlier`: the snapshot that an earlier run made for this merge; nil if there is none.
  /// - `mappings`: the mappings to read.
  /// - `isHeld`: whether an earlier run's metadata snapshot is the only copy of the data to merge.
  /// - `isReplaced`: whether a different thin device now has the ID of the original.
  /// - `restarts`: whether the earlier run's merge is abandoned.
  /// - `lvm`: asks LVM about the origin, given the origin's layers, topmost first.
  /// - Throws: `MergeError`: `busy` if the thin device or the origin is in use, `refused` if the
  ///   user has not agreed that other thin devices use the origin, or to making a read-only origin
  ///   writable.
  package init(
    for deviceID: UInt32, onto originPath: String, _ observed: ObservedPool,
    earlier: PoolState.Snapshot?, mappings: MergeSource.Mappings,
    isHeld: Bool, isReplaced: Bool, options: PoolOptions, restarts: Bool,
    holders: (DeviceNumber) -> [DeviceNumber],
    lvm: ([MappedDevice]) throws(MergeError) -> VolumesOnOrigin?
  ) throws(MergeError) {
    self.deviceID = deviceID
    let showing = isReplaced ? [] : observed.showing(deviceID)
    let merged = earlier.flatMap { $0.deviceID == deviceID ? $0 : nil }
    let original = earlier.flatMap { isReplaced ? nil : observed.showing($0.originalID) } ?? []
    let own = showing + (merged == nil ? [] : original)
    origin = try FileSystem.blockDevice(at: originPath).map { number throws(MergeError) in
      try OriginPlan(
        originPath, number, of: own, observed.devices, options: options, lvm: lvm)
    }
    let isGivenUp = restarts && merged == nil && earlier?.hasBegun == true
    if isHeld {
      (way, noSnapshot) = (.held, nil)
    } else if let earlier, !isGivenUp {
      try Self.check(earlier, observed, options)
      (way, noSnapshot) = (.earlierSnapshot(earlier), nil)
    } else {
      let reason = NoSnapshotReason(mappings, observed.status, options)
      noSnapshot = reason == .asked ? nil : reason
      way = try Self.way(
        for: deviceID, showing, observed, readsThinDevice: reason != nil, options: options)
    }
    switch way {
    case .asItIs, .held, .snapshot: users = showing
    case .removed: users = showing.filter(\.isReadOnly)
    case .earlierSnapshot: users = original
    }
    open = users.filter { $0.openCount > 0 }
    usersBefore = own + users
    try origin?.check(users: usersBefore, observed.devices, holders)
  }

  private static func way(
    for deviceID: UInt32, _ showing: [MappedDevice], _ observed: ObservedPool,
    readsThinDevice: Bool, options: PoolOptions
  ) throws(MergeError) -> Way {
    if let pending = showing.first(where: { !$0.inactiveTable.isEmpty }) {
      throw .thinDeviceChanging(pending.path, name: pending.name, deviceID: deviceID)
    }
    if let suspended = showing.first(where: \.isSuspended) {
      throw .thinDeviceSuspended(suspended.path, name: suspended.name)
    }
    // A program that opened a device before it became read-only can still write to it.
    let moving = showing.filter { !$0.isReadOnly || $0.openCount > 0 }
    let open = moving.first { $0.openCount > 0 }
    if let open, readsThinDevice || !options.allowsOpenThinDevice {
      throw .thinDeviceInUse(
        open.path, isReadOnly: open.isReadOnly, takesSnapshot: !readsThinDevice)
    }
    guard !readsThinDevice else {
      return moving.isEmpty ? .asItIs : .removed(moving, isPutBack: options.reactivates)
    }
    guard case .writable = observed.status.mode else { throw .poolFull(observed.pool.name) }
    guard moving.count <= 1 else {
      throw .thinDeviceInUseTwice(moving[0].path, through: moving.map(\.nameForPeople))
    }
    return .snapshot(through: moving.first)
  }

  private static func check(
    _ snapshot: PoolState.Snapshot, _ observed: ObservedPool, _ options: PoolOptions
  ) throws(MergeError) {
    guard !snapshot.isMerged else {
      throw .snapshotNotDeleted(
        observed.pool.name, deviceID: snapshot.deviceID, of: snapshot.originalID)
    }
    guard !options.mergesThinDeviceItself || !snapshot.hasBegun else {
      throw .snapshotUnfinished(
        observed.pool.name, deviceID: snapshot.deviceID, of: snapshot.originalID)
    }
    if let user = observed.showing(snapshot.deviceID).first {
      throw .snapshotInUse(user.path, name: user.name, deviceID: snapshot.deviceID)
    }
  }
}

extension NoSnapshotReason {
  /// Determines the reason no snapshot can be made; nil if a snapshot is to be made.
  init?(_ mappings: MergeSource.Mappings, _ status: PoolStatus, _ options: PoolOptions) {
    if options.mergesThinDeviceItself {
      self = .asked
    } else if case .metadataSnapshot(_?) = mappings {
      self = .metadataSnapshotGiven
    } else if status.mode == .readOnly {
      self = .poolReadOnly
    } else if status.needsCheck {
      self = .poolNeedsCheck
    } else if status.isMetadataNearlyUsedUp {
      self = .metadataNearlyUsedUp
    } else if status.isDataNearlyUsedUp, !options.allowsOpenThinDevice {
      self = .dataNearlyUsedUp(
        freeBlockCount: status.freeDataBlockCount, blockCount: status.dataBlockCount)
    } else {
      return nil
    }
  }
}
