internal import SystemPackage

/// Determines where journals are stored, and creates, opens, renames, and removes their files.
package enum JournalFile {
  /// Returns the default path of a journal: next to the origin if it is a regular file, or in the
  /// state folder if it is a block device.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if the state folder contains two journals for the
  ///   device.
  package static func place(
    of origin: OpenFile, identity: DeviceIdentity, stateFolder: String
  ) throws(MergeError) -> String {
    switch origin.kind {
    case .regularFile:
      return (FileSystem.resolved(origin.path) ?? origin.path) + ".thin-merge"
    case .blockDevice:
      return try devicePlace(
        identity, number: origin.deviceNumber,
        nameForPeople: DeviceIdentity.nameForPeople(origin.deviceNumber),
        stateFolder: stateFolder)
    }
  }

  /// Returns the path of a block device's journal, with a file name such as
  /// `vg-base@1f3c2a9b40.journal`.
  ///
  /// The part before the `@` is a human-readable name, which may change; the part after it is
  /// derived from the device's identity. A journal with a different human-readable name, or one
  /// named by an earlier version, is also found.
  static func devicePlace(
    _ identity: DeviceIdentity, number: DeviceNumber, nameForPeople: String, stateFolder: String
  ) throws(MergeError) -> String {
    guard !identity.name.isEmpty else { return "\(stateFolder)/device-\(number).journal" }
    let suffix = "@\(shortID(identity)).journal"
    var found = FileSystem.names(in: stateFolder).filter { $0.hasSuffix(suffix) }.sorted()
    let plain = FileSystem.plainName(identity.name) + ".journal"
    if FileSystem.exists("\(stateFolder)/\(plain)") { found.append(plain) }
    let earlier = earlierPlainName(identity.name) + ".journal"
    if earlier != plain,
      header(at: "\(stateFolder)/\(earlier)")?.originIdentity.name == identity.name
    {
      found.append(earlier)
    }
    guard found.count <= 1 else {
      throw .twoJournals(found.map { "\(stateFolder)/\($0)" })
    }
    return "\(stateFolder)/\(found.first ?? FileSystem.plainName(nameForPeople) + suffix)"
  }

  /// Returns a 40-bit hash of the device's identity, in hexadecimal.
  ///
  /// On a system with a thousand devices, the chance of a collision is one in two million. The
  /// journal's header tells colliding devices apart.
  private static func shortID(_ identity: DeviceIdentity) -> String {
    var sum = CRC64()
    sum.update(RawSpan(_elements: Array(identity.name.utf8).span))
    let digits = String(sum.value >> 24, radix: 16)
    return String(repeating: "0", count: 10 - digits.count) + digits
  }

  /// Returns the journal name used by builds before the release of 0.1.0, which several devices
  /// could share.
  private static func earlierPlainName(_ text: String) -> String {
    String(
      text.prefix(200).map {
        $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "." || $0 == "_") ? $0 : "_"
      })
  }

  private static func header(at path: String) -> JournalHeader? {
    guard let first = FileSystem.firstBytes(of: path, count: 16),
      let byteCount = try? JournalHeader.byteCount(of: first),
      let bytes = FileSystem.firstBytes(of: path, count: byteCount)
    else { return nil }
    return try? JournalHeader(decoding: bytes)
  }

  /// Opens the file at `path`, which may or may not be a journal.
  package static func file(
    at path: String, access: OpenFile.Access = .readOnly
  ) throws(MergeError) -> OpenFile {
    try OpenFile(path, role: "journal", access: access, direct: false, onlyRegularFiles: true)
  }

  /// Opens the journal at `path`, and locks it if `locking` is true; returns nil if there is no
  /// journal.
  ///
  /// - Throws: `MergeError` (`busy`) if another merge has locked the journal.
  package static func open(_ path: String, locking: Bool = true) throws(MergeError) -> OpenFile? {
    while FileSystem.isNamed(path) {
      let file = try file(at: path, access: locking ? .readWrite : .readOnly)
      guard
        try call(
          path, MergeError.cannotLockJournal,
          { () throws(Errno) in try locking ? file.lock() : !file.isLockedByAnother })
      else { throw .journalLocked(path) }
      // Another merge may have set the file aside before it was locked.
      guard file.isStillAtItsPath else { continue }
      try call(path, MergeError.cannotFlushOpenedJournal) { () throws(Errno) in
        try file.forgetCache()
      }
      return file
    }
    return nil
  }

  /// Checks that only root or the current user can have written the open journal.
  ///
  /// This matters because a journal names the devices that a merge writes to. The journal's folder
  /// is not checked: other users who can write to the folder can only plant a file that is then
  /// refused.
  ///
  /// - Throws: `MergeError` (`refused`) if another user could have written the journal.
  package static func checkIsOwn(_ file: OpenFile) throws(MergeError) {
    let path = file.path
    let doubt = try call(path, MergeError.cannotInspectJournal) { () throws(Errno) in
      try file.foreignWriters()
    }
    guard let doubt else { return }
    throw .journalNotTrusted(path, doubt)
  }

  /// Checks that a journal of `byteCount` bytes can be created, without creating it.
  ///
  /// - Throws: `MergeError`, the same error that `make` or `allocate` would throw.
  package static func checkCanBeMade(_ path: String, byteCount: UInt64) throws(MergeError) {
    let folder = FileSystem.nearestFolder(FileSystem.folder(of: path))
    try call(path, MergeError.cannotMakeJournal) { () throws(Errno) in
      try FileSystem.checkIsWritable(folder)
    }
    if let free = FileSystem.freeByteCount(in: folder), free < byteCount {
      throw .noRoomForJournal(path, byteCount, .noSpace)
    }
  }

  /// Checks that a journal that was opened for reading could also be opened for writing.
  package static func checkCanBeAppended(_ file: OpenFile) throws(MergeError) {
    do throws(Errno) {
      try FileSystem.checkCanBeWritten(file.path)
    } catch {
      throw .cannotOpen(file.path, "journal", error, isRoot: ThisSystem.isRoot)
    }
  }

  /// Checks that `putAside` would succeed.
  package static func checkCanBePutAside(_ path: String) throws(MergeError) {
    try call(path, MergeError.cannotRenameJournal) { () throws(Errno) in
      try FileSystem.checkIsWritable(FileSystem.folder(of: path))
    }
  }

  /// Creates a locked journal whose name appears in the folder only once the header is complete.
  package static func make(
    _ path: String, header: [UInt8], processID: Int32
  ) throws(MergeError) -> OpenFile {
    let folder = FileSystem.folder(of: path)
    let name = FilePath(path).lastComponent?.string ?? "journal"
    let temporary = "\(folder)/.\(name).\(processID)"
    var canBeNamed = true
    do throws(Errno) {
      // A killed process that had the same ID may have left a temporary file.
      if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
      let made = try FileSystem.make(temporary)
      do throws(Errno) {
        try FileSystem.append(header, to: made)
        try FileSystem.synchronize(made)
        guard let file = try? OpenFile(adopting: made, path: path, role: "journal"),
          try file.lock()
        else { throw .resourceBusy }
        canBeNamed = try FileSystem.nameWithoutReplacing(temporary, as: path)
        guard canBeNamed else { throw .notSupported }
        do throws(Errno) {
          try FileSystem.synchronizeFolder(folder)
        } catch {
          try? FileSystem.remove(path)
          throw error
        }
        return file
      } catch {
        try? FileSystem.remove(temporary)
        throw error
      }
    } catch {
      throw canBeNamed ? .cannotMakeJournal(path, error) : .cannotNameJournal(path)
    }
  }

  /// Renames a journal to free its name for a new journal.
  ///
  /// - Returns: The new name: the old name plus the suffix, plus a number if that name is taken.
  package static func putAside(_ file: OpenFile, suffix: String) throws(MergeError) -> String {
    var name = file.path + suffix
    var number = 2
    while FileSystem.exists(name) {
      name = "\(file.path)\(suffix).\(number)"
      number += 1
    }
    try call(file.path, MergeError.cannotRenameJournal) { () throws(Errno) in
      try FileSystem.rename(file.path, to: name)
      try FileSystem.synchronizeFolder(FileSystem.folder(of: file.path))
    }
    return name
  }

  /// The suffix of a finished merge's journal that is set aside.
  package static let finishedSuffix = ".1"

  /// Returns the paths under which `putAside` has stored journals, sorted by name.
  ///
  /// For the journal `a` and the suffix `.1`, these are `a.1`, `a.1.2`, `a.1.3` and so on, without
  /// those that were removed since.
  package static func pathsAside(of path: String, suffix: String) -> [String] {
    let folder = FileSystem.folder(of: path)
    let first = (FilePath(path).lastComponent?.string ?? "") + suffix
    return FileSystem.names(in: folder).filter { name in
      guard name.hasPrefix(first) else { return false }
      let rest = name.dropFirst(first.count)
      return rest.isEmpty || (rest.first == "." && UInt64(rest.dropFirst()) != nil)
    }.sorted().map { "\(folder)/\($0)" }
  }

  /// Removes a journal that has no recorded run.
  package static func remove(_ file: OpenFile) throws(MergeError) {
    try call(file.path, MergeError.cannotRemoveJournal) { () throws(Errno) in
      try FileSystem.remove(file.path)
      try FileSystem.synchronizeFolder(FileSystem.folder(of: file.path))
    }
  }

  /// Allocates the disk space that the journal may need.
  package static func allocate(
    _ file: OpenFile, byteCount: UInt64
  ) throws(MergeError) {
    do throws(Errno) {
      try file.allocate(ByteRange(start: 0, end: byteCount))
    } catch {
      // Some file systems cannot preallocate space; the journal may then run out of space later.
      if error.meansNoAllocation { return }
      throw .noRoomForJournal(file.path, byteCount, error)
    }
  }

  private static func call<Result>(
    _ path: String, _ failed: (String, Errno) -> MergeError, _ body: () throws(Errno) -> Result
  ) throws(MergeError) -> Result {
    do throws(Errno) {
      return try body()
    } catch {
      throw failed(path, error)
    }
  }
}
