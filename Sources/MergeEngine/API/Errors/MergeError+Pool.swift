internal import SystemPackage

// The catalogue of errors about active pools, and about their records and metadata snapshots.

extension MergeError {
  private static func kernelsLog(_ pool: String) -> String {
    "see the kernel's log, and the pool's status".above("dmsetup status \(pool.shellQuoted)")
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
      .noDeviceMapper, .refused, "cannot ask device-mapper", at: path, because: errno,
      hint: "that takes root")
  }

  /// Returns the error for a call that failed after device-mapper had listed the pool.
  static func noDeviceMapper(ofPool pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .noDeviceMapper, .refused, "cannot look at device-mapper's devices", at: pool,
      because: errno, hint: "that takes root; the kernel's log may say more",
      context: Context(pool: pool))
  }

  static func noActivePool(_ name: String) -> MergeError {
    MergeError(
      .noActivePool, .refused, "no active pool", at: name,
      because: "no device of device-mapper is active on this system", context: Context(name: name))
  }

  static func noSuchPool(_ name: String) -> MergeError {
    MergeError(
      .noSuchPool, .refused, "no such pool", at: name,
      because: "device-mapper has no thin-pool of that name",
      hint: "this lists the pools".above("dmsetup ls --target thin-pool"),
      context: Context(pool: name))
  }

  /// Returns the error for a metadata device without an active pool.
  ///
  /// - `isResumed`: true if a merge from an active pool is being resumed; after a reboot the pool
  ///   may still come up.
  static func poolNotActive(_ metadataPath: String, isResumed: Bool) -> MergeError {
    MergeError(
      .poolNotActive, isResumed ? .busy : .refused, "the pool is not active", at: metadataPath,
      because: "no pool of device-mapper has that metadata device",
      context: Context(path: metadataPath, circumstances: isResumed ? [.isResumed] : []))
  }

  static func volumePoolNotActive(
    _ name: String, mappedName: String, volumeName: String
  ) -> MergeError {
    MergeError(
      .volumePoolNotActive, .refused, "the thin device's pool is not active", at: name,
      because: "there is no device \(mappedName)",
      hint: "activate it".above("lvchange -ay \(volumeName.shellQuoted)"),
      context: Context(pool: mappedName, name: name))
  }

  /// The role of an LVM volume that is not a thin volume.
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
        ?? "device-mapper has no device of that name, and LVM no thin volume",
      context: Context(name: name))
  }

  /// Returns the error for a mapped device that is not thin.
  ///
  /// - `targets`: the target types in its table.
  static func notThinDevice(
    _ name: String, targets: [String], _ role: VolumeRole? = nil
  ) -> MergeError {
    let table =
      targets.count == 1
      ? "of the target \(targets[0])" : "of \(targets.count) lines; one line 'thin' is expected"
    return MergeError(
      .notThinDevice, .refused, "not a thin device", at: name,
      because: role?.inWords ?? "its table is \(table)",
      hint: "this lists thin devices".above("dmsetup ls --target thin"),
      context: Context(name: name))
  }

  static func noPoolOfDevice(_ name: String, _ other: String) -> MergeError {
    MergeError(
      .noPoolOfDevice, .refused, "cannot find the thin device's pool", at: name,
      because: "its table names \(other), which is no pool",
      hint: "this shows the tables".above("dmsetup table"),
      context: Context(path: other, name: name))
  }

  static func thinDeviceAmbiguous(
    _ path: String, deviceID: UInt32, shownBy names: [String]
  ) -> MergeError {
    MergeError(
      .thinDeviceAmbiguous, .refused, "cannot tell how the thin device is meant", at: path,
      because:
        "dev \(deviceID) is shown by tables of more than one line, or with different lengths "
        + "or origins: " + names.joined(separator: ", "),
      hint: "remove the devices that are not meant; this shows the tables".above("dmsetup table"),
      context: Context(path: path, deviceID: deviceID))
  }

  static func severalPools(_ metadataPath: String, _ names: [String]) -> MergeError {
    MergeError(
      .severalPools, .refused, "several pools are active on the metadata device",
      at: metadataPath, because: names.joined(separator: ", ") + "; one is expected",
      hint: "they destroy each other's metadata: take them down, then check it".above(
        "thin_check \(metadataPath.shellQuoted)"))
  }

  /// Returns the error for a device that is not used by the active pool.
  ///
  /// - `role`: "metadata" or "data".
  /// - `sharesBlocks`: true if the device is over or under the pool's own device.
  static func notPoolDevice(
    _ path: String, _ role: String, expected: String, pool: String, sharesBlocks: Bool
  ) -> MergeError {
    MergeError(
      .notPoolDevice, .refused, "not the pool's \(role) device", at: path,
      because: "\(expected) is that of pool \(pool), which is active; "
        + (sharesBlocks
          ? "this one shares blocks with it, and has other bytes in other places"
          : "this one is another device"),
      context: Context(path: path, role: "\(role) device", pool: pool, name: expected))
  }

  static func poolActiveOnData(_ dataPath: String, pool: String) -> MergeError {
    MergeError(
      .poolActiveOnData, .refused, "a pool is active on the data device", at: dataPath,
      because: "it is the data device of pool \(pool), whose metadata is elsewhere",
      context: Context(path: dataPath, role: "data device", pool: pool))
  }

  // MARK: State

  static func cannotAskPool(_ pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotAskPool, .refused, "cannot ask for the pool's status", at: pool, because: errno,
      hint: kernelsLog(pool), context: Context(pool: pool))
  }

  static func poolFailed(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolFailed, .refused, "the pool is not usable",
      because: "its status is Fail or Error: the kernel has given it up", hint: kernelsLog(pool))
  }

  /// Returns the error for an active pool that is marked `needs_check`.
  ///
  /// - `holdsSnapshot`: true if a readable metadata snapshot is held.
  static func poolNeedsCheck(
    _ pool: String, metadataPath: String, holdsSnapshot: Bool
  ) -> MergeError {
    MergeError(
      .poolNeedsCheck, .refused, "the pool is marked needs_check", at: pool,
      because: "its metadata may be damaged",
      hint: "deactivate the pool, then \(clearingNeedsCheck(metadataPath))",
      context: Context(
        path: metadataPath, pool: pool,
        circumstances: holdsSnapshot ? [.holdsMetadataSnapshot] : []))
  }

  /// Returns the commands that make a pool marked `needs_check` usable again, as part of a hint.
  static func clearingNeedsCheck(_ metadataPath: String) -> String {
    let path = metadataPath.shellQuoted
    return "check its metadata".above("thin_check \(path)") + "\n"
      + "once that finds nothing wrong, clear the mark; what is wrong, thin_repair mends in a copy"
      .above("thin_check --clear-needs-check-flag \(path)")
  }

  /// Returns the error for metadata that does not match the active pool.
  ///
  /// Each pair is a block count and the bytes of a block.
  static func poolMismatch(
    _ pool: String, found: (blockCount: UInt64, blockByteCount: UInt64),
    expected: (blockCount: UInt64, blockByteCount: UInt64)
  ) -> MergeError {
    MergeError(
      pool: pool, .poolMismatch, .refused, "the pool's metadata is not what device-mapper says",
      because: "it tells of \(found.blockCount) blocks of \(found.blockByteCount) bytes; "
        + "\(expected.blockCount) of \(expected.blockByteCount) are expected",
      hint:
        "another device may have taken the metadata device's place; this shows the pool's table, where it is the first"
        .above("dmsetup table \(pool.shellQuoted)"),
      counts: [
        "blocks": found.blockCount, "block_bytes": found.blockByteCount,
        "expected_blocks": expected.blockCount, "expected_block_bytes": expected.blockByteCount,
      ])
  }

  static func poolActive(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolActive, .busy, "the pool is active",
      because: "the live mappings change under an active pool")
  }

  /// Returns the error for a pool that changed so that the merge would differ from the approved
  /// one.
  static func poolChanged(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolChanged, .busy, "the pool changed while the question stood",
      because:
        "a snapshot would be merged where the thin device itself was to be, or the other way round",
      hint: "give the same command again")
  }

  static func poolReadOnly(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolReadOnly, .refused, "no metadata snapshot can be taken",
      because: "the pool is read-only")
  }

  static func poolMetadataUsedUp(
    _ pool: String, freeBlockCount free: UInt64, of blockCount: UInt64, min: UInt64
  ) -> MergeError {
    MergeError(
      pool: pool, .poolMetadataUsedUp, .refused, "no metadata snapshot is taken",
      because: "\(free) of \(blockCount) metadata blocks are free; at least \(min) are expected, "
        + "since the kernel makes a pool read-only whose metadata is used up",
      hint: "extend the pool's metadata; with LVM".above(
        "lvextend --poolmetadatasize +SIZE VG/POOL"),
      counts: ["free_blocks": free, "blocks": blockCount, "expected_blocks": min])
  }

  /// Returns the error for a full pool, where suspending a thin device would never return.
  static func poolFull(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .poolTakesNoSnapshot, .refused, "cannot make a snapshot of the thin device",
      because: "the pool is full or read-only, and suspending the thin device would wait for it")
  }

  static func cannotCommitPool(_ pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotCommitPool, .refused, "cannot make the pool commit", at: pool, because: errno,
      hint: kernelsLog(pool), context: Context(pool: pool))
  }

  // MARK: Records

  static func poolInUse(_ pool: String, lockPath: String) -> MergeError {
    MergeError(
      .poolInUse, .busy, "pool \(pool) is in use", at: lockPath,
      because: "another run of thin-merge works on it",
      hint: "this shows which it is".above("lsof \(lockPath.shellQuoted)"),
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
      hint: "use that version: the record says what is to be undone in the pool",
      context: Context(path: path, pool: pool))
  }

  static func poolRecordDamaged(_ pool: String, _ path: String) -> MergeError {
    MergeError(
      .poolRecordDamaged, .refused, "cannot read the record of pool \(pool)", at: path,
      because: "this program wrote it, and it is not what it was",
      hint: "see whether a metadata snapshot is held".above("dmsetup status \(pool.shellQuoted)")
        + "\n" + "then remove the file".above("rm \(path.shellQuoted)"),
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a change that is not made because it cannot be recorded first.
  static func cannotWritePoolRecord(_ pool: String, _ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWritePoolRecord, .refused, "cannot write the record of pool \(pool)", at: path,
      because: errno,
      hint: "what is done to a pool is written down before; see to that file system first",
      context: Context(path: path, pool: pool))
  }

  // MARK: The metadata snapshot

  /// The evidence that a metadata snapshot belongs to someone else.
  enum ForeignSnapshot {
    /// The metadata snapshot is held at that block.
    case held(block: UInt64)
    /// The metadata snapshot is held at that block and is older than the pool's last changes.
    case old(block: UInt64)
    /// The kernel reports a metadata snapshot, and there was none before.
    case takenJustNow

    fileprivate var inWords: String {
      switch self {
      case .held(let block): "it is at block \(block)"
      case .old(let block): "it is at block \(block), and older than the pool's last changes"
      case .takenJustNow: "it was taken just now"
      }
    }
  }

  static func metadataSnapshotForeign(_ pool: String, _ snapshot: ForeignSnapshot) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotForeign, .busy,
      "the pool's metadata snapshot is held by someone else", because: snapshot.inWords)
  }

  private static let isStillHeld = "the metadata snapshot of an earlier run is still held"

  static func metadataSnapshotLeft(_ pool: String) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotLeft, .busy, isStillHeld, because: "it could not be released",
      hint: "release it".above("dmsetup message \(pool.shellQuoted) 0 release_metadata_snap"))
  }

  static func metadataSnapshotOnlyCopy(_ pool: String, deviceID: UInt32) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotOnlyCopy, .busy, isStillHeld,
      because: "it is the only copy of dev \(deviceID), which was deleted before all of it was "
        + "merged", deviceID: deviceID)
  }

  static func metadataSnapshotMaybeOnlyCopy(_ pool: String, deviceID: UInt32) -> MergeError {
    MergeError(
      pool: pool, .metadataSnapshotMaybeOnlyCopy, .busy, isStillHeld,
      because: "it may be the only copy of dev \(deviceID), and could not be released",
      hint: "the notes above say why; once that is mended, give the same command again",
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
      because: "the pool did not commit it", hint: kernelsLog(pool))
  }

  private static let cannotTake = "cannot take a metadata snapshot"
}

