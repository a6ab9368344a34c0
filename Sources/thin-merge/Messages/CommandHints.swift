internal import MergeEngine
internal import SystemPackage

// Hints by error code, for errors whose hints name options and verbs of the command, which the
// engine does not know.

extension MergeError {
  /// The error with its hint and its reason worded in terms of the command's verbs and options.
  var inCommandTerms: MergeError {
    var error = self
    error.why = commandReason ?? why
    error.hint = commandHint ?? hint
    return error
  }

  /// The hint, if it has to name an option or a verb of the command; nil if the engine's hint is
  /// good enough.
  private var commandHint: String? {
    if context.circumstances.contains(.devicesAreSwapped) {
      return "--metadata and --data appear to be swapped"
    }
    return fileHint ?? poolHint ?? journalHint ?? comparisonHint
  }

  private var path: String { (context.path ?? place).shellQuoted }
  private var pool: String { (context.pool ?? place).shellQuoted }
  private var journal: String { context.journalPath ?? context.path ?? place }
  private var resume: String { ShellCommand.resume(journalPath: journal).text }
  private var status: String { ShellCommand.status(journalPath: journal).text }

  /// The command that restarts the merge from the beginning.
  private var restart: String {
    let name = context.circumstances.contains(.isSameThinDevice) ? context.name : nil
    return ShellCommand.merged(name.flatMap { $0.contains(" ") ? nil : $0 }, adding: "--restart")
      .text
  }

  /// The command that compares a finished merge again and rewrites any differences; `resumeAgain`
  /// does the same but names the journal.
  private var again: String { ShellCommand.merged(adding: "--again").text }
  private var resumeAgain: String {
    ShellCommand.resume(journalPath: journal, again: true).text
  }

  /// Returns the engine's hint followed by another hint on the next line.
  private func hint(and other: String) -> String { (hint.map { $0 + "\n" } ?? "") + other }

  // MARK: Devices and files

  private var fileHint: String? {
    switch code {
    case .cannotOpen:
      inactiveVolume.map {
        "if it is an LVM volume, activate it with".above("lvchange -ay \($0.shellQuoted)")
      }
    case .noMemory: "use a smaller --io-size or --queue-depth"
    case .dataIsMetadata:
      "--data takes the pool's data device, the second in the pool's table; show the table with"
        .above("dmsetup table POOL")
    case .originIsPoolDevice: "--origin takes the external origin, which is outside the pool"
    case .originTooShort:
      "extend the origin, or set --thin-size if the thin device ends there too, or use "
        + "--past-end clip (skip what is past the end) or --past-end grow (extend a regular file)"
    case .originIsContainer, .originIsLUKS: hint(and: "to write to it anyway, add --force-format")
    case .originNotExtensible: "extend the device first, or use --past-end clip"
    case .originNotExtended: "merge first, or use --past-end clip to compare up to the origin's end"
    case .loopDevicesUnseen: hint(and: "if nothing else uses the file, add --unseen-loops-ok")
    case .originMoved where context.journalPath != nil:
      "move that file back to its path, then resume with".above(resume)
    case .originShortened where context.journalPath != nil:
      "\(hint ?? ""); restore its lost bytes from a copy, then resume with".above(resume)
    case .originLost:
      "if it is the wrong disk, give the right one with --origin\n"
        + "if it was restored or written to, merge everything again with".above(restart)
    case .deviceMissing: "if it has moved, give its current path with \(option)"
    case .noSuchThinDeviceID: "list the thin devices with".above(devices)
    case .someUnreadable: "once the cause is fixed, retry only those blocks with".above(resume)
    case .noMetadataSnapshot:
      hint(and: "use --inactive only if the pool is not active")
    case .metadataCountWrong:
      hint(
        and: "or add --ignore-mapping-count; all of the mappings were read and checked")
    case .otherMetadataSnapshot: "omit --metadata-snap to use the metadata snapshot that is held"
    case .metadataNodeChanged:
      "the metadata snapshot was released, or --inactive was used on an active pool; keep a "
        + "metadata snapshot held until the merge has finished"
    default: nil
    }
  }

