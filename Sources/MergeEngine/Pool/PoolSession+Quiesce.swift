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
      throw MergeError(
        .busy, "the thin device is about to be changed", at: pending.path,
        because: "a table with dev \(deviceID) in it was loaded and is not live yet",
        hint:
          "'dmsetup clear \(pending.name.shellQuoted)' drops that table, 'dmsetup resume \(pending.name.shellQuoted)' "
          + "makes it live")
    }
    if let suspended = users.first(where: \.isSuspended) {
      throw MergeError(
        .busy, "the thin device is suspended", at: suspended.path,
        because: "somebody is about to change something about it",
        hint: "'dmsetup resume \(suspended.name.shellQuoted)' if nobody is")
    }
    // Who opened a device before it became read-only goes on writing to it.
    let moving = users.filter { !$0.isReadOnly || $0.openCount > 0 }
    guard let first = moving.first else {
      return .nothing(Quiesced(deviceID: deviceID, users: users))
    }
    guard !options.takesSnapshot else {
      guard moving.count == 1 else {
        throw MergeError(
          .busy, "the thin device is in use", at: first.path,
          because: "it can be written to through \(moving.count) devices, and a snapshot needs "
            + "them suspended together: " + moving.map(\.name).joined(separator: ", "),
          hint: "'dmsetup remove' takes away those that are not needed")
      }
      if let other = stateFile.state.snapshot, !restarts || other.originalID != deviceID {
        throw MergeError(
          .busy, "another snapshot in this pool is being merged", at: pool.name,
          because: "dev \(other.deviceID), made of dev \(other.originalID) by an earlier run",
          hint: "finish that merge first, or give it up with --restart")
      }
      return .snapshot(through: first)
    }
    if let open = moving.first(where: { $0.openCount > 0 }) {
      throw MergeError(
        .busy, "the thin device is in use", at: open.path,
        because: open.isReadOnly
          ? "it is read-only and open: who opened it before that may still write"
          : "it is writable and open: mounted, or used by another program",
        hint: "unmount it, or give --snapshot to merge a snapshot of it as it is now; "
          + "'lsblk \(open.path.shellQuoted)' shows who uses it")
    }
    return .remove(moving, Quiesced(deviceID: deviceID, users: users.filter(\.isReadOnly)))
  }

  private func rest(
    of snapshot: PoolState.Snapshot, _ deviceID: UInt32, _ options: PoolOptions,
    _ devices: MappedDevices
  ) throws(MergeError) -> Quiesced {
    guard !snapshot.isMerged else {
      throw MergeError(
        .busy, "a snapshot that is merged could not be deleted yet", at: pool.name,
        because: "dev \(snapshot.deviceID), made of dev \(snapshot.originalID)",
        hint: "the next run tries again")
    }
    guard deviceID == snapshot.deviceID || options.takesSnapshot else {
      throw MergeError(
        .refused, "a snapshot of the thin device is being merged", at: pool.name,
        because: "an earlier run made dev \(snapshot.deviceID) of dev \(deviceID) for that",
        hint: "--snapshot goes on with it; --restart deletes it and begins again")
    }
    if let user = devices.showing(snapshot.deviceID, of: pool.number).first {
      throw MergeError(
        .busy, "the snapshot that is merged is in use", at: user.path,
        because: "dev \(snapshot.deviceID) is for this merge only",
        hint: "'dmsetup remove \(user.name.shellQuoted)' frees it")
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
      throw MergeError(
        .busy, "cannot remove the thin device for the time of the merge", at: device.path,
        because: "\(error)",
        hint: "it is writable and must not change; --snapshot merges a snapshot of it")
    }
    note("removed \(device.path) so that it cannot change during the merge")
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
        throw MergeError(
          .stopped, error.what, at: error.place, because: error.why, hint: error.hint)
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
    throw MergeError(
      .stopped, "the thin device was activated during the merge", at: intruder.path,
      because: "what it wrote may be merged in part, or not at all",
      hint: "deactivate it and resume: everything is compared again")
  }

  // MARK: Undoing

  /// Puts devices back that were removed; says how to do so where that was not asked for.
  func putBack(where isWanted: (PoolState.Removal) -> Bool) {
    for (index, removal) in stateFile.state.removals.enumerated().reversed()
    where !removal.staysRemoved {
      do throws(MergeError) {
        if try putBack(removal, isWanted: isWanted(removal)) {
          stateFile.forget { $0.removals.remove(at: index) }
        } else {
          stateFile.forget { $0.removals[index].staysRemoved = true }
        }
      } catch {
        recordCleanupFailure(error.message)
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

  /// Returns false where it stays removed.
  private func putBack(
    _ removal: PoolState.Removal, isWanted: Bool
  ) throws(MergeError) -> Bool {
    let device = removal.device
    // After a boot, or with the pool made anew, the table's numbers may be those of other devices.
    guard removal.isStill(in: pool, bootID: stateFile.bootID) else {
      note(
        "\(device.path), which a merge removed, is not put back: pool and origin have other numbers now"
      )
      return true
    }
    guard isWanted else {
      note("\(device.path) stays removed; \(Self.command(making: device))")
      return false
    }
    let present = try devices().named(device.name)
    // Making is several steps, and a run may have been killed between them.
    let isHalfMade = present.map { $0.uuid == device.uuid && $0.liveTable.isEmpty } ?? false
    guard present == nil || isHalfMade else { return true }
    do throws(Errno) {
      if let present { try mapper.remove(present) }
      try mapper.make(device)
      note("put \(device.path) back")
      return true
    } catch {
      throw MergeError(
        .stopped, "could not put the thin device back", at: device.path,
        because: "\(error); \(Self.command(making: device))")
    }
  }

  private static func command(making device: MappedDevice) -> String {
    let table = device.liveTable.map {
      "\($0.startSector) \($0.sectorCount) \($0.kind) \($0.arguments)"
    }.joined(separator: "\n")
    let uuid = device.uuid.isEmpty ? "" : " --uuid \(device.uuid.shellQuoted)"
    return "it is made by: dmsetup create \(device.name.shellQuoted)\(uuid) --table "
      + table.shellQuoted
  }
}
