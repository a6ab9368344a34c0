// Errors about other merges into the same origin, and about the marks that they leave on it.

extension MergeError {
  static func otherMergeUnfinished(_ path: String, deviceID: UInt32) -> MergeError {
    MergeError(
      .otherMergeUnfinished, .journalConflict, "the origin is partially merged", at: path,
      because: "an unfinished merge of dev \(deviceID) is recorded there",
      context: Context(path: path, deviceID: deviceID))
  }

  static func journalGivenUp(_ path: String, for taker: StatusReport.GivenUp) -> MergeError {
    let place = taker.journalPath == path ? "" : ", whose journal is \(taker.journalPath)"
    return MergeError(
      .journalGivenUp, .journalConflict, "cannot use the journal", at: path,
      because: "its merge was abandoned for a merge of dev \(taker.deviceID)\(place)",
      context: Context(path: path, journalPath: taker.journalPath, deviceID: taker.deviceID))
  }

  /// Returns the error for a journal that is not the latest one for its origin.
  ///
  /// - `isSameMerge`: true if the later journal records the same merge.
  static func journalOvertaken(
    _ path: String, by later: String, isSameMerge: Bool
  ) -> MergeError {
    MergeError(
      .journalOvertaken, .journalConflict, "cannot resume the merge", at: path,
      because: isSameMerge
        ? "it was resumed with another journal, \(later)"
        : "a later merge into the same origin is recorded in \(later)",
      context: Context(path: path, journalPath: later))
  }

  /// Returns the error for an origin that is marked as partially merged, but whose mark does not
  /// lead to a usable journal.
  static func markWithoutJournal(
    _ originPath: String, _ doubt: MarkDoubt, journalPath: String
  ) -> MergeError {
    var context = Context(path: originPath)
    switch doubt {
    case .gone, .replaced, .unusable: context.journalPath = journalPath
    case .unnamed, .copied, .newer: break
    }
    if case .unusable(let error) = doubt { context = context.caused(by: error) }
    return MergeError(
      .markWithoutJournal, .journalConflict, "the origin may be partially merged", at: originPath,
      because: doubt.inWords(journalPath: journalPath), context: context)
  }
  /// Returns the error for a merge that another run finished before this run could begin.
  static func finishedMeanwhile(_ path: String) -> MergeError {
    MergeError(
      .otherMergeFinished, .journalConflict, "another merge of these devices is finished", at: path,
      because: afterFinished("another run finished it in the meantime"),
      context: Context(path: path))
  }

  /// Returns the error for a merge that is finished according to a mark on the origin, but whose
  /// journal cannot be read or may be another merge's.
  ///
  /// - `journalPath`: the path of the journal named by the mark; empty if the mark does not name
  ///   one.
  /// - `error`: the reason why the file at that path cannot be read; nil if there is no path, or if
  ///   the file can be read but may be the journal of another merge.
  static func finishedByMark(
    _ originPath: String, journalPath: String, because error: MergeError?
  ) -> MergeError {
    let why =
      if let error {
        "its journal cannot be read: \(error.message)"
      } else if journalPath.isEmpty {
        "the mark does not name its journal"
      } else {
        "the journal at \(journalPath) may belong to another merge"
      }
    var context = Context(path: originPath)
    if let error { context = context.caused(by: error) }
    return MergeError(
      .otherMergeFinished, .journalConflict, "this merge is finished", at: originPath,
      because: afterFinished("a mark on the origin records it, but \(why)"), context: context)
  }

  /// Returns the error for a finished merge that was followed by another merge into the same
  /// origin.
  static func finishedBefore(_ path: String) -> MergeError {
    MergeError(
      .otherMergeFinished, .journalConflict, "this merge is finished", at: path,
      because: afterFinished("another merge into the same origin came after it"),
      context: Context(path: path))
  }
}

/// The reason why the progress of a merge cannot be determined from the mark on its origin.
enum MarkDoubt: Equatable {
  /// The journal that the mark names does not exist.
  case gone
  /// A different journal is at the path that the mark names.
  case replaced
  /// The file at the path that the mark names is not a readable journal.
  case unusable(MergeError)
  /// The mark does not name a journal.
  case unnamed
  /// The mark was copied together with the origin file that it belongs to.
  case copied
  /// The mark was made by another version of thin-merge.
  case newer

  /// Returns the reason, worded as a clause about the origin.
  fileprivate func inWords(journalPath: String) -> String {
    let marked = "it has the mark of a merge"
    return switch self {
    case .gone: "\(marked) whose journal is missing, \(journalPath)"
    case .replaced:
      "\(marked) whose journal was replaced by another one, \(journalPath)"
    case .unusable(let error): "\(marked) whose journal is unusable: \(error.message)"
    case .unnamed: "\(marked), which does not name its journal"
    case .copied: "it is a copy of a file with the mark of a merge"
    case .newer: "it has a mark from another version of thin-merge"
    }
  }
}
