internal import SystemPackage

// Journals of other merges onto the same origin.

extension JournalStore {
  /// Records unfinished merges as given up and renames their journals, so that none is resumed.
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
  /// Under whatever name it is found later, no run resumes it over the other merge's data. A
  /// finished journal stays finished. No run resumes a journal that is unreadable or that other
  /// users can write to.
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

  /// Returns the blocks that the merges of these journals left on the origin, including those in
  /// their headers.
  func remnants(of files: [OpenFile]) -> [MergeRemnant] {
    var remnants: [MergeRemnant] = []
    for file in files {
      guard let header = try? header(of: file) else {
        remnants.append(.unknown(fingerprint: ""))
        continue
      }
      remnants += header.remnants
      // The progress of a corrupt journal is unknown.
      let state = (try? read(file))?.state
      if let state, state.attemptCount == 0 || state.isFinished { continue }
      remnants.append(
        MergeRemnant(
          deviceID: header.deviceID, fingerprint: header.fingerprint.description,
          recordedByteCount: state?.doneByteCount ?? 0))
    }
    return remnants
  }

  /// Checks that the wanted merge is not an earlier, finished one, which would overwrite the merges
  /// after it.
  ///
  /// - `path`: the journal that took the place of the finished ones.
  /// - Throws: `MergeError` (`journalConflict`) if the wanted merge is one of them.
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

  /// Checks that a journal elsewhere does not hide a half merged origin.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if the default place has an unfinished journal.
  func checkUsualPlace(_ usualPath: String, chosen: String) throws(MergeError) {
    guard let other = try other(usualPath, than: chosen) else { return }
    try other.checkIsSettled()
  }

  /// Checks that the journal is the latest of its origin: resuming an older one would lose what was
  /// written since.
  ///
  /// - `marked`: the path of this journal in the origin's mark; nil without such a mark. A mark
  ///   exists only while its merge is the latest.
  /// - `finished`: the journals of finished merges that marks name.
  /// - Throws: `MergeError` (`journalConflict`) if another journal is later.
  func checkIsLatest(
    _ journal: OpenJournal, usualPath: String, marked: String?, finished: [String]
  ) throws(MergeError) {
    for path in [usualPath, marked ?? ""] + finished where !path.isEmpty {
      guard let other = try other(path, than: journal.file.path),
        other.isOfSameOrigin(as: journal.header)
      else { continue }
      if other.id == journal.id {
        // Either copy of a journal may be resumed, unless the other one has more records.
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

  /// A journal opened only for reading.
  private struct Other {
    let path: String
    let header: JournalHeader
    let state: JournalState
    let id: String

    /// - Throws: `MergeError` (`journalConflict`) if the merge has begun and is not finished.
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

  /// Returns the journal at `path`; nil if there is none, or if it is the chosen one under another
  /// name.
  private func other(_ path: String, than chosen: String) throws(MergeError) -> Other? {
    guard chosen != path, FileSystem.exists(path) else { return nil }
    // Any user may own the file: at worst, its content makes this merge be refused.
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
