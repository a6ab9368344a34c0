internal import SystemPackage

/// Takes the metadata snapshot of an active pool, if none is held, and releases it afterwards.
///
/// If a partly merged thin device is deleted, the metadata snapshot may be all that still refers to
/// its blocks. In that case it is kept.
package final class MetadataHold {
  private let pool: LockedPool
  /// The fate of a thin device whose blocks survive only in an earlier run's metadata snapshot; nil
  /// if there is no such device.
  private var lost: ThinDeviceFate?
  /// True if an earlier run's metadata snapshot is read because the user specified its block.
  private var isReadAsNamed = false
  private var isTakenNow = false

  init(_ pool: LockedPool) { self.pool = pool }

  /// True if this tool took the metadata snapshot that the pool holds.
  package var isOwn: Bool { pool.state.metadataHold?.held != nil }

  /// Returns whether the data to merge from a thin device exists only in the held metadata
  /// snapshot.
  package func isOnlyCopy(of deviceID: UInt32) -> Bool {
    lost != nil && pool.state.metadataHold?.writtenFrom == deviceID
  }

  /// Returns whether the metadata snapshot is the only copy of a deleted thin device whose ID
  /// another thin device now has.
  func isOnlyCopyOfReplaced(_ deviceID: UInt32) -> Bool {
    isOnlyCopy(of: deviceID) && lost == .replaced
  }

  // MARK: Deciding

  /// A decision about which mappings to read, and whether a metadata snapshot must be taken first.
  private enum Decision {
    case serves(MergeSource.Mappings)
    /// Read the mappings in another program's metadata snapshot, if it is up to date.
    case servesIfFresh(MergeSource.Mappings)
    case take
  }

  private func decide(
    _ wanted: MergeSource.Mappings, of deviceID: UInt32?, _ observed: ObservedPool,
    ignoresNeedsCheck: Bool, isResumed: Bool
  ) throws(MergeError) -> Decision {
    if let deviceID { try checkKept(deviceID, isResumed: isResumed) }
    if wanted != .inactivePool, let hold = pool.state.metadataHold, let kept = hold.held,
      lost != nil || deviceID == nil
    {
      return .serves(.metadataSnapshot(block: kept.block))
    }
    switch wanted {
    case .inactivePool:
      throw .poolActive(pool.name)
    case .metadataSnapshot(_?):
      return .serves(wanted)
    case .metadataSnapshot(nil):
      guard observed.heldRoot == nil else {
        // If the pool needs a check, the held metadata snapshot may be the only readable metadata.
        return observed.status.needsCheck && ignoresNeedsCheck
          ? .serves(wanted) : .servesIfFresh(wanted)
      }
    case .ownMetadataSnapshot:
      break
    }
    guard pool.state.metadataHold == nil else { throw .metadataSnapshotLeft(pool.name) }
    if let held = observed.heldRoot {
      throw .metadataSnapshotForeign(pool.name, .held(block: held))
    }
    try pool.checkHasRoom(observed.status)
    return .take
  }

  /// Refuses a thin device if a metadata snapshot is kept for a different device.
  ///
  /// If a new device has taken over the ID, only a journal shows that the earlier device is meant.
  /// If it is unknown whether the earlier device still exists, its metadata snapshot is neither
  /// read nor replaced.
  private func checkKept(_ deviceID: UInt32, isResumed: Bool) throws(MergeError) {
    guard let id = pool.state.metadataHold?.writtenFrom else { return }
    guard let lost else {
      guard !isReadAsNamed else { return }
      throw .metadataSnapshotMaybeOnlyCopy(pool.name, deviceID: id)
    }
    guard id != deviceID || (lost == .replaced && !isResumed) else { return }
    throw .metadataSnapshotOnlyCopy(pool.name, deviceID: id)
  }

  // MARK: Holding

  /// Returns the mappings to read, taking a metadata snapshot if no usable one is held.
  ///
  /// - `deviceID`: the thin device whose mappings are read; nil if only device details are read.
  /// - Throws: `MergeError`: `busy` if another program's metadata snapshot is in the way, `refused`
  ///   if the pool cannot provide a metadata snapshot.
  package func hold(
    _ wanted: MergeSource.Mappings, of deviceID: UInt32?, _ observed: ObservedPool,
    ignoresNeedsCheck: Bool, isResumed: Bool = false
  ) throws(MergeError) -> MergeSource.Mappings {
    let decision = try decide(
      wanted, of: deviceID, observed, ignoresNeedsCheck: ignoresNeedsCheck, isResumed: isResumed)
    switch decision {
    case .serves(let mappings): return mappings
    case .servesIfFresh(let mappings):
      try checkIsFresh(for: deviceID)
      return mappings
    case .take: return .metadataSnapshot(block: try take())
    }
  }

  /// Throws if the held metadata snapshot, which another program took, is out of date.
  ///
  /// It is out of date if both the given thin device's mappings and the pool's metadata as a whole
  /// have changed since it was taken. If no thin device is given, only the whole pool counts.
  private func checkIsFresh(for deviceID: UInt32?) throws(MergeError) {
    try pool.commit()
    let held = try pool.heldMetadata()
    if let deviceID, let live = try pool.liveDevices([deviceID]).first {
      let devices = try pool.reader.devices(in: held)
      let found =
        devices.first { $0.id == deviceID }
        ?? devices.first { $0.id == pool.state.snapshot(deviceID)?.originalID }
      if found?.mappingRoot == live.mappingRoot { return }
    }
    guard held.superblock.mappingRoot == held.live.mappingRoot,
      held.superblock.detailsRoot == held.live.detailsRoot
    else {
      throw .metadataSnapshotForeign(
        pool.name, .old(block: held.heldRoot?.rawValue ?? 0))
    }
  }

  /// Takes a metadata snapshot.
  ///
  /// - Returns: the block of the metadata snapshot.
  private func take() throws(MergeError) -> UInt64 {
    // Otherwise, the copy would include uncommitted changes and look like another program's.
    try pool.commit()
    let live = try pool.superblock()
    try pool.stateFile.update {
      $0.metadataHold = PoolState.MetadataHold(
        timeBefore: live.time, transactionBefore: live.transactionID,
        mappingRootBefore: live.mappingRoot.rawValue, detailsRootBefore: live.detailsRoot.rawValue)
    }
    do throws(Errno) {
      try pool.mapper.send("reserve_metadata_snap", to: pool.device.number)
    } catch {
      pool.stateFile.forget { $0.metadataHold = nil }
      if error == .resourceBusy { throw .metadataSnapshotForeign(pool.name, .takenJustNow) }
      throw .cannotTakeMetadataSnapshot(pool.name, error)
    }
    do throws(MergeError) {
      let metadata = try pool.heldMetadata()
      let status = try pool.status()
      guard let block = metadata.heldRoot?.rawValue, status.heldRoot == block,
        status.mode != .readOnly
      else {
        // The kernel replies before it knows whether its last commit succeeded.
        throw .metadataSnapshotNotCommitted(pool.name)
      }
      try pool.stateFile.update {
        $0.metadataHold?.held = PoolState.MetadataHold.Held(metadata.superblock, block: block)
      }
      isTakenNow = true
      return block
    } catch {
      release()
      throw error
    }
  }

  // MARK: The only copy

  /// Records that some of a thin device's blocks are about to be written to the origin.
  ///
  /// From now on, the metadata snapshot may become the only copy of the other blocks.
  ///
  /// - `snapshot`: the ID of a snapshot of the device that was made after the metadata snapshot and
  ///   has the same blocks; nil if there is none.
  package func isNeeded(
    for deviceID: UInt32, snapshot: UInt32? = nil
  ) throws(MergeError) {
    // If the metadata snapshot is already the only copy, its record must not change.
    guard isOwn, !isOnlyCopy(of: deviceID), var needed = pool.state.metadataHold else { return }
    needed.writtenFrom = deviceID
    needed.snapshotOfIt = snapshot
    guard needed != pool.state.metadataHold else { return }
    try pool.stateFile.update { $0.metadataHold = needed }
  }

  /// Records that the whole thin device has been merged, so the metadata snapshot need not be kept.
  package func isNotNeeded(for deviceID: UInt32) {
    guard pool.state.metadataHold?.writtenFrom == deviceID else { return }
    pool.stateFile.forget {
      $0.metadataHold?.writtenFrom = nil
      $0.metadataHold?.snapshotOfIt = nil
    }
  }

  // MARK: Releasing

  /// Returns whether an earlier run's metadata snapshot prevents the wanted mappings from being
  /// read.
  func isInTheWay(of wanted: MergeSource.Mappings) -> Bool {
    pool.state.metadataHold != nil && wanted != .inactivePool && !isNamed(by: wanted)
  }

  /// Returns whether the wanted mappings are in an earlier run's metadata snapshot, specified by
  /// its block.
  private func isNamed(by wanted: MergeSource.Mappings) -> Bool {
    guard case .metadataSnapshot(let block?) = wanted else { return false }
    return pool.state.metadataHold?.held?.block == block
  }

  /// Releases an earlier run's metadata snapshot, as ``release()`` does, for a run that only
  /// inspects the pool.
  ///
  /// Nothing is released if the wanted mappings are in that metadata snapshot, specified by its
  /// block, or in an inactive pool.
  func makeWay(for wanted: MergeSource.Mappings) {
    guard wanted != .inactivePool else { return }
    guard isNamed(by: wanted) else { return release() }
    isReadAsNamed = true
    guard let hold = pool.state.metadataHold, let id = hold.writtenFrom else { return }
    // The inspection can continue even if it is unknown whether the thin device still exists.
    _ = try? isStillThere(id, as: hold.snapshotOfIt)
  }

  /// Releases the metadata snapshot that this run took.
  func releaseTakenNow() {
    if isTakenNow { release() }
  }

  /// Releases the metadata snapshot if this tool took it and it is not the only copy of any data.
  package func release() {
    guard let hold = pool.state.metadataHold else { return }
    do throws(MergeError) {
      guard try isOurs(hold) else {
        pool.note(
          try isMaybeOurs(hold)
            ? .metadataSnapshotMaybeOurs(pool.name) : .metadataSnapshotOther(pool.name))
        lost = nil
        return pool.stateFile.forget { $0.metadataHold = nil }
      }
      if let id = hold.writtenFrom, try !isStillThere(id, as: hold.snapshotOfIt) { return }
    } catch {
      return pool.recordCleanupFailure(
        .metadataSnapshotHeld(pool.name, after: error, onlyCopyOf: hold.writtenFrom))
    }
    do throws(Errno) {
      try pool.mapper.send("release_metadata_snap", to: pool.device.number)
    } catch {
      return pool.recordCleanupFailure(.metadataSnapshotHeld(pool.name, error))
    }
    pool.stateFile.forget { $0.metadataHold = nil }
  }

  /// Returns whether a partly merged thin device still exists; if not, or if that is unknown,
  /// reports it.
  private func isStillThere(_ id: UInt32, as snapshot: UInt32?) throws(MergeError) -> Bool {
    let fate = try pool.reader.fate(of: id, as: snapshot ?? id, since: pool.heldMetadata())
    switch fate {
    case .there:
      lost = nil
      return true
    case .deleted, .replaced:
      lost = fate
      pool.recordCleanupFailure(
        .metadataSnapshotOnlyCopy(pool.name, of: id, isReplaced: fate == .replaced))
    case nil:
      pool.recordCleanupFailure(.metadataSnapshotMaybeOnlyCopy(pool.name, of: id))
    }
    return false
  }

  /// Returns whether a killed run may have taken the held metadata snapshot just before the run
  /// ended.
  ///
  /// If the pool committed just before the kernel took the metadata snapshot, ours cannot be
  /// distinguished from one that another program took later.
  private func isMaybeOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard hold.held == nil else { return false }
    return try pool.superblock().heldRoot != nil
  }

  /// Returns whether the currently held metadata snapshot is the one that this tool recorded.
  private func isOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard let block = try pool.superblock().heldRoot?.rawValue else { return false }
    let copy = try pool.heldMetadata().superblock
    if let held = hold.held { return held == PoolState.MetadataHold.Held(copy, block: block) }
    // No metadata snapshot was held when ours was requested, so one that contains later changes is
    // not ours.
    return copy.time == hold.timeBefore && copy.transactionID == hold.transactionBefore
      && copy.mappingRoot.rawValue == hold.mappingRootBefore
      && copy.detailsRoot.rawValue == hold.detailsRootBefore
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
