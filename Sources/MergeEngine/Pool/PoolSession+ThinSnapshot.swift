internal import SystemPackage

/// Merging a thin device in use by way of a snapshot of it, which nobody writes to.
extension PoolSession {
  /// Ids are tried from the top: LVM counts upward.
  private static let deviceIDs = 16_777_200...16_777_215

  /// Makes a snapshot with the thin device suspended around it.
  ///
  /// - Returns: the snapshot's id.
  func makeSnapshot(
    of deviceID: UInt32, through thin: MappedDevice
  ) throws(MergeError) -> UInt32 {
    let live = try superblock()
    for id in Self.deviceIDs.reversed().map(UInt32.init) {
      try stateFile.update {
        $0.snapshot = PoolState.Snapshot(
          deviceID: id, originalID: deviceID,
          thinDevice: PoolState.KnownDevice(thin, bootID: stateFile.bootID), timeBefore: live.time)
      }
      do throws(SuspendedMessageFailure) {
        try mapper.send(
          "create_snap \(id) \(deviceID)", toPool: pool.number, whileSuspended: thin.number)
      } catch {
        try stopMaking(through: thin, error)
        continue
      }
      hasNewSnapshot = true
      try stateFile.update {
        $0.snapshot?.isMade = true
        $0.snapshot?.mayBeSuspended = false
      }
      note(.snapshotMade(id, of: thin.path))
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
      stateFile.forget { $0.snapshot?.isMade = true }
      throw .cannotResumeThinDevice(thin.path, name: thin.name, failure.errno)
    }
    stateFile.forget { $0.snapshot = nil }
    if failure.step == .sending, failure.errno == .fileExists { return }
    if failure.errno == .interrupted {
      throw .interruptedSuspending(thin.path)
    }
    throw .cannotMakeSnapshot(thin.path, pool: pool.name, failure.errno)
  }

  /// Records that the origin is about to be written to.
  ///
  /// From now on a snapshot, and a metadata snapshot that may turn out to be the only copy, are kept until
  /// all is merged.
  package func writingBegins() throws(MergeError) {
    guard let deviceID = quiesced?.deviceID else { return }
    try holdIsNeeded(for: deviceID)
    var changed = stateFile.state
    if changed.snapshot?.deviceID == deviceID { changed.snapshot?.hasBegun = true }
    if changed != stateFile.state { try stateFile.update { $0 = changed } }
  }

  /// Records that the origin has blocks of that device, so that the metadata snapshot may turn out to be the
  /// only copy of the others.
  package func holdIsNeeded(for deviceID: UInt32) throws(MergeError) {
    guard holdsMetadataSnapshot, stateFile.state.metadataHold?.writtenFrom != deviceID else {
      return
    }
    try stateFile.update { $0.metadataHold?.writtenFrom = deviceID }
  }

  /// Records that all of that device is on the origin.
  package func holdIsNotNeeded(for deviceID: UInt32) {
    guard stateFile.state.metadataHold?.writtenFrom == deviceID else { return }
    stateFile.forget { $0.metadataHold?.writtenFrom = nil }
  }

  /// Records that all is merged, so that nothing need be kept for another run.
  package func mergeIsFinished() {
    guard let deviceID = quiesced?.deviceID else { return }
    holdIsNotNeeded(for: deviceID)
    var changed = stateFile.state
    if changed.snapshot?.deviceID == deviceID { changed.snapshot?.isMerged = true }
    guard changed != stateFile.state else { return }
    do throws(MergeError) {
      try stateFile.update { $0 = changed }
    } catch {
      note(.sourceKept(error))
    }
  }

  /// Holds the snapshot in the metadata snapshot against the record: ids are used again.
  func checkSnapshot() throws(MergeError) {
    guard let snapshot = stateFile.state.snapshot, snapshot.deviceID == quiesced?.deviceID else {
      return
    }
    let found = try reader.devices(in: heldMetadata()).first { $0.id == snapshot.deviceID }?
      .details.creationTime
    guard let found, found == snapshot.creationTime ?? found else {
      throw .snapshotGone(
        pool.name, deviceID: snapshot.deviceID, isReplaced: found != nil)
    }
    if snapshot.creationTime == nil { try stateFile.update { $0.snapshot?.creationTime = found } }
  }

  /// Deletes the snapshot that this tool made.
  func deleteSnapshot() throws(MergeError) {
    guard let snapshot = stateFile.state.snapshot else { return }
    if !hasNewSnapshot, try !isThere(snapshot) {
      note(.snapshotNotThere(snapshot.deviceID, pool: pool.name))
      return stateFile.forget { $0.snapshot = nil }
    }
    do throws(Errno) {
      try mapper.send("delete \(snapshot.deviceID)", to: pool.number)
    } catch {
      guard error == .noData else {
        throw .cannotDeleteSnapshot(pool.name, deviceID: snapshot.deviceID, error)
      }
    }
    hasNewSnapshot = false
    stateFile.forget { $0.snapshot = nil }
  }

  /// Whether the device of that number is the one that the record tells of.
  ///
  /// Of one that was only intended: the first that was made after that moment.
  private func isThere(_ snapshot: PoolState.Snapshot) throws(MergeError) -> Bool {
    // Each raises the counter.
    if !snapshot.isMade, try superblock().time == snapshot.timeBefore { return false }
    let expected = snapshot.creationTime ?? snapshot.timeBefore + 1
    return try heldDevices().contains {
      $0.id == snapshot.deviceID && $0.details.creationTime == expected
    }
  }

  /// After a run that was killed: deletes what is merged, or what nothing was merged from.
  func settleSnapshot() throws(MergeError) {
    guard let snapshot = stateFile.state.snapshot else { return }
    if snapshot.isMerged || !snapshot.hasBegun { try deleteSnapshot() }
  }
}
