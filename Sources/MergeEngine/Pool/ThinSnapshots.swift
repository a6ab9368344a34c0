internal import SystemPackage

/// Makes, checks and deletes the snapshots that are merged in place of their thin devices.
///
/// Nothing writes to a snapshot, and writes to its thin device do not change it.
package final class ThinSnapshots {
  /// The range of device IDs for snapshots.
  ///
  /// LVM, which counts upward from its highest ID, does not normally reach it.
  ///
  /// IDs are drawn at random, so that a pool restored from a copy is unlikely to reuse an earlier
  /// ID.
  static let deviceIDs: ClosedRange<UInt32> = 16_711_680...16_777_215
  /// The maximum number of IDs to draw before giving up; any of them may already be in use.
  private static let drawCountMax = 64

  private let pool: LockedPool
  /// The ID of the snapshot made by this run; nil if there is none.
  private(set) var made: UInt32?
  /// The IDs of snapshots found to be the only copies of their originals.
  private var onlyCopies: Set<UInt32> = []

  init(_ pool: LockedPool) { self.pool = pool }

  /// Refuses a pool in which LVM has reached the range of device IDs reserved for snapshots.
  ///
  /// LVM gives a new volume the highest ID it knows of plus one. If a thin device already has that
  /// ID, LVM adopts the device, so the new volume would be the snapshot (seen with lvm2 2.03.16).
  ///
  /// - `ids`: the IDs of all thin devices in the pool.
  func checkNumbersOfLVM(among ids: [UInt32]) throws(MergeError) {
    let isStrange = ids.contains {
      Self.deviceIDs.contains($0) && pool.state.snapshot($0) == nil
    }
    guard isStrange, let (group, name) = pool.device.poolName else { return }
    let volumes: LogicalVolumes?
    do throws(LogicalVolumes.NoAnswer) {
      volumes = try LogicalVolumes(.name(group), run: pool.runProgram)
    } catch {
      throw .lvmSilent("\(group)/\(name)", after: Program.answerTimeMax, suspended: [])
    }
    guard let volumes, let ownPool = volumes[name],
      let highest = volumes.thinVolumes(in: ownPool).compactMap(\.deviceID).max(),
      highest >= Self.deviceIDs.lowerBound
    else { return }
    throw .numbersOfLVMTooHigh(pool.name, highest: highest, Self.deviceIDs)
  }

  // MARK: Making

  /// Makes a snapshot of a thin device.
  ///
  /// - `thin`: the mapped device for the thin device, suspended while the snapshot is made; nil if
  ///   nothing can write to the thin device.
  /// - Throws: `MergeError`; in that case, either there is no snapshot or it is in the record.
  func make(of deviceID: UInt32, through thin: MappedDevice?) throws(MergeError) {
    let path = thin?.path ?? "dev \(deviceID)"
    if let thin { writeBackCaches(above: thin) }
    var isSecondTime = false
    for _ in 0..<Self.drawCountMax {
      let id = pool.drawNumber(Self.deviceIDs)
      guard pool.state.snapshot(id) == nil else { continue }
      switch try make(id, of: deviceID, through: thin, path) {
      case .numberTaken: continue
      case .made:
        made = id
        try pool.stateFile.update { state in
          state.changeSnapshot(id) {
            $0.isMade = true
            $0.mayBeSuspended = false
          }
        }
        if thin == nil { try checkNobodyCouldWrite(to: deviceID) }
        return
      case .resumedByOthers:
        made = id
        try delete(id)
        guard !isSecondTime else { throw .thinDeviceResumed(path) }
        isSecondTime = true
      }
    }
    throw .snapshotIDsUsedUp(path, pool: pool.name, Self.deviceIDs, drawCount: Self.drawCountMax)
  }

  private func writeBackCaches(above thin: MappedDevice) {
    for failure in pool.mapper.writeBackCaches(above: thin.number) {
      pool.note(.cachesNotWritten(failure.paths, hasAnswered: failure.hasAnswered))
    }
  }

  private enum Making { case made, numberTaken, resumedByOthers }

  private func make(
    _ id: UInt32, of deviceID: UInt32, through thin: MappedDevice?, _ path: String
  ) throws(MergeError) -> Making {
    let live = try pool.superblock()
    let original = try pool.liveDevices([deviceID]).first
    try pool.stateFile.update {
      $0.snapshots.append(
        PoolState.Snapshot(
          deviceID: id, originalID: deviceID,
          originalMade: original?.details.creation,
          thinDevice: thin.map { PoolState.KnownDevice($0, bootID: pool.bootID) },
          timeBefore: live.time))
    }
    do throws(SuspendedMessageFailure) {
      try send("create_snap \(id) \(deviceID)", through: thin)
      return .made
    } catch {
      switch error.step {
      case .resuming:
        // The snapshot exists. Its record is kept so that the next run resumes the thin device.
        pool.stateFile.forget { state in state.changeSnapshot(id) { $0.isMade = true } }
        throw .cannotResumeThinDevice(path, name: thin?.name ?? path, error.errno)
      case .resumedByOthers: return .resumedByOthers
      case .preparing, .suspending, .sending: break
      }
      forget(id)
      if error.step == .sending, error.errno == .fileExists { return .numberTaken }
      if error.errno == .interrupted { throw .interruptedSuspending(path) }
      if error.step == .suspending, error.errno == .timerExpired { throw .suspendTooLong(path) }
      throw .cannotMakeSnapshot(path, pool: pool.name, error.errno)
    }
  }

  private func send(
    _ message: String, through thin: MappedDevice?
  ) throws(SuspendedMessageFailure) {
    if let thin {
      return try pool.mapper.send(
        message, toPool: pool.device.number, whileSuspended: thin.number)
    }
    do throws(Errno) {
      try pool.mapper.send(message, to: pool.device.number)
    } catch {
      throw SuspendedMessageFailure(.sending, error)
    }
  }

  /// Throws if the thin device has been activated, because writes may have been in flight while its
  /// snapshot was made.
  private func checkNobodyCouldWrite(to deviceID: UInt32) throws(MergeError) {
    let active = try pool.devices().showing(deviceID, of: pool.device.number)
    guard let first = active.first(where: { !$0.isReadOnly || $0.openCount > 0 }) else { return }
    throw .thinDeviceJustActivated(first.path)
  }

  private func forget(_ id: UInt32) {
    pool.stateFile.forget { $0.snapshots.removeAll { $0.deviceID == id } }
    if made == id { made = nil }
  }

  // MARK: Inspecting

  /// Returns the snapshot that an earlier run made for a merge.
  ///
  /// If there is none, returns a snapshot that is the only copy of the thin device and that no
  /// merge has begun to write from; nil if neither exists.
  ///
  /// - `deviceID`: the ID of the thin device, or of the snapshot itself.
  func earlier(
    of deviceID: UInt32, in merge: PoolState.MergeKey
  ) throws(MergeError) -> PoolState.Snapshot? {
    let found = pool.state.snapshots.filter { $0.isOf(deviceID, in: merge) }
    let begun = found.filter { $0.isMade && $0.hasBegun }
    let needed = begun.filter(\.isNeeded)
    let own = needed.first { $0.hasJournal(of: merge) }
    if let earlier = own ?? needed.first ?? begun.first { return earlier }
    for copy in found where onlyCopies.contains(copy.deviceID) {
      // If another thin device now has the original's ID, the ID refers to that device.
      if copy.deviceID == deviceID { return copy }
      if try !isReplaced(copy) { return copy }
    }
    return nil
  }

  /// Returns the IDs of unneeded snapshots that may still exist in the pool.
  ///
  /// A snapshot that is the only copy of its original is reported instead of being returned.
  func findUnneeded() -> [UInt32] {
    pool.state.snapshots.filter { snapshot in
      !snapshot.isNeeded && mayBeThere(snapshot) && (try? isOnlyCopy(snapshot)) != true
    }.map(\.deviceID)
  }

  /// Returns whether a snapshot may still exist; false only if it is known to be gone.
  func mayBeThere(_ snapshot: PoolState.Snapshot) -> Bool { (try? isThere(snapshot)) != false }

  /// Returns whether another thin device now has the device ID of the snapshot's original.
  func isReplaced(_ snapshot: PoolState.Snapshot) throws(MergeError) -> Bool {
    guard let live = try pool.liveDevices([snapshot.originalID]).first else { return false }
    return !snapshot.isOriginal(live.details.creation)
  }

  /// Returns whether the held metadata snapshot contains the given snapshot of a thin device.
  func isHeld(_ deviceID: UInt32) throws(MergeError) -> Bool {
    try pool.reader.devices(in: pool.heldMetadata()).contains { $0.id == deviceID }
  }

  /// Checks that the device with this ID in the held metadata snapshot is the recorded snapshot,
  /// because device IDs are reused.
  func check(_ deviceID: UInt32) throws(MergeError) {
    guard let snapshot = pool.state.snapshot(deviceID) else { return }
    let found = try pool.reader.devices(in: pool.heldMetadata()).first { $0.id == deviceID }
    try check(snapshot, found)
  }

  /// Returns whether the snapshot made by this run has the mapping tree with the given root.
  func hasMappings(of root: MetadataBlock) throws(MergeError) -> Bool {
    guard let made, let snapshot = pool.state.snapshot(made) else { return false }
    let found = try pool.liveDevices([made]).first
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
      try pool.stateFile.update { state in
        state.changeSnapshot(snapshot.deviceID) { $0.creationTime = time }
      }
    }
  }

  // MARK: Merge progress

  /// Records that writes to the origin are about to begin; from now on the snapshot is kept until
  /// the merge is finished.
  ///
  /// This merge replaces any earlier merge of the same thin device onto the same origin, so the
  /// snapshots of earlier merges are no longer needed.
  ///
  /// - `deviceID`: the ID of the device to read from: the snapshot, or the thin device itself.
  /// - `givenUpIDs`: the IDs of the journals that this merge abandons.
  func writingBegins(
    from deviceID: UInt32, of originalID: UInt32, in merge: PoolState.MergeKey,
    insteadOf givenUpIDs: [String]
  ) throws(MergeError) {
    var state = pool.state
    state.changeSnapshot(deviceID) {
      $0.hasBegun = true
      $0.originName = merge.originName
      $0.journalID = merge.journalID
      // If a run was killed, its snapshot may not be recorded as made.
      $0.isMade = true
    }
    for other in state.snapshots
    where other.deviceID != deviceID && other.originalID == originalID
      && (other.originName == merge.originName || other.journalID.map(givenUpIDs.contains) == true)
    {
      state.changeSnapshot(other.deviceID) { $0.hasBegun = false }
    }
    guard state != pool.state else { return }
    try pool.stateFile.update { $0 = state }
  }

  /// Records that a thin device's snapshot is merged and need not be kept for another run.
  ///
  /// - `deviceID`: the ID of the thin device, or of its snapshot.
  func isMerged(_ deviceID: UInt32, in merge: PoolState.MergeKey) {
    do throws(MergeError) {
      try record(true, of: deviceID, in: merge)
    } catch {
      pool.note(.sourceKept(error))
    }
  }

  /// Records that the snapshot of a thin device is needed again.
  func isNeededAgain(_ deviceID: UInt32, in merge: PoolState.MergeKey) {
    do throws(MergeError) {
      try record(false, of: deviceID, in: merge)
    } catch {
      pool.recordCleanupFailure(.notUndone(error))
    }
  }

  private func record(
    _ isMerged: Bool, of deviceID: UInt32, in merge: PoolState.MergeKey
  ) throws(MergeError) {
    let found = pool.state.snapshots.filter {
      $0.isMerged != isMerged && $0.isMade && $0.hasBegun && $0.isOf(deviceID, in: merge)
    }
    guard !found.isEmpty else { return }
    try pool.stateFile.update { state in
      for snapshot in found {
        state.changeSnapshot(snapshot.deviceID) { $0.isMerged = isMerged }
      }
    }
  }

  // MARK: Deleting

  /// Deletes unneeded snapshots, reports those that cannot be deleted, and forgets those that are
  /// already gone.
  ///
  /// A snapshot that may be the only copy of a thin device is kept and reported.
  ///
  /// A snapshot is skipped if its thin device may be suspended, because the snapshot's record is
  /// needed to resume the device.
  func deleteUnneeded() {
    for snapshot in pool.state.snapshots where !snapshot.mayBeSuspended {
      do throws(MergeError) {
        if !snapshot.isNeeded {
          try delete(snapshot.deviceID)
        } else if snapshot.deviceID != made, try !isThere(snapshot) {
          pool.note(.snapshotNotThere(snapshot.deviceID, pool: pool.name))
          forget(snapshot.deviceID)
        }
      } catch {
        pool.recordCleanupFailure(.cannotDeleteSnapshot(error))
      }
    }
  }

  /// Resumes thin devices that a killed run left suspended.
  func resumeThinDevices() throws(MergeError) {
    for snapshot in pool.state.snapshots where snapshot.mayBeSuspended {
      if let thin = snapshot.thinDevice?.now(in: try pool.devices(), bootID: pool.bootID),
        thin.isSuspended
      {
        do throws(Errno) {
          try pool.mapper.resume(thin)
        } catch {
          throw .cannotResumeLeftThinDevice(thin.path, name: thin.name, error)
        }
      }
      pool.stateFile.forget { state in
        state.changeSnapshot(snapshot.deviceID) { $0.mayBeSuspended = false }
      }
    }
  }

  /// Deletes a snapshot that this tool made, unless it is the only copy of its original.
  private func delete(_ id: UInt32) throws(MergeError) {
    guard let snapshot = pool.state.snapshot(id) else { return }
    if made != id, try !isThere(snapshot) {
      pool.note(.snapshotNotThere(id, pool: pool.name))
      return forget(id)
    }
    guard try !isOnlyCopy(snapshot) else { return }
    do throws(Errno) {
      try pool.mapper.send("delete \(id)", to: pool.device.number)
    } catch {
      guard error == .noData else {
        throw .cannotDeleteSnapshot(pool.name, deviceID: id, error)
      }
    }
    forget(id)
  }

  /// Returns whether a snapshot is the only copy of its original, and if so, reports that.
  private func isOnlyCopy(_ snapshot: PoolState.Snapshot) throws(MergeError) -> Bool {
    onlyCopies.remove(snapshot.deviceID)
    guard snapshot.isUnread else { return false }
    let live = try pool.liveDevices([snapshot.deviceID, snapshot.originalID])
    guard snapshot.isOnlyCopy(among: live) else { return false }
    onlyCopies.insert(snapshot.deviceID)
    pool.recordCleanupFailure(
      .snapshotOnlyCopy(
        snapshot.deviceID, of: snapshot.originalID, pool: pool.name,
        isReplaced: live.contains { $0.id == snapshot.originalID }))
    return true
  }

  /// Returns whether the device with the snapshot's device ID is the recorded snapshot.
  ///
  /// If the record does not say that the snapshot was made, the device must be the first one
  /// created after the record was written.
  private func isThere(_ snapshot: PoolState.Snapshot) throws(MergeError) -> Bool {
    // Creating a snapshot increments the pool's time, so if the time is unchanged, ours was never
    // created.
    if !snapshot.isMade, try pool.superblock().time == snapshot.timeBefore { return false }
    let expected = snapshot.creationTime ?? snapshot.timeBefore + 1
    return try pool.liveDevices([snapshot.deviceID]).first?.details.creationTime == expected
  }
}
