internal import SystemPackage

// The journal as a file: where it is, who may have it, and what the system does not let be done with it.
// What is wrong with its content is in the catalogue of `JournalFault`.

extension MergeError {
  /// A path that leads to nothing.
  static func noJournal(_ path: String) -> MergeError {
    MergeError(
      .noJournal, .refused, "cannot open the journal", at: path,
      because: Errno.noSuchFileOrDirectory)
  }

  /// A journal that a merge has.
  static func journalLocked(_ path: String) -> MergeError {
    MergeError(
      .journalLocked, .busy, "cannot use the journal", at: path,
      because: "another merge has it locked")
  }

  /// A journal that somebody else can have written.
  static func journalNotTrusted(_ path: String, _ doubt: JournalDoubt) -> MergeError {
    MergeError(
      .journalNotTrusted, .refused, "cannot trust the journal", at: path, because: doubt.inWords)
  }

  /// A journal that would be written over what is merged.
  static func journalIsDevice(_ path: String, _ other: String) -> MergeError {
    MergeError(
      .journalIsDevice, .refused, "cannot use the journal", at: path,
      because: "it is \(other) itself, or shares its blocks",
      context: Context(path: path, role: "journal", name: other))
  }

  /// A journal in a file system that lies on what is merged.
  static func journalOnDevice(_ path: String, _ other: String) -> MergeError {
    MergeError(
      .journalOnDevice, .refused, "cannot make the journal", at: path,
      because: "its file system is on \(other), a device of this merge",
      context: Context(path: path, role: "journal", name: other))
  }

  /// A path whose folder is not there.
  static func noJournalFolder(_ path: String, folder: String) -> MergeError {
    MergeError(
      .noJournalFolder, .refused, "cannot make the journal", at: path,
      because: "there is no folder \(folder)",
      context: Context(path: path, role: "journal", name: folder))
  }

  /// A folder of all journals that is not there and cannot be made.
  static func cannotMakeStateFolder(_ folder: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeStateFolder, .refused, "cannot make the folder for journals", at: folder,
      because: errno)
  }

  /// A file system without room for all that the journal may come to.
  static func noRoomForJournal(_ path: String, _ byteCount: UInt64, _ errno: Errno) -> MergeError {
    var error = MergeError(
      .noRoomForJournal, .refused, "no room for the journal", at: path,
      because: "it may come to \(byteCount.formattedByteCount): \(errno)",
      context: Context(path: path, counts: ["bytes": byteCount]))
    error.context.errorNumber = errno.rawValue
    return error
  }

  /// A journal that cannot be made where it is to be.
  static func cannotMakeJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotMakeJournal, .refused, "cannot make the journal", at: path, because: errno)
  }

  /// A file system without locks.
  static func cannotLockJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotLockJournal, .refused, "cannot lock the journal", at: path, because: errno,
      hint: "its file system has to be one with locks")
  }

  /// A flush of a journal that is opened.
  static func cannotFlushOpenedJournal(_ path: String, _ errno: Errno) -> MergeError {
    var error = cannotFlushJournal(path, errno)
      .hinting("the kernel's log may say more about the device that it is on")
    error.kind = .refused
    return error
  }

  /// A flush of the records of this run.
  static func cannotFlushJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotFlushJournal, .stopped, "cannot make the journal durable", at: path, because: errno)
  }

  /// A record of this run that cannot be written.
  static func cannotAppendJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotAppendJournal, .stopped, "cannot append to the journal", at: path, because: errno)
  }

  /// A journal whose owner cannot be found out.
  static func cannotInspectJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotInspect, .refused, "cannot look at the journal", at: path, because: errno,
      hint: "the kernel's log may say more", context: Context(path: path, role: "journal"))
  }

  /// What a crash left behind the last record.
  static func cannotCutJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotCutJournal, .refused, "cannot cut the journal's torn end", at: path, because: errno,
      hint:
        "nothing was changed; see to the journal's file system, then give the same command again"
    )
  }

  /// An earlier journal that stays where the new one belongs.
  static func cannotRenameJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRenameJournal, .refused, "cannot put the journal aside", at: path, because: errno,
      hint: "its folder has to be writable")
  }

  /// The journal of a merge that never wrote.
  static func cannotRemoveJournal(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRemoveJournal, .refused, "cannot remove the journal", at: path, because: errno,
      hint: "its folder has to be writable")
  }

  /// A journal that was removed or replaced while the merge ran.
  ///
  /// `cause`: what else stopped the merge.
  static func journalGone(_ path: String, after cause: MergeError? = nil) -> MergeError {
    let why = cause?.message ?? "it was removed or replaced during the merge"
    return MergeError(
      .journalGone, .stopped, "the journal is gone", at: path, because: journalIsGone(why),
      context: Context(path: path, cause: cause))
  }

  /// Why a merge without its journal cannot be resumed, after what stopped it.
  package static func journalIsGone(_ why: String) -> String {
    "\(why); there is nothing to resume from"
  }
}

/// Why somebody else than the user or root can have written a journal.
enum JournalDoubt: Equatable {
  /// It belongs to another user, and whoever asks is root or not.
  case owner(UInt32, isAskedByRoot: Bool)
  /// Others than its owner may write to it.
  case mode(UInt32)
  /// Other names lead to it.
  case nameCount(UInt64)

  /// As a sentence.
  fileprivate var inWords: String {
    switch self {
    case .owner(let user, let isAskedByRoot):
      "it belongs to user \(user)" + (isAskedByRoot ? "" : ", neither to root nor to you")
    case .mode(let mode):
      "others than its owner may write to it (mode \(String(mode, radix: 8)))"
    case .nameCount(let count): "it has \(count) names; one is expected"
    }
  }
}
