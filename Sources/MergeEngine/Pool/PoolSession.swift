internal import SystemPackage

/// A run's hold on an active pool: its metadata snapshot, and what was changed for the merge.
///
/// Every step is in the pool's record before it is made, and is undone by ``end(_:)``, or by the next
/// run if this one is killed.
package final class PoolSession {
  package let pool: MappedDevice
  let target: PoolTarget
  let mapper: any DeviceMapper
  let record: PoolRecordFile
  let note: (String) -> Void
  let reader: PoolReader
  /// Who may hold the origin; nil until the thin device has been quiesced.
  var quiesced: Quiesced?
  /// The origin, once it is ready to be written to.
  var heldOrigin: HeldOrigin?
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
    _ pool: MappedDevice, target: PoolTarget, mapper: any DeviceMapper, record: PoolRecordFile,
    reader: PoolReader, note: @escaping (String) -> Void
  ) throws(MergeError) {
    self.pool = pool
    self.target = target
    self.mapper = mapper
    self.record = record
    self.note = note
    self.reader = reader
    try settle()
  }

  func devices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try mapper.devices())
    } catch {
      throw MergeError(
        .refused, "cannot look at device-mapper's devices", at: pool.name, because: "\(error)")
    }
  }

  /// The live superblock.
  func superblock() throws(MergeError) -> Superblock {
    try reader.superblocks(.inactivePool, ignoresNeedsCheck: true).live
  }

  private func heldMetadata() throws(MergeError) -> PoolMetadata {
    try reader.superblocks(.metadataSnapshot(block: nil), ignoresNeedsCheck: true)
  }

  func status() throws(MergeError) -> PoolStatus {
    do throws(Errno) {
      if let status = PoolStatus(try mapper.status(of: pool.number)) { return status }
    } catch {
      throw MergeError(
        .refused, "cannot ask for the pool's status", at: pool.name, because: "\(error)")
    }
    throw MergeError(
      .refused, "the pool is not usable", at: pool.name,
      because: "its status is Fail or Error: the kernel has given it up",
      hint: "see 'dmsetup status \(pool.name)' and the kernel's log")
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
  }

  // MARK: The metadata snapshot

  /// Whether a metadata snapshot is held that this tool took.
  package var holdsMetadataSnapshot: Bool { record.record.hold?.taken != nil }

  /// Which mappings are read, after a metadata snapshot was reserved where none is held that may be
  /// used.
  ///
  /// - Throws: `MergeError`: `busy` where somebody else's metadata snapshot is in the way, `refused`
  ///   where the pool cannot give one.
  package func hold(
    _ wanted: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> MergeSource.Mappings {
    try checkHealth(ignoresNeedsCheck: ignoresNeedsCheck)
    let live = try superblock()
    let total = try status().dataBlockCount
    guard live.dataBlockByteCount == target.blockByteCount, live.dataBlockCount == total else {
      throw MergeError(
        .refused, "the pool's metadata is not what device-mapper says", at: pool.name,
        because: "it tells of \(live.dataBlockCount) blocks of \(live.dataBlockByteCount) bytes; "
          + "\(total) of \(target.blockByteCount) are expected")
    }
    switch wanted {
    case .inactivePool:
      throw MergeError(
        .busy, "the pool is active", at: pool.name,
        because: "--inactive reads the live mappings, which change under an active pool")
    case .metadataSnapshot(let block?):
      return .metadataSnapshot(block: block)
    case .metadataSnapshot(nil) where live.heldRoot != nil:
      return wanted
    case .metadataSnapshot, .ownMetadataSnapshot:
      break
    }
    if let held = live.heldRoot { throw heldByAnother("it is at block \(held)") }
    guard try status().mode != .readOnly else {
      throw MergeError(
        .refused, "no metadata snapshot can be taken", at: pool.name,
        because: "the pool is read-only")
    }
    return .metadataSnapshot(block: try reserve(live))
  }

  private func heldByAnother(_ why: String) -> MergeError {
    MergeError(
      .busy, "the pool's metadata snapshot is held by someone else", at: pool.name, because: why,
      hint: "'dmsetup status \(pool.name)' shows it; if nobody needs it any more: "
        + "dmsetup message \(pool.name) 0 release_metadata_snap, and if it is to be merged from: "
        + "--metadata-snap BLOCK")
  }

  private func reserve(_ live: Superblock) throws(MergeError) -> UInt64 {
    try record.update {
      $0.hold = PoolRecord.Hold(timeBefore: live.time, transactionBefore: live.transactionID)
    }
    do throws(Errno) {
      try mapper.send("reserve_metadata_snap", to: pool.number)
    } catch {
      try record.update { $0.hold = nil }
      if error == .resourceBusy { throw heldByAnother("it was taken just now") }
      throw MergeError(
        .refused, "cannot take a metadata snapshot", at: pool.name, because: "\(error)")
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
          because: "the pool did not commit it")
      }
      try record.update { $0.hold?.taken = PoolRecord.Taken(metadata.superblock, block: block) }
      return block
    } catch {
      release()
      throw error
    }
  }

  /// Gives the metadata snapshot back, if this tool took it.
  private func release() {
    guard let hold = record.record.hold else { return }
    do throws(MergeError) {
      guard try isOurs(hold) else {
        note("the metadata snapshot of pool \(pool.name) was released by somebody else")
        return try record.update { $0.hold = nil }
      }
    } catch {
      return note("the metadata snapshot of pool \(pool.name) is still held: \(error.message)")
    }
    do throws(Errno) {
      try mapper.send("release_metadata_snap", to: pool.number)
    } catch {
      return note(
        "the metadata snapshot of pool \(pool.name) could not be released (\(error)); the next run "
          + "tries again, or: dmsetup message \(pool.name) 0 release_metadata_snap")
    }
    do throws(MergeError) {
      try record.update { $0.hold = nil }
    } catch {
      note(error.message)
    }
  }

  /// Whether the metadata snapshot that is held now is the one that the record tells of.
  private func isOurs(_ hold: PoolRecord.Hold) throws(MergeError) -> Bool {
    guard let block = try superblock().heldRoot?.rawValue else { return false }
    let copy = try heldMetadata().superblock
    if let taken = hold.taken { return taken == PoolRecord.Taken(copy, block: block) }
    // There was none when it was asked for, so it is what was asked for, unless it is older.
    return copy.time >= hold.timeBefore && copy.transactionID >= hold.transactionBefore
  }

  /// Whether a snapshot that was about to be made when its run was killed is there.
  ///
  /// The first one after that moment has a creation time of its own.
  func isOurs(_ snapshot: PoolRecord.Snapshot) throws(MergeError) -> Bool {
    _ = try hold(.ownMetadataSnapshot, ignoresNeedsCheck: false)
    defer { release() }
    let devices = try reader.devices(in: heldMetadata())
    return devices.contains {
      $0.id == snapshot.deviceID && $0.details.creationTime == snapshot.timeBefore + 1
    }
  }

  // MARK: The end

  /// Undoes what the run did to pool and devices.
  ///
  /// What cannot be undone is said, and stays in the record for the next run.
  package func end(_ end: End) {
    release()
    restoreReadOnly()
    putBack { end == .nothingWritten || $0.isPutBack }
    switch end {
    case .finished: if record.record.snapshot?.isMerged == true { deleteSnapshot() }
    case .nothingWritten: if hasNewSnapshot { deleteSnapshot() }
    case .stopped: break
    }
  }

  // The order of `end`, on what the record says.
  private func settle() throws(MergeError) {
    guard !record.record.isSettled else { return }
    note("an earlier run left pool \(pool.name) without tidying up; that is done now")
    let found = record.record
    if let snapshot = found.snapshot, !snapshot.isMade,
      let thin = try devices().named(snapshot.thinDeviceName), thin.isSuspended
    {
      try? mapper.resume(thin)
    }
    release()
    restoreReadOnly()
    putBack { $0.isPutBack }
    try settleSnapshot()
  }
}

extension PoolRecord.Taken {
  init(_ copy: Superblock, block: UInt64) {
    self.block = block
    mappingRoot = copy.mappingRoot.rawValue
    detailsRoot = copy.detailsRoot.rawValue
    time = copy.time
    transactionID = copy.transactionID
  }
}
