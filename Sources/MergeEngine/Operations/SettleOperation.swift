internal import SystemPackage

/// Undoes or lists the changes that killed runs left behind in active pools, on origins, and in
/// LVM.
struct SettleOperation {
  let environment: Environment

  // MARK: Listing

  /// Implements ``Merger/leftovers(pool:)``.
  func leftovers(pool name: String?) throws(MergeError) -> Leftovers {
    Leftovers(
      pools: try look(pool: name).filter { name != nil || !$0.isEmpty },
      origins: name == nil ? try origins() : [],
      volumes: name == nil ? try ActivatedVolumes.left(in: environment.poolStateFolder) : [])
  }

  private func origins() throws(MergeError) -> [OriginLeftovers] {
    let devices = try environment.mappedDevices()
    return OriginRecord.all(in: environment.poolStateFolder).map {
      $0.leftovers(devices, bootID: environment.bootID)
    }
  }

  private func look(pool name: String?) throws(MergeError) -> [PoolLeftovers] {
    let devices = try environment.mappedDevices()
    try PoolRecord.checkCanBeRead(in: environment.poolStateFolder)
    if let name { return [look(at: try devices.pool(named: name).device, devices)] }
    let active = devices.all.filter { $0.poolTarget != nil }
    let others = PoolRecord.ofOthers(than: active, stateFolder: environment.poolStateFolder)
    return active.map { look(at: $0, devices) }
      + others.map {
        $0.leftovers(devices, nil, found: nil, blockByteCount: 0, bootID: environment.bootID)
      }
  }

  private func look(at pool: MappedDevice, _ devices: MappedDevices) -> PoolLeftovers {
    let record = PoolRecord(of: pool, stateFolder: environment.poolStateFolder)
    let target = pool.poolTarget
    let ids = Set(record.state.snapshots.flatMap { [$0.deviceID, $0.originalID] })
    var left = record.leftovers(
      devices, (try? environment.deviceMapper.status(of: pool.number)).flatMap { PoolStatus($0) },
      found: target.flatMap { devicesAsCommitted(ids, on: devices.path(of: $0.metadata)) },
      blockByteCount: target?.blockByteCount ?? 0, bootID: environment.bootID)
    if let target, !left.isEmpty { left.journals = journals(of: target, devices) }
    return left
  }

  /// Returns the given thin devices that exist in the pool's last committed metadata; nil if none
  /// are given or the metadata cannot be read.
  private func devicesAsCommitted(
    _ ids: Set<UInt32>, on metadataPath: String
  ) -> [MetadataReader.Device]? {
    guard !ids.isEmpty,
      let metadata = try? OpenFile(metadataPath, role: "metadata device", access: .readOnly)
    else { return nil }
    return try? environment.reader(metadata).liveDevices(ids)
  }

  /// Returns the unfinished merges of a pool's thin devices, as far as their journals can be found.
  private func journals(
    of target: PoolTarget, _ devices: MappedDevices
  ) -> [PoolLeftovers.Journal] {
    environment.journals.unfinished().filter { journal in
      let path = journal.state.lastAttempt?.metadataPath ?? journal.header.metadataPath
      return FileSystem.blockDevice(at: path).map {
        devices.areSame(.device($0), .device(target.metadata))
      } ?? false
    }
    .map {
      PoolLeftovers.Journal(
        path: $0.file.path, deviceID: $0.header.deviceID,
        originPath: $0.state.lastAttempt?.originPath ?? $0.header.originPath)
    }
  }

  // MARK: Undoing

  /// Implements ``Merger/settle(pool:)``.
  func settle(pool name: String?) throws(MergeError) -> Leftovers {
    let origins = name == nil ? try settledOrigins() : []
    var settled: [PoolLeftovers] = []
    for before in try look(pool: name) where name != nil || before.recordPath != nil {
      guard let pool = before.poolName, before.recordPath != nil else {
        settled.append(before)
        continue
      }
      settled.append(settle(before, pool: pool))
    }
    // Volumes that killed runs activated are settled last, since the pools may be among them.
    return Leftovers(
      pools: settled, origins: origins, volumes: name == nil ? try settledVolumes() : [])
  }

