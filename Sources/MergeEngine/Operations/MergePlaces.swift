/// The paths of a merge's origin and journal, each of which must lead to the file that the merge
/// has open.
struct MergePlaces {
  private let journal: OpenFile
  private let origin: OriginPlace

  /// Records the paths, and reports in a note if the origin has no path that leads to it.
  ///
  /// - `grownByteCount`: the new size of the origin in bytes; nil if it is not extended.
  init(
    journal: OpenFile, origin: DeviceTarget, grownByteCount: UInt64?, note: (MergeNote) -> Void
  ) {
    self.journal = journal
    self.origin = OriginPlace(
      origin.file, backing: origin.backing, grownByteCount: grownByteCount)
    if !self.origin.isNamed { note(.originWithoutName(origin.file.path)) }
  }

  /// True as long as the journal's path leads to the journal, so that a later run can resume from
  /// it.
  var hasJournal: Bool { journal.isStillAtItsPath }

  /// Checks that the merge's paths still lead to its files, and that the origin has not become
  /// shorter.
  ///
  /// - Throws: `MergeError` (`stopped`) if a path now leads to a different file or to none, or if
  ///   the origin has become shorter.
  func check() throws(MergeError) {
    guard hasJournal else { throw lostJournal() }
    try origin.check(journalPath: journal.path)
  }

  /// Returns the error to report for a stopped merge, which includes the loss of the journal if the
  /// journal was lost too.
  func stopped(by error: MergeError) -> MergeError {
    guard !hasJournal, ![.journalGone, .journalMoved].contains(error.code), error.kind != .bug
    else { return error }
    return lostJournal(after: error)
  }

  private func lostJournal(after cause: MergeError? = nil) -> MergeError {
    (try? journal.nameCountNow()) ?? 0 > 0
      ? .journalMoved(journal.path, after: cause) : .journalGone(journal.path, after: cause)
  }
}
