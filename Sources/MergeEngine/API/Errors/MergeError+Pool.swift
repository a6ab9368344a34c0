internal import SystemPackage

// Errors about active pools, and about their records and metadata snapshots.

extension MergeError {
  private static func kernelsLog(_ pool: String) -> String {
    "check the kernel log, and the pool's status with".above("dmsetup status \(pool.shellQuoted)")
  }

  private init(
    pool: String, _ code: Code, _ kind: Kind, _ what: String, because why: String,
    hint: String? = nil, deviceID: UInt32? = nil, counts: [String: UInt64] = [:]
  ) {
    self.init(
      code, kind, what, at: pool, because: why, hint: hint,
      context: Context(pool: pool, deviceID: deviceID, counts: counts))
  }

  // MARK: Finding

  static func noDeviceMapper(_ errno: Errno) -> MergeError {
    let path = "/dev/mapper/control"
    return MergeError(
      .noDeviceMapper, .refused, "cannot query device-mapper", at: path, because: errno,
      hint: "run this as root")
  }

  /// Returns the error for a device-mapper call that failed after device-mapper had listed the
  /// pool.
  static func noDeviceMapper(ofPool pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .noDeviceMapper, .refused, "cannot list device-mapper devices", at: pool,
      because: errno, hint: "run this as root; the kernel log may say more",
      context: Context(pool: pool))
  }

  static func noActivePool(_ name: String) -> MergeError {
    MergeError(
      .noActivePool, .refused, "no active pool", at: name,
      because: "this system has no active device-mapper devices", context: Context(name: name))
  }

  static func noSuchPool(_ name: String) -> MergeError {
    MergeError(
      .noSuchPool, .refused, "no such pool", at: name,
      because: "device-mapper has no thin-pool with that name",
      hint: "list the pools with".above("dmsetup ls --target thin-pool"),
      context: Context(pool: name))
  }

  /// Returns the error for a metadata device that no active pool uses.
  ///
  /// - `isResumed`: true if a merge from an active pool is being resumed; after a reboot, the pool
  ///   may not have been activated yet.
  static func poolNotActive(_ metadataPath: String, isResumed: Bool) -> MergeError {
    MergeError(
      .poolNotActive, isResumed ? .busy : .refused, "the pool is not active", at: metadataPath,
      because: "no active device-mapper pool uses that metadata device",
      context: Context(path: metadataPath, circumstances: isResumed ? [.isResumed] : []))
  }

  static func volumePoolNotActive(
    _ name: String, mappedName: String, volumeName: String
  ) -> MergeError {
    MergeError(
      .volumePoolNotActive, .refused, "the thin device's pool is not active", at: name,
      because: "device-mapper has no device \(mappedName)",
      hint: "activate the pool with".above("lvchange -ay \(volumeName.shellQuoted)"),
      context: Context(pool: mappedName, name: name))
  }

  /// The role of an LVM volume that is a thin pool or an external origin rather than a thin volume.
  enum VolumeRole {
    case pool
    case origin(of: [String])

    fileprivate var inWords: String {
      switch self {
      case .pool: "it is a thin pool"
      case .origin(let names): "it is the external origin of \(names.joined(separator: ", "))"
      }
    }
  }

  static func noSuchThinDevice(_ name: String, _ role: VolumeRole? = nil) -> MergeError {
    MergeError(
      .noSuchThinDevice, .refused, "no such thin device", at: name,
      because: role?.inWords
        ?? "neither a device-mapper device nor an LVM thin volume has that name",
      context: Context(name: name))
  }

  /// Returns the error for a device-mapper device that is not a thin device.
  ///
  /// - `targets`: the target types in the device's table.
  static func notThinDevice(
    _ name: String, targets: [String], _ role: VolumeRole? = nil
  ) -> MergeError {
    let table =
      targets.count == 1
      ? "its target is \(targets[0])"
      : "its table has \(targets.count) lines; expected a single 'thin' line"
    return MergeError(
      .notThinDevice, .refused, "not a thin device", at: name,
      because: role?.inWords ?? table,
      hint: "list thin devices with".above("dmsetup ls --target thin"),
      context: Context(name: name))
  }

  static func noPoolOfDevice(_ name: String, _ other: String) -> MergeError {
    MergeError(
      .noPoolOfDevice, .refused, "cannot find the thin device's pool", at: name,
      because: "its table names \(other), which is not a pool",
      hint: "show the device-mapper tables with".above("dmsetup table"),
      context: Context(path: other, name: name))
  }

  static func thinDeviceAmbiguous(
    _ path: String, deviceID: UInt32, shownBy names: [String]
  ) -> MergeError {
    MergeError(
      .thinDeviceAmbiguous, .refused, "the thin device is ambiguous", at: path,
      because:
        "the tables of dev \(deviceID) have more than one line, or differ in length or origin: "
        + names.joined(separator: ", "),
      hint: "remove the mapped devices that you do not need; show their tables with"
        .above("dmsetup table"),
      context: Context(path: path, deviceID: deviceID))
  }

  static func severalPools(_ metadataPath: String, _ names: [String]) -> MergeError {
    MergeError(
      .severalPools, .refused, "more than one pool is active on the metadata device",
      at: metadataPath, because: names.joined(separator: ", "),
      hint:
        "these pools corrupt each other's metadata; deactivate them, then check the metadata with"
        .above("thin_check \(metadataPath.shellQuoted)"))
  }

  /// Returns the error for a metadata or data device other than the one that the active pool uses.
  ///
  /// - `role`: the role of the device: "metadata" or "data".
  /// - `sharesBlocks`: true if the given device is above or below the pool's own device.
  static func notPoolDevice(
    _ path: String, _ role: String, expected: String, pool: String, sharesBlocks: Bool
  ) -> MergeError {
    MergeError(
      .notPoolDevice, .refused, "not the pool's \(role) device", at: path,
      because: "the active pool \(pool) uses \(expected); this is a different device"
        + (sharesBlocks ? ", which shares blocks with \(expected) at other offsets" : ""),
      context: Context(path: path, role: "\(role) device", pool: pool, name: expected))
  }

  static func poolActiveOnData(_ dataPath: String, pool: String) -> MergeError {
    MergeError(
      .poolActiveOnData, .refused, "a pool is active on the data device", at: dataPath,
      because: "pool \(pool) uses it, with another metadata device",
      context: Context(path: dataPath, role: "data device", pool: pool))
  }

  // MARK: State

  static func cannotAskPool(_ pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotAskPool, .refused, "cannot get the pool's status", at: pool, because: errno,
      hint: kernelsLog(pool), context: Context(pool: pool))
  }

  static func poolFailed(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolFailed, .refused, "the pool has failed",
      because: "the kernel reports its status as Fail or Error", hint: kernelsLog(pool))
  }

  /// Returns the error for an active pool that is marked `needs_check`.
  ///
  /// - `holdsSnapshot`: true if the pool holds a readable metadata snapshot.
  static func poolNeedsCheck(
    _ pool: String, metadataPath: String, holdsSnapshot: Bool
  ) -> MergeError {
    MergeError(
      .poolNeedsCheck, .refused, "the pool is marked needs_check", at: pool,
      because: "the pool's metadata may be damaged",
      hint: "deactivate the pool, then \(clearingNeedsCheck(metadataPath))",
      context: Context(
        path: metadataPath, pool: pool,
        circumstances: holdsSnapshot ? [.holdsMetadataSnapshot] : []))
  }

  /// Returns the part of a hint that shows how to make a pool marked `needs_check` usable again.
  static func clearingNeedsCheck(_ metadataPath: String) -> String {
    let path = metadataPath.shellQuoted
    return "check its metadata with".above("thin_check \(path)") + "\n"
      + "if it is damaged, repair it into a copy with thin_repair; if not, clear the needs_check flag with"
      .above("thin_check --clear-needs-check-flag \(path)")
  }

  /// Returns the error for metadata that does not match the active pool.
  ///
  /// Both `found` and `expected` give the number of blocks and the size of a block in bytes.
  static func poolMismatch(
    _ pool: String, found: (blockCount: UInt64, blockByteCount: UInt64),
    expected: (blockCount: UInt64, blockByteCount: UInt64)
  ) -> MergeError {
    MergeError(
      pool: pool, .poolMismatch, .refused, "the pool's metadata does not match device-mapper",
      because: "the metadata has \(found.blockCount) blocks of \(found.blockByteCount / 1024) KiB, "
        + "device-mapper \(expected.blockCount) of \(expected.blockByteCount / 1024) KiB",
      hint:
        "another device may have replaced the metadata device; show the pool's table, which names the metadata device first, with"
        .above("dmsetup table \(pool.shellQuoted)"),
      counts: [
        "blocks": found.blockCount, "block_bytes": found.blockByteCount,
        "expected_blocks": expected.blockCount, "expected_block_bytes": expected.blockByteCount,
      ])
  }

  static func poolActive(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolActive, .busy, "the pool is active",
      because: "an active pool changes its live mappings while they are read")
  }

  /// Returns the error for a pool that has changed in such a way that the merge would differ from
  /// the one that was approved.
  static func poolChanged(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolChanged, .busy, "the pool changed after the merge was planned",
      because:
        "the merge would now read a snapshot instead of the thin device itself, or vice versa",
      hint: "run the same command again")
  }

  static func poolReadOnly(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolReadOnly, .refused, cannotTake,
      because: "the pool is read-only")
  }

  static func poolMetadataUsedUp(
    _ pool: String, freeBlockCount free: UInt64, of blockCount: UInt64, min: UInt64
  ) -> MergeError {
    MergeError(
      pool: pool, .poolMetadataUsedUp, .refused, cannotTake,
      because:
        "only \(free) of \(blockCount) metadata blocks are free, and at least \(min) are required; "
        + "the kernel makes a pool that runs out of metadata read-only",
      hint: "extend the pool's metadata; with LVM, run".above(
        "lvextend --poolmetadatasize +SIZE VG/POOL"),
      counts: ["free_blocks": free, "blocks": blockCount, "expected_blocks": min])
  }

  /// Returns the error for a pool that is full or read-only, in which suspending a thin device
  /// would hang.
  static func poolFull(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolTakesNoSnapshot, .refused, "cannot create a snapshot of the thin device",
      because: "the pool is full or read-only, so suspending the thin device would hang")
  }

  static func cannotCommitPool(_ pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotCommitPool, .refused, "cannot commit the pool's metadata", at: pool, because: errno,
      hint: kernelsLog(pool), context: Context(pool: pool))
  }

  // MARK: Records

  static func poolInUse(_ pool: String, lockPath: String) -> MergeError {
    MergeError(
      .poolInUse, .busy, "pool \(pool) is in use", at: lockPath,
      because: "another thin-merge run holds its lock",
      hint: "find that run with".above("lsof \(lockPath.shellQuoted)"),
      context: Context(path: lockPath, pool: pool))
  }

  static func cannotLockPool(_ pool: String, lockPath: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotLockPool, .refused, "cannot lock pool \(pool)", at: lockPath, because: errno,
      hint: limitHint(errno), context: Context(path: lockPath, pool: pool, errno: errno))
  }

  static func poolRecordNewer(_ pool: String, _ path: String) -> MergeError {
    MergeError(
      .poolRecordNewer, .refused, "cannot read the record of pool \(pool)", at: path,
      because: "it was written by a newer thin-merge",
      hint: "use that version; the record lists the changes to undo in the pool",
      context: Context(path: path, pool: pool))
  }

  static func poolRecordDamaged(_ pool: String, _ path: String) -> MergeError {
    MergeError(
      .poolRecordDamaged, .refused, "cannot read the record of pool \(pool)", at: path,
      because: "the file is corrupt",
      hint: "check for a held metadata snapshot with".above("dmsetup status \(pool.shellQuoted)")
        + "\n" + "then remove the file with".above("rm \(path.shellQuoted)"),
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a change to a pool that is not made because it cannot be recorded first.
  static func cannotWritePoolRecord(_ pool: String, _ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWritePoolRecord, .refused, "cannot write the record of pool \(pool)", at: path,
      because: errno,
      hint: "fix that file system; changes to a pool are recorded before they are made",
      context: Context(path: path, pool: pool))
  }

  // MARK: The metadata snapshot

  /// The evidence that a pool's metadata snapshot was taken by another program.
  enum ForeignSnapshot {
    /// The pool holds a metadata snapshot at the given block.
    case held(block: UInt64)
    /// The pool holds a metadata snapshot at the given block, and the snapshot is older than the
    /// pool's latest changes.
    case old(block: UInt64)
    /// The pool has a metadata snapshot now, although it had none a moment ago.
    case takenJustNow

    fileprivate var inWords: String {
      switch self {
      case .held(let block): "it is at block \(block)"
      case .old(let block): "it is at block \(block), and older than the pool's latest changes"
      case .takenJustNow: "it was taken just now"
      }
    }
  }

  static func metadataSnapshotForeign(_ pool: String, _ snapshot: ForeignSnapshot) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotForeign, .busy,
      "the pool's metadata snapshot is held by another program", because: snapshot.inWords)
  }

  private static let isStillHeld = "the metadata snapshot of an earlier run is still held"

  static func metadataSnapshotLeft(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotLeft, .busy, isStillHeld, because: "it could not be released",
      hint: "release it with".above("dmsetup message \(pool.shellQuoted) 0 release_metadata_snap"))
  }

  static func metadataSnapshotOnlyCopy(_ pool: String, deviceID: UInt32) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotOnlyCopy, .busy, isStillHeld,
      because:
        "it is the only copy of dev \(deviceID), which was deleted before its merge finished",
      deviceID: deviceID)
  }

  static func metadataSnapshotMaybeOnlyCopy(_ pool: String, deviceID: UInt32) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotMaybeOnlyCopy, .busy, isStillHeld,
      because: "it may be the only copy of dev \(deviceID), and could not be released",
      hint: "the notes above give the cause; fix it, then run the same command again",
      deviceID: deviceID)
  }

  static func cannotTakeMetadataSnapshot(_ pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotTakeMetadataSnapshot, .refused, cannotTake, at: pool, because: errno,
      hint: kernelsLog(pool), context: Context(pool: pool))
  }

  /// Returns the error for a metadata snapshot that the kernel reserved but did not commit.
  static func metadataSnapshotNotCommitted(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .cannotTakeMetadataSnapshot, .refused, cannotTake,
      because: "the pool did not commit the snapshot", hint: kernelsLog(pool))
  }

  private static let cannotTake = "cannot take a metadata snapshot"
}

