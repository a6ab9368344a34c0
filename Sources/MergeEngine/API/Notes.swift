internal import SystemPackage

// The catalogue of notes: what observers are told, and what reports list as not undone.

extension MergeNote {
  private typealias Context = MergeError.Context

  static func fewerRequests(_ taken: Int, of wanted: Int) -> MergeNote {
    MergeNote(
      .fewerRequests,
      "only \(taken) of \(wanted) requests in flight: fs.aio-max-nr is used up; "
        + "'sysctl fs.aio-max-nr=1048576' allows more",
      context: Context(counts: ["requests": UInt64(taken), "wanted": UInt64(wanted)]))
  }

  static func noDirectIO(_ path: String) -> MergeNote {
    MergeNote(
      .noDirectIO,
      "\(path): its file system has no direct I/O; reads and writes go through the page cache",
      context: Context(path: path))
  }

  /// Returns the note for a thin device of unknown size.
  ///
  /// `isOfOrigin`: whether the origin's end was taken; if not, the end of the last mapping.
  static func thinSizeAssumed(_ byteCount: UInt64, isOfOrigin: Bool) -> MergeNote {
    MergeNote(
      .thinSizeAssumed,
      "thin size not known: taken as \(byteCount) bytes, "
        + (isOfOrigin ? "the origin's end" : "the end of the last mapping"),
      context: Context(counts: ["bytes": byteCount]))
  }

  /// Returns the note for trees of devices that do not have the same devices, or one that no device can be.
  static func devicesDisagree(_ reason: String, path: String) -> MergeNote {
    MergeNote(
      .devicesDisagree,
      "the metadata is wrong about other thin devices, \(path): \(reason); those that are in one "
        + "tree only are left out", context: Context(path: path))
  }

  static func mappingCountIgnored(
    _ reason: String, path: String, deviceID: UInt32
  ) -> MergeNote {
    MergeNote(
      .mappingCountIgnored,
      "\(path): \(reason); the mappings are those of its tree, which was checked as a whole",
      context: Context(path: path, deviceID: deviceID))
  }

  /// Returns the note for a data device that ends before the pool does.
  static func dataShorterThanPool(
    _ path: String, byteCount: UInt64, poolByteCount: UInt64
  ) -> MergeNote {
    MergeNote(
      .dataShorterThanPool,
      "\(path) has \(byteCount) bytes, and the pool's metadata says \(poolByteCount); all mappings of "
        + "this thin device lie before its end",
      context: Context(path: path, counts: ["bytes": byteCount, "pool_bytes": poolByteCount]))
  }

  static func copyNotCompared() -> MergeNote {
    MergeNote(
      .copyNotCompared,
      "the origin is not compared with a copy of the data device, which may lack what was merged; it can "
        + "be compared with the journal's checksums")
  }

  static func sourceMayChange() -> MergeNote {
    MergeNote(
      .sourceMayChange,
      "the thin device is active and writable: what changes now may show as a difference")
  }

  static func poolOptionsUnused() -> MergeNote {
    MergeNote(
      .poolOptionsUnused,
      "the devices are not those of an active pool: what may be done to one is not needed")
  }

