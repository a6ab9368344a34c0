internal import SystemPackage

/// The marks that merges leave on an origin, found under any of the origin's names.
///
/// A mark is set after the journal gets its name and before the journal's first run is recorded.
/// Once `finished` is recorded, a mark of a second kind replaces the first one. The second mark
/// blocks no merge: it tells a user who repeats the merge that nothing is left to do, and it is
/// removed when another merge begins. A crash leaves one of these states:
///
/// | crash | mark | journal | meaning |
/// |---|---|---|---|
/// | before the mark is set | none | no run | nothing was written |
/// | before the run is recorded | this journal's | no run | nothing was written |
/// | before `finished` | this journal's | runs, not finished | the origin is half merged |
/// | before the mark is removed | this journal's | finished | the merge is finished |
/// | in a restart, before the mark is set | the earlier journal's | new, no run | half merged |
/// | in a restart, before its first run | this journal's, of a restart | no run | half merged |
struct OriginMarks {
  private let place: MarkPlace
  private let range: ByteRange
  private let identity: String
  private let origin: OpenFile
  private let bootID: String
  private let journals: JournalStore

  /// The meaning of a mark, given the journal that it names.
  private enum Standing {
    /// The mark belongs to the caller's own journal.
    case own
    /// The merge wrote nothing or is finished, or the mark is stale: set during another boot or for
    /// another file.
    case settled
    case unfinished(StatusOfMark)
    /// The progress of the merge cannot be determined.
    case unknown(MarkDoubt, journalPath: String)
  }

  private struct StatusOfMark {
    var journalPath: String
    var deviceID: UInt32
    var givenUp: StatusReport.GivenUp?
  }

  /// - `backing`: the file under the origin's loop devices, or the origin itself; nil to search for
  ///   that file.
  /// - `linearParts`: the mapped devices, one of which may be the origin.
  /// - `stateFolder`: the folder that contains the marks for disks, regardless of where this run's
  ///   journals are stored.
  init(
    of origin: OpenFile, backing: OpenFile? = nil, linearParts: StorageExtent.LinearParts,
    stateFolder: String, bootID: String, journals: JournalStore
  ) {
    let extent = StorageExtent(origin, linearParts: linearParts)
    let file = origin.kind == .regularFile ? origin : backing ?? extent.openFile()
    let identity =
      if let file {
        DeviceIdentity(file).name
      } else if case .device(let number) = extent.layer {
        DeviceIdentity.name(number)
      } else {
        ""
      }
    self.init(
      of: origin, range: extent.range, identity: identity,
      place: MarkPlace(extent, in: file, identity: identity, stateFolder: stateFolder),
      bootID: bootID, journals: journals)
  }

  /// - `range`: the bytes that the origin occupies in the file or disk named by `identity`.
  init(
    of origin: OpenFile, range: ByteRange, identity: String, place: MarkPlace, bootID: String,
    journals: JournalStore
  ) {
    self.origin = origin
    self.range = range
    self.identity = FileSystem.plainName(identity)
    self.place = place
    self.bootID = bootID
    self.journals = journals
  }

  // MARK: Reading marks

  /// Checks that the origin has no mark of an unfinished merge, except for the mark of `own`;
  /// changes nothing.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if another merge is unfinished or might be.
  func check(for own: OpenJournal?) throws(MergeError) {
    for mark in try overlapping() {
      switch standing(of: mark, for: own) {
      case .own, .settled: continue
      case .unfinished(let found):
        if let taker = found.givenUp { throw .journalGivenUp(found.journalPath, for: taker) }
        throw .otherMergeUnfinished(found.journalPath, deviceID: found.deviceID)
      case .unknown(let doubt, let journalPath):
        throw .markWithoutJournal(origin.path, doubt, journalPath: journalPath)
      }
    }
  }

  /// Returns the journal paths of the unfinished merges that the origin's marks record.
  func unfinishedJournals() -> [String] {
    ((try? overlapping()) ?? []).compactMap { mark in
      if case .unfinished(let found) = standing(of: mark, for: nil) {
        found.journalPath
      } else {
        nil
      }
    }
  }