// MARK: Volume groups that this system must not use

extension MergeError {
  static func volumeGroupExported(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupExported, "LVM reports it as \(word)",
      hint: "import it with".above("vgimport \(name.shellQuoted)"))
  }

  static func volumeGroupPartial(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupPartial, "LVM reports it as \(word); a physical volume is missing",
      hint: "list its physical volumes with".above(
        "vgs -o pv_name,vg_missing_pv_count \(name.shellQuoted)"))
  }

  /// Returns the error for a volume group that is shared between systems through a lock manager.
  static func volumeGroupShared(_ name: String, lockType: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupShared,
      "it is shared with other systems; its vg_lock_type is \(lockType)",
      hint: "if no other system uses it, make it a local volume group; see lvmlockd(8)")
  }

  /// Returns the error for a volume group that belongs to another system.
  ///
  /// - `own`: this system's LVM system ID; empty if it has none.
  static func volumeGroupForeign(_ name: String, systemID: String, own: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupForeign,
      "it belongs to another system; its vg_systemid is \(systemID), "
        + (own.isEmpty ? "and this system has none" : "this system's is \(own)"),
      hint: "to transfer the volume group to this system, see lvmsystemid(7)")
  }

  private static func volumeGroup(
    _ name: String, _ code: Code, _ why: String, hint: String
  ) -> MergeError {
    MergeError(
      code, .refused, "cannot use the volume group", at: name, because: why, hint: hint,
      context: Context(name: name))
  }
}
