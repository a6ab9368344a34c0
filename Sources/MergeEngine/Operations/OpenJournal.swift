internal import SystemPackage

/// A merge's journal, as it was read: one that was made just now, or that of an earlier run.
///
/// It is locked unless it is only looked at.
struct OpenJournal {
  var file: OpenFile
  /// The file's before it was read.
  let version: OpenFile.Version
  let header: JournalHeader
  let headerByteCount: UInt64
  let headerChecksum: UInt32
  let state: JournalState
  let isNew: Bool

  var encoder: JournalEncoder {
    JournalEncoder(
      endByteOffset: state.endByteOffset, nextSequence: state.nextSequence,
      headerChecksum: headerChecksum, dataBlockByteCount: header.dataBlockByteCount)
  }
}

/// A merge as its journal tells of it, to be gone on with.
public struct RecordedMerge {
  /// How far it is, and of what devices.
  public let status: StatusReport
  let journal: OpenJournal

  init(_ journal: OpenJournal) {
    status = StatusReport(
      journal.state, journal.header, isRunning: false, journalPath: journal.file.path)
    self.journal = journal
  }
}

/// What stands where the journal of a merge belongs.
///
/// All of them are locked, unless one only looks.
enum JournalPlace {
  case empty
  /// The same merge, to be gone on with.
  case sameMerge(OpenJournal)
  /// Another merge's, whose first run did not begin: a run says so before it writes, so the origin was
  /// not touched.
  case notBegun(OpenFile)
  /// One that is to be kept under another name.
  case putAside(OpenFile, suffix: String)
}

/// Why a journal is not of the merge that is wanted.
struct JournalDifference: Equatable {
  enum Kind {
    /// A device is another one.
    case device
    /// A device has another size.
    case byteCount
    /// It is another merge of the same devices.
    case merge
    /// It is the same merge but for the thin device's mappings.
    case mappings
  }

  let kind: Kind
  /// As part of a sentence.
  let reason: String

  init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}

/// What an earlier run's journal means for the merge that is wanted now.
struct JournalMatch {
  /// The merge that is wanted.
  let wanted: JournalHeader
  let bootID: String
  let originIsTheSame: Bool
  /// Where devices without an identity are now, as a run records it.
  var dataPlace = ""
  var originPlace = ""
  /// The thin device's name in messages.
  var sourceName = "the thin device"

  /// What differs between the journal's merge and the wanted one; nil if they are the same.
  func difference(from found: JournalHeader) -> JournalDifference? {
    if found.deviceID != wanted.deviceID {
      return JournalDifference(
        .merge,
        "it is the journal of device \(found.deviceID), this merge is of device "
          + "\(wanted.deviceID)")
    }
    if let difference = Self.difference(
      "data device", found.dataIdentity, wanted.dataIdentity, path: wanted.dataPath,
      "merged from" + (found.dataPath == wanted.dataPath ? "" : ", \(found.dataPath)"))
    {
      return difference
    }
    var origin = found.originIdentity
    // A run that was stopped after the origin was extended finds it extended.
    if wanted.originIdentity.byteCount == found.grownOriginByteCount {
      origin.byteCount = wanted.originIdentity.byteCount
    }
    if let difference = Self.difference(
      "origin", origin, wanted.originIdentity, path: wanted.originPath,
      "merged onto" + (found.originPath == wanted.originPath ? "" : ", \(found.originPath)"))
    {
      return difference
    }
    guard found.fingerprint != wanted.fingerprint else { return nil }
    if found.endByteOffset != wanted.endByteOffset || found.pastEnd != wanted.pastEnd {
      return JournalDifference(
        .merge,
        "it merges up to byte \(found.endByteOffset) (--past-end \(found.pastEnd.rawValue)), "
          + "this merge up to byte \(wanted.endByteOffset) (--past-end \(wanted.pastEnd.rawValue))")
    }
    return JournalDifference(
      .mappings,
      "the device's mappings changed: the fingerprint is \(wanted.fingerprint), the journal's "
        + "\(found.fingerprint)")
  }

