internal import SystemPackage

/// The snapshot of a thin device in use, to which nobody writes, and which is merged in its place.
package final class ThinSnapshots {
  /// Ids are tried from the top: LVM counts upward.
  private static let deviceIDs = 16_777_200...16_777_215

  private let pool: LockedPool
  /// Whether the snapshot was made by this very run.
  private(set) var isNew = false

  init(_ pool: LockedPool) { self.pool = pool }

  private var recorded: PoolState.Snapshot? { pool.state.snapshot }

  /// Makes a snapshot with the thin device suspended around it.
  ///
  /// - Returns: the snapshot's id.
  func make(of deviceID: UInt32, through thin: MappedDevice) throws(MergeError) -> UInt32 {
    let live = try pool.superblock()
    for id in Self.deviceIDs.reversed().map(UInt32.init) {
      try pool.stateFile.update {
        $0.snapshot = PoolState.Snapshot(
          deviceID: id, originalID: deviceID,
          thinDevice: PoolState.KnownDevice(thin, bootID: pool.bootID), timeBefore: live.time)
      }
      do throws(SuspendedMessageFailure) {
        try pool.mapper.send(
          "create_snap \(id) \(deviceID)", toPool: pool.device.number, whileSuspended: thin.number)
      } catch {
        try stopMaking(through: thin, error)
        continue
      }
      isNew = true
      try pool.stateFile.update {
        $0.snapshot?.isMade = true
        $0.snapshot?.mayBeSuspended = false
      }
      pool.note(.snapshotMade(id, of: thin.path))
      return id
    }
    throw .snapshotIDsUsedUp(thin.path, pool: pool.name, Self.deviceIDs)
  }

  /// Returns where the id was only taken.
  private func stopMaking(
    through thin: MappedDevice, _ failure: SuspendedMessageFailure
  ) throws(MergeError) {
    guard failure.step != .resuming else {
      // It is made. The record stays, for the next run to resume the device.
      pool.stateFile.forget { $0.snapshot?.isMade = true }
      throw .cannotResumeThinDevice(thin.path, name: thin.name, failure.errno)
    }
    pool.stateFile.forget { $0.snapshot = nil }
    if failure.step == .sending, failure.errno == .fileExists { return }
    if failure.errno == .interrupted {
      throw .interruptedSuspending(thin.path)
    }
    throw .cannotMakeSnapshot(thin.path, pool: pool.name, failure.errno)
  }

  /// Holds the snapshot in the metadata snapshot against the record: ids are used again.
  func check(_ deviceID: UInt32) throws(MergeError) {
    guard let snapshot = recorded, snapshot.deviceID == deviceID else { return }
    let found = try pool.reader.devices(in: pool.heldMetadata()).first { $0.id == deviceID }
    try check(snapshot, found)
  }

  /// Finds out whether the snapshot that this run has made has the mappings of a tree.
  func hasMappings(of root: MetadataBlock) throws(MergeError) -> Bool {
    guard let snapshot = recorded else { return false }
    let found = try pool.liveDevice(snapshot.deviceID)
    try check(snapshot, found)
    return found?.mappingRoot == root
  }

  private func check(
    _ snapshot: PoolState.Snapshot, _ found: MetadataReader.Device?
  ) throws(MergeError) {
    guard let time = found?.details.creationTime, time == snapshot.creationTime ?? time else {
      throw .snapshotGone(
        pool.name, deviceID: snapshot.deviceID, isReplaced: found != nil)
    }
    if snapshot.creationTime == nil {
      try pool.stateFile.update { $0.snapshot?.creationTime = time }
    }
  }

  /// Records that the origin is about to be written to: from now on the snapshot is kept until all is merged.
  ///
  /// `originName`: what tells the origin from others.
  func writingBegins(from deviceID: UInt32, onto originName: String) throws(MergeError) {
    guard var snapshot = recorded, snapshot.deviceID == deviceID else { return }
    snapshot.hasBegun = true
    snapshot.originName = originName
    guard snapshot != recorded else { return }
    try pool.stateFile.update { $0.snapshot = snapshot }
  }

  /// Records that all of a thin device's snapshot is merged, so that it need not be kept for another run.
  ///
  /// `deviceID`: the thin device, or its snapshot.
  func isMerged(_ deviceID: UInt32, onto originName: String) {
    guard let snapshot = recorded, !snapshot.isMerged,
      snapshot.isOf(deviceID, onto: originName)
    else { return }
    do throws(MergeError) {
      try pool.stateFile.update { $0.snapshot?.isMerged = true }
    } catch {
      pool.note(.sourceKept(error))
    }
  }

  // MARK: Deleting

  /// Deletes what the end of a run leaves no use for, and says so where that fails.
  ///
  /// - `nothingWritten`: whether a snapshot that this run made has been of no use.
  func end(nothingWritten: Bool) {
    guard let snapshot = recorded, snapshot.isMerged || (nothingWritten && isNew) else { return }
    do throws(MergeError) {
      try delete()
    } catch {
      pool.recordCleanupFailure(.cannotDeleteSnapshot(error))
    }
  }

  /// After a run that was killed: resumes the thin device, if that run had it suspended.
  func resumeThinDevice() throws(MergeError) {
    guard let snapshot = recorded, snapshot.mayBeSuspended else { return }
    if let thin = snapshot.thinDevice.now(in: try pool.devices(), bootID: pool.bootID),
      thin.isSuspended
    {
      do throws(Errno) {
        try pool.mapper.resume(thin)
      } catch {
        throw .cannotResumeLeftThinDevice(thin.path, name: thin.name, error)
      }
    }
    pool.stateFile.forget { $0.snapshot?.mayBeSuspended = false }
  }

  /// After a run that was killed: deletes what is merged, or what nothing was merged from.
  func settle() throws(MergeError) {
    guard let snapshot = recorded else { return }
    if snapshot.isMerged || !snapshot.hasBegun { try delete() }
  }

  /// Deletes the snapshot that this tool made.
  func delete() throws(MergeError) {
    guard let snapshot = recorded else { return }
    if !isNew, try !isThere(snapshot) {
      pool.note(.snapshotNotThere(snapshot.deviceID, pool: pool.name))
      return pool.stateFile.forget { $0.snapshot = nil }
    }
    do throws(Errno) {
      try pool.mapper.send("delete \(snapshot.deviceID)", to: pool.device.number)
    } catch {
      guard error == .noData else {
        throw .cannotDeleteSnapshot(pool.name, deviceID: snapshot.deviceID, error)
      }
    }
    isNew = false
    pool.stateFile.forget { $0.snapshot = nil }
  }

  /// Whether the device of that number is the one that the record tells of.
  ///
  /// Of one that was only intended: the first that was made after that moment.
  private func isThere(_ snapshot: PoolState.Snapshot) throws(MergeError) -> Bool {
    // Each raises the counter.
    if !snapshot.isMade, try pool.superblock().time == snapshot.timeBefore { return false }
    let expected = snapshot.creationTime ?? snapshot.timeBefore + 1
    return try pool.liveDevice(snapshot.deviceID)?.details.creationTime == expected
  }
}
