internal import SystemPackage

// The catalogue of errors about thin devices and snapshots of an active pool.

extension MergeError {
  // MARK: The thin device

  /// Returns the error for a volume when LVM did not answer a query about it.
  ///
  /// - `suspended`: the names of suspended mapped devices, which LVM waits for when it reads them.
  static func lvmSilent(
    _ volume: String, after limit: Duration, suspended names: [String]
  ) -> MergeError {
    let words = names.map(\.shellQuoted)
    return MergeError(
      .lvmSilent, .busy, "cannot ask LVM about the thin device", at: volume,
      because: "LVM did not answer in \(limit.components.seconds) s"
        + (names.isEmpty ? "" : "; suspended: \(words.joined(separator: ", "))"),
      hint: names.isEmpty
        ? "this shows what it waits for".above("ps -C lvs -o pid,stat,wchan")
        : "if nobody needs it suspended, this ends the wait for it"
          .above("dmsetup resume \(words[0])"),
      context: Context(name: volume, counts: ["suspended_devices": UInt64(names.count)]))
  }

  /// Returns the error for a thin device that is open.
  ///
  /// - `takesSnapshot`: true if a snapshot of the thin device could be merged.
  static func thinDeviceInUse(
    _ path: String, isReadOnly: Bool, takesSnapshot: Bool
  ) -> MergeError {
    MergeError(
      .thinDeviceInUse, .busy, "the thin device is in use", at: path,
      because: isReadOnly
        ? "it is read-only and open: who opened it before that may still write"
        : "it is writable and open: mounted, or used by another program",
      context: Context(
        path: path, circumstances: takesSnapshot ? [.canTakeSnapshot] : []))
  }