  /// Returns the reason to doubt that devices without an identity are those of the last run; nil for none.
  func doubt(_ found: JournalHeader, lastRun: JournalRecord.Run?) -> String? {
    guard !originIsTheSame,
      found.originIdentity.name.isEmpty || found.dataIdentity.name.isEmpty
    else { return nil }
    guard (lastRun?.bootID ?? found.bootID) == bootID else {
      return "a device of this merge has no identity, and the system was booted since"
    }
    for (role, before, now) in [
      ("origin", lastRun?.originPlace ?? "", originPlace),
      ("data device", lastRun?.dataPlace ?? "", dataPlace),
    ] where !before.isEmpty && before != now {
      return "the \(role) has no identity, and is \(now); it was \(before)"
    }
    return nil
  }

  /// Returns true for a journal of the same thin device, data device and origin.
  func isOfSameDevices(_ found: JournalHeader) -> Bool {
    found.deviceID == wanted.deviceID && found.dataIdentity.name == wanted.dataIdentity.name
      && found.originIdentity.name == wanted.originIdentity.name
  }

  private static func difference(
    _ role: String, _ found: DeviceIdentity, _ wanted: DeviceIdentity, path: String,
    _ use: String
  ) -> JournalDifference? {
    if found.name != wanted.name {
      return JournalDifference(
        .device,
        "the \(role) \(path) is not the one that was \(use); a copy counts as another "
          + "(\(name(wanted)), not \(name(found)))")
    }
    if found.byteCount != wanted.byteCount {
      return JournalDifference(
        .byteCount,
        "the \(role) \(path) has \(wanted.byteCount) bytes; it had \(found.byteCount)")
    }
    return nil
  }

  private static func name(_ identity: DeviceIdentity) -> String {
    identity.name.isEmpty ? "without identity" : identity.name
  }
}

extension Merger {
  /// Reads the journal at `path`, which has to be there, without keeping it from others.
  func openJournal(_ path: String) throws(MergeError) -> OpenJournal {
    guard let file = try JournalFile.open(path, locking: false) else { throw noJournal(path) }
    try JournalFile.checkIsOwn(file)
    return try readUnlocked(file)
  }

  /// Opens the journal at `path`, which has to be there, to be looked at without a lock.
  ///
  /// It may be of anybody: `status` shows what it contains, and `verify --journal` opens the origin that it
  /// names for reading only.
  func journalFile(_ path: String) throws(MergeError) -> OpenFile {
    guard !FileSystem.isMissing(path) else { throw noJournal(path) }
    return try JournalFile.file(at: path)
  }

  private func noJournal(_ path: String) -> MergeError {
    MergeError(
      .refused, "cannot open the journal", at: path, because: "\(Errno.noSuchFileOrDirectory)",
      hint: "'thin-merge plan' says where the journal of a merge is")
  }

  /// - `earlier`: a journal that was read before it was locked, in the same place.
  private func read(
    _ file: OpenFile, earlier: OpenJournal? = nil, isNew: Bool = false
  ) throws(MergeError) -> OpenJournal {
    let version = try file.versionNow()
    if var earlier, file.isSameFile(as: earlier.file), version == earlier.version {
      earlier.file = file
      return earlier
    }
    var reader = try journalReader(file)
    let state = try JournalState(reading: &reader)
    return OpenJournal(
      file: file, version: version, header: reader.header,
      headerByteCount: reader.headerByteCount, headerChecksum: reader.headerChecksum, state: state,
      isNew: isNew)
  }

  /// Reads a journal that nobody had locked just now.
  func readUnlocked(_ file: OpenFile) throws(MergeError) -> OpenJournal {
    do throws(MergeError) {
      return try read(file)
    } catch {
      // A merge that began meanwhile appends: that is no damage.
      throw file.isLockedByAnother ? JournalFile.inUse(file.path) : error
    }
  }

