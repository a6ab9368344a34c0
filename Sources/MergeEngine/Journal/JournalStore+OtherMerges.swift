internal import SystemPackage

// What journals of other merges onto the same origin mean for one, and what becomes of them.

extension JournalStore {
  /// Gives them up and puts them aside, so that nobody goes on with them.
  func putAside(
    _ files: [OpenFile], for taker: StatusReport.GivenUp
  ) throws(MergeError) {
    for file in files {
      try recordGivenUp(file, for: taker)
      note(.journalPutAside(try JournalFile.putAside(file, suffix: ".old")))
    }
  }

  /// Records in the journal of an unfinished merge, durably, that it is given up.
  ///
  /// By whatever name it is found later, nobody goes on with it over what the other merge wrote. A finished one stays
  /// finished; one that cannot be read, or that others can write to, is gone on with by nobody.
  func recordGivenUp(
    _ file: OpenFile, for taker: StatusReport.GivenUp
  ) throws(MergeError) {
    guard (try? JournalFile.checkIsOwn(file)) != nil, let journal = try? read(file),
      journal.state.attemptCount > 0, !journal.state.isFinished, journal.state.givenUp == nil
    else { return }
    do throws(Errno) {
      try append(.givenUp(taker), to: journal)
    } catch {
      throw .cannotRecordGivenUp(file.path, error)
    }
  }

  /// Blocks that the merges of these journals left on the origin, including what their headers inherited.
  func remnants(of files: [OpenFile]) -> [MergeRemnant] {
    var remnants: [MergeRemnant] = []
    for file in files {
      guard let header = try? header(of: file) else {
        remnants.append(.unknown(fingerprint: ""))
        continue
      }
      remnants += header.remnants
      // How far one is that is damaged cannot be told.
      let state = (try? read(file))?.state
      if let state, state.attemptCount == 0 || state.isFinished { continue }
      remnants.append(
        MergeRemnant(
          deviceID: header.deviceID, fingerprint: header.fingerprint.description,
          recordedByteCount: state?.doneByteCount ?? 0))
    }
    return remnants
  }

  /// Merges that were finished and followed by others, whose journals have their place, must not be merged over those
  /// unasked.
  ///
  /// - `path`: of the journal whose place they had.
  /// - Throws: `MergeError` (`journalConflict`) where the merge that is wanted is one of them.
  func checkIsNotFinished(before path: String, _ match: JournalMatch) throws(MergeError) {
    var number = 1
    while FileSystem.exists("\(path).\(number)") {
      let earlier = "\(path).\(number)"
      if let journal = try? open(earlier), journal.state.isFinished,
        match.isOfSameDevices(journal.header),
        journal.header.fingerprint == match.wanted.fingerprint
      {
        throw .finishedBefore(earlier)
      }
      number += 1
    }
  }

  /// A journal at another place must not hide that the origin is half merged.
  ///
  /// - Throws: `MergeError` (`journalConflict`) where the usual place has an unfinished one.
  func checkUsualPlace(_ usualPath: String, chosen: String) throws(MergeError) {
    guard let other = try other(usualPath, than: chosen) else { return }
    try other.checkIsSettled()
  }

  /// A journal at another place than the merge's latest one must not be gone on with: what was written to the origin
  /// since would be lost.
  ///
  /// - `marked`: where the origin's mark says that this journal is; nil where there is no mark of it. A mark is there only
  ///   while its merge is the latest.
  /// - `finished`: the journals of finished merges that marks name.
  /// - Throws: `MergeError` (`journalConflict`) where another journal is later.
  func checkIsLatest(
    _ journal: OpenJournal, usualPath: String, marked: String?, finished: [String]
  ) throws(MergeError) {
    for path in [usualPath, marked ?? ""] + finished where !path.isEmpty {
      guard let other = try other(path, than: journal.file.path),
        other.isOfSameOrigin(as: journal.header)
      else { continue }
      if other.id == journal.id {
        // A copy of a journal that somebody else has may be gone on with, unless the other one was gone on with.
        guard other.state.nextSequence > journal.state.nextSequence else { continue }
        throw .journalOvertaken(journal.file.path, by: path, isSameMerge: true)
      }
      guard marked == nil else { continue }
      try other.checkIsSettled()
      let lastSeconds = journal.state.lastAttempt?.seconds ?? journal.header.madeSeconds
      guard let finished = other.state.finishedSeconds, finished >= lastSeconds else { continue }
      throw .journalOvertaken(journal.file.path, by: path, isSameMerge: false)
    }
  }

  /// A journal that is only looked at.
  private struct Other {
    let path: String
    let header: JournalHeader
    let state: JournalState
    let id: String

    /// - Throws: `MergeError` (`journalConflict`) where its merge has begun and is not finished.
    func checkIsSettled() throws(MergeError) {
      guard state.attemptCount > 0, !state.isFinished else { return }
      if let taker = state.givenUp { throw .journalGivenUp(path, for: taker) }
      throw .otherMergeUnfinished(path, deviceID: header.deviceID)
    }

    func isOfSameOrigin(as other: JournalHeader) -> Bool {
      let (one, another) = (header.originIdentity.name, other.originIdentity.name)
      return one == another || one.isEmpty || another.isEmpty
    }
  }

  /// The journal at `path`; nil where there is none, or where it is the chosen one by another name.
  private func other(_ path: String, than chosen: String) throws(MergeError) -> Other? {
    guard chosen != path, FileSystem.exists(path) else { return nil }
    // It may be of anybody: nothing is taken from it, and at worst this merge is refused.
    let file = try JournalFile.file(at: path)
    if FileSystem.exists(chosen) {
      let there = try JournalFile.file(at: chosen)
      guard !there.isSameFile(as: file) else { return nil }
    }
    var reader = try reader(file)
    let state = try JournalState(reading: &reader, isBeingWritten: file.isLockedByAnother)
    return Other(
      path: path, header: reader.header, state: state,
      id: reader.header.journalID(proof: reader.headerProof))
  }
}
