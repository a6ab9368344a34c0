internal import SystemPackage

// Every sentence that observers are told, and that reports name as left undone.

extension MergeNote {
  private typealias Context = MergeError.Context

  /// Fewer requests in flight than were asked for.
  static func fewerRequests(_ taken: Int, of wanted: Int) -> MergeNote {
    MergeNote(
      .fewerRequests,
      "only \(taken) of \(wanted) requests in flight: fs.aio-max-nr is used up; "
        + "'sysctl fs.aio-max-nr=1048576' allows more",
      context: Context(counts: ["requests": UInt64(taken), "wanted": UInt64(wanted)]))
  }

  /// A file in a file system without direct I/O.
  static func noDirectIO(_ path: String) -> MergeNote {
    MergeNote(
      .noDirectIO,
      "\(path): its file system has no direct I/O; reads and writes go through the page cache",
      context: Context(path: path))
  }

  /// A thin device whose size nobody told.
  ///
  /// - `isOfOrigin`: whether the origin's end was taken; otherwise that of the last mapping.
  static func thinSizeAssumed(_ byteCount: UInt64, isOfOrigin: Bool) -> MergeNote {
    MergeNote(
      .thinSizeAssumed,
      "thin size not known: taken as \(byteCount) bytes, "
        + (isOfOrigin ? "the origin's end" : "the end of the last mapping"),
      context: Context(counts: ["bytes": byteCount]))
  }

  /// A source that is compared while it is writable.
  static func sourceMayChange() -> MergeNote {
    MergeNote(
      .sourceMayChange,
      "the thin device is active and writable: what changes now may show as a difference")
  }

  /// Options for active pools where there is none.
  static func poolOptionsUnused() -> MergeNote {
    MergeNote(
      .poolOptionsUnused,
      "the devices are not those of an active pool: what may be done to one is not needed")
  }

