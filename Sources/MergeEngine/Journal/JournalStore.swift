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

/// What stands where the journal of a merge belongs.
///
/// All of them are locked, unless one only looks.
enum JournalSlot {
  case empty
  /// The same merge, to be gone on with.
  case sameMerge(OpenJournal)
  /// Another merge's, whose first run did not begin: a run says so before it writes, so the origin was
  /// not touched.
  case neverStarted(OpenFile)
  /// One that is to be kept under another name.
  case superseded(OpenFile, suffix: String)
}

/// Finds, opens, makes and puts aside the journals of merges.
struct JournalStore {
  /// The folder of the journals of block devices.
  let stateFolder: String
  /// This process, for names of temporary files.
  let processID: Int32
  let clock: Clock
  /// Is told what is worth knowing.
  let note: (String) -> Void

  /// Reads a journal as it is now.
  func reader(_ file: OpenFile) throws(MergeError) -> JournalReader<LinuxAIO> {
    // The size of now: a merge may be appending.
    let byteCount = try file.byteCountNow()
    return try JournalReader(
      path: file.path, byteCount: byteCount,
      io: try LinuxAIO(
        requestCount: 0, slabByteCount: JournalReader<LinuxAIO>.slabByteCount,
        files: [.journal: file], clock: clock))
  }

  /// Reads the journal at `path`, which has to be there, without keeping it from others.
  func open(_ path: String) throws(MergeError) -> OpenJournal {
    guard let file = try JournalFile.open(path, locking: false) else { throw noJournal(path) }
    try JournalFile.checkIsOwn(file)
    return try readUnlocked(file)
  }

  /// Opens the journal at `path`, which has to be there, to be looked at without a lock.
  ///
  /// It may be of anybody: `status` shows what it contains, and `verify --journal` opens the origin that it
  /// names for reading only.
  func file(_ path: String) throws(MergeError) -> OpenFile {
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
    var reader = try reader(file)
    let state = try JournalState(reading: &reader)
    return OpenJournal(
      file: file, version: version, header: reader.header,
      headerByteCount: reader.headerByteCount, headerChecksum: reader.headerChecksum, state: state,
      isNew: isNew)
  }

