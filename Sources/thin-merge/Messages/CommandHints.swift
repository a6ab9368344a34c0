internal import MergeEngine
internal import SystemPackage

// The hints that name the command's options and verbs, which the engine does not know, by error
// code.

extension MergeError {
  /// The error with its hint, and its reason if that is about an option, in terms of the command.
  var inCommandTerms: MergeError {
    var error = self
    error.why = commandReason ?? why
    error.hint = commandHint ?? hint
    return error
  }

  /// The hint, if it takes an option or a verb of the command; nil if the engine's hint serves.
  private var commandHint: String? {
    if context.circumstances.contains(.devicesAreSwapped) {
      return "--metadata and --data seem to be swapped"
    }
    return fileHint ?? poolHint ?? journalHint ?? comparisonHint
  }

  private var path: String { (context.path ?? place).shellQuoted }
  private var pool: String { (context.pool ?? place).shellQuoted }
  private var journal: String { context.journalPath ?? context.path ?? place }
  private var resume: String { ShellCommand.resume(journalPath: journal).text }
  private var status: String { ShellCommand.status(journalPath: journal).text }

  /// The command that merges from the beginning.
  private var restart: String {
    let name = context.circumstances.contains(.isSameThinDevice) ? context.name : nil
    return ShellCommand.merged(name.flatMap { $0.contains(" ") ? nil : $0 }, adding: "--restart")
      .text
  }

  /// The command that compares a finished merge again and writes what differs: as typed, or by its
  /// journal.
  private var again: String { ShellCommand.merged(adding: "--again").text }
  private var resumeAgain: String {
    ShellCommand.resume(journalPath: journal, again: true).text
  }

  /// Returns the engine's hint with another one below it.
  private func hint(and other: String) -> String { (hint.map { $0 + "\n" } ?? "") + other }

  // MARK: Devices and files

  private var fileHint: String? {
    switch code {
    case .cannotOpen:
      inactiveVolume.map {
        "if it is a volume of LVM, activate it".above("lvchange -ay \($0.shellQuoted)")
      }
    case .noMemory: "a smaller --io-size or --queue-depth takes less"
    case .dataIsMetadata:
      "--data is the pool's data device, the second in the pool's table; this shows the table"
        .above("dmsetup table POOL")
    case .originIsPoolDevice: "--origin is the external origin, which lies outside the pool"
    case .originTooShort:
      "extend the origin, give --thin-size if the thin device ends there too, or choose "
        + "--past-end clip (leave them out) or --past-end grow (extend a regular file)"
    case .originIsContainer, .originIsLUKS: hint(and: "--force-format merges onto it as it is")
    case .originNotExtensible: "extend the device first, or choose --past-end clip"
    case .originNotExtended: "merge first, or compare what is there by --past-end clip"
    case .loopDevicesUnseen: hint(and: "if nothing else uses the file: --unseen-loops-ok")
    case .originMoved where context.journalPath != nil:
      "put that file back to its path, then go on".above(resume)
    case .originShortened where context.journalPath != nil:
      "\(hint ?? ""), and give it the bytes that it had, from a copy; then go on".above(resume)
    case .originLost:
      "if it is another disk, give the path of the right one with --origin\n"
        + "if it was restored or written to, merge all of it again".above(restart)
    case .deviceMissing: "\(option) says where it is now"
    case .noSuchThinDeviceID: "this lists them".above(devices)
    case .someUnreadable: "once the cause is gone, this tries only those".above(resume)
    case .noMetadataSnapshot:
      hint(and: "give --inactive only if the pool is not active")
    case .metadataCountWrong:
      hint(
        and: "or, since the mappings were read and checked as a whole, give --ignore-mapping-count")
    case .otherMetadataSnapshot: "without --metadata-snap, the one that is held is used"
    case .metadataNodeChanged:
      "the metadata snapshot was released, or the pool was active with --inactive: one has to be "
        + "held until the merge has finished"
    default: nil
    }
  }

  /// The command that lists the thin devices in the metadata; with `--pool` if that was given.
  private var devices: String {
    if let pool = ShellCommand.givenValue(of: "--pool") {
      return "thin-merge devices --pool \(pool.shellQuoted)"
    }
    return "thin-merge devices --metadata \(path)"
      + (context.circumstances.contains(.isInactive) ? " --inactive" : "")
  }

