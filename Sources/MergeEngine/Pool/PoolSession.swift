internal import SystemPackage

/// A run's hold on an active pool: its metadata snapshot, and what was changed for the merge.
///
/// Every step is in the pool's record before it is made, and is undone by ``end(_:)``, or by the next
/// run if this one is killed.
package final class PoolSession {
  package let pool: MappedDevice
  let target: PoolTarget
  let mapper: any DeviceMapper
  let stateFile: PoolStateFile
  let note: (MergeNote) -> Void
  let reader: MetadataReader
  /// Who may hold the origin; nil until the thin device has been quiesced.
  var quiesced: Quiesced?
  /// The origin, once it is ready to be written to.
  var heldOrigin: HeldOrigin?
  /// What could not be undone.
  package private(set) var cleanupFailures: [MergeNote] = []
  /// The fate of the thin device whose blocks only the metadata snapshot of an earlier run has; nil where
  /// there is none.
  private(set) var lost: ThinDeviceFate?
  /// Whether the snapshot was made by this very run.
  var hasNewSnapshot = false

  /// How a run ended, as far as the pool's devices are concerned.
  package enum End: Sendable {
    /// Nothing was written: everything is put back as it was.
    case nothingWritten
    case stopped
    case finished
  }

  /// Takes a pool for this run, and settles what an earlier one left.
  ///
  /// - Throws: `MergeError`: `busy` where another run has the pool.
  package init(
    _ pool: MappedDevice, target: PoolTarget, mapper: any DeviceMapper, stateFile: PoolStateFile,
    reader: MetadataReader, note: @escaping (MergeNote) -> Void
  ) throws(MergeError) {
    self.pool = pool
    self.target = target
    self.mapper = mapper
    self.stateFile = stateFile
    self.note = note
    self.reader = reader
    try settle()
  }

  func devices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try mapper.devices())
    } catch {
      throw .noDeviceMapper(ofPool: pool.name, error)
    }
  }

  /// The live superblock.
  func superblock() throws(MergeError) -> Superblock {
    try reader.superblocks(.inactivePool, ignoresNeedsCheck: true).live
  }

  func heldMetadata() throws(MergeError) -> PoolMetadata {
    try reader.superblocks(.metadataSnapshot(block: nil), ignoresNeedsCheck: true)
  }

  func status() throws(MergeError) -> PoolStatus {
    do throws(Errno) {
      if let status = PoolStatus(try mapper.status(of: pool.number)) { return status }
    } catch {
      throw .cannotAskPool(pool.name, error)
    }
    throw .poolFailed(pool.name)
  }

  /// - Throws: `MergeError` (`refused`) for a pool that is not to be relied on.
  package func checkHealth(ignoresNeedsCheck: Bool) throws(MergeError) {
    guard try !status().needsCheck || ignoresNeedsCheck else {
      throw .poolNeedsCheck(
        pool.name, metadataPath: reader.metadata.path, holdsSnapshot: try status().heldRoot != nil)
    }
    let live = try superblock()
    let total = try status().dataBlockCount
    guard live.dataBlockByteCount == target.blockByteCount, live.dataBlockCount == total else {
      throw .poolMismatch(
        pool.name, found: (live.dataBlockCount, live.dataBlockByteCount),
        expected: (total, target.blockByteCount))
    }
  }

  /// Where a metadata snapshot is held now, by whomever.
  package func heldRoot() throws(MergeError) -> UInt64? { try superblock().heldRoot?.rawValue }

  // MARK: The metadata snapshot

  /// Whether a metadata snapshot is held that this tool took.
  package var holdsMetadataSnapshot: Bool { stateFile.state.metadataHold?.held != nil }

  /// Which mappings are read, after a metadata snapshot was reserved where none is held that may be
  /// used.
  ///
  /// - Throws: `MergeError`: `busy` where somebody else's metadata snapshot is in the way, `refused`
  ///   where the pool cannot give one.
  package func hold(
    _ wanted: MergeSource.Mappings, of deviceID: UInt32, ignoresNeedsCheck: Bool,
    isResumed: Bool = false
  ) throws(MergeError) -> MergeSource.Mappings {
    try checkHealth(ignoresNeedsCheck: ignoresNeedsCheck)
    try checkKept(deviceID, isResumed: isResumed)
    if wanted != .inactivePool, lost != nil, let kept = stateFile.state.metadataHold?.held {
      try checkSnapshot()
      return .metadataSnapshot(block: kept.block)
    }
    switch wanted {
    case .inactivePool:
      throw .poolActive(pool.name)
    case .metadataSnapshot(let block?):
      if try superblock().heldRoot != nil { try checkSnapshot() }
      return .metadataSnapshot(block: block)
    case .metadataSnapshot(nil):
      if try superblock().heldRoot != nil {
        // Of a pool that needs a check it may be all there is.
        let needsCheck = try status().needsCheck
        if !needsCheck || !ignoresNeedsCheck { try checkIsFresh() }
        try checkSnapshot()
        return wanted
      }
    case .ownMetadataSnapshot:
      break
    }
    let block = try take()
    try checkSnapshot()
    return .metadataSnapshot(block: block)
  }

  /// Finds out whether `hold` could give what is wanted, before anything is changed for it.
  ///
  /// - Throws: `MergeError` as `hold` does.
  package func checkCanHold(
    _ wanted: MergeSource.Mappings, of deviceID: UInt32, snapshotIsMade: Bool, isResumed: Bool
  ) throws(MergeError) {
    try checkKept(deviceID, isResumed: isResumed)
    let live = try superblock()
    guard snapshotIsMade else {
      if wanted == .ownMetadataSnapshot, let held = live.heldRoot,
        stateFile.state.metadataHold == nil
      {
        throw .metadataSnapshotForeign(pool.name, .held(block: held.rawValue))
      }
      return
    }
    // The snapshot is in no metadata snapshot that was taken before.
    if let held = live.heldRoot {
      throw .metadataSnapshotForeign(pool.name, .held(block: held.rawValue))
    }
    guard case .writable = try status().mode else {
      throw .poolFull(pool.name)
    }
  }

  /// Returns whether the thin device of that number exists only in the metadata snapshot that is held.
  func isLost(_ deviceID: UInt32) -> Bool {
    lost != nil && stateFile.state.metadataHold?.writtenFrom == deviceID
  }

  /// Refuses where the metadata snapshot that is kept is not one of the device that is wanted.
  ///
  /// Where another device has the number, only a journal says that the earlier one is meant. Where it is not
  /// known whether the device is there, what is held is neither merged from nor replaced.
  private func checkKept(_ deviceID: UInt32, isResumed: Bool) throws(MergeError) {
    guard let id = stateFile.state.metadataHold?.writtenFrom else { return }
    guard let lost else {
      throw .metadataSnapshotMaybeOnlyCopy(pool.name, deviceID: id)
    }
    guard id != deviceID || (lost == .replaced && !isResumed) else { return }
    throw .metadataSnapshotOnlyCopy(pool.name, deviceID: id)
  }

  /// A metadata snapshot that somebody else took serves if nothing was mapped since.
  private func checkIsFresh() throws(MergeError) {
    try commit()
    let held = try heldMetadata()
    guard held.superblock.mappingRoot == held.live.mappingRoot,
      held.superblock.detailsRoot == held.live.detailsRoot
    else {
      throw .metadataSnapshotForeign(
        pool.name, .old(block: held.heldRoot?.rawValue ?? 0))
    }
  }

  private func commit() throws(MergeError) {
    do throws(Errno) {
      try mapper.commit(pool.number)
    } catch {
      throw .cannotCommitPool(pool.name, error)
    }
  }

  /// Takes a metadata snapshot.
  ///
  /// - Returns: its block.
  private func take() throws(MergeError) -> UInt64 {
    guard stateFile.state.metadataHold == nil else {
      throw .metadataSnapshotLeft(pool.name)
    }
    if let held = try superblock().heldRoot {
      throw .metadataSnapshotForeign(pool.name, .held(block: held.rawValue))
    }
    let status = try status()
    guard status.mode != .readOnly else {
      throw .poolReadOnly(pool.name)
    }
    guard status.freeMetadataBlockCount >= status.freeMetadataBlockCountMin else {
      throw .poolMetadataUsedUp(
        pool.name, freeBlockCount: status.freeMetadataBlockCount, of: status.metadataBlockCount,
        min: status.freeMetadataBlockCountMin)
    }
    // What is not committed yet would be in the copy, and make it look like somebody else's.
    try commit()
    let live = try superblock()
    try stateFile.update {
      $0.metadataHold = PoolState.MetadataHold(
        timeBefore: live.time, transactionBefore: live.transactionID,
        mappingRootBefore: live.mappingRoot.rawValue, detailsRootBefore: live.detailsRoot.rawValue)
    }
    do throws(Errno) {
      try mapper.send("reserve_metadata_snap", to: pool.number)
    } catch {
      stateFile.forget { $0.metadataHold = nil }
      if error == .resourceBusy { throw .metadataSnapshotForeign(pool.name, .takenJustNow) }
      throw .cannotTakeMetadataSnapshot(pool.name, error)
    }
    do throws(MergeError) {
      let metadata = try heldMetadata()
      let status = try self.status()
      guard let block = metadata.heldRoot?.rawValue, status.heldRoot == block,
        status.mode != .readOnly
      else {
        // The kernel answers before it knows whether its last commit went well.
        throw .metadataSnapshotNotCommitted(pool.name)
      }
      try stateFile.update {
        $0.metadataHold?.held = PoolState.MetadataHold.Held(metadata.superblock, block: block)
      }
      return block
    } catch {
      release()
      throw error
    }
  }

  /// Gives the metadata snapshot back, if this tool took it and it is not the only copy of anything.
  package func release() {
    guard let hold = stateFile.state.metadataHold else { return }
    do throws(MergeError) {
      guard try isOurs(hold) else {
        note(.metadataSnapshotOther(pool.name))
        lost = nil
        return stateFile.forget { $0.metadataHold = nil }
      }
      if let id = hold.writtenFrom, try !isStillThere(id) { return }
    } catch {
      return recordCleanupFailure(
        .metadataSnapshotHeld(pool.name, after: error, onlyCopyOf: hold.writtenFrom))
    }
    do throws(Errno) {
      try mapper.send("release_metadata_snap", to: pool.number)
    } catch {
      return recordCleanupFailure(.metadataSnapshotHeld(pool.name, error))
    }
    stateFile.forget { $0.metadataHold = nil }
  }

  /// Finds out whether a thin device that is merged in part is there still, and says so where it is not.
  private func isStillThere(_ id: UInt32) throws(MergeError) -> Bool {
    let fate = try reader.fate(of: id, since: heldMetadata())
    switch fate {
    case .there:
      lost = nil
      return true
    case .deleted, .replaced:
      lost = fate
      recordCleanupFailure(
        .metadataSnapshotOnlyCopy(pool.name, of: id, isReplaced: fate == .replaced))
    case nil:
      recordCleanupFailure(.metadataSnapshotMaybeOnlyCopy(pool.name, of: id))
    }
    return false
  }

  /// Whether the metadata snapshot that is held now is the one that the record tells of.
  private func isOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard let block = try superblock().heldRoot?.rawValue else { return false }
    let copy = try heldMetadata().superblock
    if let held = hold.held { return held == PoolState.MetadataHold.Held(copy, block: block) }
    // There was none when it was asked for. One that was taken after any change is not ours.
    return copy.time == hold.timeBefore && copy.transactionID == hold.transactionBefore
      && copy.mappingRoot.rawValue == hold.mappingRootBefore
      && copy.detailsRoot.rawValue == hold.detailsRootBefore
  }

  /// The thin devices in a metadata snapshot that is taken for a look.
  func heldDevices() throws(MergeError) -> [MetadataReader.Device] {
    if holdsMetadataSnapshot { return try reader.devices(in: heldMetadata()) }
    _ = try take()
    defer { release() }
    return try reader.devices(in: heldMetadata())
  }

  // MARK: The end

  /// Undoes what the run did to pool and devices.
  ///
  /// What cannot be undone is said, and stays in the record for the next run.
  package func end(_ end: End) {
    // All of it is tried again.
    cleanupFailures = []
    release()
    restoreReadOnly()
    putBack { end == .nothingWritten || $0.isPutBack }
    let isDone = stateFile.state.snapshot?.isMerged == true
    if isDone || (end == .nothingWritten && hasNewSnapshot) {
      do throws(MergeError) {
        try deleteSnapshot()
      } catch {
        recordCleanupFailure(.cannotDeleteSnapshot(error))
      }
    }
  }

  /// Says what could not be undone.
  func recordCleanupFailure(_ failure: MergeNote) {
    cleanupFailures.append(failure)
    note(failure)
  }

  // The order of `end`, on what the record says.
  private func settle() throws(MergeError) {
    try forgetLeft()
    guard !stateFile.state.isSettled else { return }
    note(.poolLeft(pool.name))
    if let snapshot = stateFile.state.snapshot, snapshot.mayBeSuspended,
      let thin = snapshot.thinDevice.now(in: try devices(), bootID: stateFile.bootID),
      thin.isSuspended
    {
      do throws(Errno) {
        try mapper.resume(thin)
      } catch {
        throw .cannotResumeLeftThinDevice(thin.path, name: thin.name, error)
      }
    }
    if stateFile.state.snapshot?.mayBeSuspended == true {
      stateFile.forget { $0.snapshot?.mayBeSuspended = false }
    }
    release()
    restoreReadOnly()
    putBack { $0.isPutBack }
    do throws(MergeError) {
      try settleSnapshot()
    } catch {
      note(.cannotDeleteSnapshot(error))
    }
    // The end of this run tries again.
    cleanupFailures = []
  }
}

extension PoolState.MetadataHold.Held {
  init(_ copy: Superblock, block: UInt64) {
    self.block = block
    mappingRoot = copy.mappingRoot.rawValue
    detailsRoot = copy.detailsRoot.rawValue
    time = copy.time
    transactionID = copy.transactionID
  }
}