  /// An origin that a journal will not know again after a reboot.
  static func originWithoutIdentity(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutIdentity,
      "\(path) has no identity of its own: resuming after a reboot needs to be told that it is the "
        + "same", context: Context(path: path))
  }

  /// A deleted file that was opened by way of `/proc`.
  static func originWithoutName(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutName,
      "\(path): the file has no name; what is merged is lost once nobody has it open",
      context: Context(path: path))
  }

  /// An unfinished merge onto an origin that is compared.
  static func mergeUnfinished(_ originPath: String, deviceID: UInt32) -> MergeNote {
    MergeNote(
      .mergeUnfinished, "\(originPath): a merge of dev \(deviceID) onto it is not finished",
      context: Context(path: originPath, deviceID: deviceID))
  }

  /// The new name of an earlier journal.
  static func journalPutAside(_ path: String) -> MergeNote {
    MergeNote(
      .journalPutAside, "the earlier journal is now \(path)", context: Context(path: path))
  }

  /// A journal that a reboot removes.
  static func journalInMemory(_ path: String) -> MergeNote {
    MergeNote(
      .journalInMemory, "\(path) is in memory: the merge cannot be resumed after a reboot",
      context: Context(path: path))
  }

  /// A journal that a reboot may remove.
  static func journalOnOverlay(_ path: String) -> MergeNote {
    MergeNote(
      .journalOnOverlay,
      "\(path) is on an overlay: the merge may not be resumable after a reboot",
      context: Context(path: path))
  }

  // MARK: The origin of an active pool

  /// An origin that is not the one in the thin device's table.
  static func otherOriginInTable(_ found: String, given path: String) -> MergeNote {
    MergeNote(
      .otherOriginInTable,
      "the thin device's table names \(found) as its origin, not \(path)",
      context: Context(path: path, name: found))
  }

  /// Thin devices that show the origin, which was agreed to.
  static func originShared(by names: String) -> MergeNote {
    MergeNote(
      .originShared, "what other thin devices on this origin show changes: \(names)",
      context: Context(name: names))
  }

  /// Thin devices that are not active; of each, whether it shares blocks with the merged one.
  static func originMaybeShared(by devices: [(deviceID: UInt32, sharesBlocks: Bool)]) -> MergeNote {
    let list =
      devices.prefix(10).map { "\($0.deviceID)" + ($0.sharesBlocks ? " (shares blocks)" : "") }
      .joined(separator: ", ") + (devices.count > 10 ? " and \(devices.count - 10) more" : "")
    return MergeNote(
      .originMaybeShared,
      "the pool has thin devices that are not active, and nothing tells whether they are on this "
        + "origin: dev \(list)", context: Context(counts: ["devices": UInt64(devices.count)]))
  }

  /// A thin volume that LVM says was made of another thin volume.
  static func originOfSnapshot(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originOfSnapshot, "it is a snapshot of \(volumeName), which is no external origin",
      context: Context(name: volumeName))
  }

  /// An external origin that is a volume and not active.
  static func originNotActive(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originNotActive,
      "its external origin \(volumeName) is not active: lvchange -ay \(volumeName.shellQuoted)",
      context: Context(name: volumeName))
  }

  /// A layer of the origin that stays writable.
  static func cannotRestoreReadOnly(_ path: String, _ errno: Errno) -> MergeNote {
    var note = MergeNote(
      .cannotRestoreReadOnly,
      "could not make \(path) read-only again: \(errno); the next run tries again",
      context: Context(path: path))
    note.context.errorNumber = errno.rawValue
    return note
  }

  // MARK: Thin device and snapshot

  /// A thin device that is removed for the time of the merge.
  static func thinDeviceRemoved(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceRemoved, "removed \(path) so that it cannot change during the merge",
      context: Context(path: path))
  }

  /// A thin device that is there again.
  static func thinDeviceRestored(_ path: String) -> MergeNote {
    MergeNote(.thinDeviceRestored, "put \(path) back", context: Context(path: path))
  }

  /// A thin device that was not to be put back, and what makes it.
  static func thinDeviceStaysRemoved(_ path: String, _ command: String) -> MergeNote {
    MergeNote(
      .thinDeviceStaysRemoved, "\(path) stays removed; \(command)", context: Context(path: path))
  }

  /// A thin device whose table would mean other devices by now.
  static func thinDeviceOutdated(_ path: String) -> MergeNote {
    MergeNote(
      .thinDeviceOutdated,
      "\(path), which a merge removed, is not put back: pool and origin have other numbers now",
      context: Context(path: path))
  }

  /// A thin device that could not be put back, and what makes it.
  static func cannotRestoreThinDevice(
    _ path: String, _ errno: Errno, _ command: String
  ) -> MergeNote {
    var note = MergeNote(
      .cannotRestoreThinDevice,
      "could not put the thin device back, \(path): \(errno); \(command)",
      context: Context(path: path))
    note.context.errorNumber = errno.rawValue
    return note
  }

  /// The command that makes a thin device again, as part of a sentence.
  static func commandMaking(_ name: String, uuid: String, table: String) -> String {
    let option = uuid.isEmpty ? "" : " --uuid \(uuid.shellQuoted)"
    return "it is made by: dmsetup create \(name.shellQuoted)\(option) --table \(table.shellQuoted)"
  }

  /// A snapshot that is going to be merged.
  static func snapshotMade(_ deviceID: UInt32, of path: String) -> MergeNote {
    MergeNote(
      .snapshotMade,
      "made dev \(deviceID), a snapshot of \(path); it is deleted when it is merged",
      context: Context(path: path, deviceID: deviceID))
  }

  /// A snapshot that the record tells of and the pool does not have.
  static func snapshotNotThere(_ deviceID: UInt32, pool: String) -> MergeNote {
    MergeNote(
      .snapshotNotThere,
      "the snapshot that an earlier run made or was about to make, dev \(deviceID) of pool \(pool), "
        + "is not there (any more)", context: Context(pool: pool, deviceID: deviceID))
  }

  /// A snapshot that could not be deleted.
  static func cannotDeleteSnapshot(_ error: MergeError) -> MergeNote {
    MergeNote(
      .cannotDeleteSnapshot, "\(error.message); the next run tries again", after: error)
  }

  /// A snapshot or metadata snapshot that stays, since it could not be written down that it need not.
  static func sourceKept(_ error: MergeError) -> MergeNote {
    MergeNote(
      .sourceKept, "what was made to be merged from is kept: \(error.message)", after: error)
  }

  /// An error that keeps something from being undone now.
  static func notUndone(_ error: MergeError) -> MergeNote {
    MergeNote(.notUndone, error.message, after: error)
  }

  /// A note of an error, with what the error is about.
  private init(_ code: Code, _ text: String, after error: MergeError) {
    self.init(code, text, context: error.context.caused(by: error))
  }

  // MARK: The pool and its metadata snapshot

  /// A pool in which there is something to be undone.
  static func poolLeft(_ pool: String) -> MergeNote {
    MergeNote(
      .poolLeft, "an earlier run left pool \(pool) without tidying up; undoing what it did",
      context: Context(pool: pool))
  }

  /// A metadata snapshot of somebody else in the place of an earlier run's.
  static func metadataSnapshotOther(_ pool: String) -> MergeNote {
    MergeNote(
      .metadataSnapshotNotOurs,
      "the metadata snapshot of pool \(pool) is not the one of thin-merge (any more)",
      context: Context(pool: pool))
  }

  private static func release(_ pool: String) -> String {
    "dmsetup message \(pool.shellQuoted) 0 release_metadata_snap"
  }

  /// A metadata snapshot of which it cannot be found out whether it may be released.
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

  /// A metadata snapshot that the kernel does not release.
  static func metadataSnapshotHeld(_ pool: String, _ errno: Errno) -> MergeNote {
    var note = MergeNote(
      .metadataSnapshotHeld,
      "the metadata snapshot of pool \(pool) could not be released (\(errno)); the next run "
        + "tries again, or: \(release(pool))", context: Context(pool: pool))
    note.context.errorNumber = errno.rawValue
    return note
  }

  /// A metadata snapshot that has what no thin device has any more.
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

  /// The text about a metadata snapshot that is the only copy.
  ///
  /// `finish`: what finishes the merge, as part of a sentence.
  package static func onlyCopy(
    _ pool: String, of deviceID: UInt32, isReplaced: Bool, finish: String
  ) -> String {
    "dev \(deviceID) was deleted before all of it was merged"
      + (isReplaced ? ", and another thin device has its number now" : "")
      + ": the metadata snapshot of pool \(pool) is the only copy of it, and stays held; "
      + "\(finish); to give the copy up: \(release(pool))"
  }

  /// A metadata snapshot of which it is not known whether the thin device is there.
  static func metadataSnapshotMaybeOnlyCopy(_ pool: String, of deviceID: UInt32) -> MergeNote {
    MergeNote(
      .metadataSnapshotMaybeOnlyCopy,
      "the metadata snapshot of pool \(pool) is still held: it may be the only copy of dev "
        + "\(deviceID), and the pool changed whenever that was looked at; the next run tries again",
      context: Context(pool: pool, deviceID: deviceID))
  }
}
