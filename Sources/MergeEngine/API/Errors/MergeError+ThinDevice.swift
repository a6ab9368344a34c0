internal import SystemPackage

// Errors about the thin devices and snapshots of an active pool.

extension MergeError {
  // MARK: The thin device

  /// Returns the error for a volume about which LVM did not answer a query in time.
  ///
  /// - `suspended`: the names of suspended device-mapper devices; LVM hangs when it reads from one.
  static func lvmSilent(
    _ volume: String, after limit: Duration, suspended names: [String]
  ) -> MergeError {
    let words = names.map(\.shellQuoted)
    return MergeError(
      .lvmSilent, .busy, "cannot ask LVM about the thin device", at: volume,
      because: "LVM did not answer in \(limit.components.seconds) s"
        + (names.isEmpty ? "" : "; suspended: \(words.joined(separator: ", "))"),
      hint: names.isEmpty
        ? "see what LVM is waiting for with".above("ps -C lvs -o pid,stat,wchan")
        : "if nothing needs that device suspended, resume it with"
          .above("dmsetup resume \(words[0])"),
      context: Context(name: volume, counts: ["suspended_devices": UInt64(names.count)]))
  }

  /// Returns the error for a thin device that is in use by another program.
  ///
  /// - `takesSnapshot`: true if a snapshot of the thin device could be merged instead.
  static func thinDeviceInUse(
    _ path: String, isReadOnly: Bool, takesSnapshot: Bool
  ) -> MergeError {
    MergeError(
      .thinDeviceInUse, .busy, "the thin device is in use", at: path,
      because: isReadOnly
        ? "it is open and read-only now, but programs that opened it earlier may still write to it"
        : "it is open for writing: mounted, or used by another program",
      context: Context(
        path: path, circumstances: takesSnapshot ? [.canTakeSnapshot] : []))
  }

