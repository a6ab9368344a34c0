internal import SystemPackage

// The catalogue of errors about the journal as a file; `JournalFault` contains those about its
// content.

extension MergeError {
  /// Returns the remedy for a name that cannot be created, changed or removed in a folder; nil for
  /// most numbers.
  private static func folderHint(_ errno: Errno) -> String? {
    // Missing permission has another number; even root gets this one for an immutable folder or in
    // a sandbox.
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

  /// Returns the error for a file system that cannot name a file without the risk of overwriting
  /// another.
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

  /// Returns the error for a failed flush while a run takes over an existing journal.
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

  /// Returns the error for a journal that cannot record that its merge was abandoned.
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
  /// - `cause`: the error that stopped the merge before the loss was noticed.
  static func journalGone(_ path: String, after cause: MergeError? = nil) -> MergeError {
    MergeError(
      .journalGone, .stopped, "the journal is gone", at: path,
      because: cause.map { journalIsGone(after: $0) }
        ?? journalIsGone("it was removed or replaced during the merge"),
      context: Context(path: path, cause: cause))
  }

  /// Returns the error for a journal that was moved during the merge, that is in a moved folder, or
  /// that has something mounted over it.
  ///
  /// - `cause`: the error that stopped the merge before the move was noticed.
  static func journalMoved(_ path: String, after cause: MergeError? = nil) -> MergeError {
    MergeError(
      .journalMoved, .stopped, "the journal is no longer at its path", at: path,
      because: cause.map { journalHasMoved(after: $0) }
        ?? "it was moved during the merge, or something is mounted over it",
      context: Context(path: path, cause: cause))
  }

  /// Returns the sentence about a merge that `cause` stopped and whose journal was moved.
  package static func journalHasMoved(after cause: MergeError) -> String {
    "\(cause.code == .interrupted ? "a signal arrived" : cause.message); the journal was moved during the merge, or "
      + "something is mounted over it"
  }

  /// Returns the sentence about a merge that `cause` stopped and whose journal was lost.
  package static func journalIsGone(after cause: MergeError) -> String {
    // The details of an interruption only help a user who can resume.
    journalIsGone(cause.code == .interrupted ? "a signal arrived" : cause.message)
  }

  private static func journalIsGone(_ why: String) -> String {
    "\(why); the merge cannot be resumed"
  }
}

/// The reason that someone other than the user or root could have written a journal.
enum JournalDoubt: Equatable {
  /// The journal belongs to another user; `isAskedByRoot` is true if the caller is root.
  case owner(UInt32, isAskedByRoot: Bool)
  /// Users other than the journal's owner may write it.
  case mode(UInt32)
  /// The journal has other names.
  case nameCount(UInt64)

  /// The reason, as a sentence.
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
