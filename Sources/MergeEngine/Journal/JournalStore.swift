internal import SystemPackage

/// A merge's journal, either new or from an earlier run, with its content as of when it was read.
///
/// The journal is locked unless it was opened only for reading.
struct OpenJournal {
  var file: OpenFile
  /// The file's version just before the file was read.
  let version: OpenFile.Version
  let header: JournalHeader
  let headerByteCount: UInt64
  let headerChecksum: UInt32
  let headerProof: UInt32
  let state: JournalState
  let isNew: Bool

  var encoder: JournalEncoder {
    JournalEncoder(
      endByteOffset: state.endByteOffset, nextSequence: state.nextSequence,
      headerChecksum: headerChecksum, dataBlockByteCount: header.dataBlockByteCount)
  }
}

/// The journal found at the path where a merge would keep its own journal.
///
/// The journal is locked unless it was opened only for reading.
enum JournalSlot {
  case empty
  /// A journal of the same merge, to resume from.
  case sameMerge(OpenJournal)
  /// A journal of another merge that never recorded a run. Every run is recorded before it writes,
  /// so the origin is untouched.
  case neverStarted(OpenFile)
  /// A journal that is kept, but under another name.
  case superseded(OpenFile, suffix: String)

  /// The journal found, if it belongs to the same merge; otherwise nil.
  var journalOfSameMerge: OpenJournal? {
    if case .sameMerge(let journal) = self { journal } else { nil }
  }

  /// True if a journal was found.
  var isOccupied: Bool { if case .empty = self { false } else { true } }
}

/// Finds, opens, creates, and sets aside the journals of merges.
struct JournalStore {
  /// The folder that contains the journals of merges whose origin is a block device.
  let stateFolder: String
  /// This process's ID, used in the names of temporary files.
  let processID: Int32
  let clock: Clock
  /// A closure that receives notes for the user.
  let note: (MergeNote) -> Void

  /// Creates a reader for the journal, based on the file's current size.
  func reader(_ file: OpenFile) throws(MergeError) -> JournalReader<LinuxAIO> {
    // A running merge may be appending, so the size is read again.
    let byteCount = try file.byteCountNow()
    return try JournalReader(
      path: file.path, byteCount: byteCount,
      io: try LinuxAIO(
        requestCount: 0, slabByteCount: JournalReader<LinuxAIO>.slabByteCount,
        files: [.journal: file], clock: clock))
  }

  /// Returns the default path of the journal for merges into `origin`.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if two journals for the origin exist.
  func usualPath(of origin: OpenFile) throws(MergeError) -> String {
    try JournalFile.place(of: origin, identity: DeviceIdentity(origin), stateFolder: stateFolder)
  }

  /// Reads a journal's header.
  func header(of file: OpenFile) throws(MergeError) -> JournalHeader { try reader(file).header }

  /// Reads the journal at `path`, which must exist, without locking it.
  func open(_ path: String) throws(MergeError) -> OpenJournal {
    guard let file = try JournalFile.open(path, locking: false) else { throw .noJournal(path) }
    try JournalFile.checkIsOwn(file)
    return try readUnlocked(file)
  }

  /// Reads the journal at `path`, which must exist, even while a merge appends to it.
  func look(at path: String) throws(MergeError) -> OpenJournal {
    let file = try file(path)
    try JournalFile.checkIsOwn(file)
    let version = try file.versionNow()
    var reader = try reader(file)
    let state = try JournalState(reading: &reader, isBeingWritten: file.isLockedByAnother)
    return OpenJournal(
      file: file, version: version, header: reader.header,
      headerByteCount: reader.headerByteCount, headerChecksum: reader.headerChecksum,
      headerProof: reader.headerProof, state: state,
      isNew: false)
  }

  /// Opens the journal at `path`, which must exist, for reading without a lock.
  ///
  /// Any user may own the journal: `status` only displays its content, and a comparison based on
  /// the journal opens the origin that it names only for reading.
  func file(_ path: String) throws(MergeError) -> OpenFile {
    guard !FileSystem.isMissing(path) else { throw .noJournal(path) }
    return try JournalFile.file(at: path)
  }