  /// Looks at the merge's place for a journal; changes nothing.
  ///
  /// - `mergesAgain`: whether a finished merge of the same devices may be followed by another one.
  /// - `resumed`: the journal that is gone on with, finished or not, and no other.
  /// - `locking`: whether it is to be written to; a merge that begins meanwhile must not be kept out by one
  ///   who only looks.
  /// - Throws: `MergeError`, `journalConflict` where another merge is unfinished there.
  func findJournal(
    _ path: String, match: JournalMatch, restarts: Bool, mergesAgain: Bool = false,
    resuming resumed: OpenJournal? = nil, locking: Bool = true
  ) throws(MergeError) -> JournalPlace {
    guard let file = try JournalFile.open(path, locking: locking) else {
      guard resumed == nil else { throw noJournal(path) }
      return .empty
    }
    if restarts {
      try checkIsJournal(file)
      return .putAside(file, suffix: ".old")
    }
    try JournalFile.checkIsOwn(file)
    let journal = try locking ? read(file, earlier: resumed) : readUnlocked(file)
    if resumed == nil, let difference = match.difference(from: journal.header) {
      if journal.state.runCount == 0 { return .notBegun(file) }
      if journal.state.isFinished {
        guard mergesAgain || !match.isOfSameDevices(journal.header) else {
          throw finishedOtherwise(difference, match, path: file.path)
        }
        return .putAside(file, suffix: ".1")
      }
    }
    try check(journal, match, isResumed: resumed != nil)
    return .sameMerge(journal)
  }

  /// - Throws: `MergeError` (`journalConflict`) where the journal is not of the merge that is wanted.
  private func check(
    _ journal: OpenJournal, _ match: JournalMatch, isResumed: Bool
  ) throws(MergeError) {
    let path = journal.file.path
    if let difference = match.difference(from: journal.header) {
      throw MergeError(
        .journalConflict, "the journal is of another merge", at: path,
        because: difference.reason, hint: hint(journal, difference.kind, isResumed: isResumed))
    }
    if let doubt = match.doubt(journal.header, lastRun: journal.state.lastRun) {
      throw MergeError(
        .journalConflict, "cannot tell whether these are the same devices", at: path,
        because: doubt, hint: "give --same-origin if they are the same")
    }
  }

  /// What to do with a journal of another merge than is wanted.
  private func hint(
    _ journal: OpenJournal, _ kind: JournalDifference.Kind, isResumed: Bool
  ) -> String {
    if kind == .device {
      return "give the path of the same file or device; to merge with another one, begin again "
        + "with 'thin-merge merge' and --restart"
    }
    if journal.state.isFinished {
      return "'thin-merge merge' with --journal and another path keeps this one"
    }
    let half = "the origin is half merged with dev \(journal.header.deviceID): "
    let again = "merge from the beginning with 'thin-merge merge' and --restart"
    switch (isResumed, kind) {
    case (true, .byteCount): return half + "either give it the size that it had, or " + again
    case (true, _): return half + "either give the metadata as it was, or " + again
    case (false, _):
      return half + "either go on with that merge by 'thin-merge resume "
        + "\(ShellWord.quoted(journal.file.path))', or put its journal aside with --restart"
    }
  }

  /// Makes room for a new journal, as `findJournal` saw fit.
  func clear(_ path: String, found: JournalPlace) throws(MergeError) {
    switch found {
    case .empty, .sameMerge: return
    case .notBegun(let file): try JournalFile.remove(file)
    case .putAside(let file, let suffix):
      let name = try JournalFile.putAside(file, suffix: suffix)
      environment.observer.note("the earlier journal is now \(name)")
    }
  }

  /// A journal at another place must not hide that the origin is half merged.
  ///
  /// - Throws: `MergeError` (`journalConflict`) where the usual place has an unfinished one.
  func checkUsualPlace(_ usualPath: String, chosen: String) throws(MergeError) {
    guard chosen != usualPath, FileSystem.exists(usualPath) else { return }
    // It may be of anybody: nothing is taken from it, and at worst this merge is refused.
    let file = try JournalFile.file(at: usualPath)
    if FileSystem.exists(chosen) {
      let there = try JournalFile.file(at: chosen)
      guard !there.isSameFile(as: file) else { return }
    }
    var reader = try journalReader(file)
    let state = try JournalState(reading: &reader)
    guard state.runCount > 0, !state.isFinished else { return }
    throw MergeError(
      .journalConflict, "the origin is half merged", at: usualPath,
      because: "a merge of dev \(reader.header.deviceID) is recorded there and not finished",
      hint: "either go on with it by 'thin-merge resume \(ShellWord.quoted(usualPath))', or give "
        + "--restart if that merge is given up")
  }