  /// The LVM volume that the path names, if it can be nothing else: an inactive volume has no node.
  private var inactiveVolume: String? {
    guard context.errorNumber == Errno.noSuchFileOrDirectory.rawValue,
      let (group, volume) = ThinDeviceName(place).logicalVolume,
      place.hasPrefix("/dev/") || !FileSystem.exists(FileSystem.folder(of: place))
    else { return nil }
    return "\(group)/\(volume)"
  }

  /// The option that gives a device of this role.
  private var option: String {
    switch context.role {
    case "metadata device": "--metadata"
    case "data device": "--data"
    default: "--origin"
    }
  }

  /// Returns the engine's hint if there is one; otherwise `place`, after `permission` if access was
  /// denied.
  private func byRoot(_ permission: String, or place: String) -> String {
    hint ?? (context.isForbidden ? "\(permission); \(place)" : place)
  }

  // MARK: Active pools

  private static let release = "release_metadata_snap"

  private var poolHint: String? {
    switch code {
    case .noActivePool:
      "activate the pool, if there is one; with LVM".above("lvchange -ay VG/POOL")
        + "\nif the kernel lacks the driver, this loads it".above("modprobe dm-thin-pool")
        + "\nof a pool that is not active, give --metadata, --data, --dev-id and --inactive; LVM activates such devices"
        .above("lvchange -ay VG/POOL_tmeta VG/POOL_tdata")
    case .poolNotActive:
      "activate it, or merge from its devices with --metadata, --data, --dev-id and --inactive"
    case .noSuchThinDevice:
      "these list thin devices".above("dmsetup ls --target thin", "lvs")
        + "\none that is not active and not LVM's: --pool NAME --dev-id N --origin PATH --thin-size SIZE"
    case .notPoolDevice, .poolActiveOnData:
      "name the thin device instead: --pool \(pool) --dev-id N"
    case .poolNeedsCheck:
      context.circumstances.contains(.holdsMetadataSnapshot)
        ? hint(and: "or give --ignore-needs-check to read the metadata snapshot that is held") : nil
    case .poolActive: "leave --inactive out: a metadata snapshot is then taken"
    case .poolReadOnly: "deactivate it, and merge from its devices with --inactive"
    case .cannotLockPool:
      byRoot("root may write there", or: "make its folder writable, or mount a file system there")
    case .poolTakesNoSnapshot:
      "extend the pool; or stop what uses the thin device, and leave --snapshot out"
    case .metadataSnapshotForeign:
      "this shows it".above("dmsetup status \(pool)")
        + "\nif nobody needs it any more, release it"
        .above("dmsetup message \(pool) 0 \(Self.release)")
        + "\nif it is to be merged from: --metadata-snap BLOCK"
    case .metadataSnapshotOnlyCopy:
      finishTheOther
        + "\nto give the copy up".above("dmsetup message \(pool) 0 \(Self.release)")
    case .thinDeviceInUse:
      (context.circumstances.contains(.canTakeSnapshot)
        ? "unmount it, or give --snapshot to merge it as it is now" : "unmount it")
        + "; these show who uses it".above("lsblk \(path)", "lsof \(path)")
    case .thinDeviceActivated:
      "deactivate it and resume, without --trust-earlier-runs: everything is compared again"
    case .thinDeviceMaybeActivated:
      "resume without --trust-earlier-runs: everything is compared again"
    case .cannotRemoveThinDevice:
      "it is writable and must not change; without --no-snapshot, a snapshot of it is merged"
    case .snapshotIDsUsedUp:
      "delete those that nobody needs; this lists them".above("thin-merge devices --pool \(pool)")
    case .snapshotOfAnother:
      finishTheOther
        + "\nto give it up, and merge the thin device that has the number now".above(restart)
    case .numbersOfLVMTooHigh: "--no-snapshot merges the thin device itself"
    case .snapshotUnfinished:
      "leave --no-snapshot out to go on with it\n"
        + "to give that merge up, and begin again".above(restart)
    case .snapshotGone: "make a new one; what is merged already is then merged again".above(restart)
    case .originShared: "if that is wanted: --other-users-ok"
    case .originMaybeShared:
      "what they show would change; if they have another origin, or none: --other-users-ok"
    case .noVolumesToHandOver, .volumesOnOrigin, .originShorterThanVolume:
      hint(and: "without --finish it is merged all the same")
    case .originReadOnly: "--make-origin-writable lifts that for the time of the merge"
    default: nil
    }
  }

  private var finishTheOther: String {
    "these list the journals of this system, and finish the merge that needs it"
      .above("thin-merge status", "thin-merge resume JOURNAL")
  }

  // MARK: The journal

  private var beginAgain: String {
    "put this journal aside, and merge from the beginning".above(restart)
  }

