internal import SystemPackage

/// The record of a pool, looked at without keeping anybody from the pool.
struct PoolRecord {
  let path: String
  /// The pool, if it is active.
  let pool: MappedDevice?
  /// What it tells; nothing where there is no record.
  private(set) var state = PoolState()
  /// Why it cannot be read.
  private(set) var error: MergeError?
  /// When it was changed last, in seconds since 1970; nil where there is no record.
  let changedSeconds: Int64?
  /// Whether a run has the pool now.
  let isInUse: Bool

  /// Looks at the record of an active pool.
  init(of pool: MappedDevice, stateFolder: String) {
    self.init(at: PoolStateFile.path(of: pool, stateFolder), pool)
  }

  private init(at path: String, _ pool: MappedDevice?) {
    self.path = path
    self.pool = pool
    isInUse = RecordFile.isLocked(path, role: "lock of the pool")
    changedSeconds = (try? FileStatus(path, role: "record"))?.version.changeSeconds
    guard changedSeconds != nil else { return }
    let name = pool?.name ?? path.split(separator: "/").last.map { String($0.dropLast(5)) } ?? ""
    if let found = PoolStateFile.state(at: path) {
      state = found
    } else if PoolStateFile.isNewer(at: path) {
      error = .poolRecordNewer(name, path)
    } else if FileSystem.exists(path) {
      error = .poolRecordDamaged(name, path)
    }
  }

  /// - Throws: `MergeError` (`refused`) where there are records that cannot be read.
  static func checkCanBeRead(in stateFolder: String) throws(MergeError) {
    let folder = stateFolder + "/pools"
    guard !FileSystem.isMissing(stateFolder), !FileSystem.isMissing(folder) else { return }
    do throws(Errno) {
      try FileSystem.checkCanBeListed(folder)
    } catch {
      throw .cannotInspect(folder, "folder of the pools' records", error)
    }
  }

  /// The records of pools that are not among the active ones.
  static func ofOthers(than active: [MappedDevice], stateFolder: String) -> [PoolRecord] {
    let folder = stateFolder + "/pools"
    let known = Set(active.map { PoolStateFile.path(of: $0, stateFolder) })
    return FileSystem.names(in: folder).filter { $0.hasSuffix(".json") }
      .map { "\(folder)/\($0)" }.filter { !known.contains($0) }
      .map { PoolRecord(at: $0, nil) }.filter { $0.changedSeconds != nil }
  }
}

extension PoolRecord {
  /// Returns whether it is that of the pool with a metadata device.
  func isOfPool(onMetadata path: String, _ devices: MappedDevices) -> Bool {
    if state.metadataPath == path { return true }
    guard let target = pool?.poolTarget, let number = FileSystem.blockDevice(at: path) else {
      return false
    }
    return devices.areSame(.device(number), .device(target.metadata))
  }

  /// Returns whether a snapshot is recorded that a merge of a thin device has read.
  func hasSnapshot(of deviceID: UInt32, in merge: PoolState.MergeKey) -> Bool {
    state.snapshots.contains { $0.originName != nil && $0.isOf(deviceID, in: merge) }
  }

  /// What is left in the pool.
  ///
  /// - `status`: the pool's, if it is active.
  /// - `found`: those of the recorded snapshots, and of what they were made of, that the pool has; nil where that cannot
  ///   be read.
  /// - `blockByteCount`: the pool's.
  func leftovers(
    _ devices: MappedDevices, _ status: PoolStatus?, found: [MetadataReader.Device]?,
    blockByteCount: UInt64, bootID: String
  ) -> PoolLeftovers {
    var left = PoolLeftovers(
      poolName: pool?.name, state: pool == nil ? .notActive : isInUse ? .inUse : .active,
      recordPath: changedSeconds == nil ? nil : path, recordedSeconds: changedSeconds,
      metadataSnapshot: metadataSnapshot(heldBlock: status?.heldRoot))
    left.error = error
    left.snapshots = state.snapshots.map { snapshot in
      let device = found?.first { device in
        device.id == snapshot.deviceID
          && (snapshot.creationTime ?? device.details.creationTime) == device.details.creationTime
      }
      let thin =
        snapshot.mayBeSuspended ? snapshot.thinDevice?.now(in: devices, bootID: bootID) : nil
      return PoolLeftovers.Snapshot(
        deviceID: snapshot.deviceID, originalID: snapshot.originalID,
        originName: snapshot.originName, use: Self.use(of: snapshot, found),
        isThere: found == nil ? nil : device != nil,
        byteCount: device.map { $0.details.mappedBlockCount &* blockByteCount },
        suspendedDevicePath: thin?.isSuspended == true ? thin?.path : nil)
    }
    left.removedDevices = state.removals.map {
      PoolLeftovers.RemovedDevice(
        path: $0.device.path, volumeName: $0.device.knownVolume?.fullName, isPutBack: $0.isPutBack,
        isActive: $0.device(in: devices) != nil)
    }
    left.writableLayers = state.madeWritable.map {
      PoolLeftovers.WritableLayer($0, devices, bootID: bootID)
    }
    return left
  }

  private static func use(
    of snapshot: PoolState.Snapshot, _ found: [MetadataReader.Device]?
  ) -> PoolLeftovers.Snapshot.Use {
    if snapshot.isNeeded { return .unfinishedMerge }
    guard let found else { return snapshot.isUnread ? .maybeOnlyCopy : .none }
    return snapshot.isOnlyCopy(among: found) ? .onlyCopy : .none
  }

  private func metadataSnapshot(heldBlock: UInt64?) -> PoolLeftovers.MetadataSnapshot? {
    let hold = state.metadataHold
    guard pool == nil else {
      guard let heldBlock else { return nil }
      if let held = hold?.held, held.block == heldBlock {
        return PoolLeftovers.MetadataSnapshot(
          block: heldBlock, owner: .recorded, maybeOnlyCopyOf: hold?.writtenFrom)
      }
      return PoolLeftovers.MetadataSnapshot(
        block: heldBlock, owner: hold != nil && hold?.held == nil ? .maybe : .unrecorded)
    }
    return hold.map {
      PoolLeftovers.MetadataSnapshot(
        block: $0.held?.block, owner: $0.held == nil ? .maybe : .recorded,
        maybeOnlyCopyOf: $0.writtenFrom)
    }
  }
}
