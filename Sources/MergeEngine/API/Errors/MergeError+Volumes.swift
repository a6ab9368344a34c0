internal import SystemPackage

// The catalogue of errors about LVM volumes: those activated for a run, and the handover from a
// merged one.

extension MergeError {
  // MARK: Activation

  static func volumeNotActivated(_ name: String, _ failure: ActivationFailure) -> MergeError {
    MergeError(
      .volumeNotActivated, .refused, "cannot activate the volume", at: name,
      because: failure.text, hint: "once LVM activates it, give the same command again",
      context: Context(name: name))
  }

  /// Returns the same error with the hint to deactivate hidden volumes of the pool: LVM does not
  /// activate the pool while they are active.
  func whileActive(_ hiddenNames: [String]) -> MergeError {
    guard code == .volumeNotActivated, !hiddenNames.isEmpty else { return self }
    let words = hiddenNames.map(\.shellQuoted).joined(separator: " ")
    var error = self
    error.hint = "deactivate what is active of the pool, then give the same command again"
      .above("lvchange -an \(words)")
    return error
  }

  static func cannotWriteActivationRecord(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWriteActivationRecord, .refused, "cannot write the record of a volume", at: path,
      because: errno,
      hint: limitHint(errno)
        ?? "a volume is activated only once that is recorded; see to that file system first",
      context: Context(path: path, errno: errno))
  }

  static func activationsLocked(_ path: String) -> MergeError {
    MergeError(
      .activationsLocked, .busy, "cannot activate a volume", at: path,
      because: "another run of thin-merge is activating or deactivating one",
      hint: "this shows which it is".above("lsof \(path.shellQuoted)"),
      context: Context(path: path))
  }

  // MARK: Handover

  static func noVolumesToHandOver(_ name: String) -> MergeError {
    MergeError(
      .noVolumesToHandOver, .refused, "cannot finish the merge in LVM", at: name,
      because: "its pool is not active, or LVM does not know it as a thin volume on that origin",
      context: Context(name: name))
  }

  /// - `others`: the other volumes, each with the name of the thin volume or origin that it depends
  ///   on.
  static func volumesOnOrigin(
    _ originName: String, _ thinName: String, _ others: [(name: String, on: String)]
  ) -> MergeError {
    MergeError(
      .volumesOnOrigin, .refused, "cannot take the place of \(thinName)", at: originName,
      because: others.isEmpty
        ? "other volumes have come onto one of the two meanwhile"
        : others.map { "\($0.name) is on \($0.on)" + ($0.on == originName ? " too" : "") }
          .joined(separator: ", "),
      hint: "remove what is not needed any more; LVM keeps \(originName) read-only until then",
      context: Context(name: originName))
  }

  /// Returns the error for a finished merge whose handover was declined.
  static func handoverNotApproved(_ originName: String) -> MergeError {
    MergeError(
      .notApproved, .refused, "not finished in LVM", at: originName,
      because: "that was not agreed to; nothing was changed", context: Context(name: originName))
  }

  static func originShorterThanVolume(
    _ originName: String, _ byteCount: UInt64, thinName: String, thinByteCount: UInt64
  ) -> MergeError {
    MergeError(
      .originShorterThanVolume, .refused, "\(originName) cannot take the place of \(thinName)",
      at: originName,
      because: "it has \(byteCount) bytes, \(thinName) has \(thinByteCount)",
      context: Context(name: originName))
  }

  static func partOfVolumeLeftOut(_ thinName: String) -> MergeError {
    MergeError(
      .volumeNotAllMerged, .refused, "cannot finish the merge in LVM", at: thinName,
      because: "not all of the volume would be merged",
      hint: "give the size that LVM has, and leave nothing out", context: Context(name: thinName))
  }

  /// - `reason`: part of a sentence.
  static func volumeNotAllMerged(
    _ thinName: String, _ originName: String, _ reason: String
  ) -> MergeError {
    MergeError(
      .volumeNotAllMerged, .refused, "\(thinName) is still needed", at: originName,
      because: reason, hint: "it is kept as it is, and the origin stays read-only for LVM",
      context: Context(name: thinName))
  }

  static func volumeStaysActive(_ thinName: String, _ failure: ActivationFailure) -> MergeError {
    MergeError(
      .volumeStaysActive, .busy, "cannot deactivate the thin volume", at: thinName,
      because: failure.text,
      hint: "stop what uses it, such as a guest or a mount, and run the same command again",
      context: Context(name: thinName))
  }

  static func volumeInUse(_ thinName: String) -> MergeError {
    MergeError(
      .volumeStaysActive, .busy, "cannot deactivate the thin volume", at: thinName,
      because: "it is open: mounted, or used by another program",
      hint: "stop what uses it, such as a guest or a mount, and run the same command again",
      context: Context(name: thinName))
  }

  static func volumeGone(_ name: String, uuid: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot go on in LVM", at: name,
      because: "LVM has no volume with its uuid, \(uuid)",
      hint: "this shows what there is".above("lvs -a"), context: Context(name: name))
  }

  static func volumeRenamed(_ name: String, now: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot go on in LVM", at: name,
      because: "the volume is called \(now) now",
      hint: "give it the name that it had", context: Context(name: name))
  }

  static func originNotPlain(_ name: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot go on in LVM", at: name,
      because: "it is a thin volume on an external origin by now",
      hint: "this shows what it is".above("lvs -a"), context: Context(name: name))
  }

  static func volumeNameTaken(_ name: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot rename the origin", at: name,
      because: "another volume has that name now",
      hint: "give that one another name, then run the same command again"
        .above("lvrename \(name.shellQuoted) OTHER"),
      context: Context(name: name))
  }

  static func handoverStepFailed(
    _ name: String, _ command: [String], _ failure: ActivationFailure
  ) -> MergeError {
    MergeError(
      .handoverStepFailed, .stopped, "a step in LVM failed", at: name,
      because: "'\(command[0])': \(failure.text)",
      hint: "fix that, then run the same command again: it resumes at this step",
      context: Context(name: name))
  }

  static func cannotRecordHandover(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRecordHandover, .stopped, "cannot write to the journal", at: path, because: errno,
      hint: limitHint(errno)
        ?? "see to that file system, then give the same command again: it does what is not done yet",
      context: Context(path: path, errno: errno))
  }
}
