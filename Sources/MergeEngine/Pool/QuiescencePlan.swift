/// The changes to an active pool's devices that keep the merged data from changing and let the
/// origin be written to.
///
/// The plan is decided from one observation and changes nothing; ``PoolSession/apply(_:)`` makes
/// the changes.
package struct QuiescencePlan: Sendable {
  /// The source of the merged data, and the reason why it cannot change.
  package enum Way: Sendable {
    /// A snapshot of the thin device, made through its writable device if there is one.
    case snapshot(through: MappedDevice?)
    /// The snapshot that an earlier run made for this merge.
    case earlierSnapshot(PoolState.Snapshot)
    /// An earlier run's metadata snapshot, which alone has the data to merge.
    case held
    /// The thin device itself: nobody can write to it.
    case asItIs
    /// The thin device itself, after the removal of devices that nobody has open.
    case removed([MappedDevice], isPutBack: Bool)
  }

  /// The thin device.
  package let deviceID: UInt32
  package let way: Way
  /// The reason for reading the thin device itself, if the user did not ask for that.
  package let noSnapshot: NoSnapshotReason?
  /// The devices through which a program has the thin device open and may still write to it.
  package let open: [MappedDevice]
  /// The devices that show the thin device, and so may hold the origin, until the plan is applied.
  let usersBefore: [MappedDevice]
  /// The devices that still show the thin device after the plan is applied.
  let users: [MappedDevice]
  /// Nil if the origin is not a block device.
  package let origin: OriginPlan?

  /// The ID of the snapshot to merge, if it exists already.
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

  /// True if a snapshot is read, so that the thin device may be used, or deleted, meanwhile.
  package var readsSnapshot: Bool {
    switch way {
    case .snapshot, .earlierSnapshot: true
    case .asItIs, .held, .removed: false
    }
  }

  /// True if the thin device could be written to until the plan is applied.
  package var changesThinDevice: Bool {
    switch way {
    case .asItIs, .held, .earlierSnapshot: false
    case .removed, .snapshot: true
    }
  }

  /// - `earlier`: the snapshot that an earlier run made for this merge.
  /// - `mappings`: the mappings to read.
  /// - `isHeld`: whether only an earlier run's metadata snapshot has the data to merge.
  /// - `isReplaced`: whether another thin device has the device ID now.
  /// - `restarts`: whether the earlier run's merge is given up.
  /// - `lvm`: asks LVM about the origin, given the origin's layers.
  /// - Throws: `MergeError`: `busy` if the thin device or the origin is in use, `refused` if other
  ///   devices show the origin or it is read-only, without the user's consent.
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
  /// Nil if a snapshot is to be made.
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
