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
  let headerProof: UInt32
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

  /// The journal of the same merge; nil where there is none.
  var journalOfSameMerge: OpenJournal? {
    if case .sameMerge(let journal) = self { journal } else { nil }
  }

  /// Whether a journal was found.
  var isOccupied: Bool { if case .empty = self { false } else { true } }
}

/// Finds, opens, makes and puts aside the journals of merges.
struct JournalStore {
  /// The folder of the journals of block devices.
  let stateFolder: String
  /// This process, for names of temporary files.
  let processID: Int32
  let clock: Clock
  /// Is told what is worth knowing.
  let note: (MergeNote) -> Void

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

  /// Where a merge onto `origin` has its journal unless another place was chosen.
  ///
  /// - Throws: `MergeError` (`journalConflict`) where two journals of it are there.
  func usualPath(of origin: OpenFile) throws(MergeError) -> String {
    try JournalFile.place(of: origin, identity: DeviceIdentity(origin), stateFolder: stateFolder)
  }

  /// Reads a journal's header.
  func header(of file: OpenFile) throws(MergeError) -> JournalHeader { try reader(file).header }

  /// Reads the journal at `path`, which has to be there, without keeping it from others.
  func open(_ path: String) throws(MergeError) -> OpenJournal {
    guard let file = try JournalFile.open(path, locking: false) else { throw .noJournal(path) }
    try JournalFile.checkIsOwn(file)
    return try readUnlocked(file)
  }

  /// Reads the journal at `path`, which has to be there, although a merge may be appending to it.
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

  /// Opens the journal at `path`, which has to be there, to be looked at without a lock.
  ///
  /// It may be of anybody: `status` shows what it contains, and a comparison by the journal opens the origin that it
  /// names for reading only.
  func file(_ path: String) throws(MergeError) -> OpenFile {
    guard !FileSystem.isMissing(path) else { throw .noJournal(path) }
    return try JournalFile.file(at: path)
  }

  /// - `earlier`: a journal that was read before it was locked, in the same place.
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

  /// The id of a journal, which may be in use; nil for anything that nobody could go on from.
  func id(of file: OpenFile) -> String? {
    do throws(MergeError) {
      try JournalFile.checkIsOwn(file)
      let reader = try reader(file)
      return reader.header.journalID(proof: reader.headerProof)
    } catch {
      return nil
    }
  }

  /// The same of the journal at `path`; nil where there is none.
  func id(at path: String) -> String? { (try? file(path)).flatMap { id(of: $0) } }

  /// Reads a journal that nobody had locked just now.
  private func readUnlocked(_ file: OpenFile) throws(MergeError) -> OpenJournal {
    do throws(MergeError) {
      return try read(file)
    } catch {
      // A merge that began meanwhile appends: that is no damage.
      throw file.isLockedByAnother ? .journalLocked(file.path) : error
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

  /// Makes room for a new journal, as `find` saw fit.
  ///
  /// `taker`: the merge that an unfinished one is given up for.
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

  /// Opens the journals of unfinished merges that a merge from the beginning gives up.
  ///
  /// - `chosen`: where that merge has its own, which is not among them.
  /// - `locking`: whether they are locked too.
  /// - Throws: `MergeError`: `busy` where a merge has one, `refused` where one cannot be put aside.
  func givenUp(
    _ paths: [String], besides chosen: String, locking: Bool
  ) throws(MergeError) -> [OpenFile] {
    var files: [OpenFile] = []
    let own = try? JournalFile.file(at: chosen)
    for path in paths where path != chosen {
      // One file by two names can be locked once.
      guard let there = try? JournalFile.file(at: path), own?.isSameFile(as: there) != true,
        !files.contains(where: there.isSameFile),
        let file = try unfinished(path, locking: locking)
      else { continue }
      try JournalFile.checkCanBePutAside(path)
      files.append(file)
    }
    return files
  }

  /// The journal of an unfinished merge; nil for anything that nobody could go on from.
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
        throw .cannotMakeStateFolder(stateFolder, error)
      }
    }
    try JournalFile.checkCanBeMade(path, byteCount: byteCountMax)
  }

  /// Makes the merge's journal, with room for all that it may come to.
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

  /// A journal must not be on what it is about.
  ///
  /// - `involved`: the open files of the merge.
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

  /// Asks whether `prepare` would find the room that it takes.
  func checkRoom(for journal: OpenJournal, byteCountMax: UInt64) throws(MergeError) {
    let byteCount = spaceByteCount(journal, byteCountMax: byteCountMax)
    let allocated = journal.file.allocatedByteCount
    if let free = journal.file.freeByteCount, byteCount > allocated, byteCount - allocated > free {
      throw .noRoomForJournal(journal.file.path, byteCount, .noSpace)
    }
  }

  /// Bytes of a journal that may come to be needed.
  private func spaceByteCount(_ journal: OpenJournal, byteCountMax: UInt64) -> UInt64 {
    let planned = Double(max(1, journal.header.plannedByteCount))
    let left = max(0, 1 - Double(journal.state.doneByteCount) / planned)
    return journal.state.endByteOffset + UInt64(Double(byteCountMax) * left) + 64 << 10
  }

  /// Appends a record to a journal that is locked, durably.
  ///
  /// The journal as it was read does not have it.
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
      throw .cannotCutJournal(journal.file.path, error)
    }
    try JournalFile.allocate(
      journal.file, byteCount: spaceByteCount(journal, byteCountMax: byteCountMax))
  }
}