  private func checkIsJournal(_ file: OpenFile) throws(MergeError) {
    do throws(MergeError) {
      _ = try journalReader(file)
    } catch {
      // A damaged journal may be put aside; a file that was never one may not.
      let magicByteCount = JournalHeader.magic.count
      guard FileSystem.firstBytes(of: file.path, count: magicByteCount) == JournalHeader.magic
      else { throw error }
    }
  }

  /// Asks whether `makeJournal` would be refused, without making anything.
  func checkJournalCanBeMade(_ path: String, byteCountMax: UInt64) throws(MergeError) {
    if path.hasPrefix(environment.stateFolder + "/"), !FileSystem.exists(environment.stateFolder) {
      do throws(Errno) {
        try FileSystem.checkIsWritable(FileSystem.nearestFolder(environment.stateFolder))
      } catch {
        throw noStateFolder(error)
      }
    }
    try JournalFile.checkCanBeMade(path, byteCount: byteCountMax)
  }

  private func noStateFolder(_ error: Errno) -> MergeError {
    MergeError(
      .refused, "cannot make the folder for journals", at: environment.stateFolder,
      because: "\(error)", hint: "root may; --journal names another place")
  }

  /// Makes the merge's journal, with room for all that it may come to.
  func makeJournal(
    _ path: String, header: JournalHeader, byteCountMax: UInt64
  ) throws(MergeError) -> OpenJournal {
    let folder = FileSystem.folder(of: path)
    if path.hasPrefix(environment.stateFolder + "/") {
      do throws(Errno) {
        try FileSystem.makeFolders(environment.stateFolder)
      } catch {
        throw noStateFolder(error)
      }
    }
    switch FileSystem.permanence(of: folder) {
    case .lasting: break
    case .memory:
      environment.observer.note("\(path) is in memory: the merge cannot be resumed after a reboot")
    case .overlay:
      environment.observer.note(
        "\(path) is on an overlay: the merge may not be resumable after a reboot")
    }
    let bytes = header.encoded
    let file = try JournalFile.make(path, header: bytes, processID: environment.processID)
    do throws(MergeError) {
      try JournalFile.allocate(file, byteCount: byteCountMax)
      return try read(file, isNew: true)
    } catch {
      try? FileSystem.remove(path)
      throw error
    }
  }

  /// A journal must not be on what it is about.
  func checkJournalPlace(_ path: String, _ devices: Devices) throws(MergeError) {
    let folder = FileSystem.folder(of: path)
    let involved = [devices.metadata, devices.data, devices.origin].compactMap { $0 }
    if FileSystem.exists(path) {
      let there = try JournalFile.file(at: path)
      for file in involved where StorageStack(there).overlaps(StorageStack(file)) {
        throw MergeError(
          .refused, "cannot use the journal", at: path,
          because: "it is \(file.path) itself, or shares its blocks",
          hint: "give --journal with the path of a new file")
      }
    }
    guard FileSystem.exists(folder) || folder == environment.stateFolder else {
      throw MergeError(
        .refused, "cannot make the journal", at: path, because: "there is no folder \(folder)",
        hint: "make it, or give --journal with a path elsewhere")
    }
    guard FileSystem.exists(folder) else { return }
    let under = StorageStack(fileSystemOn: try FileSystem.device(under: folder))
    for file in involved where file.kind == .blockDevice {
      guard !under.layers.contains(StorageStack(file).top) else {
        throw MergeError(
          .refused, "cannot make the journal", at: path,
          because: "its file system is on \(file.path), a device of this merge",
          hint: "give --journal with a path on another file system")
      }
    }
  }
}