  /// Reads a journal that nobody had locked just now.
  private func readUnlocked(_ file: OpenFile) throws(MergeError) -> OpenJournal {
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
  func find(
    _ path: String, match: JournalMatch, restarts: Bool, mergesAgain: Bool = false,
    resuming resumed: OpenJournal? = nil, locking: Bool = true
  ) throws(MergeError) -> JournalSlot {
    guard let file = try JournalFile.open(path, locking: locking) else {
      guard resumed == nil else { throw noJournal(path) }
      return .empty
    }
    if restarts {
      try checkIsJournal(file)
      return .superseded(file, suffix: ".old")
    }
    try JournalFile.checkIsOwn(file)
    let journal = try locking ? read(file, earlier: resumed) : readUnlocked(file)
    if resumed == nil, let difference = match.difference(from: journal.header) {
      if journal.state.attemptCount == 0 { return .neverStarted(file) }
      if journal.state.isFinished {
        guard mergesAgain || !match.isOfSameDevices(journal.header) else {
          throw finishedOtherwise(difference, match, path: file.path)
        }
        return .superseded(file, suffix: ".1")
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
    if let doubt = match.doubt(journal.header, lastAttempt: journal.state.lastAttempt) {
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
        + "\(journal.file.path.shellQuoted)', or put its journal aside with --restart"
    }
  }

  /// Makes room for a new journal, as `find` saw fit.
  func clear(_ path: String, found: JournalSlot) throws(MergeError) {
    switch found {
    case .empty, .sameMerge: return
    case .neverStarted(let file): try JournalFile.remove(file)
    case .superseded(let file, let suffix):
      let name = try JournalFile.putAside(file, suffix: suffix)
      note("the earlier journal is now \(name)")
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
    var reader = try reader(file)
    let state = try JournalState(reading: &reader)
    guard state.attemptCount > 0, !state.isFinished else { return }
    throw MergeError(
      .journalConflict, "the origin is half merged", at: usualPath,
      because: "a merge of dev \(reader.header.deviceID) is recorded there and not finished",
      hint: "either go on with it by 'thin-merge resume \(usualPath.shellQuoted)', or give "
        + "--restart if that merge is given up")
  }

  private func checkIsJournal(_ file: OpenFile) throws(MergeError) {
    do throws(MergeError) {
      _ = try reader(file)
    } catch {
      // A damaged journal may be put aside; a file that was never one may not.
      let magicByteCount = JournalHeader.magic.count
      guard FileSystem.firstBytes(of: file.path, count: magicByteCount) == JournalHeader.magic
      else { throw error }
    }
  }

  /// Asks whether `make` would be refused, without making anything.
  func checkCanBeMade(_ path: String, byteCountMax: UInt64) throws(MergeError) {
    if path.hasPrefix(stateFolder + "/"), !FileSystem.exists(stateFolder) {
      do throws(Errno) {
        try FileSystem.checkIsWritable(FileSystem.nearestFolder(stateFolder))
      } catch {
        throw noStateFolder(error)
      }
    }
    try JournalFile.checkCanBeMade(path, byteCount: byteCountMax)
  }

  private func noStateFolder(_ error: Errno) -> MergeError {
    MergeError(
      .refused, "cannot make the folder for journals", at: stateFolder,
      because: "\(error)", hint: "root may; --journal names another place")
  }

  /// Makes the merge's journal, with room for all that it may come to.
  func make(
    _ path: String, header: JournalHeader, byteCountMax: UInt64
  ) throws(MergeError) -> OpenJournal {
    let folder = FileSystem.folder(of: path)
    if path.hasPrefix(stateFolder + "/") {
      do throws(Errno) {
        try FileSystem.makeFolders(stateFolder)
      } catch {
        throw noStateFolder(error)
      }
    }
    switch FileSystem.permanence(of: folder) {
    case .lasting: break
    case .memory:
      note("\(path) is in memory: the merge cannot be resumed after a reboot")
    case .overlay:
      note(
        "\(path) is on an overlay: the merge may not be resumable after a reboot")
    }
    let bytes = header.encoded
    let file = try JournalFile.make(path, header: bytes, processID: processID)
    do throws(MergeError) {
      try JournalFile.allocate(file, byteCount: byteCountMax)
      return try read(file, isNew: true)
    } catch {
      try? FileSystem.remove(path)
      throw error
    }
  }

  /// A journal must not be on what it is about.
  ///
  /// - `involved`: the open files of the merge.
  func checkPlace(_ path: String, of involved: [OpenFile]) throws(MergeError) {
    let folder = FileSystem.folder(of: path)
    if FileSystem.exists(path) {
      let there = try JournalFile.file(at: path)
      for file in involved where StorageStack(there).overlaps(StorageStack(file)) {
        throw MergeError(
          .refused, "cannot use the journal", at: path,
          because: "it is \(file.path) itself, or shares its blocks",
          hint: "give --journal with the path of a new file")
      }
    }
    guard FileSystem.exists(folder) || folder == stateFolder else {
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

  /// Returns the error for a merge that is not the finished one, though it is of the same devices.
  private func finishedOtherwise(
    _ difference: JournalDifference, _ match: JournalMatch, path: String
  ) -> MergeError {
    let what =
      difference.kind == .mappings
      ? "\(match.sourceName) was written to after the merge"
      : "another merge of these devices is finished"
    return MergeError(
      .journalConflict, what, at: path,
      because: "\(difference.reason); nothing was written",
      hint:
        "to merge it as it is now, overwriting what was written to the origin since: add --again")
  }

  /// Cuts what a crash left behind the last record, and takes the journal's space again.
  func prepare(_ journal: OpenJournal, byteCountMax: UInt64) throws(MergeError) {
    guard !journal.isNew else { return }
    do throws(Errno) {
      // What was read is on the disk since the journal was opened.
      if journal.state.hasTornEnd {
        try journal.file.setByteCount(journal.state.cutByteOffset)
        try journal.file.synchronize()
      }
    } catch {
      throw MergeError(
        .refused, "cannot cut the journal's torn end", at: journal.file.path, because: "\(error)",
        hint:
          "nothing was changed; see to the journal's file system, then give the same command again")
    }
    let planned = Double(max(1, journal.header.plannedByteCount))
    let left = max(0, 1 - Double(journal.state.doneByteCount) / planned)
    try JournalFile.allocate(
      journal.file,
      byteCount: journal.state.endByteOffset + UInt64(Double(byteCountMax) * left) + 64 << 10)
  }
}
