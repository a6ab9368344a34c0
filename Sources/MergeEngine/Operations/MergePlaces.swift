/// The paths of a merge's origin and journal, which must lead to the files that the merge has open.
struct MergePlaces {
  private let journal: OpenFile
  /// Nil where the origin had no path to begin with.
  private let origin: OpenFile?

  /// Notes an origin that no path leads to.
  init(journal: OpenFile, origin: OpenFile, note: (MergeNote) -> Void) {
    self.journal = journal
    // A deleted file can be opened by way of /proc, and its links then lead nowhere.
    guard FileSystem.resolved(origin.path) != nil, origin.isStillAtItsPath else {
      note(.originWithoutName(origin.path))
      self.origin = nil
      return
    }
    self.origin = origin
  }

  /// True while a later run can resume from the journal.
  var hasJournal: Bool { journal.isStillAtItsPath }

  /// - Throws: `MergeError` (`stopped`) where a path leads to another file, or to none.
  func check() throws(MergeError) {
    guard hasJournal else {
      throw .journalGone(journal.path)
    }
    guard let origin, !origin.isStillAtItsPath else { return }
    throw .originMoved(origin.path, journalPath: journal.path)
  }

  /// Returns the error of a merge that stopped, with the loss of its journal where that is gone too.
  func stopped(by error: MergeError) -> MergeError {
    guard !hasJournal, error.code != .journalGone, error.kind != .bug else { return error }
    return .journalGone(journal.path, after: error)
  }
}
