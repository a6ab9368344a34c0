internal import SystemPackage

/// Keeping the thin device as it is while it is merged: writes and discards go through under a metadata
/// snapshot.
extension PoolSession {
  /// How the thin device was brought to rest.
  struct Quiesced {
    /// What is merged: the thin device, or a snapshot of it.
    var deviceID: UInt32
    /// Mapped devices that may go on showing the thin device, and hold the origin for that.
    var users: [MappedDevice]
  }

  /// What has to be done to bring a thin device to rest.
  private enum Strategy {
    case nothing(Quiesced)
    case remove([MappedDevice], Quiesced)
    case snapshot(through: MappedDevice)
  }

  /// Brings a thin device to rest, and says which one is to be merged.
  ///
  /// - Throws: `MergeError`: `busy` where it is in use.
  package func quiesce(
    _ deviceID: UInt32, options: PoolOptions, restarts: Bool
  ) throws(MergeError) -> UInt32 {
    if restarts, stateFile.state.snapshot?.originalID == deviceID { try deleteSnapshot() }
    let found = try devices()
    let quiesced: Quiesced
    switch try strategy(for: deviceID, options, restarts: false, found) {
    case .nothing(let rest):
      quiesced = rest
    case .remove(let writable, let rest):
      for device in writable { try remove(device, isPutBack: options.reactivates) }
      quiesced = rest
    case .snapshot(let thin):
      quiesced = Quiesced(
        deviceID: try makeSnapshot(of: deviceID, through: thin),
        users: found.showing(deviceID, of: pool.number))
    }
    self.quiesced = quiesced
    return quiesced.deviceID
  }

  /// What bringing a thin device to rest would take.
  package struct QuiescencePlan {
    /// What would be merged, if that is there yet: the thin device, or a snapshot of it.
    package var deviceID: UInt32
    /// Whether mapped devices hold the origin for it.
    package var isActive: Bool
    /// Whether anything is changed for it.
    package var changesDevices: Bool
    package var makesSnapshot: Bool
  }

  /// Finds out whether a thin device could be brought to rest now.
  ///
  /// - Throws: `MergeError`: what a merge would be refused for.
  package func checkCanQuiesce(
    _ deviceID: UInt32, options: PoolOptions, restarts: Bool
  ) throws(MergeError) -> QuiescencePlan {
    let found = try devices()
    let deletes = restarts && stateFile.state.snapshot?.originalID == deviceID
    let isActive = !found.showing(deviceID, of: pool.number).isEmpty
    var plan = QuiescencePlan(
      deviceID: deviceID, isActive: isActive, changesDevices: true, makesSnapshot: false)
    switch try strategy(for: deviceID, options, restarts: restarts, found) {
    case .nothing(let rest):
      plan.deviceID = rest.deviceID
      plan.changesDevices = deletes
    case .remove: break
    case .snapshot: plan.makesSnapshot = true
    }
    return plan
  }

  private func strategy(
    for deviceID: UInt32, _ options: PoolOptions, restarts: Bool, _ devices: MappedDevices
  ) throws(MergeError) -> Strategy {
    if let snapshot = stateFile.state.snapshot, snapshot.isMade, !restarts,
      snapshot.deviceID == deviceID || snapshot.originalID == deviceID
    {
      return .nothing(try rest(of: snapshot, deviceID, options, devices))
    }
    // What shows that number is another thin device.
    if isLost(deviceID) { return .nothing(Quiesced(deviceID: deviceID, users: [])) }
    let users = devices.showing(deviceID, of: pool.number)
    if let pending = users.first(where: { !$0.inactiveTable.isEmpty }) {
      throw .thinDeviceChanging(
        pending.path, name: pending.name, deviceID: deviceID)
    }
    if let suspended = users.first(where: \.isSuspended) {
      throw .thinDeviceSuspended(suspended.path, name: suspended.name)
    }
    // Who opened a device before it became read-only goes on writing to it.
    let moving = users.filter { !$0.isReadOnly || $0.openCount > 0 }
    guard let first = moving.first else {
      return .nothing(Quiesced(deviceID: deviceID, users: users))
    }
    guard !options.takesSnapshot else {
      guard moving.count == 1 else {
        throw .thinDeviceInUseTwice(first.path, through: moving.map(\.name))
      }
      if let other = stateFile.state.snapshot, !restarts || other.originalID != deviceID {
        throw .otherSnapshotUnfinished(
          pool.name, deviceID: other.deviceID, of: other.originalID)
      }
      return .snapshot(through: first)
    }
    if let open = moving.first(where: { $0.openCount > 0 }) {
      throw .thinDeviceInUse(open.path, isReadOnly: open.isReadOnly)
    }
    return .remove(moving, Quiesced(deviceID: deviceID, users: users.filter(\.isReadOnly)))
  }