  /// Reads a journal, or returns `earlier` if that is the same file and it has not changed since.
  ///
  /// - `earlier`: the journal at the same path, as it was read before being locked.
  func read(
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
      headerByteCount: reader.headerByteCount, headerChecksum: reader.headerChecksum,
      headerProof: reader.headerProof, state: state,
      isNew: isNew)
  }

  /// Returns the ID of a journal, even one in use; nil if no merge could resume from the journal.
  func id(of file: OpenFile) -> String? {
    do throws(MergeError) {
      try JournalFile.checkIsOwn(file)
      let reader = try reader(file)
      return reader.header.journalID(proof: reader.headerProof)
    } catch {
      return nil
    }
  }

  /// Returns the ID of the journal at `path`; nil if there is no usable journal.
  func id(at path: String) -> String? { (try? file(path)).flatMap { id(of: $0) } }

  /// Reads a journal that no process had locked when it was opened.
  private func readUnlocked(_ file: OpenFile) throws(MergeError) -> OpenJournal {
    do throws(MergeError) {
      return try read(file)
    } catch {
      // A merge that started in the meantime may be appending: the journal is locked, not corrupt.
      throw file.isLockedByAnother ? .journalLocked(file.path) : error
    }
  }

  /// Finds the journal at the merge's path, without changing anything.
  ///
  /// - `mergesAgain`: whether another merge may follow a finished merge of the same devices.
  /// - `resumed`: the journal to resume from, finished or not; nil to accept any suitable journal.
  /// - `locking`: whether the journal will be written to. A reader must not lock out a merge that
  ///   starts in the meantime.
  /// - Throws: `MergeError` (`journalConflict`) if the journal belongs to another, unfinished
  ///   merge.
  func find(
    _ path: String, match: JournalMatch, restarts: Bool, mergesAgain: Bool = false,
    resuming resumed: OpenJournal? = nil, locking: Bool = true
  ) throws(MergeError) -> JournalSlot {
    guard let file = try JournalFile.open(path, locking: locking) else {
      guard resumed == nil else { throw .noJournal(path) }
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
          throw .finishedOtherwise(file.path, difference, sourceName: match.sourceName)
        }
        if !mergesAgain { try checkIsNotFinished(before: file.path, match) }
        return .superseded(file, suffix: JournalFile.finishedSuffix)
      }
    }
    try check(journal, match, isResumed: resumed != nil)
    return .sameMerge(journal)
  }

  /// Checks that the requested merge may resume from the journal.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if the journal's merge is a different one or was
  ///   abandoned, or if its devices may be different.
  private func check(
    _ journal: OpenJournal, _ match: JournalMatch, isResumed: Bool
  ) throws(MergeError) {
    let path = journal.file.path
    if let taker = journal.state.givenUp { throw .journalGivenUp(path, for: taker) }
    if let difference = match.difference(from: journal.header) {
      throw .journalOfOtherMerge(
        path, difference, deviceID: journal.header.deviceID, isFinished: journal.state.isFinished,
        isResumed: isResumed)
    }
    if let doubt = match.doubt(path, journal.header, lastAttempt: journal.state.lastAttempt) {
      throw doubt
    }
  }

  /// Removes or renames the journal that `find` returned, unless the merge resumes from it.
  ///
  /// - `taker`: the merge that replaces the journal's merge if that is unfinished.
  func clear(
    _ path: String, found: JournalSlot, for taker: StatusReport.GivenUp
  ) throws(MergeError) {
    switch found {
    case .empty, .sameMerge: return
    case .neverStarted(let file): try JournalFile.remove(file)
    case .superseded(let file, let suffix):
      try recordGivenUp(file, for: taker)
      let name = try JournalFile.putAside(file, suffix: suffix)
      note(.journalPutAside(name))
    }
  }

  /// Opens the journals of the unfinished merges that a restarted merge abandons.
  ///
  /// - `chosen`: the path of the restarted merge's own journal, which is skipped.
  /// - `locking`: whether to lock the journals.
  /// - Throws: `MergeError`: `busy` if another merge has locked one of the journals, `refused` if
  ///   one cannot be set aside.
  func givenUp(
    _ paths: [String], besides chosen: String, locking: Bool
  ) throws(MergeError) -> [OpenFile] {
    var files: [OpenFile] = []
    let own = try? JournalFile.file(at: chosen)
    for path in paths where path != chosen {
      // A file with two names can be locked only once, so the second name is skipped.
      guard let there = try? JournalFile.file(at: path), own?.isSameFile(as: there) != true,
        !files.contains(where: there.isSameFile),
        let file = try unfinished(path, locking: locking)
      else { continue }
      try JournalFile.checkCanBePutAside(path)
      files.append(file)
    }
    return files
  }

  /// Opens the journal at `path` if its merge is unfinished; returns nil if no merge could resume
  /// from the file.
  private func unfinished(_ path: String, locking: Bool) throws(MergeError) -> OpenFile? {
    do throws(MergeError) {
      guard let file = try JournalFile.open(path, locking: locking) else { return nil }
      try JournalFile.checkIsOwn(file)
      var reader = try reader(file)
      let state = try JournalState(reading: &reader)
      return state.attemptCount > 0 && !state.isFinished ? file : nil
    } catch {
      if error.kind == .busy { throw error }
      return nil
    }
  }

  private func checkIsJournal(_ file: OpenFile) throws(MergeError) {
    do throws(MergeError) {
      _ = try reader(file)
    } catch {
      // A corrupt journal may be set aside; a file that was never a journal may not.
      let magicByteCount = JournalHeader.magic.count
      guard FileSystem.firstBytes(of: file.path, count: magicByteCount) == JournalHeader.magic
      else { throw error }
    }
  }

  /// Checks that `make` would succeed, without creating anything.
  func checkCanBeMade(_ path: String, byteCountMax: UInt64) throws(MergeError) {
    if path.hasPrefix(stateFolder + "/"), !FileSystem.exists(stateFolder) {
      do throws(Errno) {
        try FileSystem.checkIsWritable(FileSystem.nearestFolder(stateFolder))
      } catch {
        throw .cannotMakeStateFolder(stateFolder, error)
      }
    }
    try JournalFile.checkCanBeMade(path, byteCount: byteCountMax)
  }

  /// Creates the merge's journal and allocates disk space for its maximum size.
  func make(
    _ path: String, header: JournalHeader, byteCountMax: UInt64
  ) throws(MergeError) -> OpenJournal {
    var isFolderNew = false
    if path.hasPrefix(stateFolder + "/") {
      do throws(Errno) {
        isFolderNew = try FileSystem.makeFolders(stateFolder)
      } catch {
        throw .cannotMakeStateFolder(stateFolder, error)
      }
    }
    do throws(MergeError) {
      return try makeInFolder(path, header: header, byteCountMax: byteCountMax)
    } catch {
      if isFolderNew { try? FileSystem.removeEmptyFolder(stateFolder) }
      throw error
    }
  }

  private func makeInFolder(
    _ path: String, header: JournalHeader, byteCountMax: UInt64
  ) throws(MergeError) -> OpenJournal {
    let folder = FileSystem.folder(of: path)
    switch FileSystem.permanence(of: folder) {
    case .lasting: break
    case .memory:
      note(.journalInMemory(path))
    case .overlay:
      note(.journalOnOverlay(path))
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

  /// Checks that the journal is not one of the merge's devices and is not stored on one.
  ///
  /// - `involved`: the files and devices that the merge has open.
  func checkPlace(_ path: String, of involved: [OpenFile]) throws(MergeError) {
    let folder = FileSystem.folder(of: path)
    if FileSystem.exists(path) {
      let there = try JournalFile.file(at: path)
      for file in involved where StorageStack(there).overlaps(StorageStack(file)) {
        throw .journalIsDevice(path, file.path)
      }
    }
    guard FileSystem.exists(folder) || folder == stateFolder else {
      throw .noJournalFolder(path, folder: folder)
    }
    guard FileSystem.exists(folder) else { return }
    let under = StorageStack(fileSystemOn: try FileSystem.device(under: folder))
    for file in involved where file.kind == .blockDevice {
      guard !under.layers.contains(StorageStack(file).top) else {
        throw .journalOnDevice(path, file.path)
      }
    }
  }

  /// Checks that there is enough free disk space for `prepare` to allocate.
  func checkRoom(for journal: OpenJournal, byteCountMax: UInt64) throws(MergeError) {
    let byteCount = spaceByteCount(journal, byteCountMax: byteCountMax)
    let allocated = journal.file.allocatedByteCount
    if let free = journal.file.freeByteCount, byteCount > allocated, byteCount - allocated > free {
      throw .noRoomForJournal(journal.file.path, byteCount, .noSpace)
    }
  }

  /// Returns the maximum size that a resumed journal may reach: its current end, plus the
  /// unfinished share of `byteCountMax`, plus 64 KiB.
  private func spaceByteCount(_ journal: OpenJournal, byteCountMax: UInt64) -> UInt64 {
    let planned = Double(max(1, journal.header.plannedByteCount))
    let left = max(0, 1 - Double(journal.state.doneByteCount) / planned)
    return journal.state.endByteOffset + UInt64(Double(byteCountMax) * left) + 64 << 10
  }

  /// Durably appends a record to a locked journal.
  ///
  /// `journal` itself is not updated to include the record.
  func append(_ record: JournalRecord, to journal: OpenJournal) throws(Errno) {
    var encoder = journal.encoder
    encoder.add(record)
    if journal.state.hasTornEnd {
      try journal.file.setByteCount(journal.state.cutByteOffset)
      try journal.file.synchronize()
    }
    try journal.file.write(encoder.appendBytes(), at: encoder.endByteOffset)
    try journal.file.synchronize()
  }

  /// Cuts off a torn tail and reallocates the journal's disk space.
  func prepare(_ journal: OpenJournal, byteCountMax: UInt64) throws(MergeError) {
    guard !journal.isNew else { return }
    do throws(Errno) {
      // Every record that was read has been durable since the journal was opened.
      if journal.state.hasTornEnd {
        try journal.file.setByteCount(journal.state.cutByteOffset)
        try journal.file.synchronize()
      }
    } catch {
      throw .cannotCutJournal(journal.file.path, error)
    }
    try JournalFile.allocate(
      journal.file, byteCount: spaceByteCount(journal, byteCountMax: byteCountMax))
  }
}