  static func thinDeviceJustActivated(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceJustActivated, .busy, "the thin device is in use", at: path,
      because: "it was activated while a snapshot of it was being created",
      hint: "run the same command again; it creates a new snapshot")
  }

  static func suspendTooLong(_ path: String) -> MergeError {
    MergeError(
      .suspendTooLong, .busy, "cannot create a snapshot of the thin device", at: path,
      because:
        "it could not be suspended within 5 s, because its I/O in flight did not complete",
      hint: "it is active as before; try again when there are fewer writes to it and its pool")
  }

  static func thinDeviceResumed(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceResumed, .busy, "cannot create a snapshot of the thin device", at: path,
      because: "it was suspended for the snapshot, and another program resumed it, twice",
      hint: "try again when no other program manages it")
  }

  /// Returns the error for a thin device that is mapped by several device-mapper devices, so that
  /// no consistent snapshot can be taken.
  static func thinDeviceInUseTwice(_ path: String, through names: [String]) -> MergeError {
    MergeError(
      .thinDeviceInUseTwice, .busy, "the thin device is in use", at: path,
      because: "\(names.count) devices can write to it, and a snapshot requires all of them to be "
        + "suspended at once: " + names.joined(separator: ", "),
      hint: "remove the devices that you do not need".above("dmsetup remove NAME"),
      context: Context(path: path, counts: ["devices": UInt64(names.count)]))
  }

  static func thinDeviceChanging(_ path: String, name: String, deviceID: UInt32) -> MergeError {
    let word = name.shellQuoted
    return MergeError(
      .thinDeviceChanging, .busy, "the thin device is about to change", at: path,
      because: "an inactive table that contains dev \(deviceID) is loaded",
      hint:
        "drop that table with".above("dmsetup clear \(word)") + "\n"
        + "or activate it with".above("dmsetup resume \(word)"),
      context: Context(path: path, deviceID: deviceID, name: name))
  }

  static func thinDeviceSuspended(_ path: String, name: String) -> MergeError {
    MergeError(
      .thinDeviceSuspended, .busy, "the thin device is suspended", at: path,
      because: "another program may be about to change it",
      hint: "if no program is, resume it with".above("dmsetup resume \(name.shellQuoted)"),
      context: Context(path: path, name: name))
  }

  static func thinDeviceActivated(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceActivated, .stopped, "the thin device was activated or changed during the merge",
      at: path, because: "writes to it may be merged only partially, or not at all",
      hint:
        "deactivate it, then resume without trusting earlier runs, so that everything is compared")
  }

  /// Returns the error for a thin device that is inactive but may have been active during the
  /// merge.
  static func thinDeviceMaybeActivated(_ deviceID: UInt32, pool: String) -> MergeError {
    MergeError(
      .thinDeviceMaybeActivated, .stopped,
      "the thin device may have been activated during the merge", at: "\(pool), dev \(deviceID)",
      because: "device-mapper created or removed devices during the merge; "
        + "writes to the thin device may be merged only partially, or not at all",
      hint: "resume without trusting earlier runs, so that everything is compared",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotRemoveThinDevice(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRemoveThinDevice, .busy, "cannot remove the thin device for the merge",
      at: path, because: errno)
  }

  static func cannotResumeThinDevice(_ path: String, name: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotResumeThinDevice, .stopped, "cannot resume the thin device", at: path,
      because: errno, hint: waits(name), context: Context(path: path, name: name))
  }

  static func cannotResumeLeftThinDevice(_ path: String, name: String, _ errno: Errno)
    -> MergeError
  {
    MergeError(
      .cannotResumeThinDevice, .busy,
      "cannot resume the thin device that an earlier run suspended", at: path, because: errno,
      hint: waits(name), context: Context(path: path, name: name))
  }

  private static func waits(_ name: String) -> String {
    "its users are blocked until you resume it with".above("dmsetup resume \(name.shellQuoted)")
  }

  // MARK: Snapshots

  static func cannotMakeSnapshot(_ path: String, pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeSnapshot, .refused, "cannot create a snapshot of the thin device", at: path,
      because: errno,
      hint: "see the kernel log and the pool's status with"
        .above("dmsetup status \(pool.shellQuoted)"),
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a pool in which no free device ID was found for a snapshot.
  ///
  /// - `drawCount`: how many random device IDs were tried.
  static func snapshotIDsUsedUp(
    _ path: String, pool: String, _ ids: ClosedRange<UInt32>, drawCount: Int
  ) -> MergeError {
    MergeError(
      .snapshotIDsUsedUp, .refused, "cannot create a snapshot of the thin device", at: path,
      because:
        "\(drawCount) random device ids between \(ids.lowerBound) and \(ids.upperBound) are all in use",
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a pool in which LVM could assign the device ID of a snapshot to a new
  /// volume, and so use the snapshot as that volume.
  ///
  /// - `highest`: the highest device ID of any LVM volume in the pool.
  static func numbersOfLVMTooHigh(
    _ pool: String, highest: UInt32, _ ids: ClosedRange<UInt32>
  ) -> MergeError {
    MergeError(
      .numbersOfLVMTooHigh, .refused, "cannot create a snapshot of the thin device", at: pool,
      because: "LVM uses device ids up to \(highest) in it, and could assign the ids of snapshots, "
        + "\(ids.lowerBound) and above, to its own volumes",
      context: Context(pool: pool, counts: ["highest_number": UInt64(highest)]))
  }

  static func snapshotUnfinished(_ pool: String, deviceID: UInt32, of original: UInt32)
    -> MergeError
  {
    MergeError(
      .snapshotUnfinished, .refused, "a snapshot of the thin device is being merged", at: pool,
      because: "an earlier run created dev \(deviceID) from dev \(original) for that merge",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotOfAnother(_ pool: String, deviceID: UInt32, of original: UInt32) -> MergeError
  {
    MergeError(
      .snapshotOfAnother, .refused, "a snapshot of an earlier thin device is being merged",
      at: pool,
      because:
        "an earlier run created dev \(deviceID) from dev \(original) for that merge, and another thin "
        + "device has that number now",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotInUse(_ path: String, name: String, deviceID: UInt32) -> MergeError {
    MergeError(
      .snapshotInUse, .busy, "the snapshot being merged is in use", at: path,
      because: "dev \(deviceID) is only for this merge",
      hint: "deactivate it with".above("dmsetup remove \(name.shellQuoted)"),
      context: Context(path: path, deviceID: deviceID, name: name))
  }

  static func snapshotGone(_ pool: String, deviceID: UInt32, isReplaced: Bool) -> MergeError {
    MergeError(
      .snapshotGone, .refused, "the snapshot that an earlier run created is gone", at: pool,
      because: isReplaced
        ? "another thin device has the number \(deviceID) now" : "there is no dev \(deviceID)",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotNotDeleted(_ pool: String, deviceID: UInt32, of original: UInt32)
    -> MergeError
  {
    MergeError(
      .snapshotLeft, .busy, "a merged snapshot is not deleted yet", at: pool,
      because: "dev \(deviceID), created from dev \(original)", hint: "the next merge tries again",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotDeleteSnapshot(_ pool: String, deviceID: UInt32, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotDeleteSnapshot, .busy, "cannot delete the snapshot that was created for a merge",
      at: pool, because: "dev \(deviceID): \(errno)",
      hint: "the next merge tries again; or delete it now with"
        .above("dmsetup message \(pool.shellQuoted) 0 'delete \(deviceID)'"),
      context: Context(pool: pool, deviceID: deviceID, errno: errno))
  }
}