  static func originWithoutIdentity(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutIdentity,
      "\(path) has no identity of its own: resuming after a reboot needs to be told that it is the "
        + "same", context: Context(path: path))
  }

  /// Returns the note for an origin that is written to although it begins as a container does.
  ///
  /// `format`: the container's name.
  static func originHasFormat(_ path: String, _ format: String) -> MergeNote {
    MergeNote(
      .originHasFormat,
      "\(path) begins as \(format) does, and is written to as it is: byte 0 of the thin device goes to "
        + "its byte 0", context: Context(path: path, name: format))
  }

  static func originWithoutName(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutName,
      "\(path): the file has no name; what is merged is lost once nobody has it open",
      context: Context(path: path))
  }

  static func originNotMarked(_ path: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .originNotMarked,
      "\(path) cannot be marked as half merged (\(errno)): another merge, by another name of the "
        + "origin or with another journal, would not notice this one",
      context: Context(path: path, errno: errno))
  }

  static func mergeUnfinished(_ originPath: String, deviceID: UInt32) -> MergeNote {
    MergeNote(
      .mergeUnfinished, "\(originPath): a merge of dev \(deviceID) onto it is not finished",
      context: Context(path: originPath, deviceID: deviceID))
  }

  static func journalPutAside(_ path: String) -> MergeNote {
    MergeNote(
      .journalPutAside, "the earlier journal is now \(path)", context: Context(path: path))
  }

  static func journalInMemory(_ path: String) -> MergeNote {
    MergeNote(
      .journalInMemory, "\(path) is in memory: the merge cannot be resumed after a reboot",
      context: Context(path: path))
  }

  static func journalOnOverlay(_ path: String) -> MergeNote {
    MergeNote(
      .journalOnOverlay,
      "\(path) is on an overlay: the merge may not be resumable after a reboot",
      context: Context(path: path))
  }

  // MARK: The origin of an active pool

  static func otherOriginInTable(_ found: String, given path: String) -> MergeNote {
    MergeNote(
      .otherOriginInTable,
      "the thin device's table names \(found) as its origin, not \(path)",
      context: Context(path: path, name: found))
  }

  static func originShared(by names: [String]) -> MergeNote {
    let list = names.joined(separator: ", ")
    return MergeNote(
      .originShared, "what other thin devices on this origin show changes: \(list)",
      context: Context(name: list))
  }

  /// Returns the note on inactive thin devices that may show the origin, which lists all of them.
  static func originMaybeShared(by devices: [(deviceID: UInt32, sharesBlocks: Bool)]) -> MergeNote {
    let kin = devices.filter(\.sharesBlocks).map { "\($0.deviceID) (shares blocks)" }
    let list = (kin + ranges(devices.filter { !$0.sharesBlocks }.map(\.deviceID)))
      .joined(separator: ", ")
    return MergeNote(
      .originMaybeShared,
      "the pool has thin devices that are not active, and nothing tells whether they are on this "
        + "origin: dev \(list)", context: Context(counts: ["devices": UInt64(devices.count)]))
  }

  /// Three or more consecutive numbers as one range.
  private static func ranges(_ rising: [UInt32]) -> [String] {
    var ranges: [ClosedRange<UInt32>] = []
    for number in rising {
      if let last = ranges.last, last.upperBound &+ 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.flatMap { range in
      range.count > 2 ? ["\(range.lowerBound)-\(range.upperBound)"] : range.map { "\($0)" }
    }
  }

  static func consentWithoutNames(_ journalPath: String) -> MergeNote {
    MergeNote(
      .consentWithoutNames,
      "\(journalPath) is of a version of thin-merge that recorded consent to other thin devices on the "
        + "origin, and not to which: consent to all of them is needed again",
      context: Context(path: journalPath))
  }

  static func originOfSnapshot(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originOfSnapshot, "it is a snapshot of \(volumeName), which is no external origin",
      context: Context(name: volumeName))
  }

  static func originNotActive(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originNotActive,
      "its external origin \(volumeName) is not active: lvchange -ay \(volumeName.shellQuoted)",
      context: Context(name: volumeName))
  }

  static func originLeft(_ path: String) -> MergeNote {
    MergeNote(
      .originLeft, "an earlier run left \(path) writable; it is read-only again",
      context: Context(path: path))
  }

  static func cannotRestoreReadOnly(_ path: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .cannotRestoreReadOnly,
      "could not make \(path) read-only again: \(errno); the next merge tries again",
      context: Context(path: path, errno: errno))
  }

  // MARK: Thin device and snapshot

  static func thinDeviceRemoved(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceRemoved, "removed \(path) so that it cannot change during the merge",
      context: Context(path: path))
  }

  static func thinDeviceRestored(_ path: String) -> MergeNote {
    MergeNote(.thinDeviceRestored, "put \(path) back", context: Context(path: path))
  }

  static func thinDeviceStaysRemoved(_ path: String, _ command: String) -> MergeNote {
    MergeNote(
      .thinDeviceStaysRemoved, "\(path) stays removed; \(command)", context: Context(path: path))
  }

  static func thinDeviceOutdated(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceOutdated,
      "\(path), which a merge removed, is not put back: the numbers in its table may be those of another "
        + "pool or another origin now",
      context: Context(path: path))
  }

  static func thinDeviceOriginUnknown(_ path: String, _ command: String) -> MergeNote {
    MergeNote(
      .thinDeviceOriginUnknown,
      "\(path), which a merge removed, is not put back: nothing tells whether its origin is the same; "
        + "if it is, \(command)", context: Context(path: path))
  }

  /// `command`: what activates the volume, by its name.
  static func cannotActivateVolume(
    _ path: String, _ failure: ActivationFailure, _ command: String
  ) -> MergeNote {
    let why =
      switch failure {
      case .devicesSuspended: "LVM was not asked, since a thin device may be suspended; \(command)"
      case .failed: "LVM did not activate it; \(command)"
      // The name may be another volume's by now.
      case .noneActivated(let uuid, let group):
        "LVM activated no volume with its uuid, \(uuid), in \(group): it is gone or elsewhere, or LVM is set not to "
          + "activate it; \("lvs -a -o vg_name,lv_name,lv_uuid".commandInSentence) shows where it is"
      case .tookTooLong(let limit):
        "'lvchange' did not end in \(limit.components.seconds) s, got SIGTERM, and may still run; once it has "
          + "ended, \(command)"
      }
    return MergeNote(
      .cannotRestoreThinDevice, "could not put the thin device back, \(path): \(why)",
      context: Context(path: path))
  }

  static func cannotRestoreThinDevice(
    _ path: String, _ errno: Errno, _ command: String
  ) -> MergeNote {
    MergeNote(
      .cannotRestoreThinDevice,
      "could not put the thin device back, \(path): \(errno); \(command)",
      context: Context(path: path, errno: errno))
  }

  /// Returns the command that makes a thin device again, as part of a sentence.
  static func commandMaking(_ name: String, uuid: String, table: String) -> String {
    let option = uuid.isEmpty ? "" : " --uuid \(uuid.shellQuoted)"
    return "it is made by: dmsetup create \(name.shellQuoted)\(option) --table \(table.shellQuoted)"
  }

  /// Returns the command that activates a volume of LVM, as part of a sentence.
  static func commandActivating(_ volumeName: String) -> String {
    "it is activated by: lvchange -ay \(volumeName.shellQuoted)"
  }

  static func noSnapshotMade(_ reason: NoSnapshotReason) -> MergeNote {
    let why =
      switch reason {
      case .asked: "none was asked for"
      case .metadataSnapshotGiven: "the metadata snapshot that was named is read"
      case .poolReadOnly: "the pool is read-only"
      case .poolNeedsCheck: "the pool is marked needs_check"
      case .metadataNearlyUsedUp: "the pool's metadata is nearly used up"
      case .dataNearlyUsedUp(let free, let all): "only \(free) of the pool's \(all) blocks are free"
      }
    return MergeNote(
      .noSnapshotMade,
      "no snapshot of the thin device is made, since \(why): it is merged itself, and must not be written to "
        + "meanwhile")
  }

  /// Returns the note for a snapshot whose merge is not finished.
  ///
  /// `byteCount`: bytes of its blocks; those that the thin device still has are shared with it.
  static func snapshotKept(
    _ deviceID: UInt32, of originalID: UInt32, pool: String, byteCount: UInt64
  ) -> MergeNote {
    MergeNote(
      .snapshotKept,
      "dev \(deviceID) of pool \(pool) is a snapshot of dev \(originalID), kept for a merge that is not "
        + "finished; it keeps up to \(byteCount.formattedByteCount) from being freed",
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
  /// `merge`: what merges it, as part of a sentence.
  package static func onlyCopy(
    _ deviceID: UInt32, of originalID: UInt32, pool: String, isReplaced: Bool, merge: String
  ) -> String {
    "dev \(originalID) of pool \(pool) was deleted before any of it was merged"
      + (isReplaced ? ", and another thin device has its number now" : "")
      + ": its snapshot, dev \(deviceID), is the only copy of it, and is kept; "
      + "\(merge) merges it; to give the copy up: \(delete(deviceID, pool: pool))"
  }

  /// The command that deletes a thin device of a pool.
  package static func delete(_ deviceID: UInt32, pool: String) -> String {
    "dmsetup message \(pool.shellQuoted) 0 'delete \(deviceID)'"
  }

  /// Returns the note for caches that may still have something as a snapshot is about to be made.
  ///
  /// `hasAnswered`: whether `sync` has failed; if not, it did not answer in time.
  static func cachesNotWritten(_ paths: [String], hasAnswered: Bool) -> MergeNote {
    MergeNote(
      .cachesNotWritten,
      "\(paths.joined(separator: ", ")): 'sync' "
        + (hasAnswered ? "failed" : "did not answer in time")
        + ", so what was written there last may be missing from the snapshot",
      context: Context(path: paths.first))
  }

  static func snapshotMade(_ deviceID: UInt32, of path: String) -> MergeNote {
    MergeNote(
      .snapshotMade,
      "made dev \(deviceID), a snapshot of \(path); it is deleted when it is merged",
      context: Context(path: path, deviceID: deviceID))
  }

  static func snapshotNotThere(_ deviceID: UInt32, pool: String) -> MergeNote {
    MergeNote(
      .snapshotNotThere,
      "the snapshot that an earlier run made or was about to make, dev \(deviceID) of pool \(pool), "
        + "is not there (any more)", context: Context(pool: pool, deviceID: deviceID))
  }

  static func cannotDeleteSnapshot(_ error: MergeError) -> MergeNote {
    MergeNote(
      .cannotDeleteSnapshot, "\(error.message); the next merge tries again", after: error)
  }

  static func sourceKept(_ error: MergeError) -> MergeNote {
    MergeNote(
      .sourceKept, "what was made to be merged from is kept: \(error.message)", after: error)
  }

  static func notUndone(_ error: MergeError) -> MergeNote {
    MergeNote(.notUndone, error.message, after: error)
  }

  /// A note of an error, with what the error is about.
  private init(_ code: Code, _ text: String, after error: MergeError) {
    self.init(code, text, context: error.context.caused(by: error))
  }

  // MARK: The pool and its metadata snapshot

  static func poolLeft(_ pool: String, isSettledInPart: Bool) -> MergeNote {
    let what = isSettledInPart ? "what is in the way" : "what it did"
    return MergeNote(
      .poolLeft, "an earlier run left pool \(pool) without tidying up; undoing \(what)",
      context: Context(pool: pool))
  }

  /// What a killed run left, where somebody only looks.
  static func poolNotSettled(_ pool: String, _ left: PoolRemainder) -> MergeNote {
    MergeNote(
      .poolNotSettled, "an earlier run left this in pool \(pool), and it stays: \(left.text)",
      context: Context(pool: pool))
  }

  static func metadataSnapshotOther(_ pool: String) -> MergeNote {
    MergeNote(
      .metadataSnapshotNotOurs,
      "the metadata snapshot of pool \(pool) is not the one of thin-merge (any more)",
      context: Context(pool: pool))
  }

  static func metadataSnapshotMaybeOurs(_ pool: String) -> MergeNote {
    MergeNote(
      .metadataSnapshotMaybeOurs,
      "the metadata snapshot of pool \(pool) stays held: a run that was killed was about to take one, the pool has "
        + "changed since, and nothing tells whether this is that one or another program's; if no other program "
        + "needs it: \(release(pool))", context: Context(pool: pool))
  }

  /// The command that releases a metadata snapshot.
  package static func release(_ pool: String) -> String {
    "dmsetup message \(pool.shellQuoted) 0 release_metadata_snap"
  }

  /// Returns the note for a metadata snapshot that stays held because its use cannot be ruled out.
  ///
  /// `deviceID`: the thin device that is merged in part from it.
  static func metadataSnapshotHeld(
    _ pool: String, after error: MergeError, onlyCopyOf deviceID: UInt32?
  ) -> MergeNote {
    MergeNote(
      .metadataSnapshotHeld,
      "the metadata snapshot of pool \(pool) is still held: \(error.message)"
        + (deviceID.map { "; it may be the only copy of dev \($0)" } ?? "")
        + "; the next run tries again, or: \(release(pool))",
      context: Context(pool: pool, deviceID: deviceID, cause: error))
  }

  static func metadataSnapshotHeld(_ pool: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .metadataSnapshotHeld,
      "the metadata snapshot of pool \(pool) could not be released (\(errno)); the next run "
        + "tries again, or: \(release(pool))", context: Context(pool: pool, errno: errno))
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
  /// `finish`: the command that finishes the merge, as part of a sentence.
  package static func onlyCopy(
    _ pool: String, of deviceID: UInt32, isReplaced: Bool, finish: String
  ) -> String {
    "dev \(deviceID) was deleted before all of it was merged"
      + (isReplaced ? ", and another thin device has its number now" : "")
      + ": the metadata snapshot of pool \(pool) is the only copy of it, and stays held; "
      + "\(finish); to give the copy up: \(release(pool))"
  }

  static func metadataSnapshotMaybeOnlyCopy(_ pool: String, of deviceID: UInt32) -> MergeNote {
    MergeNote(
      .metadataSnapshotMaybeOnlyCopy,
      "the metadata snapshot of pool \(pool) is still held: it may be the only copy of dev "
        + "\(deviceID), and the pool changed whenever that was looked at; the next run tries again",
      context: Context(pool: pool, deviceID: deviceID))
  }
}