  private func settledVolumes() throws(MergeError) -> [VolumeLeftovers] {
    let before = try ActivatedVolumes.left(in: environment.poolStateFolder)
    let failures = environment.makeActivatedVolumes().settle()
    let after = try ActivatedVolumes.left(in: environment.poolStateFolder)
    return before.map { before in
      var left = before
      left.isUndone = !after.contains { $0.recordPath == before.recordPath }
      left.notUndone = failures[before.recordPath].map { [$0] } ?? []
      return left
    }
  }

  private func settledOrigins() throws(MergeError) -> [OriginLeftovers] {
    let before = try origins()
    let notUndone = environment.originSession().settle()
    let after = try origins()
    return before.map { before in
      var left =
        after.first { $0.recordPath == before.recordPath }
        ?? OriginLeftovers(
          recordPath: before.recordPath, recordedSeconds: before.recordedSeconds)
      left.notUndone = notUndone[before.recordPath] ?? []
      left.writableLayers = left.writableLayers.addingUndone(of: before.writableLayers)
      if left.isInUse, left.error == nil { left.error = .originRecordInUse(before.recordPath) }
      return left
    }
  }

  private func settle(_ before: PoolLeftovers, pool name: String) -> PoolLeftovers {
    var notUndone: [MergeNote] = []
    do throws(MergeError) {
      notUndone = try undo(in: name)
    } catch {
      var left = before
      left.error = error
      return left
    }
    guard var after = try? look(pool: name).first else { return before }
    after.notUndone = notUndone
    after.addUndone(of: before)
    return after
  }

  /// Locks the pool, undoes all leftover changes that can be undone, and releases the pool.
  ///
  /// - Returns: Notes about the changes that could not be undone or were kept.
  private func undo(in name: String) throws(MergeError) -> [MergeNote] {
    let devices = try environment.mappedDevices()
    let (_, target) = try devices.pool(named: name)
    let session = try ActivePools(environment: environment)
      .session(metadataPath: devices.path(of: target.metadata), dataPath: nil)
    guard let session else { throw .noSuchPool(name) }
    session.end(hasWritten: false)
    return session.cleanupFailures
  }
}

extension PoolLeftovers {
  /// Adds the leftovers in `before` that no longer exist, marked as undone.
  fileprivate mutating func addUndone(of before: PoolLeftovers) {
    if var gone = before.metadataSnapshot, metadataSnapshot == nil, gone.owner != .unrecorded {
      gone.isUndone = true
      metadataSnapshot = gone
    }
    snapshots = snapshots.addingUndone(of: before.snapshots)
    removedDevices = removedDevices.addingUndone(of: before.removedDevices)
    writableLayers = writableLayers.addingUndone(of: before.writableLayers)
  }
}

extension JournalStore {
  /// Returns the journals of all unfinished merges, both those in the state folder and those that
  /// marks in the folder name.
  fileprivate func unfinished() -> [OpenJournal] {
    knownPaths().compactMap { try? look(at: $0) }.filter {
      $0.state.attemptCount > 0 && !$0.state.isFinished
    }
  }

  /// Returns the paths of all journals in the state folder, and of all journals that marks in the
  /// folder name.
  func knownPaths() -> [String] {
    var paths: [String] = []
    for name in FileSystem.names(in: stateFolder) {
      let path = "\(stateFolder)/\(name)"
      if name.hasSuffix(".journal") {
        paths.append(path)
      } else if name.contains(".mark.") || name.contains(".finished."),
        let bytes = FileSystem.firstBytes(of: path, count: 1 << 16),
        let mark = OriginMark(decoding: bytes), !mark.journalPath.isEmpty
      {
        paths.append(mark.journalPath)
      }
    }
    return Set(paths).sorted()
  }
}
