/// Detects whether a thin device has been written to since it was read.
///
/// After a snapshot of the thin device is made, the first write to a block goes to a new block,
/// which changes the root of the device's mapping tree. This remains true even if the snapshot is
/// deleted, because the kernel compares the times of the mapping and the latest snapshot
/// (dm-thin-metadata.c, `__snapshotted_since`). If no snapshot was made, blocks are overwritten in
/// place. In that case, the device counts as unchanged only if no device was activated in the
/// meantime.
final class ThinDeviceWatch {
  private let pool: LockedPool
  private let hold: MetadataHold
  private let snapshots: ThinSnapshots
  /// Returns true if any mapped device was created or removed since `begin()` was last called; nil
  /// if the kernel cannot report changes.
  private var hasChanged: (() -> Bool)?

  init(_ pool: LockedPool, _ hold: MetadataHold, _ snapshots: ThinSnapshots) {
    self.pool = pool
    self.hold = hold
    self.snapshots = snapshots
  }

  /// Restarts the watch, so that devices created or removed so far do not count.
  func begin() { hasChanged = pool.mapper.watchForChanges() }

  /// True if a mapped device was created or removed since `begin()` was last called; false if the
  /// kernel cannot report changes.
  var hasSeenChanges: Bool { hasChanged?() == true }

  /// Returns the state of a thin device compared with the mappings that were read.
  ///
  /// - `root`: the root of the mapping tree that was read.
  /// - `readID`: the ID of the device that was read, which may be a snapshot.
  /// - `sharesBlocks`: whether a snapshot of the thin device was made before the device was read.
  func state(
    of deviceID: UInt32, since root: MetadataBlock, read readID: UInt32, sharesBlocks: Bool
  ) -> ThinDeviceState {
    if hold.isOnlyCopy(of: deviceID) { return .gone }
    let id = pool.state.snapshot(deviceID)?.originalID ?? deviceID
    guard let live = try? pool.liveDevices([id]), let devices = try? pool.devices() else {
      return .unknown
    }
    if let snapshot = pool.state.snapshot(readID) {
      guard let isReplaced = try? snapshots.isReplaced(snapshot) else { return .unknown }
      if isReplaced { return .gone }
    }
    let state = ThinDeviceState(live.first, since: root)
    guard state == .asMerged else { return state }
    let showing = devices.showing(id, of: pool.device.number)
    // A program that opened a device before it became read-only can still write to it.
    if showing.contains(where: { $0.openCount > 0 }) { return .open }
    if sharesBlocks { return .asMerged }
    return showing.allSatisfy(\.isReadOnly) && hasChanged?() == false ? .asMerged : .unknown
  }
}

extension ThinDeviceState {
  /// Determines the state of a thin device, either in an active pool or in metadata that no other
  /// program uses.
  ///
  /// - `root`: the root of the mapping tree that was read.
  /// - `session`: the session on the active pool; nil if no pool is active.
  /// - `reader`: the reader of the pool's metadata, used if no pool is active.
  init(
    of deviceID: UInt32, since root: MetadataBlock, _ session: PoolSession?,
    _ reader: MetadataReader
  ) {
    if let session {
      self = session.thinDeviceState(of: deviceID, since: root)
    } else if let live = try? reader.liveDevices([deviceID]) {
      self.init(live.first, since: root)
    } else {
      self = .unknown
    }
  }

  /// Determines the state of a thin device by comparing its mapping root; `live` is nil if the
  /// device does not exist.
  fileprivate init(_ live: MetadataReader.Device?, since root: MetadataBlock) {
    self = live.map { $0.mappingRoot == root ? .asMerged : .writtenSince } ?? .gone
  }
}
