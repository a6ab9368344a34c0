/// What is changed of an active pool's devices so that a thin device stays as it is, and its origin can be
/// written to, while one is merged onto the other.
///
/// It is decided from what was looked at once, and changes nothing; ``PoolSession/apply(_:)`` does.
package struct QuiescencePlan: Sendable {
  /// How the thin device is kept as it is.
  package enum Way: Sendable {
    /// Nobody can write to it.
    case asItIs
    /// What is merged of it is only in the metadata snapshot of an earlier run.
    case held
    /// Devices that nobody has open are removed.
    case removed([MappedDevice], isPutBack: Bool)
    /// A snapshot of it is made through that device, and merged.
    case snapshot(through: MappedDevice)
    /// The snapshot that an earlier run made is merged.
    case earlierSnapshot(PoolState.Snapshot)
  }

  /// The thin device.
  package let deviceID: UInt32
  package let way: Way
  /// Whether a snapshot is deleted first, of which a merge is given up.
  package let deletesSnapshot: Bool
  /// The devices that show the thin device, and may hold the origin for that, until the plan is applied.
  let usersBefore: [MappedDevice]
  /// Those that go on showing it.
  let users: [MappedDevice]
  /// Nil where the origin is no block device.
  package let origin: OriginPlan?

  /// The snapshot that is merged, if there is one already.
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

  /// Whether the thin device could be written to until the plan is applied.
  package var changesThinDevice: Bool {
    switch way {
    case .asItIs, .held, .earlierSnapshot: false
    case .removed, .snapshot: true
    }
  }

  /// - `originName`: what tells the origin from others.
  /// - `isHeld`: whether only the metadata snapshot of an earlier run has what is merged.
  /// - `isReplaced`: whether another thin device has the number now.
  /// - `restarts`: whether a merge of a snapshot of the device is given up.
  /// - Throws: `MergeError`: `busy` where the thin device or the origin is in use, `refused` where others show
  ///   the origin or it is read-only, and that was not agreed to.
  package init(
    for deviceID: UInt32, onto originPath: String, named originName: String,
    _ observed: ObservedPool, _ state: PoolState,
    isHeld: Bool, isReplaced: Bool, options: PoolOptions, restarts: Bool,
    holders: (DeviceNumber) -> [DeviceNumber]
  ) throws(MergeError) {
    self.deviceID = deviceID
    deletesSnapshot = restarts && state.snapshot?.originalID == deviceID
    let kept = deletesSnapshot ? nil : state.snapshot
    let showing = isReplaced ? [] : observed.showing(deviceID)
    let merged = kept.flatMap { $0.deviceID == deviceID ? $0 : nil }
    let own = showing + (merged.map { observed.showing($0.originalID) } ?? [])
    origin = try FileSystem.blockDevice(at: originPath).map { number throws(MergeError) in
      try OriginPlan(
        originPath, number, of: own, observed.devices, options: options)
    }
    way = try Self.way(
      for: deviceID, onto: originName, showing, observed, kept, isHeld: isHeld, options: options)
    switch way {
    case .asItIs, .held, .snapshot: users = showing
    case .removed: users = showing.filter(\.isReadOnly)
    case .earlierSnapshot(let snapshot): users = observed.showing(snapshot.originalID)
    }
    usersBefore = own + users
    try origin?.check(users: usersBefore, observed.devices, holders)
  }

  /// Refuses where the snapshot would not be in the metadata snapshot that is to be read later.
  ///
  /// `wanted`: the mappings that the user asked for.
  package func checkCanBeRead(
    _ wanted: MergeSource.Mappings, _ observed: ObservedPool
  ) throws(MergeError) {
    guard makesSnapshot, wanted != .ownMetadataSnapshot, let held = observed.heldRoot else {
      return
    }
    throw .metadataSnapshotForeign(observed.pool.name, .held(block: held))
  }

  private static func way(
    for deviceID: UInt32, onto originName: String, _ showing: [MappedDevice],
    _ observed: ObservedPool, _ kept: PoolState.Snapshot?, isHeld: Bool, options: PoolOptions
  ) throws(MergeError) -> Way {
    guard !isHeld else { return .held }
    if let kept, kept.isMade, kept.isOf(deviceID, onto: originName) {
      try check(kept, deviceID, observed, options)
      return .earlierSnapshot(kept)
    }
    if let pending = showing.first(where: { !$0.inactiveTable.isEmpty }) {
      throw .thinDeviceChanging(pending.path, name: pending.name, deviceID: deviceID)
    }
    if let suspended = showing.first(where: \.isSuspended) {
      throw .thinDeviceSuspended(suspended.path, name: suspended.name)
    }
    // Who opened a device before it became read-only goes on writing to it.
    let moving = showing.filter { !$0.isReadOnly || $0.openCount > 0 }
    guard let first = moving.first else { return .asItIs }
    guard options.takesSnapshot else {
      if let open = moving.first(where: { $0.openCount > 0 }) {
        throw .thinDeviceInUse(open.path, isReadOnly: open.isReadOnly)
      }
      return .removed(moving, isPutBack: options.reactivates)
    }
    guard moving.count == 1 else {
      throw .thinDeviceInUseTwice(first.path, through: moving.map(\.name))
    }
    if let kept {
      throw .otherSnapshotUnfinished(
        observed.pool.name, deviceID: kept.deviceID, of: kept.originalID)
    }
    guard case .writable = observed.status.mode else { throw .poolFull(observed.pool.name) }
    return .snapshot(through: first)
  }

  private static func check(
    _ snapshot: PoolState.Snapshot, _ deviceID: UInt32, _ observed: ObservedPool,
    _ options: PoolOptions
  ) throws(MergeError) {
    guard !snapshot.isMerged else {
      throw .snapshotNotDeleted(
        observed.pool.name, deviceID: snapshot.deviceID, of: snapshot.originalID)
    }
    guard deviceID == snapshot.deviceID || options.takesSnapshot else {
      throw .snapshotUnfinished(observed.pool.name, deviceID: snapshot.deviceID, of: deviceID)
    }
    if let user = observed.showing(snapshot.deviceID).first {
      throw .snapshotInUse(user.path, name: user.name, deviceID: snapshot.deviceID)
    }
  }
}