  /// The command that lists the thin devices in the metadata; uses `--pool` if that option was
  /// given.
  private var devices: String {
    if let pool = ShellCommand.givenValue(of: "--pool") {
      return "thin-merge devices --pool \(pool.shellQuoted)"
    }
    return "thin-merge devices --metadata \(path)"
      + (context.circumstances.contains(.isInactive) ? " --inactive" : "")
  }

  /// The LVM volume that the path names, if it cannot name anything else; an inactive volume has no
  /// device node.
  private var inactiveVolume: String? {
    guard context.errorNumber == Errno.noSuchFileOrDirectory.rawValue,
      let (group, volume) = ThinDeviceName(place).logicalVolume,
      place.hasPrefix("/dev/") || !FileSystem.exists(FileSystem.folder(of: place))
    else { return nil }
    return "\(group)/\(volume)"
  }

  /// The command-line option that names the device with this role.
  private var option: String {
    switch context.role {
    case "metadata device": "--metadata"
    case "data device": "--data"
    default: "--origin"
    }
  }

  /// Returns the engine's hint if there is one; otherwise `place`, offered as an alternative to
  /// `permission` if access was denied.
  private func byRoot(_ permission: String, or place: String) -> String {
    hint ?? (context.isForbidden ? "\(permission), or \(place)" : place)
  }

  // MARK: Active pools

  private static let release = "release_metadata_snap"

  private var poolHint: String? {
    switch code {
    case .noActivePool:
      "if there is a pool, activate it; in LVM, with".above("lvchange -ay VG/POOL")
        + "\nif the kernel lacks the driver, load it with".above("modprobe dm-thin-pool")
        + "\nto read an inactive pool, give --metadata, --data, --dev-id and --inactive; in LVM, activate both devices with"
        .above("lvchange -ay VG/POOL_tmeta VG/POOL_tdata")
    case .poolNotActive:
      "activate it, or merge from its devices with --metadata, --data, --dev-id and --inactive"
    case .noSuchThinDevice:
      "list thin devices with".above("dmsetup ls --target thin", "lvs")
        + "\nif it is neither active nor in LVM, use --pool NAME --dev-id N --origin PATH --thin-size SIZE"
    case .notPoolDevice, .poolActiveOnData:
      "name the thin device instead: --pool \(pool) --dev-id N"
    case .poolNeedsCheck:
      context.circumstances.contains(.holdsMetadataSnapshot)
        ? hint(and: "or add --ignore-needs-check to read the metadata snapshot that is held") : nil
    case .poolActive: "omit --inactive, so that a metadata snapshot is taken and read"
    case .poolReadOnly: "deactivate it, then merge from its devices with --inactive"
    case .cannotLockPool:
      byRoot("run it as root", or: "make its folder writable, or mount a file system there")
    case .poolTakesNoSnapshot:
      "extend the pool, or stop whatever uses the thin device and omit --snapshot"
    case .metadataSnapshotForeign:
      "show it with".above("dmsetup status \(pool)")
        + "\nif the metadata snapshot is no longer needed, release it with"
        .above("dmsetup message \(pool) 0 \(Self.release)")
        + "\nto merge from it, add --metadata-snap BLOCK"
    case .metadataSnapshotOnlyCopy:
      finishTheOther
        + "\nto give up that copy, release it with".above(
          "dmsetup message \(pool) 0 \(Self.release)")
    case .thinDeviceInUse:
      (context.circumstances.contains(.canTakeSnapshot)
        ? "unmount it, or add --snapshot to merge its current contents" : "unmount it")
        + "; see what uses it with".above("lsblk \(path)", "lsof \(path)")
    case .thinDeviceActivated:
      "deactivate it, then resume without --trust-earlier-runs; that compares everything again"
    case .thinDeviceMaybeActivated:
      "resume without --trust-earlier-runs; that compares everything again"
    case .cannotRemoveThinDevice:
      "it is writable and must not change; omit --no-snapshot to merge a snapshot of it"
    case .snapshotIDsUsedUp:
      "delete thin devices that are no longer needed; list them with".above(
        "thin-merge devices --pool \(pool)")
    case .snapshotOfAnother:
      finishTheOther
        + "\nto abandon that merge, and merge the thin device that now has the number, run".above(
          restart)
    case .numbersOfLVMTooHigh: "add --no-snapshot to merge the thin device itself"
    case .snapshotUnfinished:
      "omit --no-snapshot to resume that merge\n"
        + "to abandon that merge and start over, run".above(restart)
    case .snapshotGone:
      "start over with a new snapshot; that merges everything again".above(restart)
    case .originShared: "if you want that, add --other-users-ok"
    case .originMaybeShared:
      "their contents would change; if they have another origin, or none, add --other-users-ok"
    case .noVolumesToHandOver, .volumesOnOrigin, .originShorterThanVolume:
      hint(and: "to merge anyway, omit --finish")
    case .originReadOnly: "add --make-origin-writable to make it writable during the merge"
    default: nil
    }
  }

