internal import SystemPackage

// The catalogue of notes about active pools.

extension MergeNote {
  private typealias Context = MergeError.Context

  // MARK: Thin device and snapshot

  static func thinDeviceRemoved(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceRemoved, "removed \(path) so that it cannot change during the merge",
      context: Context(path: path))
  }

  static func thinDeviceRestored(_ path: String) -> MergeNote {
    MergeNote(.thinDeviceRestored, "restored \(path)", context: Context(path: path))
  }

  static func thinDeviceStaysRemoved(_ path: String, _ command: String) -> MergeNote {
    MergeNote(
      .thinDeviceStaysRemoved, "\(path) stays removed; \(command)", context: Context(path: path))
  }

  static func thinDeviceOutdated(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceOutdated,
      "did not restore \(path), which a merge removed: the device numbers in its table may now belong to "
        + "another pool or origin",
      context: Context(path: path))
  }

  static func thinDeviceOriginUnknown(_ path: String, _ command: String) -> MergeNote {
    MergeNote(
      .thinDeviceOriginUnknown,
      "did not restore \(path), which a merge removed: whether its origin is still the same device is "
        + "unknown; if it is, \(command)", context: Context(path: path))
  }

  /// - `command`: the command that activates the volume, by its name.
  static func cannotActivateVolume(
    _ path: String, _ failure: ActivationFailure, _ command: String
  ) -> MergeNote {
    MergeNote(
      .cannotRestoreThinDevice,
      "could not restore the thin device, \(path): \(why(failure, command))",
      context: Context(path: path))
  }

  static func volumeActivated(_ volume: String) -> MergeNote {
    MergeNote(
      .volumeActivated, "activated \(volume)", context: Context(name: volume))
  }

  static func volumeDeactivated(_ volume: String) -> MergeNote {
    MergeNote(.volumeDeactivated, "deactivated \(volume)", context: Context(name: volume))
  }

  static func volumeStaysActive(_ volume: String) -> MergeNote {
    MergeNote(
      .volumeStaysActive, "\(volume) stays active because it is open",
      context: Context(name: volume))
  }

  /// Returns the note for an origin whose thin volume was active before the origin took its place.
  static func originStaysActive(_ volume: String) -> MergeNote {
    MergeNote(
      .volumeStaysActive, "\(volume) stays active, as the thin volume was",
      context: Context(name: volume))
  }

  static func volumeNotDeactivated(_ volume: String, _ failure: ActivationFailure) -> MergeNote {
    let command = "deactivate it with: lvchange -an \(volume.shellQuoted)"
    return MergeNote(
      .volumeNotDeactivated, "could not deactivate \(volume): \(why(failure, command))",
      context: Context(name: volume))
  }

  static func handedOver(_ step: HandoverStep, _ handover: VolumeHandover) -> MergeNote {
    let (thin, origin) = (handover.thinFullName, handover.originFullName)
    let text =
      switch step {
      case .removeThinVolume: "removed \(thin)"
      case .makeOriginWritable: "made \(origin) writable"
      case .renameOrigin: "renamed \(origin) to \(thin)"
      }
    return MergeNote(.handoverStep, text, context: Context(name: origin))
  }

  static func volumeNotActivated(_ volume: String, _ failure: ActivationFailure) -> MergeNote {
    MergeNote(
      .volumeNotActivated,
      "could not activate \(volume): \(why(failure, commandActivating(volume)))",
      context: Context(name: volume))
  }

  /// - `command`: the command that activates or deactivates the volume by name; if LVM found no
  ///   such volume, the name may be another volume's.
  private static func why(_ failure: ActivationFailure, _ command: String) -> String {
    if case .noneSelected = failure { return failure.text }
    return "\(failure.text); \(command)"
  }

  static func cannotRestoreThinDevice(
    _ path: String, _ errno: Errno, _ command: String
  ) -> MergeNote {
    MergeNote(
      .cannotRestoreThinDevice,
      "could not restore the thin device, \(path): \(errno); \(command)",
      context: Context(path: path, errno: errno))
  }

  /// Returns the command that creates a thin device again, as part of a sentence.
  static func commandMaking(_ name: String, uuid: String, table: String) -> String {
    let option = uuid.isEmpty ? "" : " --uuid \(uuid.shellQuoted)"
    return
      "recreate it with: dmsetup create \(name.shellQuoted)\(option) --table \(table.shellQuoted)"
  }

  /// Returns the command that activates an LVM volume, as part of a sentence.
  static func commandActivating(_ volumeName: String) -> String {
    "activate it with: lvchange -ay \(volumeName.shellQuoted)"
  }

  static func noSnapshotMade(_ reason: NoSnapshotReason) -> MergeNote {
    let why =
      switch reason {
      case .asked: "none was requested"
      case .metadataSnapshotGiven: "you named a metadata snapshot"
      case .poolReadOnly: "the pool is read-only"
      case .poolNeedsCheck: "the pool is marked needs_check"
      case .metadataNearlyUsedUp: "the pool's metadata is nearly full"
      case .dataNearlyUsedUp(let free, let all): "only \(free) of the pool's \(all) blocks are free"
      }
    return MergeNote(
      .noSnapshotMade,
      "the merge reads the thin device itself, not a snapshot, because \(why); do not write to the thin "
        + "device during the merge")
  }

  /// Returns the note for a snapshot whose merge is unfinished.
  ///
  /// - `byteCount`: bytes of the snapshot's blocks, including blocks shared with the thin device.
  static func snapshotKept(
    _ deviceID: UInt32, of originalID: UInt32, pool: String, byteCount: UInt64
  ) -> MergeNote {
    MergeNote(
      .snapshotKept,
      "dev \(deviceID) of pool \(pool), a snapshot of dev \(originalID), is kept for an unfinished merge; "
        + "it holds up to \(byteCount.formattedByteCount) of the pool",
      context: Context(pool: pool, deviceID: deviceID, counts: ["bytes": byteCount]))
  }

  static func snapshotOnlyCopy(
    _ deviceID: UInt32, of originalID: UInt32, pool: String, isReplaced: Bool
  ) -> MergeNote {
    MergeNote(
      .snapshotOnlyCopy,
      onlyCopy(
        deviceID, of: originalID, pool: pool, isReplaced: isReplaced,
        merge: "merging dev \(deviceID)"),
      context: Context(
        pool: pool, deviceID: deviceID, counts: ["snapshot_of": UInt64(originalID)],
        circumstances: isReplaced ? [.isReplaced] : []))
  }

  /// Returns the sentence about a snapshot that is the only copy of a thin device.
  ///
  /// - `merge`: the action that merges the snapshot, as part of a sentence.
  package static func onlyCopy(
    _ deviceID: UInt32, of originalID: UInt32, pool: String, isReplaced: Bool, merge: String
  ) -> String {
    "dev \(originalID) of pool \(pool) was deleted before any of it was merged"
      + (isReplaced ? ", and another thin device now has its number" : "")
      + "; its snapshot, dev \(deviceID), is the only copy and is kept; "
      + "\(merge) recovers its data; or discard the copy with: \(delete(deviceID, pool: pool))"
  }

  /// Returns the command that deletes a thin device of a pool.
  package static func delete(_ deviceID: UInt32, pool: String) -> String {
    "dmsetup message \(pool.shellQuoted) 0 'delete \(deviceID)'"
  }

  /// Returns the note for caches that may be dirty when a snapshot is about to be created.
  ///
  /// - `hasAnswered`: true if `sync` failed, false if it did not answer in time.
  static func cachesNotWritten(_ paths: [String], hasAnswered: Bool) -> MergeNote {
    MergeNote(
      .cachesNotWritten,
      "\(paths.joined(separator: ", ")): 'sync' "
        + (hasAnswered ? "failed" : "did not answer in time")
        + "; the snapshot may lack the latest writes there",
      context: Context(path: paths.first))
  }

  static func snapshotMade(_ deviceID: UInt32, of path: String) -> MergeNote {
    MergeNote(
      .snapshotMade,
      "created dev \(deviceID), a snapshot of \(path); it is deleted once it is merged",
      context: Context(path: path, deviceID: deviceID))
  }

  static func snapshotNotThere(_ deviceID: UInt32, pool: String) -> MergeNote {
    MergeNote(
      .snapshotNotThere,
      "dev \(deviceID) of pool \(pool), a snapshot for an earlier run, no longer exists or was never "
        + "created", context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotDeleteSnapshot(_ error: MergeError) -> MergeNote {
    MergeNote(
      .cannotDeleteSnapshot, "\(error.message); the next merge retries", after: error)
  }

  static func sourceKept(_ error: MergeError) -> MergeNote {
    MergeNote(
      .sourceKept,
      "the snapshot or metadata snapshot taken for the merge is kept: \(error.message)",
      after: error)
  }

  static func notUndone(_ error: MergeError) -> MergeNote {
    MergeNote(.notUndone, error.message, after: error)
  }

  /// Creates a note from an error, with its context.
  private init(_ code: Code, _ text: String, after error: MergeError) {
    self.init(code, text, context: error.context.caused(by: error))
  }

  // MARK: The pool and its metadata snapshot

  static func poolLeft(_ pool: String, isSettledInPart: Bool) -> MergeNote {
    let what = isSettledInPart ? "the changes that are in the way" : "its changes"
    return MergeNote(
      .poolLeft, "an earlier run did not clean up pool \(pool); undoing \(what)",
      context: Context(pool: pool))
  }

  /// Returns the note that lists a killed run's leftovers in the pool, for a verb that undoes none
  /// of them.
  static func poolNotSettled(_ pool: String, _ left: PoolRemainder) -> MergeNote {
    MergeNote(
      .poolNotSettled, "pool \(pool) still has changes from an earlier run: \(left.text)",
      context: Context(pool: pool))
  }

  static func metadataSnapshotOther(_ pool: String) -> MergeNote {
    MergeNote(
      .metadataSnapshotNotOurs,
      "thin-merge's metadata snapshot of pool \(pool) was released, replaced, or never taken",
      context: Context(pool: pool))
  }

  static func metadataSnapshotMaybeOurs(_ pool: String) -> MergeNote {
    MergeNote(
      .metadataSnapshotMaybeOurs,
      "the metadata snapshot of pool \(pool) stays held: a run was killed while taking one, the pool has "
        + "changed since, and whether this one is that run's or another program's is unknown; if no other "
        + "program needs it, release it with: \(release(pool))", context: Context(pool: pool))
  }

  /// Returns the command that releases a metadata snapshot.
  package static func release(_ pool: String) -> String {
    "dmsetup message \(pool.shellQuoted) 0 release_metadata_snap"
  }

  /// Returns the note for a metadata snapshot that stays held because it may be in use.
  ///
  /// - `deviceID`: the thin device that is partly merged from the metadata snapshot.
  static func metadataSnapshotHeld(
    _ pool: String, after error: MergeError, onlyCopyOf deviceID: UInt32?
  ) -> MergeNote {
    MergeNote(
      .metadataSnapshotHeld,
      "the metadata snapshot of pool \(pool) is still held: \(error.message)"
        + (deviceID.map { "; it may be the only copy of dev \($0)" } ?? "")
        + "; the next run retries, or release it with: \(release(pool))",
      context: Context(pool: pool, deviceID: deviceID, cause: error))
  }

  static func metadataSnapshotHeld(_ pool: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .metadataSnapshotHeld,
      "the metadata snapshot of pool \(pool) could not be released: \(errno); the next run "
        + "retries, or release it with: \(release(pool))",
      context: Context(pool: pool, errno: errno))
  }

  static func metadataSnapshotOnlyCopy(
    _ pool: String, of deviceID: UInt32, isReplaced: Bool
  ) -> MergeNote {
    MergeNote(
      .metadataSnapshotOnlyCopy,
      onlyCopy(
        pool, of: deviceID, isReplaced: isReplaced, finish: "resuming finishes the merge from it"),
      context: Context(
        pool: pool, deviceID: deviceID, circumstances: isReplaced ? [.isReplaced] : []))
  }

  /// Returns the sentence about a metadata snapshot that is the only copy of a thin device.
  ///
  /// - `finish`: the action that finishes the merge, as part of a sentence.
  package static func onlyCopy(
    _ pool: String, of deviceID: UInt32, isReplaced: Bool, finish: String
  ) -> String {
    "dev \(deviceID) was deleted before its merge finished"
      + (isReplaced ? ", and another thin device now has its number" : "")
      + "; the metadata snapshot of pool \(pool) is the only copy and stays held; "
      + "\(finish); or discard the copy with: \(release(pool))"
  }

  static func metadataSnapshotMaybeOnlyCopy(_ pool: String, of deviceID: UInt32) -> MergeNote {
    MergeNote(
      .metadataSnapshotMaybeOnlyCopy,
      "the metadata snapshot of pool \(pool) is still held: it may be the only copy of dev "
        + "\(deviceID), and the pool changed during each check; the next run retries",
      context: Context(pool: pool, deviceID: deviceID))
  }
}
