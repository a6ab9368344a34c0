internal import SystemPackage

// Errors about the origin.

extension MergeError {
  /// Returns the error for an origin that is the pool's metadata or data device, or that overlaps
  /// it.
  ///
  /// - `role`: the role of the pool's device: "metadata" or "data".
  static func originIsPoolDevice(_ path: String, _ role: String, _ other: String) -> MergeError {
    MergeError(
      .originIsPoolDevice, .refused, "cannot use the origin", at: path,
      because: "it is the pool's \(role) device, \(other), or overlaps it",
      context: Context(path: path, role: "origin", name: other))
  }

  static func originReplaced(_ path: String) -> MergeError {
    MergeError(
      .fileReplaced, .refused, "cannot use the origin", at: path,
      because: "it was replaced while being opened",
      hint: "find out what replaces it, then run the same command again")
  }

  static func cannotLockOrigin(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotLockOrigin, .refused, "cannot lock the origin", at: path, because: errno,
      hint: limitHint(errno, call: "flock") ?? "use a file system that supports locks")
  }

  /// Returns the error for an origin that another program has locked as a whole with `flock`, as
  /// merges do.
  ///
  /// - `file`: the path of the origin or, if it is a loop device, of its backing file.
  static func originLocked(_ path: String, file: String) -> MergeError {
    MergeError(
      .originLocked, .busy, "the origin is in use", at: path,
      because: "\(name(file, of: path)) is locked by another program, perhaps another merge",
      hint: "find the program with".above("lsof \(file.shellQuoted)"))
  }

  /// Returns the error for an origin that another run is working on, if the origin is known only
  /// from its record.
  static func originRecordInUse(_ recordPath: String) -> MergeError {
    let lockPath = recordPath + ".lock"
    return MergeError(
      .originLocked, .busy, "the origin is in use", at: recordPath,
      because: "another thin-merge run is working on it",
      hint: "find the run with".above("lsof \(lockPath.shellQuoted)"))
  }

  private static func name(_ file: String, of path: String) -> String {
    file == path ? "it" : "the file under it, \(file),"
  }

  /// Returns the error for an origin in which another program has locked a byte range, as QEMU does
  /// with its images.
  static func originPartLocked(_ path: String, file: String) -> MergeError {
    MergeError(
      .originPartLocked, .busy, "the origin is in use", at: path,
      because:
        "part of \(name(file, of: path)) is locked by another program, perhaps a virtual machine",
      hint: "stop that program first; find it with".above("lsof \(file.shellQuoted)"))
  }

  static func originIsSwap(_ path: String, file: String) -> MergeError {
    MergeError(
      .originIsSwap, .busy, "the origin is in use", at: path,
      because: "the system swaps to " + (file == path ? "it" : "the file under it, \(file)"),
      hint: "stop swapping to it with".above("swapoff \(file.shellQuoted)"))
  }

  static func originTooShort(_ path: String, byteCount: UInt64, blockCount: UInt64) -> MergeError {
    MergeError(
      .originTooShort, .refused, "the origin is too short", at: path,
      because: "it ends at byte \(byteCount), and \(blockCount) mapped blocks are past or across "
        + "its end",
      context: Context(
        path: path, role: "origin", counts: ["bytes": byteCount, "blocks": blockCount]))
  }

  static func originNotExtensible(_ path: String) -> MergeError {
    MergeError(
      .originNotExtensible, .refused, "cannot extend the origin", at: path,
      because: "it is a block device; only a regular file can be extended")
  }

  static func cannotExtendOrigin(_ path: String, to byteCount: UInt64, _ errno: Errno) -> MergeError
  {
    MergeError(
      .cannotExtendOrigin, .stopped, "cannot extend the origin", at: path,
      because: "to \(byteCount) bytes: \(errno)", hint: limitHint(errno, call: "ftruncate"),
      context: Context(path: path, counts: ["bytes": byteCount], errno: errno))
  }

  static func originNotExtended(
    _ path: String, byteCount: UInt64, endByteOffset: UInt64
  ) -> MergeError {
    MergeError(
      .originNotExtended, .refused, "cannot compare", at: path,
      because:
        "the origin has \(byteCount) bytes and has not been extended to \(endByteOffset) yet",
      context: Context(path: path, counts: ["bytes": byteCount, "end": endByteOffset]))
  }

  static func noRoomForHoles(_ path: String, _ range: ByteRange, _ errno: Errno) -> MergeError {
    MergeError(
      .noRoomForHoles, .refused, "not enough space for the holes in the origin", at: path,
      because: "bytes \(range.start) to \(range.end): \(errno)",
      hint: limitHint(errno) ?? makeRoom,
      context: Context(path: path, range: range, errno: errno))
  }

  private static let makeRoom = "free space on its file system, then run the same command again"

  /// Returns the error for an origin whose holes need more space than is free; none of them were
  /// allocated.
  static func noRoomForHoles(_ path: String, byteCount: UInt64, free: UInt64) -> MergeError {
    MergeError(
      .noRoomForHoles, .refused, "not enough space for the holes in the origin", at: path,
      because: "they need \(byteCount.formattedByteCount), and its file system has "
        + "\(free.formattedByteCount) free", hint: makeRoom,
      context: Context(path: path, counts: ["bytes": byteCount, "free_bytes": free]))
  }

  static func cannotWriteOrigin(_ path: String, byteOffset: UInt64, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWriteOrigin, .stopped, "cannot write to the origin",
      at: "\(path), byte \(byteOffset)", because: errno,
      hint: errno == .notPermitted
        ? "the device may have become read-only during the merge, as happens when LVM reloads a thin device; "
          + "or a sandbox or an old kernel rejects io_submit" : limitHint(errno, call: "io_submit"),
      context: Context(path: path, counts: ["byte": byteOffset]))
  }

  static func cannotFlushOrigin(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushOrigin, .stopped, "cannot flush the origin", at: path,
      because: errno)
  }

  /// Returns the error for an origin to which the writes of earlier runs cannot be flushed before
  /// they are checked.
  static func cannotFlushEarlierRuns(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushOrigin, .stopped, "cannot flush the writes of earlier runs", at: path,
      because: errno, hint: "no progress is lost; fix the device, then run the same command again")
  }

  static func cannotWait(_ originPath: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWait, .stopped, "cannot wait for reads and writes", at: originPath, because: errno,
      hint: asynchronousHint(errno))
  }

  /// Returns the error for an origin that is no longer at its path, or whose backing file is no
  /// longer at its own.
  ///
  /// - `file`: the path of the origin or, if it is a loop device, of its backing file.
  /// - `journalPath`: the path of the merge's journal; nil if the origin was only compared.
  static func originMoved(_ path: String, file: String, journalPath: String?) -> MergeError {
    let what =
      file == path
      ? "another file is there, or none" : "the file under it, \(file), was replaced or removed"
    return MergeError(
      .originMoved, .stopped, "the origin is no longer at its path", at: path,
      because: "\(what); "
        + (journalPath == nil
          ? "the file that was there was compared"
          : "the blocks were written to the file that was there"),
      hint: journalPath == nil
        ? "to compare the file that is there now, run the same command again" : nil,
      context: Context(path: path, journalPath: journalPath))
  }

  /// Returns the error for an origin that was truncated while it was being written or compared.
  ///
  /// - `journalPath`: the path of the merge's journal; nil if the origin was only compared.
  static func originShortened(
    _ path: String, byteCount: UInt64, before: UInt64, journalPath: String?
  ) -> MergeError {
    MergeError(
      .originShortened, .stopped, "the origin became shorter during the run", at: path,
      because: "it has \(byteCount) bytes and had \(before); the data past its new end is lost",
      hint: "find out what truncated it",
      context: Context(
        path: path, journalPath: journalPath,
        counts: ["bytes": byteCount, "bytes_before": before]))
  }

  static func originLost(_ path: String, missing: Int, of count: Int) -> MergeError {
    MergeError(
      .originLost, .journalConflict, "the origin does not contain the merged data", at: path,
      because:
        "\(missing) of the first \(count) recorded transfers are missing; it is another disk, "
        + "was restored from a copy, or was written to; nothing was written",
      context: Context(
        path: path, counts: ["missing": UInt64(missing), "transfers": UInt64(count)]))
  }

  static func cannotMarkOrigin(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMarkOrigin, .refused, "cannot mark the origin as partially merged", at: path,
      because: errno,
      hint: limitHint(errno, call: "fsetxattr")
        ?? "fix its file system, then run the same command again")
  }

  static func notApproved(_ originPath: String) -> MergeError {
    MergeError(
      .notApproved, .refused, "not merged", at: originPath,
      because: "you did not confirm; nothing was written")
  }

  /// Returns the error for an origin that is a disk image container, in which byte offsets differ
  /// from those on the virtual disk.
  ///
  /// - `format`: the name of the container format.
  static func originIsContainer(_ path: String, _ format: String) -> MergeError {
    MergeError(
      .originIsContainer, .refused, "cannot merge into the origin", at: path,
      because: "it is a \(format) image, which a merge would destroy",
      hint: "convert it to raw first".above("qemu-img convert -O raw \(path.shellQuoted) RAW"),
      context: Context(path: path, name: format))
  }

  static func originIsLUKS(_ path: String) -> MergeError {
    MergeError(
      .originIsLUKS, .refused, "cannot merge into the origin", at: path,
      because:
        "it begins with a LUKS header, which the first block of the thin device would overwrite; "
        + "nothing on the origin could then be decrypted",
      hint: "check that it is the origin of this thin device",
      context: Context(path: path, name: "LUKS"))
  }

  // MARK: Origins that are mapped devices, used with an active pool

  /// Returns the error for an origin whose name matches both a file and a logical volume.
  static func originAmbiguous(_ text: String, volumePath: String) -> MergeError {
    MergeError(
      .originAmbiguous, .refused, "the origin is ambiguous", at: text,
      because:
        "both a file with that path and a logical volume with that name, \(volumePath), exist",
      hint: "use './\(text)' for the file, or '\(volumePath)' for the volume",
      context: Context(path: text, name: volumePath))
  }

  static func originShared(_ path: String, by names: [String]) -> MergeError {
    MergeError(
      .originShared, .refused, "other thin devices use this origin", at: path,
      because: "a merge would change their content: \(names.joined(separator: ", "))")
  }

  static func originHasSnapshots(_ path: String, _ names: [String]) -> MergeError {
    MergeError(
      .originHasSnapshots, .refused, "the origin has classic snapshots", at: path,
      because:
        "a merge would bypass them and so change their content: \(names.joined(separator: ", "))",
      hint: "remove the snapshots that you no longer need".above(
        names.map { "lvremove \($0.shellQuoted)" }),
      context: Context(path: path))
  }

  /// Returns the error for an origin that inactive thin devices may also use as their origin.
  ///
  /// - `note`: the note that lists the inactive thin devices.
  static func originMaybeShared(_ pool: String, _ note: MergeNote) -> MergeError {
    MergeError(
      .originMaybeShared, .refused, "other thin devices may use this origin", at: pool,
      because: note.text, context: Context(pool: pool))
  }

  static func originSuspended(_ path: String, name: String) -> MergeError {
    MergeError(
      .originSuspended, .busy, "the origin is suspended", at: path,
      because: "writes to it would block",
      hint: "if nothing needs it suspended, resume it with".above(
        "dmsetup resume \(name.shellQuoted)"),
      context: Context(path: path, name: name))
  }

  static func originInUse(_ path: String, by holder: String) -> MergeError {
    MergeError(
      .originInUse, .busy, "the origin is in use", at: path, because: "\(holder) is on top of it",
      hint: "show what is on top of it with".above("lsblk \(path.shellQuoted)"),
      context: Context(path: path, name: holder))
  }

  /// Returns the same error, but of the kind `stopped`, for a failure that is found after
  /// everything was merged.
  func atTheEnd() -> MergeError {
    var error = self
    error.kind = .stopped
    return error
  }

  static func originReadOnly(_ path: String) -> MergeError {
    MergeError(
      .originReadOnly, .refused, "cannot write to the origin", at: path,
      because: "it is read-only in device-mapper, as external origins are in LVM")
  }

  /// Returns the error for an origin that is read-only because it has a device-mapper target that
  /// cannot be made writable.
  ///
  /// - `kind`: the type of the read-only target.
  /// - `isMirror`: true if the read-only target is a RAID 1 mirror.
  /// - `volumeName`: the origin's name in LVM; nil if the origin is not an LVM volume.
  /// - `kinds`: the types of device-mapper targets that can be made writable.
  static func originReadOnlyForGood(
    _ path: String, kind: String, isMirror: Bool, volumeName: String?, kinds: [String]
  ) -> MergeError {
    let copy = "create a device of the same size, copy the origin to it, and merge into that copy"
    let hint =
      if let name = volumeName?.shellQuoted, isMirror {
        "\(copy); or convert it to a linear volume, without a mirror, while nothing else uses it"
          .above("lvchange -ay \(name)", "lvconvert -m0 \(name)", "lvchange -an \(name)")
      } else {
        copy
      }
    return MergeError(
      .originReadOnlyForGood, .refused, "cannot write to the origin", at: path,
      because:
        "it is read-only in device-mapper with target \(kind); only these targets can be made writable: "
        + kinds.joined(separator: ", "), hint: hint)
  }

  /// Returns the error for an origin with an LVM cache volume, whose data LVM would corrupt.
  ///
  /// While such a volume is both an external origin and active under its own name, lvm2 2.03.16
  /// maps the data and metadata of the cache volume twice. The cache then reads and writes the
  /// wrong blocks (seen on Linux 6.1).
  static func originCachedByVolume(_ name: String) -> MergeError {
    MergeError(
      .originCachedByVolume, .refused, "cannot merge into a volume with a cache volume", at: name,
      because:
        "while such a volume is an external origin, LVM maps its cache wrongly and corrupts its data",
      hint: "deactivate it and all thin volumes on it, then remove the cache with"
        .above("lvconvert --uncache \(name.shellQuoted)"),
      context: Context(name: name))
  }

  static func cannotReadOriginRecord(_ path: String, _ recordPath: String) -> MergeError {
    MergeError(
      .cannotReadOriginRecord, .refused, "cannot read the record of the origin", at: recordPath,
      because: "it was written by a newer thin-merge, or it is damaged",
      hint:
        "the record lists the layers of \(path) to make read-only again; do that, then remove the "
        + "record", context: Context(path: recordPath))
  }

  /// Returns the error for a change to the origin's layers that is not made because it cannot be
  /// recorded first.
  static func cannotWriteOriginRecord(
    _ path: String, _ recordPath: String, _ errno: Errno
  ) -> MergeError {
    MergeError(
      .cannotWriteOriginRecord, .refused, "cannot write the record of the origin", at: recordPath,
      because: errno,
      hint: limitHint(errno)
        ?? "\(path) is made writable only after the change is recorded; fix that file system first",
      context: Context(path: recordPath, errno: errno))
  }

  static func cannotMakeOriginWritable(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeOriginWritable, .refused, "cannot make the origin writable", at: path,
      because: errno,
      hint:
        "a device beneath it may be read-only; list those devices with"
        .above("lsblk -s \(path.shellQuoted)")
    )
  }
}
