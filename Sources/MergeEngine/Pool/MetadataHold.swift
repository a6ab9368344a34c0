internal import SystemPackage

/// The metadata snapshot of an active pool: taken where none is held, and given back.
///
/// It may turn out to be the only copy of blocks, where a thin device is deleted that is merged in part; then
/// it is kept.
package final class MetadataHold {
  private let pool: LockedPool
  /// The fate of the thin device whose blocks only the metadata snapshot of an earlier run has; nil where
  /// there is none.
  private var lost: ThinDeviceFate?
  /// Whether the one of an earlier run is read, because its block was named.
  private var isReadAsNamed = false
  private var isTakenNow = false

  init(_ pool: LockedPool) { self.pool = pool }

  /// Whether a metadata snapshot is held that this tool took.
  package var isOwn: Bool { pool.state.metadataHold?.held != nil }

  /// Returns whether what is merged of the thin device of that number exists only in the metadata snapshot that
  /// is held.
  package func isOnlyCopy(of deviceID: UInt32) -> Bool {
    lost != nil && pool.state.metadataHold?.writtenFrom == deviceID
  }

  /// Returns whether that is so, and another thin device has the number now.
  func isOnlyCopyOfReplaced(_ deviceID: UInt32) -> Bool {
    isOnlyCopy(of: deviceID) && lost == .replaced
  }

  // MARK: Deciding

  /// Which mappings are read, and whether a metadata snapshot is taken for that.
  private enum Decision {
    case serves(MergeSource.Mappings)
    /// The one that somebody else holds, if it has what is to be read.
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
        // Of a pool that needs a check it may be all there is.
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

  /// Refuses where the metadata snapshot that is kept is not one of the device that is wanted.
  ///
  /// Where another device has the number, only a journal says that the earlier one is meant. Where it is not
  /// known whether the device is there, what is held is neither merged from nor replaced.
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

  /// Returns which mappings are read, after a metadata snapshot was taken where none is held that may be
  /// used.
  ///
  /// - `deviceID`: the thin device whose mappings are read; nil where only details are.
  /// - Throws: `MergeError`: `busy` where somebody else's metadata snapshot is in the way, `refused`
  ///   where the pool cannot give one.
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

  /// A metadata snapshot that somebody else took serves if nothing was mapped since in the thin device that is
  /// read; where none is, in the whole pool.
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
    // What is not committed yet would be in the copy, and make it look like somebody else's.
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
        // The kernel answers before it knows whether its last commit went well.
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

  /// Records that the origin has blocks of that device, so that the metadata snapshot may turn out to be the
  /// only copy of the others.
  ///
  /// `snapshot`: the one that was made since the metadata snapshot was taken, and has the same blocks.
  package func isNeeded(
    for deviceID: UInt32, snapshot: UInt32? = nil
  ) throws(MergeError) {
    // What is known of the only copy stays as it is.
    guard isOwn, !isOnlyCopy(of: deviceID), var needed = pool.state.metadataHold else { return }
    needed.writtenFrom = deviceID
    needed.snapshotOfIt = snapshot
    guard needed != pool.state.metadataHold else { return }
    try pool.stateFile.update { $0.metadataHold = needed }
  }

  /// Records that all of that device is on the origin.
  package func isNotNeeded(for deviceID: UInt32) {
    guard pool.state.metadataHold?.writtenFrom == deviceID else { return }
    pool.stateFile.forget {
      $0.metadataHold?.writtenFrom = nil
      $0.metadataHold?.snapshotOfIt = nil
    }
  }

  // MARK: Releasing

  /// Returns whether the one of an earlier run keeps mappings from being read.
  func isInTheWay(of wanted: MergeSource.Mappings) -> Bool {
    pool.state.metadataHold != nil && wanted != .inactivePool && !isNamed(by: wanted)
  }

  /// Returns whether the one of an earlier run is the one that is to be read.
  private func isNamed(by wanted: MergeSource.Mappings) -> Bool {
    guard case .metadataSnapshot(let block?) = wanted else { return false }
    return pool.state.metadataHold?.held?.block == block
  }

  /// For who only looks: gives the one of an earlier run back as ``release()`` does, unless it is not in the way.
  func makeWay(for wanted: MergeSource.Mappings) {
    guard wanted != .inactivePool else { return }
    guard isNamed(by: wanted) else { return release() }
    isReadAsNamed = true
    guard let hold = pool.state.metadataHold, let id = hold.writtenFrom else { return }
    // What cannot be found out is no reason not to look.
    _ = try? isStillThere(id, as: hold.snapshotOfIt)
  }

  /// Gives the one back that this run took.
  func releaseTakenNow() {
    if isTakenNow { release() }
  }

  /// Gives the metadata snapshot back, if this tool took it and it is not the only copy of anything.
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

  /// Finds out whether a thin device that is merged in part is there still, and says so where it is not.
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

  /// Whether a metadata snapshot is held that a run may have taken just before it was killed.
  ///
  /// Where the pool committed something just before the kernel made it, nothing tells it from one that another
  /// program took since.
  private func isMaybeOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard hold.held == nil else { return false }
    return try pool.superblock().heldRoot != nil
  }

  /// Whether the metadata snapshot that is held now is the one that the record tells of.
  private func isOurs(_ hold: PoolState.MetadataHold) throws(MergeError) -> Bool {
    guard let block = try pool.superblock().heldRoot?.rawValue else { return false }
    let copy = try pool.heldMetadata().superblock
    if let held = hold.held { return held == PoolState.MetadataHold.Held(copy, block: block) }
    // There was none when it was asked for. One that was taken after any change is not ours.
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