  /// Returns the most recent finished merges into the origin that the origin's marks record.
  ///
  /// - `known`: the path of a journal to skip.
  func finishedMerges(besides known: String) -> [MarkedMerge] {
    MarkPlace.Kind.allCases.flatMap { (try? overlapping($0)) ?? [] }.compactMap { stored in
      guard let mark = OriginMark(decoding: stored.bytes), mark.identity == identity,
        mark.bootID.isEmpty || mark.bootID == bootID
      else { return nil }
      let merge = MarkedMerge(mark, journals)
      guard case .journal(let journal) = merge.journal else {
        return stored.kind == .finishedMerge ? merge : nil
      }
      return journal.state.isFinished && mark.journalPath != known ? merge : nil
    }
  }

  /// Returns merges into the origin whose progress is unknown, because only a mark records them or
  /// because the mark was copied from another file.
  func lostMerges(besides own: OpenJournal?) -> [MarkedMerge] {
    ((try? overlapping()) ?? []).compactMap { stored in
      guard case .unknown = standing(of: stored, for: own) else { return nil }
      return OriginMark(decoding: stored.bytes).map { MarkedMerge($0, journals) }
        ?? MarkedMerge(fingerprint: "", path: "", journal: .lost(nil))
    }
  }

  /// Returns the path recorded in this journal's mark; nil if there is no such mark, empty if the
  /// mark has no path.
  func place(of journal: OpenJournal) -> String? {
    ((try? overlapping()) ?? []).compactMap { OriginMark(decoding: $0.bytes) }
      .first { $0.journalID == journal.id && $0.identity == identity }?.journalPath
  }

  private func overlapping(
    _ kind: MarkPlace.Kind = .unfinishedMerge
  ) throws(MergeError) -> [MarkPlace.Stored] {
    do throws(Errno) {
      return try place.stored(kind).filter { $0.range.overlaps(range) }
    } catch {
      throw .cannotInspect(origin.path, "origin", error)
    }
  }

  private func standing(of stored: MarkPlace.Stored, for own: OpenJournal?) -> Standing {
    guard let mark = OriginMark(decoding: stored.bytes) else {
      return .unknown(.newer, journalPath: "")
    }
    guard mark.bootID.isEmpty || mark.bootID == bootID else { return .settled }
    // Copying a file may also copy its attributes; the copy is then as half merged as the original.
    guard mark.identity == identity else {
      // Inode numbers are reused, so a mark in the state folder may belong to a file that no longer
      // exists.
      guard stored.isAttribute else { return .settled }
      return .unknown(.copied, journalPath: mark.journalPath)
    }
    if let own, own.id == mark.journalID { return .own }
    return standing(of: mark)
  }

  private func standing(of mark: OriginMark) -> Standing {
    let path = mark.journalPath
    guard !path.isEmpty else { return .unknown(.unnamed, journalPath: path) }
    guard !FileSystem.isMissing(path) else { return .unknown(.gone, journalPath: path) }
    let journal: OpenJournal
    do throws(MergeError) {
      journal = try journals.look(at: path)
    } catch {
      return .unknown(.unusable(error), journalPath: path)
    }
    guard journal.id == mark.journalID else { return .unknown(.replaced, journalPath: path) }
    guard journal.state.attemptCount > 0 || mark.isOfRestart, !journal.state.isFinished else {
      return .settled
    }
    return .unfinished(
      StatusOfMark(
        journalPath: path, deviceID: journal.header.deviceID, givenUp: journal.state.givenUp))
  }

  // MARK: Changing marks

  /// Durably marks the origin as half merged by the merge of `journal`, and removes other
  /// overlapping marks.
  ///
  /// - `isUsualPlace`: whether the journal is at the path where a merge into this origin looks even
  ///   without a mark.
  /// - `isRestart`: whether the journal of another merge, or of an earlier attempt, was set aside
  ///   to make room for this journal.
  /// - Throws: `MergeError` (`refused`) if the mark cannot be set. If there is nowhere to store a
  ///   mark, the user is at most notified.
  func set(
    _ journal: OpenJournal, isUsualPlace: Bool, isRestart: Bool = false
  ) throws(MergeError) {
    let earlier = try overlapping()
    var mark = OriginMark(
      journalID: journal.id, identity: identity, bootID: "",
      isOfRestart: isRestart || earlier.contains { isOfHalfMerged($0, for: journal) },
      journalPath: FileSystem.absolute(journal.file.path))
    var name: String
    do throws(Errno) {
      do throws(Errno) {
        name = try put(.unfinishedMerge, mark)
      } catch {
        // Some file systems keep all of a file's attributes in one block, which is too small for a
        // long path.
        guard [.noSpace, .argListTooLong, .outOfRange].contains(error) else { throw error }
        mark.journalPath = ""
        name = try put(.unfinishedMerge, mark)
      }
    } catch {
      return try goOnUnmarked(error, isUsualPlace: isUsualPlace)
    }
    for other in earlier where other.name != name { try? place.remove(other) }
    for finished in (try? overlapping(.finishedMerge)) ?? [] { try? place.remove(finished) }
  }

