/// The paths of a merge's origin and journal, which must lead to the files that the merge has open.
struct MergePlaces {
  private let journal: OpenFile
  /// Nil where the origin had no path to begin with.
  private let origin: OpenFile?

  /// Notes an origin that no path leads to.
  init(journal: OpenFile, origin: OpenFile, note: (String) -> Void) {
    self.journal = journal
    // A deleted file can be opened by way of /proc, and its links then lead nowhere.
    guard FileSystem.resolved(origin.path) != nil, origin.isStillAtItsPath else {
      note("\(origin.path): the file has no name; what is merged is lost once nobody has it open")
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
      throw withoutJournal("it was removed or replaced during the merge")
    }
    guard let origin, !origin.isStillAtItsPath else { return }
    throw MergeError(
      .stopped, "the origin is not at its path any more", at: origin.path,
      because: "another file is there, or none; the blocks went to the file that was there",
      hint: "put that file back to its path, then: thin-merge resume "
        + journal.path.shellQuoted)
  }

  /// Returns the error of a merge that stopped, with the loss of its journal where that is gone too.
  func stopped(by error: MergeError) -> MergeError {
    guard !hasJournal, error.what != Self.journalIsGone, error.kind != .bug else { return error }
    return withoutJournal(error.message)
  }

  private static let journalIsGone = "the journal is gone"

  private func withoutJournal(_ why: String) -> MergeError {
    MergeError(
      .stopped, Self.journalIsGone, at: journal.path,
      because: "\(why); there is nothing to resume from",
      hint:
        "the origin may be merged in part: move away what is at that path now, if anything, and "
        + "merge from the beginning with 'thin-merge merge'")
  }
}
