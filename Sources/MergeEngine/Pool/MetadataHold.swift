internal import SystemPackage

/// The metadata snapshot of an active pool: taken if none is held, and released afterwards.
///
/// If a partly merged thin device is deleted, the metadata snapshot may be the only copy of its
/// blocks; it is then kept.
package final class MetadataHold {
  private let pool: LockedPool
  /// The fate of the thin device whose blocks only an earlier run's metadata snapshot has; nil if
  /// there is no such device.
  private var lost: ThinDeviceFate?
  /// True if an earlier run's metadata snapshot is read because the user named its block.
  private var isReadAsNamed = false
  private var isTakenNow = false

  init(_ pool: LockedPool) { self.pool = pool }

  /// True if this tool took the metadata snapshot that is held.
  package var isOwn: Bool { pool.state.metadataHold?.held != nil }

  /// Returns whether the data to merge from the thin device exists only in the metadata snapshot
  /// that is held.
  package func isOnlyCopy(of deviceID: UInt32) -> Bool {
    lost != nil && pool.state.metadataHold?.writtenFrom == deviceID
  }

  /// Returns whether the metadata snapshot is the only copy and another thin device now has that
  /// device ID.
  func isOnlyCopyOfReplaced(_ deviceID: UInt32) -> Bool {
    isOnlyCopy(of: deviceID) && lost == .replaced
  }

  // MARK: Deciding

  /// The mappings to read, and whether a metadata snapshot must be taken for them.
  private enum Decision {
    case serves(MergeSource.Mappings)
    /// Mappings in somebody else's metadata snapshot, usable if it is up to date.
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
        // If the pool needs a check, the held metadata snapshot may be all that can be read.
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

  /// Refuses a device if the kept metadata snapshot belongs to another one.
  ///
  /// If another device now has the device ID, only a journal identifies the earlier device. If it
  /// is unknown whether the device still exists, the metadata snapshot is neither read nor
  /// replaced.
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
  /// - Throws: `MergeError`: `busy` if somebody else's metadata snapshot is in the way, `refused`
  ///   if the pool cannot provide one.
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

  /// Throws unless somebody else's metadata snapshot is up to date: nothing was mapped since in the
  /// thin device to read or, without one, in the whole pool.
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
  /// - Returns: its block.
  private func take() throws(MergeError) -> UInt64 {
    // Uncommitted changes would be in the copy, and make it look like somebody else's.
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

  /// Records that the origin has some blocks of the device.
  ///
  /// From now on the metadata snapshot may become the only copy of the rest.
  ///
  /// - `snapshot`: the snapshot with the same blocks that was made after the metadata snapshot.
  package func isNeeded(
    for deviceID: UInt32, snapshot: UInt32? = nil
  ) throws(MergeError) {
    // The record of an only copy stays unchanged.
    guard isOwn, !isOnlyCopy(of: deviceID), var needed = pool.state.metadataHold else { return }
    needed.writtenFrom = deviceID
    needed.snapshotOfIt = snapshot
    guard needed != pool.state.metadataHold else { return }
    try pool.stateFile.update { $0.metadataHold = needed }
  }

  /// Records that the whole device is merged onto the origin.
  package func isNotNeeded(for deviceID: UInt32) {
    guard pool.state.metadataHold?.writtenFrom == deviceID else { return }
    pool.stateFile.forget {
      $0.metadataHold?.writtenFrom = nil
      $0.metadataHold?.snapshotOfIt = nil
    }
  }

  // MARK: Releasing

  /// Returns whether an earlier run's metadata snapshot blocks the reading of `wanted`.
  func isInTheWay(of wanted: MergeSource.Mappings) -> Bool {
    pool.state.metadataHold != nil && wanted != .inactivePool && !isNamed(by: wanted)
  }

  /// Returns whether `wanted` names the block of an earlier run's metadata snapshot.
  private func isNamed(by wanted: MergeSource.Mappings) -> Bool {
    guard case .metadataSnapshot(let block?) = wanted else { return false }
    return pool.state.metadataHold?.held?.block == block
  }

  /// Releases an earlier run's metadata snapshot like ``release()``, for a run that only inspects.
  ///
  /// Nothing is released if `wanted` names that metadata snapshot's block, or an inactive pool.
  func makeWay(for wanted: MergeSource.Mappings) {
    guard wanted != .inactivePool else { return }
    guard isNamed(by: wanted) else { return release() }
    isReadAsNamed = true
    guard let hold = pool.state.metadataHold, let id = hold.writtenFrom else { return }
    // An unknown fate does not prevent an inspection.
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

  /// Returns whether a partly merged thin device still exists, and reports it if not.
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

  /// Returns whether a killed run may have taken the held metadata snapshot just before it died.
  ///
  /// If the pool committed just before the kernel took the metadata snapshot, ours cannot
  /// be told from one that another program took since.
  private func isMaybeOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard hold.held == nil else { return false }
    return try pool.superblock().heldRoot != nil
  }

  /// Returns whether the metadata snapshot held now is the one in the record.
  private func isOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard let block = try pool.superblock().heldRoot?.rawValue else { return false }
    let copy = try pool.heldMetadata().superblock
    if let held = hold.held { return held == PoolState.MetadataHold.Held(copy, block: block) }
    // None was held at the request, so a metadata snapshot taken after any later change is not
    // ours.
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