  /// Returns true if a mark shows that the origin is, or may be, half merged even before the first
  /// run of `journal`.
  private func isOfHalfMerged(_ stored: MarkPlace.Stored, for journal: OpenJournal) -> Bool {
    switch standing(of: stored, for: journal) {
    case .own: OriginMark(decoding: stored.bytes)?.isOfRestart == true
    case .settled: false
    case .unfinished, .unknown: true
    }
  }

  private func put(_ kind: MarkPlace.Kind, _ mark: OriginMark) throws(Errno) -> String {
    try place.put(kind, range, processID: journals.processID) { isOfBoot in
      var mark = mark
      if isOfBoot { mark.bootID = bootID }
      return mark.encoded
    }
  }

  private func goOnUnmarked(_ errno: Errno, isUsualPlace: Bool) throws(MergeError) {
    let isTolerated =
      place.isOfFile
      ? errno.isMissingSupport
      : [.readOnlyFileSystem, .permissionDenied, .notPermitted].contains(errno)
    guard isTolerated else { throw .cannotMarkOrigin(origin.path, errno) }
    guard try place.nameCountNow() > 1 || !isUsualPlace else { return }
    journals.note(.originNotMarked(origin.path, errno))
  }

  /// Removes marks that no longer matter, and the mark of `own` if its merge is finished.
  ///
  /// Errors are ignored: a leftover mark will mean the same thing next time.
  func removeSettled(_ own: OpenJournal? = nil) {
    for mark in (try? overlapping()) ?? [] {
      switch standing(of: mark, for: own) {
      case .own: if own?.state.isFinished == true { try? place.remove(mark) }
      case .settled: try? place.remove(mark)
      case .unfinished, .unknown: continue
      }
    }
  }

  /// Replaces the mark of an unfinished merge with the mark of a finished one.
  ///
  /// Errors are ignored: a leftover mark names a journal that records the merge as finished.
  func finish(_ journal: OpenJournal) {
    let unfinished = ((try? overlapping()) ?? []).filter {
      OriginMark(decoding: $0.bytes)?.journalID == journal.id
    }
    guard !unfinished.isEmpty else { return }
    var mark = OriginMark(
      journalID: journal.id, identity: identity, bootID: "",
      journalPath: FileSystem.absolute(journal.file.path))
    if (try? put(.finishedMerge, mark)) == nil {
      // There may not be room for the path in both marks.
      mark.journalPath = ""
      _ = try? put(.finishedMerge, mark)
    }
    for mark in unfinished { try? place.remove(mark) }
  }
}

/// A merge recorded by a mark on its origin.
struct MarkedMerge {
  enum Journal {
    case journal(OpenJournal)
    /// The mark's path leads to no journal, to an unreadable one, or to another merge's. The
    /// associated value is the error, if there was one.
    case lost(MergeError?)
  }

  /// The fingerprint of the merge's mappings, as text; empty if the mark is unreadable.
  let fingerprint: String
  /// The path of the merge's journal; empty if the mark does not record it.
  let path: String
  let journal: Journal

  init(fingerprint: String, path: String, journal: Journal) {
    self.fingerprint = fingerprint
    self.path = path
    self.journal = journal
  }

  init(_ mark: OriginMark, _ journals: JournalStore) {
    fingerprint = mark.fingerprint
    path = mark.journalPath
    do throws(MergeError) {
      guard !path.isEmpty else {
        journal = .lost(nil)
        return
      }
      let found = try journals.open(path)
      journal = found.id == mark.journalID ? .journal(found) : .lost(nil)
    } catch {
      journal = .lost(error)
    }
  }
}
