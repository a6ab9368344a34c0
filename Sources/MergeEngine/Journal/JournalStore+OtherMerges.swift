internal import SystemPackage

// Journals of other merges into the same origin.

extension JournalStore {
  /// Records that unfinished merges are abandoned and renames their journals, so that no run
  /// resumes from them.
  func putAside(
    _ files: [OpenFile], for taker: StatusReport.GivenUp
  ) throws(MergeError) {
    for file in files {
      try recordGivenUp(file, for: taker)
      note(.journalPutAside(try JournalFile.putAside(file, suffix: ".old")))
    }
  }

  /// Durably records in the journal of an unfinished merge that the merge is abandoned.
  ///
  /// Whatever name the journal is later found under, no run will resume from it and overwrite the
  /// new merge's data. The journal of a finished merge is left unchanged. So is a journal that is
  /// unreadable or that other users can write to, since no run would resume from it anyway.
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

  /// Returns the blocks that the merges of these journals left on the origin, including the blocks
  /// from earlier merges that the journals' headers record.
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

  /// Checks that the requested merge has not already finished: repeating it would overwrite the
  /// merges that came after it.
  ///
  /// - `path`: the path of the current journal, next to which journals of earlier, finished merges
  ///   were set aside.
  /// - Throws: `MergeError` (`journalConflict`) if the requested merge has already finished.
  func checkIsNotFinished(before path: String, _ match: JournalMatch) throws(MergeError) {
    for earlier in JournalFile.pathsAside(of: path, suffix: JournalFile.finishedSuffix) {
      if let journal = try? open(earlier), journal.state.isFinished,
        match.isOfSameDevices(journal.header),
        journal.header.fingerprint == match.wanted.fingerprint
      {
        throw .finishedBefore(earlier)
      }
    }
  }

  /// Checks that using a journal at a nondefault path does not hide the fact that the origin is
  /// half merged.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if the journal at the default path belongs to an
  ///   unfinished merge.
  func checkUsualPlace(_ usualPath: String, chosen: String) throws(MergeError) {
    guard let other = try other(usualPath, than: chosen) else { return }
    try other.checkIsSettled()
  }

  /// Checks that the journal is the most recent one for its origin: resuming from an older journal
  /// would lose data written since then.
  ///
  /// - `marked`: the path of this journal as recorded in the origin's mark; nil if there is no such
  ///   mark. A mark exists only while its merge is the most recent one.
  /// - `finished`: the paths of the journals of finished merges, as recorded in marks.
  /// - Throws: `MergeError` (`journalConflict`) if another journal is more recent.
  func checkIsLatest(
    _ journal: OpenJournal, usualPath: String, marked: String?, finished: [String]
  ) throws(MergeError) {
    for path in [usualPath, marked ?? ""] + finished where !path.isEmpty {
      guard let other = try other(path, than: journal.file.path),
        other.isOfSameOrigin(as: journal.header)
      else { continue }
      if other.id == journal.id {
        // A run may resume from either copy of a journal, unless the other copy has more records.
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

  /// Another merge's journal, or a copy of this one, opened only for reading.
  private struct Other {
    let path: String
    let header: JournalHeader
    let state: JournalState
    let id: String

    /// Checks that the journal's merge either never began or is finished.
    ///
    /// - Throws: `MergeError` (`journalConflict`) if the merge began but did not finish.
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

  /// Returns the journal at `path`; nil if there is none, or if it is the journal at `chosen`,
  /// possibly under another name.
  private func other(_ path: String, than chosen: String) throws(MergeError) -> Other? {
    guard chosen != path, FileSystem.exists(path) else { return nil }
    // Any user may own the file: at worst, its content causes this merge to be refused.
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
