internal import SystemPackage

/// The record of a pool, read without taking the pool's lock.
struct PoolRecord {
  let path: String
  /// The pool's mapped device; nil if the pool is not active.
  let pool: MappedDevice?
  /// The recorded state; empty if there is no readable record.
  private(set) var state = PoolState()
  /// The reason the record cannot be read; nil if it was read or does not exist.
  private(set) var error: MergeError?
  /// The time of the record's last change, in seconds since 1970; nil if there is no record.
  let changedSeconds: Int64?
  /// True if a run was using the pool when the record was read.
  let isInUse: Bool

  /// Reads the record of an active pool.
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

  /// Checks that the folder of pool records can be listed.
  ///
  /// - Throws: `MergeError` (`refused`) if the folder exists and cannot be listed.
  static func checkCanBeRead(in stateFolder: String) throws(MergeError) {
    let folder = stateFolder + "/pools"
    guard !FileSystem.isMissing(stateFolder), !FileSystem.isMissing(folder) else { return }
    do throws(Errno) {
      try FileSystem.checkCanBeListed(folder)
    } catch {
      throw .cannotInspect(folder, "folder of the pool records", error)
    }
  }

  /// Returns the records of all pools except the given active ones.
  static func ofOthers(than active: [MappedDevice], stateFolder: String) -> [PoolRecord] {
    let folder = stateFolder + "/pools"
    let known = Set(active.map { PoolStateFile.path(of: $0, stateFolder) })
    return FileSystem.names(in: folder).filter { $0.hasSuffix(".json") }
      .map { "\(folder)/\($0)" }.filter { !known.contains($0) }
      .map { PoolRecord(at: $0, nil) }.filter { $0.changedSeconds != nil }
  }
}

extension PoolRecord {
  /// Returns whether the record belongs to the pool whose metadata device has the given path.
  func isOfPool(onMetadata path: String, _ devices: MappedDevices) -> Bool {
    if state.metadataPath == path { return true }
    guard let target = pool?.poolTarget, let number = FileSystem.blockDevice(at: path) else {
      return false
    }
    return devices.areSame(.device(number), .device(target.metadata))
  }

  /// Returns whether the record contains a snapshot from which the given merge of a thin device has
  /// begun to write.
  func hasSnapshot(of deviceID: UInt32, in merge: PoolState.MergeKey) -> Bool {
    state.snapshots.contains { $0.originName != nil && $0.isOf(deviceID, in: merge) }
  }

  /// Returns the pool's recorded leftovers, with their current state.
  ///
  /// - `status`: the pool's status, if it is active.
  /// - `found`: the recorded snapshots and originals that exist in the pool; nil if the pool's thin
  ///   devices cannot be read.
  /// - `blockByteCount`: the pool's block size in bytes.
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