  private func rest(
    of snapshot: PoolState.Snapshot, _ deviceID: UInt32, _ options: PoolOptions,
    _ devices: MappedDevices
  ) throws(MergeError) -> Quiesced {
    guard !snapshot.isMerged else {
      throw .snapshotNotDeleted(
        pool.name, deviceID: snapshot.deviceID, of: snapshot.originalID)
    }
    guard deviceID == snapshot.deviceID || options.takesSnapshot else {
      throw .snapshotUnfinished(pool.name, deviceID: snapshot.deviceID, of: deviceID)
    }
    if let user = devices.showing(snapshot.deviceID, of: pool.number).first {
      throw .snapshotInUse(user.path, name: user.name, deviceID: snapshot.deviceID)
    }
    return Quiesced(
      deviceID: snapshot.deviceID, users: devices.showing(snapshot.originalID, of: pool.number))
  }

  /// Whether somebody may write to the thin device now.
  package func isWritable(_ deviceID: UInt32) throws(MergeError) -> Bool {
    try devices().showing(deviceID, of: pool.number).contains { !$0.isReadOnly }
  }

  private func remove(_ device: MappedDevice, isPutBack: Bool) throws(MergeError) {
    try stateFile.update {
      $0.removals.append(
        PoolState.Removal(
          device: device, bootID: stateFile.bootID,
          originName: PoolState.Removal.originName(of: device), isPutBack: isPutBack))
    }
    do throws(Errno) {
      try mapper.remove(device)
    } catch {
      stateFile.forget { $0.removals.removeAll { $0.device == device } }
      throw .cannotRemoveThinDevice(device.path, error)
    }
    note(.thinDeviceRemoved(device.path))
  }

  /// Checks once more, when all is merged, that neither thin device nor origin could change meanwhile.
  ///
  /// - Throws: `MergeError` (`stopped`).
  package func checkStillQuiesced() throws(MergeError) {
    guard let quiesced else { return }
    let found = try devices()
    if let heldOrigin {
      do throws(MergeError) {
        try check(heldOrigin, found)
      } catch {
        throw error.atTheEnd()
      }
    }
    let now =
      isLost(quiesced.deviceID) ? [] : found.showing(quiesced.deviceID, of: pool.number)
    let isSnapshot = stateFile.state.snapshot?.deviceID == quiesced.deviceID
    let expected = isSnapshot ? [] : quiesced.users.map(\.number)
    guard
      let intruder = now.first(where: {
        !expected.contains($0.number) || !$0.isReadOnly || !$0.inactiveTable.isEmpty
      })
    else { return }
    throw .thinDeviceActivated(intruder.path)
  }

  // MARK: Undoing

  /// Puts devices back that were removed; says how to do so where that was not asked for.
  func putBack(where isWanted: (PoolState.Removal) -> Bool) {
    for (index, removal) in stateFile.state.removals.enumerated().reversed()
    where !removal.staysRemoved {
      do throws(MergeError) {
        switch try putBack(removal, isWanted: isWanted(removal)) {
        case .settled: stateFile.forget { $0.removals.remove(at: index) }
        case .staysRemoved: stateFile.forget { $0.removals[index].staysRemoved = true }
        case .failed: break
        }
      } catch {
        recordCleanupFailure(.notUndone(error))
      }
    }
  }

  /// Forgets devices that were left removed and are there again, or cannot be told any more.
  func forgetLeft() throws(MergeError) {
    guard stateFile.state.removals.contains(where: \.staysRemoved) else { return }
    let found = try devices()
    stateFile.forget { record in
      record.removals.removeAll { removal in
        removal.staysRemoved
          && (!removal.isStill(in: pool, bootID: self.stateFile.bootID)
            || found.named(removal.device.name) != nil)
      }
    }
  }

  private enum Restoration {
    /// It is there again, or can no longer be put back.
    case settled
    case staysRemoved
    /// The next run tries again.
    case failed
  }

  private func putBack(
    _ removal: PoolState.Removal, isWanted: Bool
  ) throws(MergeError) -> Restoration {
    let device = removal.device
    // After a boot, or with the pool made anew, the table's numbers may be those of other devices.
    guard removal.isStill(in: pool, bootID: stateFile.bootID) else {
      note(.thinDeviceOutdated(device.path))
      return .settled
    }
    guard isWanted else {
      note(.thinDeviceStaysRemoved(device.path, Self.command(making: device)))
      return .staysRemoved
    }
    let present = try devices().named(device.name)
    // Making is several steps, and a run may have been killed between them.
    let isHalfMade = present.map { $0.uuid == device.uuid && $0.liveTable.isEmpty } ?? false
    guard present == nil || isHalfMade else { return .settled }
    do throws(Errno) {
      if let present { try mapper.remove(present) }
      try mapper.make(device)
      note(.thinDeviceRestored(device.path))
      return .settled
    } catch {
      recordCleanupFailure(
        .cannotRestoreThinDevice(device.path, error, Self.command(making: device)))
      return .failed
    }
  }

  private static func command(making device: MappedDevice) -> String {
    let table = device.liveTable.map {
      "\($0.startSector) \($0.sectorCount) \($0.kind) \($0.arguments)"
    }.joined(separator: "\n")
    return MergeNote.commandMaking(device.name, uuid: device.uuid, table: table)
  }
}
