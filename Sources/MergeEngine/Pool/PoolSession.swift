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
  let note: (String) -> Void
  let reader: MetadataReader
  /// Who may hold the origin; nil until the thin device has been quiesced.
  var quiesced: Quiesced?
  /// The origin, once it is ready to be written to.
  var heldOrigin: HeldOrigin?
  /// What could not be undone, a sentence each.
  package private(set) var cleanupFailures: [String] = []
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
    reader: MetadataReader, note: @escaping (String) -> Void
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
      throw MergeError(
        .refused, "cannot look at device-mapper's devices", at: pool.name, because: "\(error)",
        hint: "that takes root; the kernel's log may say more")
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
      throw MergeError(
        .refused, "cannot ask for the pool's status", at: pool.name, because: "\(error)",
        hint: "see 'dmsetup status \(pool.name.shellQuoted)' and the kernel's log")
    }
    throw MergeError(
      .refused, "the pool is not usable", at: pool.name,
      because: "its status is Fail or Error: the kernel has given it up",
      hint: "see 'dmsetup status \(pool.name.shellQuoted)' and the kernel's log")
  }

  /// - Throws: `MergeError` (`refused`) for a pool that is not to be relied on.
  package func checkHealth(ignoresNeedsCheck: Bool) throws(MergeError) {
    guard try !status().needsCheck || ignoresNeedsCheck else {
      throw MergeError(
        .refused, "the pool is marked needs_check", at: pool.name,
        because: "its metadata may be damaged",
        hint: "repair it with thin_check and thin_repair, or give --ignore-needs-check to read a "
          + "metadata snapshot that is held already")
    }
    let live = try superblock()
    let total = try status().dataBlockCount
    guard live.dataBlockByteCount == target.blockByteCount, live.dataBlockCount == total else {
      throw MergeError(
        .refused, "the pool's metadata is not what device-mapper says", at: pool.name,
        because: "it tells of \(live.dataBlockCount) blocks of \(live.dataBlockByteCount) bytes; "
          + "\(total) of \(target.blockByteCount) are expected",
        hint: "another device may have taken the metadata device's place: see 'dmsetup table "
          + "\(pool.name.shellQuoted)'")
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
      throw MergeError(
        .busy, "the pool is active", at: pool.name,
        because: "--inactive reads the live mappings, which change under an active pool",
        hint: "leave --inactive out: a metadata snapshot is then taken")
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
        throw heldByAnother("it is at block \(held)")
      }
      return
    }
    // The snapshot is in no metadata snapshot that was taken before.
    if let held = live.heldRoot { throw heldByAnother("it is at block \(held)") }
    guard case .writable = try status().mode else {
      throw MergeError(
        .refused, "cannot make a snapshot of the thin device", at: pool.name,
        because: "the pool is full or read-only, and suspending the thin device would wait for it",
        hint: "extend the pool; or stop what uses the thin device, and leave --snapshot out")
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
      throw MergeError(
        .busy, "the metadata snapshot of an earlier run is still held", at: pool.name,
        because: "it may be the only copy of dev \(id), and could not be released",
        hint: "the notes above say why; once that is mended, give the same command again")
    }
    guard id != deviceID || (lost == .replaced && !isResumed) else { return }
    throw MergeError(
      .busy, "the metadata snapshot of an earlier run is still held", at: pool.name,
      because: "it is the only copy of dev \(id), which was deleted before all of it was merged",
      hint: "'thin-merge resume' with the journal of that merge finishes it; to give the copy up: "
        + "dmsetup message \(pool.name.shellQuoted) 0 release_metadata_snap")
  }

  /// A metadata snapshot that somebody else took serves if nothing was mapped since.
  private func checkIsFresh() throws(MergeError) {
    try commit()
    let held = try heldMetadata()
    guard held.superblock.mappingRoot == held.live.mappingRoot,
      held.superblock.detailsRoot == held.live.detailsRoot
    else {
      throw heldByAnother(
        "it is at block \(held.heldRoot?.rawValue ?? 0), and older than the pool's last changes")
    }
  }

  private func commit() throws(MergeError) {
    do throws(Errno) {
      try mapper.commit(pool.number)
    } catch {
      throw MergeError(
        .refused, "cannot make the pool commit", at: pool.name, because: "\(error)",
        hint: "see 'dmsetup status \(pool.name.shellQuoted)' and the kernel's log")
    }
  }

  private func heldByAnother(_ why: String) -> MergeError {
    MergeError(
      .busy, "the pool's metadata snapshot is held by someone else", at: pool.name, because: why,
      hint:
        "'dmsetup status \(pool.name.shellQuoted)' shows it; if nobody needs it any more: "
        + "dmsetup message \(pool.name.shellQuoted) 0 release_metadata_snap, and if it is to be merged from: "
        + "--metadata-snap BLOCK")
  }

  /// Takes a metadata snapshot.
  ///
  /// - Returns: its block.
  private func take() throws(MergeError) -> UInt64 {
    guard stateFile.state.metadataHold == nil else {
      throw MergeError(
        .busy, "the metadata snapshot of an earlier run is still held", at: pool.name,
        because: "it could not be released",
        hint: "dmsetup message \(pool.name.shellQuoted) 0 release_metadata_snap")
    }
    if let held = try superblock().heldRoot { throw heldByAnother("it is at block \(held)") }
    guard try status().mode != .readOnly else {
      throw MergeError(
        .refused, "no metadata snapshot can be taken", at: pool.name,
        because: "the pool is read-only",
        hint: "deactivate it, and merge from its devices with --inactive")
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
      if error == .resourceBusy { throw heldByAnother("it was taken just now") }
      throw MergeError(
        .refused, "cannot take a metadata snapshot", at: pool.name, because: "\(error)",
        hint: "see 'dmsetup status \(pool.name.shellQuoted)' and the kernel's log")
    }
    do throws(MergeError) {
      let metadata = try heldMetadata()
      let status = try status()
      guard let block = metadata.heldRoot?.rawValue, status.heldRoot == block,
        status.mode != .readOnly
      else {
        // The kernel answers before it knows whether its last commit went well.
        throw MergeError(
          .refused, "cannot take a metadata snapshot", at: pool.name,
          because: "the pool did not commit it",
          hint: "see 'dmsetup status \(pool.name.shellQuoted)' and the kernel's log")
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
        note("the metadata snapshot of pool \(pool.name) is not the one of thin-merge (any more)")
        lost = nil
        return stateFile.forget { $0.metadataHold = nil }
      }
      if let id = hold.writtenFrom, try !isStillThere(id) { return }
    } catch {
      return recordCleanupFailure(
        "the metadata snapshot of pool \(pool.name) is still held: \(error.message)"
          + (hold.writtenFrom.map { "; it may be the only copy of dev \($0)" } ?? "")
          + "; the next run tries again, or: dmsetup message \(pool.name.shellQuoted) 0 "
          + "release_metadata_snap")
    }
    do throws(Errno) {
      try mapper.send("release_metadata_snap", to: pool.number)
    } catch {
      return recordCleanupFailure(
        "the metadata snapshot of pool \(pool.name) could not be released (\(error)); the next run "
          + "tries again, or: dmsetup message \(pool.name.shellQuoted) 0 release_metadata_snap"
      )
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
        "dev \(id) was deleted before all of it was merged"
          + (fate == .replaced ? ", and another thin device has its number now" : "")
          + ": the metadata snapshot of pool \(pool.name) is the only copy of it, and stays held; "
          + "'thin-merge resume' finishes the merge from it; to give the copy up: dmsetup message "
          + "\(pool.name.shellQuoted) 0 release_metadata_snap")
    case nil:
      recordCleanupFailure(
        "the metadata snapshot of pool \(pool.name) is still held: it may be the only copy of dev "
          + "\(id), and the pool changed whenever that was looked at; the next run tries again")
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
        recordCleanupFailure("\(error.message); the next run tries again")
      }
    }
  }

  /// Says what could not be undone.
  func recordCleanupFailure(_ text: String) {
    cleanupFailures.append(text)
    note(text)
  }

  // The order of `end`, on what the record says.
  private func settle() throws(MergeError) {
    try forgetLeft()
    guard !stateFile.state.isSettled else { return }
    note("an earlier run left pool \(pool.name) without tidying up; undoing what it did")
    if let snapshot = stateFile.state.snapshot, snapshot.mayBeSuspended,
      let thin = snapshot.thinDevice.now(in: try devices(), bootID: stateFile.bootID),
      thin.isSuspended
    {
      do throws(Errno) {
        try mapper.resume(thin)
      } catch {
        throw MergeError(
          .busy, "cannot resume the thin device that an earlier run suspended", at: thin.path,
          because: "\(error)",
          hint:
            "what uses it waits until it is resumed: 'dmsetup resume \(thin.name.shellQuoted)'"
        )
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
      note("\(error.message); the next run tries again")
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
