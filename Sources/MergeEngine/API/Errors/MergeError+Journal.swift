internal import SystemPackage

// Errors about the journal file itself; errors about the content of a journal are in
// `JournalFault`.

extension MergeError {
  /// Returns the hint for a file that cannot be created, renamed or removed in a directory; nil for
  /// most error codes.
  private static func folderHint(_ errno: Errno) -> String? {
    // Lack of permission has a different error code. Even root gets this one if the directory is
    // immutable, or in a sandbox.
    errno == .notPermitted
      ? "a sandbox, such as a container's seccomp profile, must allow open, link, rename and fsync; check "
        + "whether the journal's directory is immutable with".above("lsattr -d FOLDER")
      : limitHint(errno)
  }

  static func noJournal(_ path: String) -> MergeError {
    MergeError(
      .noJournal, .refused, "cannot open the journal", at: path,
      because: Errno.noSuchFileOrDirectory)
  }

  static func journalLocked(_ path: String) -> MergeError {
    MergeError(
      .journalLocked, .busy, "cannot use the journal", at: path,
      because: "another thin-merge run has it locked")
  }

  static func journalNotTrusted(_ path: String, _ doubt: JournalDoubt) -> MergeError {
    MergeError(
      .journalNotTrusted, .refused, "cannot trust the journal", at: path, because: doubt.inWords)
  }

  static func journalIsDevice(_ path: String, _ other: String) -> MergeError {
    MergeError(
      .journalIsDevice, .refused, "cannot use the journal", at: path,
      because: "it is \(other), or overlaps it",
      context: Context(path: path, role: "journal", name: other))
  }

  static func journalOnDevice(_ path: String, _ other: String) -> MergeError {
    MergeError(
      .journalOnDevice, .refused, "cannot create the journal", at: path,
      because: "its file system is on \(other), a device of this merge",
      context: Context(path: path, role: "journal", name: other))
  }

  static func noJournalFolder(_ path: String, folder: String) -> MergeError {
    MergeError(
      .noJournalFolder, .refused, "cannot create the journal", at: path,
      because: "the directory \(folder) does not exist",
      context: Context(path: path, role: "journal", name: folder))
  }