  private var finishTheOther: String {
    "find the merge that needs it, and finish it, with"
      .above("thin-merge status", "thin-merge resume JOURNAL")
  }

  // MARK: The journal

  private var beginAgain: String {
    "set this journal aside and start over with".above(restart)
  }

  private static let lists = "list the journals on this system with"

  private var journalHint: String? {
    switch code {
    case .noJournal, .noJournalOf: Self.lists.above("thin-merge status")
    case .journalLocked: "check the progress of that merge with".above(status)
    case .twoJournals:
      "move the older one away; see when each was written with"
        .above("thin-merge status JOURNAL")
    case .journalNotTrusted:
      "if the devices in it are right, resume a copy that you own; show them with".above(status)
    case .journalIsDevice: "use --journal with the path of a new file"
    case .journalOnDevice: "use --journal with a path on another file system"
    case .noJournalFolder: "create it, or use --journal with another path"
    case .cannotMakeStateFolder: byRoot("run it as root", or: "use --journal with another path")
    case .noRoomForJournal:
      hint ?? "use --journal with a path on a file system with enough space"
    case .cannotMakeJournal:
      byRoot("make its folder writable", or: "use --journal with another path")
    case .cannotNameJournal: "use --journal with a path on another file system"
    case .journalGone:
      "the origin may be partially merged; if anything is at the journal's path now, move it away, "
        + "then start over with".above(restart)
    case .journalMoved:
      "move it back and resume; or resume with its new path, and add --origin if the origin moved too"
        .above("thin-merge resume JOURNAL")
    case .journalIncomplete: Self.fromTheBeginning.above(restart)
    case .journalOfOtherThinDevice, .journalOfOtherEnd, .journalOfOtherDevice, .journalOfOtherSize,
      .journalOfOtherMappings:
      otherMergeHint
    case .noCopyOfData:
      "give the right one with --data\n" + "or merge everything again with".above(restart)
    case .dataNotAsRecorded:
      "if it is the wrong device, give the right one with --data\n"
        + "if it was written to since, merge everything again with".above(restart)
    case .mergedBytesLost:
      "resume with the original data device, if it is still readable\n"
        + "or merge everything from the copy with".above(restart)
    case .notRecordedDevice:
      "give the current paths of the same devices with --metadata, --data and --origin"
        + (context.role == "data device" ? "; for a copy, add --same-data" : "")
    case .deviceNotIdentified: "if it is the same device, add --same-origin"
    case .otherMergeUnfinished:
      Self.goOn.above(resume)
        + "\nor abandon that merge and start over; \(Self.stays)".above(restart)
    case .journalGivenUp: givenUpHint
    case .journalOvertaken:
      "check the progress of that merge, and what is left to do, with".above(status)
    case .markWithoutJournal: markHint
    default: kind == .journalConflict ? contentHint : nil
    }
  }