  static func thinDeviceJustActivated(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceJustActivated, .busy, "the thin device is in use", at: path,
      because: "it was activated while a snapshot of it was made",
      hint: "give the same command again: the snapshot is then made through it")
  }

  static func suspendTooLong(_ path: String) -> MergeError {
    MergeError(
      .suspendTooLong, .busy, "cannot make a snapshot of the thin device", at: path,
      because:
        "suspending it was given up after 5 s: what was in flight on it was not done by then",
      hint: "it goes on as before; try again when less is written to it, or to its pool")
  }

  static func thinDeviceResumed(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceResumed, .busy, "cannot make a snapshot of the thin device", at: path,
      because: "it was suspended for that, and something else resumed it, twice",
      hint: "try again once no other program works on it")
  }

  /// Returns the error for a thin device behind several mapped devices, which makes a consistent
  /// snapshot impossible.
  static func thinDeviceInUseTwice(_ path: String, through names: [String]) -> MergeError {
    MergeError(
      .thinDeviceInUseTwice, .busy, "the thin device is in use", at: path,
      because: "it can be written to through \(names.count) devices, and a snapshot needs them "
        + "suspended together: " + names.joined(separator: ", "),
      hint: "take away those that are not needed".above("dmsetup remove NAME"),
      context: Context(path: path, counts: ["devices": UInt64(names.count)]))
  }

  static func thinDeviceChanging(_ path: String, name: String, deviceID: UInt32) -> MergeError {
    let word = name.shellQuoted
    return MergeError(
      .thinDeviceChanging, .busy, "the thin device is about to be changed", at: path,
      because: "a table with dev \(deviceID) in it was loaded and is not live yet",
      hint:
        "this drops that table".above("dmsetup clear \(word)") + "\n"
        + "this makes it live".above("dmsetup resume \(word)"),
      context: Context(path: path, deviceID: deviceID, name: name))
  }

  static func thinDeviceSuspended(_ path: String, name: String) -> MergeError {
    MergeError(
      .thinDeviceSuspended, .busy, "the thin device is suspended", at: path,
      because: "somebody is about to change something about it",
      hint: "if nobody is, resume it".above("dmsetup resume \(name.shellQuoted)"),
      context: Context(path: path, name: name))
  }

  static func thinDeviceActivated(_ path: String) -> MergeError {
    MergeError(
      .thinDeviceActivated, .stopped, "the thin device was activated or changed during the merge",
      at: path, because: "what was written to it may be merged in part, or not at all",
      hint: "deactivate it and resume without trusting earlier runs: everything is compared again")
  }

  /// Returns the error for a thin device that is inactive but may have been active during the
  /// merge.
  static func thinDeviceMaybeActivated(_ deviceID: UInt32, pool: String) -> MergeError {
    MergeError(
      .thinDeviceMaybeActivated, .stopped,
      "the thin device may have been activated during the merge", at: "\(pool), dev \(deviceID)",
      because: "device-mapper had an event meanwhile, such as a device that was made or removed; "
        + "what was written to the thin device then may be merged in part, or not at all",
      hint: "resume without trusting earlier runs: everything is compared again",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotRemoveThinDevice(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRemoveThinDevice, .busy, "cannot remove the thin device for the time of the merge",
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
    "what uses it waits until it is resumed".above("dmsetup resume \(name.shellQuoted)")
  }

  // MARK: Snapshots

  static func cannotMakeSnapshot(_ path: String, pool: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeSnapshot, .refused, "cannot make a snapshot of the thin device", at: path,
      because: errno,
      hint: "see the kernel's log, and the pool's status"
        .above("dmsetup status \(pool.shellQuoted)"),
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a pool in which no free number for a snapshot was found.
  ///
  /// - `drawCount`: the numbers drawn at random.
  static func snapshotIDsUsedUp(
    _ path: String, pool: String, _ ids: ClosedRange<UInt32>, drawCount: Int
  ) -> MergeError {
    MergeError(
      .snapshotIDsUsedUp, .refused, "cannot make a snapshot of the thin device", at: path,
      because:
        "\(drawCount) numbers drawn from \(ids.lowerBound) to \(ids.upperBound) are all in use",
      context: Context(path: path, pool: pool))
  }

  /// Returns the error for a pool in which LVM would give a new volume the number of a snapshot, so
  /// that the volume would be the snapshot.
  ///
  /// - `highest`: the highest number of an LVM volume in the pool.
  static func numbersOfLVMTooHigh(
    _ pool: String, highest: UInt32, _ ids: ClosedRange<UInt32>
  ) -> MergeError {
    MergeError(
      .numbersOfLVMTooHigh, .refused, "cannot make a snapshot of the thin device", at: pool,
      because: "LVM has numbers up to \(highest) there, and would take those of snapshots, "
        + "\(ids.lowerBound) and above, for its own",
      context: Context(pool: pool, counts: ["highest_number": UInt64(highest)]))
  }

  static func snapshotUnfinished(_ pool: String, deviceID: UInt32, of original: UInt32)
    -> MergeError
  {
    MergeError(
      .snapshotUnfinished, .refused, "a snapshot of the thin device is being merged", at: pool,
      because: "an earlier run made dev \(deviceID) of dev \(original) for that",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotOfAnother(_ pool: String, deviceID: UInt32, of original: UInt32) -> MergeError
  {
    MergeError(
      .snapshotOfAnother, .refused, "a snapshot of an earlier thin device is being merged",
      at: pool,
      because:
        "an earlier run made dev \(deviceID) of dev \(original) for that, and another thin device "
        + "has that number now",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotInUse(_ path: String, name: String, deviceID: UInt32) -> MergeError {
    MergeError(
      .snapshotInUse, .busy, "the snapshot that is merged is in use", at: path,
      because: "dev \(deviceID) is for this merge only",
      hint: "this frees it".above("dmsetup remove \(name.shellQuoted)"),
      context: Context(path: path, deviceID: deviceID, name: name))
  }

  static func snapshotGone(_ pool: String, deviceID: UInt32, isReplaced: Bool) -> MergeError {
    MergeError(
      .snapshotGone, .refused, "the snapshot that an earlier run made is gone", at: pool,
      because: isReplaced
        ? "dev \(deviceID) is another one" : "there is no dev \(deviceID)",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func snapshotNotDeleted(_ pool: String, deviceID: UInt32, of original: UInt32)
    -> MergeError
  {
    MergeError(
      .snapshotLeft, .busy, "a snapshot that is merged could not be deleted yet", at: pool,
      because: "dev \(deviceID), made of dev \(original)", hint: "the next merge tries again",
      context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotDeleteSnapshot(_ pool: String, deviceID: UInt32, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotDeleteSnapshot, .busy, "cannot delete the snapshot that was made for a merge",
      at: pool, because: "dev \(deviceID): \(errno)",
      hint: "the next merge tries again; this deletes it now"
        .above("dmsetup message \(pool.shellQuoted) 0 'delete \(deviceID)'"),
      context: Context(pool: pool, deviceID: deviceID, errno: errno))
  }
}