// MARK: Volume groups that this system must not use

extension MergeError {
  static func volumeGroupExported(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupExported, "LVM says that it is \(word)",
      hint: "import it".above("vgimport \(name.shellQuoted)"))
  }

  static func volumeGroupPartial(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupPartial, "LVM says that it is \(word): a physical volume is missing",
      hint: "this shows which are there".above(
        "vgs -o pv_name,vg_missing_pv_count \(name.shellQuoted)"))
  }

  /// Returns the error for a group that a lock manager shares between systems.
  static func volumeGroupShared(_ name: String, lockType: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupShared,
      "it is shared between systems: its vg_lock_type is \(lockType)",
      hint: "lvmlockd(8) says how a volume group that no other system uses becomes a local one")
  }

  /// Returns the error for a group that belongs to another system.
  ///
  /// - `own`: this system's id; empty if it has none.
  static func volumeGroupForeign(_ name: String, systemID: String, own: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupForeign,
      "it is another system's: its vg_systemid is \(systemID), "
        + (own.isEmpty ? "and this system has none" : "this system's is \(own)"),
      hint: "lvmsystemid(7) says how a volume group changes hands")
  }

  private static func volumeGroup(
    _ name: String, _ code: Code, _ why: String, hint: String
  ) -> MergeError {
    MergeError(
      code, .refused, "cannot use the volume group", at: name, because: why, hint: hint,
      context: Context(name: name))
  }
}
