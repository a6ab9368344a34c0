/// Whether a thin device has anything besides what was read of it.
///
/// A block that is written to after a snapshot was made of the thin device goes to another place, which moves the
/// root of its mappings. This is so also once the snapshot is deleted: the kernel goes by the times of both
/// (dm-thin-metadata.c, `__snapshotted_since`). Without a snapshot, blocks are written to in their places: then nobody
/// may have activated anything meanwhile.
final class ThinDeviceWatch {
  private let pool: LockedPool
  private let hold: MetadataHold
  private let snapshots: ThinSnapshots
  /// Tells whether any mapped device was made or removed since this run looked at them; nil where nothing does.
  private var hasChanged: (() -> Bool)?

  init(_ pool: LockedPool, _ hold: MetadataHold, _ snapshots: ThinSnapshots) {
    self.pool = pool
    self.hold = hold
    self.snapshots = snapshots
  }

  /// Begins anew: devices that this run has made or removed so far do not count.
  func begin() { hasChanged = pool.mapper.watchForChanges() }

  /// Whether a device was made or removed since; false where nothing tells.
  var hasSeenChanges: Bool { hasChanged?() == true }

  /// Finds out what a thin device has.
  ///
  /// - `root`: the mapping tree that was read.
  /// - `readID`: the device that was read, where it may be a snapshot.
  /// - `sharesBlocks`: whether a snapshot of the thin device was made before it was read.
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
    // Who opened a device before it became read-only goes on writing to it.
    if showing.contains(where: { $0.openCount > 0 }) { return .open }
    if sharesBlocks { return .asMerged }
    return showing.allSatisfy(\.isReadOnly) && hasChanged?() == false ? .asMerged : .unknown
  }
}

extension ThinDeviceState {
  /// Finds out what a thin device has, of an active pool or of metadata that nobody else uses.
  ///
  /// - `root`: the mapping tree that was read.
  /// - `session`: nil where no pool is active.
  /// - `reader`: of the metadata where no pool is active.
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

  /// What the mapping tree of a device tells; nil for one that is not there.
  fileprivate init(_ live: MetadataReader.Device?, since root: MetadataBlock) {
    self = live.map { $0.mappingRoot == root ? .asMerged : .writtenSince } ?? .gone
  }
}
