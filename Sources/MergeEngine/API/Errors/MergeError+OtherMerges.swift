// The catalogue of errors about other merges onto the same origin, and about their marks.

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

  /// Returns the error for a journal that is not the latest of its origin.
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

  /// Returns the error for a marked origin whose merge has no usable journal.
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
  /// Returns the error for a merge that another run finished before this one could begin.
  static func finishedMeanwhile(_ path: String) -> MergeError {
    MergeError(
      .otherMergeFinished, .journalConflict, "another merge of these devices is finished", at: path,
      because: afterFinished("another run finished it in the meantime"),
      context: Context(path: path))
  }

  /// Returns the error for a merge that a mark at its origin calls finished, but whose journal is
  /// unreadable or doubtful.
  ///
  /// - `journalPath`: the journal's path in the mark; empty if the mark has none.
  /// - `error`: the reason that the file at that path is unreadable; nil if it is another journal,
  ///   or its devices may differ.
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

  /// Returns the error for a finished merge that was followed by another merge onto the same
  /// origin.
  static func finishedBefore(_ path: String) -> MergeError {
    MergeError(
      .otherMergeFinished, .journalConflict, "this merge is finished", at: path,
      because: afterFinished("another merge into the same origin came after it"),
      context: Context(path: path))
  }
}

/// The reason that a mark does not reveal its merge's progress.
enum MarkDoubt: Equatable {
  /// The journal's path leads to nothing.
  case gone
  /// The journal's path leads to another journal.
  case replaced
  /// The journal's path leads to a file that is not a readable journal.
  case unusable(MergeError)
  /// The mark has no path.
  case unnamed
  /// The mark was copied along with the file.
  case copied
  /// Another version made the mark.
  case newer

  /// Returns the reason as a sentence.
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