  private static let goOn = "resume that merge with"

  private static let stays =
    "the writes of that merge then stay on the origin wherever this thin device has no block"

  private static let fromTheBeginning = "start over with"

  private var givenUpHint: String {
    let again = Self.fromTheBeginning.above(restart)
    // A restart may have been killed before it created its own journal.
    return context.journalPath == context.path
      ? again : "check the progress of that merge with".above(status) + "\nor \(again)"
  }

  private var markHint: String {
    let again = Self.fromTheBeginning.above(restart)
    return context.journalPath == nil
      ? again
      : "if the journal was moved, resume from its new path with".above("thin-merge resume JOURNAL")
        + "\nif it is lost, \(again)"
  }

  /// The hint for an unusable journal, if the error is a journal conflict.
  ///
  /// An error that occurs after a run has written gets no hint, because the journal was valid when
  /// the run began.
  private var contentHint: String? {
    switch code {
    case .notJournal:
      Self.lists.above("thin-merge status")
        + "\nto keep a merge's journal elsewhere, use --journal with its path"
    case .journalRecordUnknown:
      "if another version of thin-merge wrote it, use that version\n"
        + "if not, \(beginAgain)"
    case .journalUnmapped: beginAgain
    case .journalHeaderCut, .journalHeaderSizeInvalid, .journalHeaderChecksumWrong,
      .journalHeaderFieldInvalid,
      .journalDamaged, .journalBytesOutside, .journalTooManyRanges, .journalBeyondWatermark,
      .journalBytesTwice, .journalEntryTooLarge, .journalTooManyBytes, .journalOutOfOrder,
      .journalChanged:
      "the origin may be partially merged; \(beginAgain)"
    default: nil
    }
  }

  private var otherMergeHint: String {
    if code == .journalOfOtherDevice {
      let copy =
        context.role == "data device"
        ? "; if it was copied to another disk, add --same-data" : ""
      return "give the path of the same file or device\(copy)\n"
        + "to merge with another one, start over with".above(restart)
    }
    if context.circumstances.contains(.isFinished) {
      return "use --journal with another path to keep this journal"
    }
    if context.circumstances.contains(.isSameThinDevice) {
      return
        "start over; that merges the current contents, and nothing is lost"
        .above(restart)
    }
    let half = "the origin is partially merged with dev \(context.deviceID ?? 0); "
    let restart =
      "\nor set that journal aside and start over; \(Self.stays)".above(restart)
    let what: String
    switch code {
    case .journalOfOtherSize: what = "give the \(context.role ?? "device") its recorded size"
    case .journalOfOtherMappings: what = "give the metadata that merge began with"
    default: return "\(half)\(Self.goOn)".above(resume) + restart
    }
    // Resuming now would be refused for the same reason.
    guard context.circumstances.contains(.isResumed) else {
      return "\(half)\(what), then resume with".above(resume) + restart
    }
    return half + what + restart
  }

  // MARK: Comparing

  private static let overwrites =
    "to overwrite what differs on the origin with the thin device's blocks, run"

  private var unsettledHint: String {
    guard context.pool == nil else {
      return "undo it with".above(ShellCommand.settle(pool: context.pool).text)
    }
    return "activate the pool, then undo it with".above(ShellCommand.settle().text)
      + "\nif the pool no longer exists, delete the record with".above("rm \(path)")
  }

