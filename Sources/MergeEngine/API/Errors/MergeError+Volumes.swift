internal import SystemPackage

// Errors about LVM volumes: about activating them for a run, and about replacing a merged volume
// with its origin.

extension MergeError {
  // MARK: Activation

  static func volumeNotActivated(_ name: String, _ failure: ActivationFailure) -> MergeError {
    MergeError(
      .volumeNotActivated, .refused, "cannot activate the volume", at: name,
      because: failure.text, hint: "fix the cause in LVM, then run the same command again",
      context: Context(name: name))
  }

  /// Returns an activation error with the hint to deactivate the pool's hidden volumes, since LVM
  /// does not activate the pool while they are active; returns other errors unchanged.
  func whileActive(_ hiddenNames: [String]) -> MergeError {
    guard code == .volumeNotActivated, !hiddenNames.isEmpty else { return self }
    let words = hiddenNames.map(\.shellQuoted).joined(separator: " ")
    var error = self
    error.hint =
      "deactivate the pool's hidden volumes with".above("lvchange -an \(words)")
      + "\nthen run the same command again"
    return error
  }

  static func cannotWriteActivationRecord(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotWriteActivationRecord, .refused, "cannot record an activated volume", at: path,
      because: errno,
      hint: limitHint(errno)
        ?? "fix that file system; a volume is recorded before it is activated",
      context: Context(path: path, errno: errno))
  }

  static func activationsLocked(_ path: String) -> MergeError {
    MergeError(
      .activationsLocked, .busy, "cannot lock the records of activated volumes", at: path,
      because: "another thin-merge run is activating or deactivating a volume",
      hint: "find that run with".above("lsof \(path.shellQuoted)"),
      context: Context(path: path))
  }

  // MARK: Handover

  static func noVolumesToHandOver(_ name: String) -> MergeError {
    MergeError(
      .noVolumesToHandOver, .refused, "cannot finish the merge in LVM", at: name,
      because: "its pool is not active, or it is not an LVM thin volume on that origin",
      context: Context(name: name))
  }

  /// Returns the error for a merged thin volume that cannot be replaced with its origin because
  /// other volumes depend on either of the two.
  ///
  /// - `others`: the other volumes, each with the name of the thin volume or origin that it depends
  ///   on.
  static func volumesOnOrigin(
    _ originName: String, _ thinName: String, _ others: [(name: String, on: String)]
  ) -> MergeError {
    MergeError(
      .volumesOnOrigin, .refused, "cannot replace \(thinName) with its origin", at: originName,
      because: others.isEmpty
        ? "a volume was created on one of the two in the meantime"
        : others.map { "\($0.name) is " + ($0.on == originName ? "also " : "") + "on \($0.on)" }
          .joined(separator: ", "),
      hint:
        "remove the volumes that you no longer need; until then LVM keeps \(originName) read-only",
      context: Context(name: originName))
  }

  /// Returns the error for a finished merge after which the user declined to replace the thin
  /// volume with its origin.
  static func handoverNotApproved(_ originName: String) -> MergeError {
    MergeError(
      .notApproved, .refused, "not finished in LVM", at: originName,
      because: "you did not confirm; nothing was changed", context: Context(name: originName))
  }

  static func originShorterThanVolume(
    _ originName: String, _ byteCount: UInt64, thinName: String, thinByteCount: UInt64
  ) -> MergeError {
    MergeError(
      .originShorterThanVolume, .refused, "cannot replace \(thinName) with its origin",
      at: originName,
      because: "it is smaller than \(thinName): \(byteCount.formattedByteCount), not "
        + thinByteCount.formattedByteCount,
      context: Context(name: originName))
  }

  static func partOfVolumeLeftOut(_ thinName: String) -> MergeError {
    MergeError(
      .volumeNotAllMerged, .refused, "cannot finish the merge in LVM", at: thinName,
      because: "the merge would skip part of the volume",
      hint: "use the size that LVM reports, and skip nothing", context: Context(name: thinName))
  }

  /// Returns the error for a thin volume that is kept because it may still be needed.
  ///
  /// - `reason`: why the thin volume is still needed, worded as a clause.
  static func volumeNotAllMerged(
    _ thinName: String, _ originName: String, _ reason: String
  ) -> MergeError {
    MergeError(
      .volumeNotAllMerged, .refused, "\(thinName) is still needed", at: originName,
      because: reason, hint: "thin-merge kept \(thinName), and LVM keeps the origin read-only",
      context: Context(name: thinName))
  }

  static func volumeStaysActive(_ thinName: String, _ failure: ActivationFailure) -> MergeError {
    MergeError(
      .volumeStaysActive, .busy, "cannot deactivate the thin volume", at: thinName,
      because: failure.text,
      hint:
        "shut down the guest or unmount the file system that uses it, then run the same command again",
      context: Context(name: thinName))
  }

  static func volumeInUse(_ thinName: String) -> MergeError {
    MergeError(
      .volumeStaysActive, .busy, "cannot deactivate the thin volume", at: thinName,
      because: "it is open: mounted, or held by another program",
      hint:
        "shut down the guest or unmount the file system that uses it, then run the same command again",
      context: Context(name: thinName))
  }

  static func volumeGone(_ name: String, uuid: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot continue in LVM", at: name,
      because: "LVM has no volume with its UUID, \(uuid)",
      hint: "list all volumes with".above("lvs -a"), context: Context(name: name))
  }

  static func volumeRenamed(_ name: String, now: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot continue in LVM", at: name,
      because: "the volume is now named \(now)",
      hint: "rename it back to \(name)", context: Context(name: name))
  }

  static func originNotPlain(_ name: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot continue in LVM", at: name,
      because: "it is now a thin volume on an external origin",
      hint: "list all volumes with".above("lvs -a"), context: Context(name: name))
  }

  static func volumeNameTaken(_ name: String) -> MergeError {
    MergeError(
      .volumeNotAsRecorded, .refused, "cannot rename the origin", at: name,
      because: "another volume now has that name",
      hint: "rename that volume with".above("lvrename \(name.shellQuoted) OTHER")
        + "\nthen run the same command again",
      context: Context(name: name))
  }

  static func handoverStepFailed(
    _ name: String, _ command: [String], _ failure: ActivationFailure
  ) -> MergeError {
    MergeError(
      .handoverStepFailed, .stopped, "an LVM command failed", at: name,
      because: "'\(command[0])': \(failure.text)",
      hint: "fix the cause, then run the same command again; it resumes at this step",
      context: Context(name: name))
  }

  static func cannotRecordHandover(_ path: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotRecordHandover, .stopped, "cannot write to the journal", at: path, because: errno,
      hint: limitHint(errno)
        ?? "fix that file system, then run the same command again; it takes the remaining steps",
      context: Context(path: path, errno: errno))
  }
}