  static func cannotMakeStateFolder(_ folder: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeStateFolder, .refused, "cannot create the directory for journals", at: folder,
      because: errno, hint: folderHint(errno))
  }

  static func noRoomForJournal(_ path: String, _ byteCount: UInt64, _ errno: Errno) -> MergeError {
    MergeError(
      .noRoomForJournal, .refused, "not enough space for the journal", at: path,
      because: "it may need \(byteCount.formattedByteCount): \(errno)", hint: limitHint(errno),
      context: Context(path: path, counts: ["bytes": byteCount], errno: errno))
  }

  static func cannotMakeJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeJournal, .refused, "cannot create the journal", at: path, because: errno,
      hint: folderHint(errno))
  }

  /// Returns the error for a file system on which a file cannot be given its name without the risk
  /// of overwriting another file.
  static func cannotNameJournal(_ path: String) -> MergeError {
    MergeError(
      .cannotNameJournal, .refused, "cannot create the journal", at: path,
      because: "its file system supports neither hard links nor a rename that never replaces a file"
    )
  }

  static func cannotLockJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotLockJournal, .refused, "cannot lock the journal", at: path, because: errno,
      hint: limitHint(errno, call: "flock") ?? "use a file system that supports locks")
  }

  /// Returns the error for an existing journal that cannot be flushed when a run opens it.
  static func cannotFlushOpenedJournal(_ path: String, _ errno: Errno) -> MergeError {
    var error = cannotFlushJournal(path, errno)
      .hinting("see the kernel log about the device that it is on")
    error.kind = .refused
    return error
  }

  static func cannotFlushJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushJournal, .stopped, "cannot flush the journal", at: path, because: errno)
  }

  static func cannotAppendJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotAppendJournal, .stopped, "cannot append to the journal", at: path, because: errno,
      hint: limitHint(errno))
  }

  /// Returns the error for a journal to which the abandonment of its merge cannot be written.
  static func cannotRecordGivenUp(_ path: String, _ errno: Errno) -> MergeError {
    var error = cannotAppendJournal(path, errno)
    error.kind = .refused
    error.hint = error.hint ?? "fix its file system, then run the same command again"
    return error
  }

  static func cannotInspectJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotInspect, .refused, "cannot inspect the journal", at: path, because: errno,
      hint: "see the kernel log", context: Context(path: path, role: "journal"))
  }

  static func cannotCutJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotCutJournal, .refused, "cannot truncate the torn record at the journal's end", at: path,
      because: errno,
      hint:
        "nothing was changed; fix the journal's file system, then run the same command again"
    )
  }

  static func cannotRenameJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRenameJournal, .refused, "cannot set the journal aside", at: path, because: errno,
      hint: folderHint(errno) ?? "make the journal's directory writable")
  }

  static func cannotRemoveJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRemoveJournal, .refused, "cannot remove the journal", at: path, because: errno,
      hint: folderHint(errno) ?? "make the journal's directory writable")
  }

  /// Returns the error for a journal that was removed or replaced during the merge.
  ///
  /// - `cause`: the error that stopped the merge before the missing journal was noticed; nil if
  ///   there was none.
  static func journalGone(_ path: String, after cause: MergeError? = nil) -> MergeError {
    MergeError(
      .journalGone, .stopped, "the journal is gone", at: path,
      because: cause.map { journalIsGone(after: $0) }
        ?? journalIsGone("it was removed or replaced during the merge"),
      context: Context(path: path, cause: cause))
  }

  /// Returns the error for a journal that is no longer at its path: during the merge, it or its
  /// directory was moved, or something was mounted over it.
  ///
  /// - `cause`: the error that stopped the merge before the move was noticed; nil if there was
  ///   none.
  static func journalMoved(_ path: String, after cause: MergeError? = nil) -> MergeError {
    MergeError(
      .journalMoved, .stopped, "the journal is no longer at its path", at: path,
      because: cause.map { journalHasMoved(after: $0) }
        ?? "it was moved during the merge, or something is mounted over it",
      context: Context(path: path, cause: cause))
  }

  /// Returns the sentence that reports why a merge stopped, and that its journal was moved.
  package static func journalHasMoved(after cause: MergeError) -> String {
    "\(cause.code == .interrupted ? "a signal arrived" : cause.message); the journal was moved during the merge, or "
      + "something is mounted over it"
  }

  /// Returns the sentence that reports why a merge stopped, and that it cannot be resumed because
  /// its journal is gone.
  package static func journalIsGone(after cause: MergeError) -> String {
    // The details of an interruption are useful only to a user who can resume the merge.
    journalIsGone(cause.code == .interrupted ? "a signal arrived" : cause.message)
  }

  private static func journalIsGone(_ why: String) -> String {
    "\(why); the merge cannot be resumed"
  }
}

/// The reason why a user other than root and the current user could have written a journal.
enum JournalDoubt: Equatable {
  /// The journal belongs to the user with this ID; `isAskedByRoot` is true if thin-merge runs as
  /// root.
  case owner(UInt32, isAskedByRoot: Bool)
  /// The journal's mode, given here, lets users other than its owner write to it.
  case mode(UInt32)
  /// The journal file has this number of hard links rather than one.
  case nameCount(UInt64)

  /// The reason, worded as a clause about the journal.
  fileprivate var inWords: String {
    switch self {
    case .owner(let user, let isAskedByRoot):
      "it belongs to user \(user)" + (isAskedByRoot ? "" : ", not to root or to you")
    case .mode(let mode):
      "users other than its owner may write to it (mode \(String(mode, radix: 8)))"
    case .nameCount(let count): "it has \(count) hard links; expected 1"
    }
  }
}
