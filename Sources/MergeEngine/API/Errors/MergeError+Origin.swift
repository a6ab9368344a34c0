internal import SystemPackage

// What is written to: the origin, as a file or device of its own.

extension MergeError {
  /// An origin in the pool that is merged from.
  ///
  /// `role`: what it is there, "metadata" or "data".
  static func originIsPoolDevice(_ path: String, _ role: String, _ other: String) -> MergeError {
    MergeError(
      .originIsPoolDevice, .refused, "cannot use the origin", at: path,
      because: "it is the pool's \(role) device \(other), or shares its blocks",
      context: Context(path: path, role: "origin", name: other))
  }

  /// An origin that is another file than was looked at.
  static func originReplaced(_ path: String) -> MergeError {
    MergeError(
      .fileReplaced, .refused, "cannot use the origin", at: path,
      because: "it was replaced while being opened",
      hint: "see what replaces it, then give the same command again")
  }

  /// A file system without locks.
  static func cannotLockOrigin(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotLockOrigin, .refused, "cannot lock the origin", at: path, because: errno,
      hint: "its file system has to be one with locks")
  }

  /// A lock on the whole file, as merges take it.
  static func originLocked(_ path: String) -> MergeError {
    MergeError(
      .originLocked, .busy, "the origin is in use", at: path,
      because: "another program has it locked, perhaps another merge",
      hint: "'lsof \(path.shellQuoted)' shows which")
  }

  /// A lock on bytes of the file, as virtual machines take it.
  static func originPartLocked(_ path: String) -> MergeError {
    MergeError(
      .originPartLocked, .busy, "the origin is in use", at: path,
      because: "another program holds a lock on it, perhaps a virtual machine",
      hint: "'lsof \(path.shellQuoted)' shows which; end it first")
  }

  /// A swap file.
  static func originIsSwap(_ path: String) -> MergeError {
    MergeError(
      .originIsSwap, .busy, "the origin is in use", at: path, because: "the system swaps to it",
      hint: "'swapoff \(path.shellQuoted)' frees it")
  }

  /// An end before the last mapped block, with the policy to refuse that.
  static func originTooShort(_ path: String, byteCount: UInt64, blockCount: UInt64) -> MergeError {
    MergeError(
      .originTooShort, .refused, "the origin is too short", at: path,
      because: "it ends at byte \(byteCount), and \(blockCount) mapped blocks lie behind or across "
        + "that end",
      context: Context(
        path: path, role: "origin", counts: ["bytes": byteCount, "blocks": blockCount]))
  }

  /// A device that is to grow.
  static func originNotExtensible(_ path: String) -> MergeError {
    MergeError(
      .originNotExtensible, .refused, "cannot extend the origin", at: path,
      because: "it is a block device; only a regular file can be extended")
  }

  /// A file that does not grow.
  static func cannotExtendOrigin(_ path: String, to byteCount: UInt64, _ errno: Errno) -> MergeError
  {
    var error = MergeError(
      .cannotExtendOrigin, .stopped, "cannot extend the origin", at: path,
      because: "to \(byteCount) bytes: \(errno)",
      context: Context(path: path, counts: ["bytes": byteCount]))
    error.context.errorNumber = errno.rawValue
    return error
  }

  /// A comparison with an origin that a merge would extend first.
  static func originNotExtended(
    _ path: String, byteCount: UInt64, endByteOffset: UInt64
  ) -> MergeError {
    MergeError(
      .originNotExtended, .refused, "cannot compare", at: path,
      because: "the origin has \(byteCount) bytes and was not extended to \(endByteOffset) yet",
      context: Context(path: path, counts: ["bytes": byteCount, "end": endByteOffset]))
  }

  /// Holes that disk space cannot be taken for.
  static func noRoomForHoles(_ path: String, _ range: ByteRange, _ errno: Errno) -> MergeError {
    var error = MergeError(
      .noRoomForHoles, .refused, "no room for the holes of the origin", at: path,
      because: "bytes \(range.start) to \(range.end): \(errno)",
      hint: "make room on its file system, then give the same command again",
      context: Context(path: path, range: range))
    error.context.errorNumber = errno.rawValue
    return error
  }

  /// A write that failed, at its first byte.
  static func cannotWriteOrigin(_ path: String, byteOffset: UInt64, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWriteOrigin, .stopped, "cannot write to the origin",
      at: "\(path), byte \(byteOffset)", because: errno,
      context: Context(path: path, counts: ["byte": byteOffset]))
  }

  /// A flush of what this run wrote.
  static func cannotFlushOrigin(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushOrigin, .stopped, "cannot make the origin's blocks durable", at: path,
      because: errno)
  }

  /// A flush of what earlier runs wrote, before it is looked at.
  static func cannotFlushEarlierRuns(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushOrigin, .stopped, "cannot make durable what earlier runs wrote", at: path,
      because: errno, hint: "nothing is lost; once the device is well, the same command goes on")
  }

  /// Requests on source and origin whose end the system does not tell.
  static func cannotWait(_ originPath: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWait, .stopped, "cannot wait for reads and writes", at: originPath, because: errno,
      hint: asynchronousHint)
  }

  /// An origin that was removed or replaced.
  static func originMoved(_ path: String, journalPath: String) -> MergeError {
    MergeError(
      .originMoved, .stopped, "the origin is not at its path any more", at: path,
      because: "another file is there, or none; the blocks went to the file that was there",
      context: Context(path: path, journalPath: journalPath))
  }

  /// An origin on which the recorded transfers are not found.
  static func originLost(_ path: String, missing: Int, of count: Int) -> MergeError {
    MergeError(
      .originLost, .journalConflict, "the origin does not hold what was merged", at: path,
      because: "\(missing) of the first \(count) recorded transfers are not there: it is another "
        + "disk, or was restored from a copy; nothing was written",
      context: Context(
        path: path, counts: ["missing": UInt64(missing), "transfers": UInt64(count)]))
  }

  /// The refusal after a user has said no.
  static func notApproved(_ originPath: String) -> MergeError {
    MergeError(
      .notApproved, .refused, "not merged", at: originPath,
      because: "writing was not agreed to; nothing was written")
  }

  /// An origin that is needed and was not opened: a mistake.
  static func originNotOpen(_ path: String) -> MergeError {
    MergeError(.bug, .bug, "the origin is not open", at: path, because: "it should be")
  }

  // MARK: As a mapped device, beside an active pool

  /// An origin that others show, whose content would change.
  static func originShared(_ path: String, by names: String) -> MergeError {
    MergeError(
      .originShared, .refused, "other thin devices show this origin", at: path,
      because: "what they show would change: \(names)")
  }

  /// An origin that thin devices may show which are not active.
  ///
  /// `note`: which, as a sentence.
  static func originMaybeShared(_ pool: String, _ note: MergeNote) -> MergeError {
    MergeError(
      .originMaybeShared, .refused, "other thin devices may show this origin", at: pool,
      because: note.text, context: Context(pool: pool))
  }

  /// An origin that is suspended.
  static func originSuspended(_ path: String, name: String) -> MergeError {
    MergeError(
      .originSuspended, .busy, "the origin is suspended", at: path,
      because: "writes to it would wait", hint: "'dmsetup resume \(name.shellQuoted)'",
      context: Context(path: path, name: name))
  }

  /// An origin that a mapped device lies on.
  static func originInUse(_ path: String, by holder: String) -> MergeError {
    MergeError(
      .originInUse, .busy, "the origin is in use", at: path, because: "\(holder) lies on it",
      hint: "see 'lsblk \(path.shellQuoted)'", context: Context(path: path, name: holder))
  }

  /// The same failure, met when all was merged.
  func atTheEnd() -> MergeError {
    var error = self
    error.kind = .stopped
    return error
  }

  /// An origin that device-mapper protects, as LVM asks it to.
  static func originReadOnly(_ path: String) -> MergeError {
    MergeError(
      .originReadOnly, .refused, "cannot write to the origin", at: path,
      because: "device-mapper has it read-only, as LVM does with external origins")
  }

  /// An origin of a target that is not made writable.
  static func originReadOnlyForGood(_ path: String) -> MergeError {
    MergeError(
      .originReadOnlyForGood, .refused, "cannot write to the origin", at: path,
      because: "device-mapper has it read-only, and only linear and striped devices are made "
        + "writable here", hint: "make it writable, then give the same command again")
  }

  /// An origin whose table device-mapper does not load anew.
  static func cannotMakeOriginWritable(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeOriginWritable, .refused, "cannot make the origin writable", at: path,
      because: errno,
      hint: "what lies under it may be read-only: see 'lsblk -s \(path.shellQuoted)'")
  }
}