  private static let lists = "this lists the journals of this system"

  private var journalHint: String? {
    switch code {
    case .noJournal, .noJournalOf: Self.lists.above("thin-merge status")
    case .journalLocked: "this tells how far that merge is".above(status)
    case .twoJournals:
      "move the older one away; this tells when each was written"
        .above("thin-merge status JOURNAL")
    case .journalNotTrusted:
      "this shows what it names; if that is right, resume a copy that is your own".above(status)
    case .journalIsDevice: "give --journal with the path of a new file"
    case .journalOnDevice: "give --journal with a path on another file system"
    case .noJournalFolder: "make it, or give --journal with a path elsewhere"
    case .cannotMakeStateFolder: byRoot("root may", or: "--journal names another place")
    case .noRoomForJournal:
      hint ?? "give --journal with a path on a file system that has the room"
    case .cannotMakeJournal:
      byRoot("make its folder writable", or: "give --journal with a path elsewhere")
    case .cannotNameJournal: "give --journal with a path on another file system"
    case .journalGone:
      "the origin may be merged in part: move away what is at that path now, if anything, and merge "
        + "from the beginning".above(restart)
    case .journalMoved:
      "put it back and resume, or give its new path, and --origin with the origin's where that was moved too"
        .above("thin-merge resume JOURNAL")
    case .journalIncomplete: Self.fromTheBeginning.above(restart)
    case .journalOfOtherThinDevice, .journalOfOtherEnd, .journalOfOtherDevice, .journalOfOtherSize,
      .journalOfOtherMappings:
      otherMergeHint
    case .noCopyOfData:
      "give the right one with --data\n" + "or merge all of it again".above(restart)
    case .dataNotAsRecorded:
      "if it is another device, give the path of the right one with --data\n"
        + "if it was written to since, merge all of it again".above(restart)
    case .mergedBytesLost:
      "resume with the data device that was merged from, if it can still be read\n"
        + "or merge all of it from the copy".above(restart)
    case .notRecordedDevice:
      "--metadata, --data and --origin say where the same devices are now"
        + (context.role == "data device" ? "; --same-data takes a copy" : "")
    case .deviceNotIdentified: "give --same-origin if they are the same"
    case .otherMergeUnfinished:
      Self.goOn.above(resume) + "\nor give that merge up; \(Self.stays)".above(restart)
    case .journalGivenUp: givenUpHint
    case .journalOvertaken:
      "this tells how far that merge is, and what is left to do".above(status)
    case .markWithoutJournal: markHint
    default: kind == .journalConflict ? contentHint : nil
    }
  }

  private static let goOn = "go on with that merge"

  private static let stays =
    "what it wrote then stays on the origin wherever this thin device has no block"

  private static let fromTheBeginning = "merge from the beginning"

  private var givenUpHint: String {
    let again = Self.fromTheBeginning.above(restart)
    // A restart may have been killed before it had a journal of its own.
    return context.journalPath == context.path
      ? again : "this tells how far that merge is".above(status) + "\nor \(again)"
  }

  private var markHint: String {
    let again = Self.fromTheBeginning.above(restart)
    return context.journalPath == nil
      ? again
      : "if the journal has another path now, go on from there".above("thin-merge resume JOURNAL")
        + "\nif it is lost, \(again)"
  }

  /// The hint for an unusable journal, if the error is a journal conflict.
  ///
  /// An error after a run has written gets no hint: the journal was valid when the run began.
  private var contentHint: String? {
    switch code {
    case .notJournal:
      "\(Self.lists), and --journal gives that of a merge another place".above("thin-merge status")
    case .journalRecordUnknown:
      "perhaps another version of thin-merge wrote it, and reads it\n"
        + "if not, \(beginAgain)"
    case .journalUnmapped: beginAgain
    case .journalHeaderCut, .journalHeaderSizeInvalid, .journalHeaderChecksumWrong,
      .journalHeaderFieldInvalid,
      .journalDamaged, .journalBytesOutside, .journalTooManyRanges, .journalBeyondWatermark,
      .journalBytesTwice, .journalEntryTooLarge, .journalTooManyBytes, .journalOutOfOrder,
      .journalChanged:
      "the origin may be merged in part; \(beginAgain)"
    default: nil
    }
  }

