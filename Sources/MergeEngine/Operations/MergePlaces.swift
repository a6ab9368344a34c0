/// The paths of a merge's origin and journal, which must lead to the merge's open files.
struct MergePlaces {
  private let journal: OpenFile
  private let origin: OriginPlace

  /// Notes an origin without a path that leads to it.
  ///
  /// - `grownByteCount`: the new size of the origin; nil if it is not extended.
  init(
    journal: OpenFile, origin: DeviceTarget, grownByteCount: UInt64?, note: (MergeNote) -> Void
  ) {
    self.journal = journal
    self.origin = OriginPlace(
      origin.file, backing: origin.backing, grownByteCount: grownByteCount)
    if !self.origin.isNamed { note(.originWithoutName(origin.file.path)) }
  }

  /// True while a later run can resume from the journal.
  var hasJournal: Bool { journal.isStillAtItsPath }

  /// - Throws: `MergeError` (`stopped`) if a path leads to another file or to none, or the
  ///   origin is shorter.
  func check() throws(MergeError) {
    guard hasJournal else { throw lostJournal() }
    try origin.check(journalPath: journal.path)
  }

  /// Returns the error of a stopped merge, including the loss of its journal if that is gone too.
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
