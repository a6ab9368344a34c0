internal import SystemPackage

/// The marks of merges at an origin, whatever name it goes by.
///
/// A mark is set once the journal has its name and before its first run is recorded. Once `finished` is, another kind of
/// mark takes its place, which keeps nobody away: it tells those who give the same merge again that there is nothing
/// left to do. It is gone when another merge begins. So a crash leaves one of these:
///
/// | crash | mark | journal | what it tells |
/// |---|---|---|---|
/// | before the mark | none | no run | nothing was written |
/// | before the run is recorded | its own | no run | nothing was written |
/// | before `finished` | its own | runs, not finished | the origin is half merged |
/// | before the mark is removed | its own | finished | the merge is finished |
/// | in a restart, before the mark | the earlier journal's | no run, in the earlier one's place | half merged |
/// | in a restart, before its run is recorded | its own, of a restart | no run | half merged |
struct OriginMarks {
  private let place: MarkPlace
  private let range: ByteRange
  private let identity: String
  private let origin: OpenFile
  private let bootID: String
  private let journals: JournalStore

  /// What a mark tells, by the journal that it names.
  private enum Standing {
    /// It is of the journal that is asked about.
    case own
    /// Its merge has written nothing or is finished, or it is of another boot's device.
    case settled
    case unfinished(StatusOfMark)
    /// Nothing tells how far its merge is.
    case unknown(MarkDoubt, journalPath: String)
  }

  private struct StatusOfMark {
    var journalPath: String
    var deviceID: UInt32
    var givenUp: StatusReport.GivenUp?
  }

  /// - `backing`: the file under the origin's loop devices, or itself; nil where it is to be looked for.
  /// - `linearParts`: the mapped devices that the origin may be one of.
  /// - `stateFolder`: where the marks of disks are kept, whatever folder the journals of this run are in.
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

  /// - `range`: the origin's bytes in the file or disk of that identity.
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

  // MARK: Looking

  /// Looks for marks of other merges than that of `own`; changes nothing.
  ///
  /// - Throws: `MergeError` (`journalConflict`) where another merge is unfinished, or may be.
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

  /// The journals of the unfinished merges that marks name.
  func unfinishedJournals() -> [String] {
    ((try? overlapping()) ?? []).compactMap { mark in
      if case .unfinished(let found) = standing(of: mark, for: nil) {
        found.journalPath
      } else {
        nil
      }
    }
  }

  /// The last merges onto the origin, if those are finished and marks tell of them.
  ///
  /// - `known`: a journal that was looked at already.
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

  /// Unfinished merges onto the origin of which nothing but a mark tells, or a journal that is another file's.
  func lostMerges(besides own: OpenJournal?) -> [MarkedMerge] {
    ((try? overlapping()) ?? []).compactMap { stored in
      guard case .unknown = standing(of: stored, for: own) else { return nil }
      return OriginMark(decoding: stored.bytes).map { MarkedMerge($0, journals) }
        ?? MarkedMerge(fingerprint: "", path: "", journal: .lost(nil))
    }
  }

  /// Where a mark says that this journal is; nil where there is no mark of it, and empty where it names no place.
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
    // Attributes are copied with a file where somebody wants it so, and the copy is as half merged.
    guard mark.identity == identity else {
      // A number is another file's once the one that had it is gone.
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

  // MARK: Changing

  /// Marks the origin as half merged by the merge of `journal`, durably, and by no other.
  ///
  /// - `isUsualPlace`: whether the journal is where a merge onto this path looks for it without a mark.
  /// - `isRestart`: whether the journal of another merge, or of an earlier try, was put aside for it.
  /// - Throws: `MergeError` (`refused`) where that fails; there is a note where there is no place for marks.
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
        // A file system has as little as a block for all attributes of a file.
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

  /// Whether a mark tells that the origin is half merged, or may be, before the first run of a journal.
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

  /// Removes the marks of merges that have written nothing or are finished, that of `own` among them if it is.
  ///
  /// What cannot be removed tells the same the next time.
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
  /// Errors are ignored: a leftover mark names a journal that says the merge is finished.
  func finish(_ journal: OpenJournal) {
    let unfinished = ((try? overlapping()) ?? []).filter {
      OriginMark(decoding: $0.bytes)?.journalID == journal.id
    }
    guard !unfinished.isEmpty else { return }
    var mark = OriginMark(
      journalID: journal.id, identity: identity, bootID: "",
      journalPath: FileSystem.absolute(journal.file.path))
    if (try? put(.finishedMerge, mark)) == nil {
      // There may be no room for the path twice.
      mark.journalPath = ""
      _ = try? put(.finishedMerge, mark)
    }
    for mark in unfinished { try? place.remove(mark) }
  }
}

/// A merge that a mark at its origin tells of.
struct MarkedMerge {
  enum Journal {
    case journal(OpenJournal)
    /// There is none at its path, or one that cannot be read or is another merge's; the error if there is one.
    case lost(MergeError?)
  }

  /// Of its mappings, as text; empty where the mark cannot be understood.
  let fingerprint: String
  /// Of its journal; empty where the mark has none.
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