  private var comparisonHint: String? {
    switch code {
    case .sourceChanged: "to merge what was written since, run".above(again)
    case .originChanged, .bothChanged:
      "to keep the origin unchanged, do nothing\n" + Self.overwrites.above(again)
    case .mappingsChanged, .otherMergeFinished:
      "to merge it again, overwriting what was written to the origin since, run".above(again)
    case .mergeNotSettled: unsettledHint
    case .mergeFinished:
      "to merge again what differs between the thin device and the origin, run".above(resumeAgain)
    case .recordsMissing: "merge it again with".above(resumeAgain)
    case .checksumsMissing:
      "compare everything with the source, with".above(
        "thin-merge verify THIN-DEVICE --origin ORIGIN")
    case .mergeNotFinished: "resume it with".above(resume)
    default: nil
    }
  }
}

// MARK: Reasons

extension MergeError {
  /// The reason in terms of the command's options; nil if the engine's wording is good enough.
  private var commandReason: String? {
    switch code {
    case .poolActive: "--inactive reads the live mappings, which an active pool keeps changing"
    case .otherMetadataSnapshot:
      "the metadata snapshot is held at block \(context.counts["held_block"] ?? 0), not at block "
        + "\(context.counts["wanted_block"] ?? 0) as --metadata-snap says"
    case .journalOfOtherEnd: ends
    case .otherMergeFinished: ends.map { Self.afterFinished($0) }
    case .journalGone:
      context.cause.map { Self.journalIsGone(after: $0.inCommandTerms) }
    case .journalMoved:
      context.cause.map { Self.journalHasMoved(after: $0.inCommandTerms) }
    default: nil
    }
  }

  /// The end of each of the two merges, with that merge's choice for blocks past the origin's end.
  private var ends: String? {
    guard let recorded = context.recordedPastEnd, let wanted = context.pastEnd else { return nil }
    return "that merge ends at byte \(context.counts["recorded_end"] ?? 0) "
      + "(--past-end \(recorded.rawValue)), this merge ends at byte \(context.counts["end"] ?? 0) "
      + "(--past-end \(wanted.rawValue))"
  }
}

// MARK: Notes

extension MergeNote {
  /// The note's text in terms of the command's verbs and options.
  var textInCommandTerms: String {
    switch code {
    case .originWithoutIdentity:
      "\(context.path ?? "") has no stable identity; to resume after a reboot or by another path, add "
        + "--same-origin"
    case .copyNotCompared:
      "the origin is not compared with a copy of the data device, which may lack merged blocks; "
        + "'thin-merge verify --journal' compares it with the journal's checksums"
    case .poolNotSettled:
      "\(text); undo them with 'thin-merge settle'"
    case .originOfSnapshot:
      "it is a snapshot of \(context.name ?? ""); give its external origin with --origin PATH"
    case .metadataSnapshotOnlyCopy:
      Self.onlyCopy(
        context.pool ?? "", of: context.deviceID ?? 0,
        isReplaced: context.circumstances.contains(.isReplaced),
        finish: "'thin-merge resume' finishes the merge from it")
    case .snapshotOnlyCopy:
      Self.onlyCopy(
        context.deviceID ?? 0, of: UInt32(clamping: context.counts["snapshot_of"] ?? 0),
        pool: context.pool ?? "", isReplaced: context.circumstances.contains(.isReplaced),
        merge: Self.merging(context.deviceID ?? 0, pool: context.pool ?? ""))
    default: text
    }
  }

  /// The hint for a note that explains why the origin is unknown.
  var hint: String {
    guard code == .originNotActive, let name = context.name else { return textInCommandTerms }
    return "activate it with".above("lvchange -ay \(name.shellQuoted)")
  }

  /// Returns, as part of a sentence, the command that merges a thin device that is in a pool but is
  /// not active as a mapped device.
  static func merging(_ deviceID: UInt32, pool: String) -> String {
    "'thin-merge merge' with "
      + "\("--pool \(pool.shellQuoted) --dev-id \(deviceID)".commandInSentence) and with "
      + "--origin and --thin-size of the thin device"
  }
}
