internal import SystemPackage

/// Merging a thin device in use by way of a snapshot of it, which nobody writes to.
extension PoolSession {
  /// Ids are tried from the top: LVM counts upward.
  private static let deviceIDs = (16_777_200...16_777_215).reversed()

  /// Makes a snapshot with the thin device suspended around it.
  ///
  /// - Returns: the snapshot's id.
  func makeSnapshot(
    of deviceID: UInt32, through thin: MappedDevice
  ) throws(MergeError) -> UInt32 {
    let live = try superblock()
    for id in Self.deviceIDs.map(UInt32.init) {
      try record.update {
        $0.snapshot = PoolRecord.Snapshot(
          deviceID: id, originalID: deviceID, thinDeviceName: thin.name, timeBefore: live.time)
      }
      do throws(Errno) {
        try mapper.send(
          "create_snap \(id) \(deviceID)", toPool: pool.number, whileSuspended: thin.number)
      } catch {
        let isSuspended = try devices().named(thin.name)?.isSuspended == true
        try record.update { $0.snapshot = nil }
        if error == .fileExists, !isSuspended { continue }
        throw MergeError(
          .refused, "cannot make a snapshot of the thin device", at: thin.path,
          because: "\(error)",
          hint: isSuspended ? "it is suspended: 'dmsetup resume \(thin.name)'" : nil)
      }
      try record.update { $0.snapshot?.isMade = true }
      hasNewSnapshot = true
      note("made dev \(id), a snapshot of \(thin.path); it is deleted when it is merged")
      return id
    }
    throw MergeError(
      .refused, "cannot make a snapshot of the thin device", at: thin.path,
      because: "the ids \(Self.deviceIDs.last ?? 0) to \(Self.deviceIDs.first ?? 0) are all in use")
  }

  /// Says that the snapshot is merged and can be deleted.
  package func snapshotIsMerged() throws(MergeError) {
    guard let snapshot = record.record.snapshot, snapshot.deviceID == quiesced?.deviceID else {
      return
    }
    try record.update { $0.snapshot?.isMerged = true }
  }

  /// Deletes the snapshot that this tool made.
  func deleteSnapshot() {
    guard let snapshot = record.record.snapshot else { return }
    do throws(Errno) {
      try mapper.send("delete \(snapshot.deviceID)", to: pool.number)
    } catch {
      guard error == .noData else {
        return note(
          "could not delete dev \(snapshot.deviceID) of pool \(pool.name), the snapshot that was "
            + "merged: \(error); the next run tries again")
      }
    }
    do throws(MergeError) {
      try record.update { $0.snapshot = nil }
    } catch {
      note(error.message)
    }
  }

  /// After a run that was killed: deletes what is merged, and finds out whether a snapshot that was
  /// about to be made was made.
  func settleSnapshot() throws(MergeError) {
    guard let snapshot = record.record.snapshot else { return }
    guard !snapshot.isMerged else { return deleteSnapshot() }
    guard !snapshot.isMade else { return }
    guard try superblock().time > snapshot.timeBefore else {
      // Every snapshot raises the counter.
      return try record.update { $0.snapshot = nil }
    }
    guard try isOurs(snapshot) else {
      return try record.update { $0.snapshot = nil }
    }
    deleteSnapshot()
  }
}