  private var otherMergeHint: String {
    if code == .journalOfOtherDevice {
      let copy =
        context.role == "data device"
        ? "; of one that was copied onto another disk: --same-data" : ""
      return "give the path of the same file or device\(copy)\n"
        + "to merge with another one, begin again".above(restart)
    }
    if context.circumstances.contains(.isFinished) {
      return "--journal with another path keeps this one"
    }
    if context.circumstances.contains(.isSameThinDevice) {
      return
        "merge it again from the start: all that it has now is merged, and nothing is lost by that"
        .above(restart)
    }
    let half = "the origin is half merged with dev \(context.deviceID ?? 0); "
    let restart =
      "\nor put its journal aside, and merge from the beginning; \(Self.stays)".above(restart)
    let what: String
    switch code {
    case .journalOfOtherSize: what = "give it the size that it had"
    case .journalOfOtherMappings: what = "give the metadata as it was"
    default: return "\(half)\(Self.goOn)".above(resume) + restart
    }
    // Resuming now would be refused for the same reason.
    guard context.circumstances.contains(.isResumed) else {
      return "\(half)\(what), then go on".above(resume) + restart
    }
    return half + what + restart
  }

  // MARK: Comparing

  private static let overwrites =
    "to overwrite on the origin what differs from the thin device"

  private var unsettledHint: String {
    guard context.pool == nil else {
      return "undo it".above(ShellCommand.settle(pool: context.pool).text)
    }
    return "activate the pool, then undo it".above(ShellCommand.settle().text)
      + "\nif the pool does not exist any more".above("rm \(path)")
  }

  private var comparisonHint: String? {
    switch code {
    case .sourceChanged: "to merge what was written since".above(again)
    case .originChanged, .bothChanged:
      "to keep the origin as it is, there is nothing to do\n" + Self.overwrites.above(again)
    case .mappingsChanged, .otherMergeFinished:
      "to merge it as it is now, overwriting what was written to the origin since".above(again)
    case .mergeNotSettled: unsettledHint
    case .mergeFinished:
      "to merge again what differs between thin device and origin".above(resumeAgain)
    case .recordsMissing: "to merge it again".above(resumeAgain)
    case .checksumsMissing:
      "compare all with the source".above("thin-merge verify THIN-DEVICE --origin ORIGIN")
    case .mergeNotFinished: "go on with it".above(resume)
    default: nil
    }
  }
}

// MARK: Reasons

extension MergeError {
  /// The reason, if it is about an option; nil if the engine's words serve.
  private var commandReason: String? {
    switch code {
    case .poolActive: "--inactive reads the live mappings, which change under an active pool"
    case .otherMetadataSnapshot:
      "the metadata snapshot that is held is at block \(context.counts["held_block"] ?? 0); "
        + "--metadata-snap says \(context.counts["wanted_block"] ?? 0)"
    case .journalOfOtherEnd: ends
    case .otherMergeFinished: ends.map { Self.afterFinished($0) }
    case .journalGone:
      context.cause.map { Self.journalIsGone(after: $0.inCommandTerms) }
    case .journalMoved:
      context.cause.map { Self.journalHasMoved(after: $0.inCommandTerms) }
    default: nil
    }
  }

  /// The ends of the two merges, with each merge's choice for blocks past the origin's end.
  private var ends: String? {
    guard let recorded = context.recordedPastEnd, let wanted = context.pastEnd else { return nil }
    return "it merges up to byte \(context.counts["recorded_end"] ?? 0) "
      + "(--past-end \(recorded.rawValue)), this merge up to byte \(context.counts["end"] ?? 0) "
      + "(--past-end \(wanted.rawValue))"
  }
}

// MARK: Notes

extension MergeNote {
  /// The note in terms of the command.
  var textInCommandTerms: String {
    switch code {
    case .originWithoutIdentity:
      "\(context.path ?? "") has no identity of its own: resuming after a reboot, or by another path, "
        + "needs --same-origin"
    case .copyNotCompared:
      "the origin is not compared with a copy of the data device, which may lack what was merged: "
        + "'thin-merge verify --journal' compares it with the journal's checksums"
    case .poolNotSettled:
      "\(text); 'thin-merge settle' undoes it"
    case .originOfSnapshot:
      "it is a snapshot of \(context.name ?? ""): --origin PATH says which external origin"
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
    return "activate it".above("lvchange -ay \(name.shellQuoted)")
  }

  /// Returns the command that merges a thin device of a pool that no mapped device shows, as part
  /// of a sentence.
  static func merging(_ deviceID: UInt32, pool: String) -> String {
    "'thin-merge merge' with "
      + "\("--pool \(pool.shellQuoted) --dev-id \(deviceID)".commandInSentence) and with --origin and "
      + "--thin-size as of the thin device"
  }
}
