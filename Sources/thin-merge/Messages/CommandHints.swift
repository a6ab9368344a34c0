internal import MergeEngine

// What the engine does not know: how something is asked of the command. One table, from code to hint.

extension MergeError {
  /// The error in terms of the command: its options in the hint, and in the reason where that is about one.
  var inCommandTerms: MergeError {
    var error = self
    error.why = commandReason ?? why
    error.hint = commandHint ?? hint
    return error
  }

  /// What to do, where that takes an option or a verb of the command; nil where the engine's hint serves.
  private var commandHint: String? {
    if context.circumstances.contains(.devicesAreSwapped) {
      return "--metadata and --data seem to be swapped"
    }
    return fileHint ?? poolHint ?? journalHint ?? comparisonHint
  }

  private var path: String { (context.path ?? place).shellQuoted }
  private var pool: String { (context.pool ?? place).shellQuoted }
  private var journal: String { (context.journalPath ?? context.path ?? place).shellQuoted }

  // MARK: Devices and files

  private var fileHint: String? {
    switch code {
    case .noMemory: "a smaller --io-size or --queue-depth takes less"
    case .dataIsMetadata: "--data is the pool's data device: the second in 'dmsetup table POOL'"
    case .originIsPoolDevice: "--origin is the external origin, which lies outside the pool"
    case .originTooShort:
      "extend the origin, give --thin-size if the thin device ends there too, or choose "
        + "--past-end clip (leave them out) or --past-end grow (extend a regular file)"
    case .originIsContainer, .originIsLUKS:
      "\(hint ?? ""); --force-format merges onto it as it is"
    case .originNotExtensible: "extend the device first, or choose --past-end clip"
    case .originNotExtended: "merge first, or compare what is there by --past-end clip"
    case .loopDevicesUnseen:
      (hint.map { $0 + "; " } ?? "") + "if nothing else uses the file: --unseen-loops-ok"
    case .originMoved where context.journalPath != nil:
      "put that file back to its path, then: thin-merge resume \(journal)"
    case .originShortened where context.journalPath != nil:
      "\(hint ?? ""), and give it the bytes that it had, from a copy; then: thin-merge resume \(journal)"
    case .originLost:
      "if it is another disk, give the path of the right one with --origin; if it was restored or "
        + "written to, 'thin-merge merge' with --restart merges all of it again"
    case .deviceMissing: "\(option) says where it is now"
    case .noSuchThinDeviceID:
      "they are listed by: thin-merge devices --metadata \(path)"
        + (context.circumstances.contains(.isInactive) ? " --inactive" : "")
    case .someUnreadable:
      "once the cause is gone, this tries only those: thin-merge resume \(journal)"
    case .noMetadataSnapshot:
      "of an active pool: 'dmsetup message POOL 0 reserve_metadata_snap', and give --inactive only "
        + "if the pool is not active"
    case .metadataCountWrong:
      "\(hint ?? ""); or, since the mappings were read and checked as a whole, give "
        + "--ignore-mapping-count"
    case .otherMetadataSnapshot: "without --metadata-snap, the one that is held is used"
    case .metadataNodeChanged:
      "the metadata snapshot was released, or the pool was active with --inactive: one has to be "
        + "held until the merge has finished"
    default: nil
    }
  }

  /// The option that gives a device of this role.
  private var option: String {
    switch context.role {
    case "metadata device": "--metadata"
    case "data device": "--data"
    default: "--origin"
    }
  }

  /// What the engine says of a limit; else another place, behind what helps where only permission is missing.
  private func byRoot(_ permission: String, or place: String) -> String {
    hint ?? (context.isForbidden ? "\(permission); \(place)" : place)
  }

  // MARK: Active pools

  private var poolHint: String? {
    switch code {
    case .noActivePool:
      "'modprobe dm-thin-pool' loads the driver, if the kernel lacks it; of a pool that is not active: --metadata, "
        + "--data, --dev-id and --inactive, where LVM activates such devices by "
        + "'lvchange -ay VG/POOL_tmeta VG/POOL_tdata'"
    case .poolNotActive:
      "activate it, or merge from its devices with --metadata, --data, --dev-id and --inactive"
    case .noSuchThinDevice:
      "'dmsetup ls --target thin' and 'lvs' list them; one that is not active and not LVM's: "
        + "--pool NAME --dev-id N --origin PATH --thin-size SIZE"
    case .notPoolDevice, .poolActiveOnData:
      "name the thin device instead: --pool \(pool) --dev-id N"
    case .poolNeedsCheck:
      context.circumstances.contains(.holdsMetadataSnapshot)
        ? "\(hint ?? ""); or give --ignore-needs-check to read the metadata snapshot that is held"
        : nil
    case .poolActive: "leave --inactive out: a metadata snapshot is then taken"
    case .poolReadOnly: "deactivate it, and merge from its devices with --inactive"
    case .cannotLockPool:
      byRoot("root may write there", or: "make its folder writable, or mount a file system there")
    case .poolTakesNoSnapshot:
      "extend the pool; or stop what uses the thin device, and leave --snapshot out"
    case .metadataSnapshotForeign:
      "\("dmsetup status \(pool)".commandInSentence) shows it; if nobody needs it any more: dmsetup message \(pool) 0 "
        + "release_metadata_snap, and if it is to be merged from: --metadata-snap BLOCK"
    case .metadataSnapshotOnlyCopy:
      "'thin-merge resume' with the journal of that merge finishes it; to give the copy up: "
        + "dmsetup message \(pool) 0 release_metadata_snap"
    case .thinDeviceInUse:
      (context.circumstances.contains(.canTakeSnapshot)
        ? "unmount it, or give --snapshot to merge it as it is now" : "unmount it")
        + "; \("lsblk \(path)".commandInSentence) and \("lsof \(path)".commandInSentence) show who uses "
        + "it"
    case .thinDeviceActivated:
      "deactivate it and resume, without --trust-earlier-runs: everything is compared again"
    case .thinDeviceMaybeActivated:
      "resume without --trust-earlier-runs: everything is compared again"
    case .cannotRemoveThinDevice:
      "it is writable and must not change; without --no-snapshot, a snapshot of it is merged"
    case .snapshotIDsUsedUp:
      "\("thin-merge devices --pool \(pool)".commandInSentence) lists them; delete those that nobody needs"
    case .snapshotOfAnother:
      "'thin-merge resume' with the journal of that merge finishes it; 'thin-merge merge' with --restart "
        + "gives it up, and merges the thin device that has the number now"
    case .numbersOfLVMTooHigh: "--no-snapshot merges the thin device itself"
    case .snapshotUnfinished:
      "leave --no-snapshot out to go on with it; 'thin-merge merge' with --restart gives that merge up "
        + "and begins again"
    case .snapshotGone:
      "'thin-merge merge' with --restart makes a new one; what is merged already is then merged again"
    case .originShared: "if that is wanted: --other-users-ok"
    case .originMaybeShared:
      "what they show would change; if they have another origin, or none: --other-users-ok"
    case .noVolumesToHandOver, .volumesOnOrigin, .originShorterThanVolume:
      (hint.map { $0 + "; " } ?? "") + "the merge itself does without --finish"
    case .originReadOnly: "--make-origin-writable lifts that for the time of the merge"
    default: nil
    }
  }

  // MARK: The journal

  private static let beginAgain =
    "'thin-merge merge' with --restart puts this journal aside and merges from the beginning"

  private var journalHint: String? {
    switch code {
    case .noJournal: "'thin-merge plan' says where the journal of a merge is"
    case .journalLocked: "how far that merge is: thin-merge status \(journal)"
    case .twoJournals:
      "'thin-merge status' with each tells when it was written; move the older one away"
    case .noJournalOf: "'thin-merge status' lists the journals of this system"
    case .journalNotTrusted:
      "\("thin-merge status \(journal)".commandInSentence) shows what it names; if that is right, resume a copy that is "
        + "your own"
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
        + "from the beginning with 'thin-merge merge' and --restart"
    case .journalMoved:
      "put it back and resume, or give 'thin-merge resume' its new path, and --origin with the origin's "
        + "where that was moved too"
    case .journalIncomplete: "merge from the beginning with 'thin-merge merge' and --restart"
    case .journalOfOtherThinDevice, .journalOfOtherEnd, .journalOfOtherDevice, .journalOfOtherSize,
      .journalOfOtherMappings:
      otherMergeHint
    case .noCopyOfData:
      "give the right one with --data, or merge all of it again: 'thin-merge merge' with --restart"
    case .dataNotAsRecorded:
      "if it is another device, give the path of the right one with --data; if it was written to since, "
        + "'thin-merge merge' with --restart merges all of it again"
    case .mergedBytesLost:
      "resume with the data device that was merged from, if it can still be read; or 'thin-merge merge' "
        + "with --restart merges all of it from the copy"
    case .notRecordedDevice:
      "--metadata, --data and --origin say where the same devices are now"
        + (context.role == "data device" ? "; --same-data takes a copy" : "")
    case .deviceNotIdentified: "give --same-origin if they are the same"
    case .otherMergeUnfinished:
      "either go on with it by \("thin-merge resume \(journal)".commandInSentence), or, if that merge is given "
        + "up: 'thin-merge merge' with --restart; \(Self.stays)"
    case .journalGivenUp: givenUpHint
    case .journalOvertaken:
      "how far that merge is, and what is left to do: thin-merge status \(journal)"
    case .markWithoutJournal: markHint
    default: kind == .journalConflict ? contentHint : nil
    }
  }

  private static let stays =
    "what that one wrote then stays on the origin wherever this thin device has no block"

  private static let fromTheBeginning =
    "'thin-merge merge' with --restart merges from the beginning"

  private var givenUpHint: String {
    // A restart may have been killed before it had a journal of its own.
    context.journalPath == context.path
      ? Self.fromTheBeginning
      : "how far that merge is: \("thin-merge status \(journal)".commandInSentence); "
        + Self.fromTheBeginning
  }

  private var markHint: String {
    let again = Self.fromTheBeginning
    return context.journalPath == nil
      ? again
      : "if the journal has another path now: 'thin-merge resume' with that path; if it is lost, "
        + again
  }

  /// What to do with a journal that cannot be used as it is.
  ///
  /// Once a run has written, it is not known any more: the journal was sound when the run began.
  private var contentHint: String? {
    switch code {
    case .notJournal:
      "'thin-merge plan' names the journal of a merge, and --journal gives it another place"
    case .journalRecordUnknown:
      "perhaps another version of thin-merge wrote it, and reads it; if not, \(Self.beginAgain)"
    case .journalUnmapped:
      "'thin-merge merge' with --restart puts it aside and merges from the beginning"
    case .journalHeaderCut, .journalHeaderSizeInvalid, .journalHeaderChecksumWrong,
      .journalHeaderFieldInvalid,
      .journalDamaged, .journalBytesOutside, .journalTooManyRanges, .journalBeyondWatermark,
      .journalBytesTwice, .journalEntryTooLarge, .journalTooManyBytes, .journalOutOfOrder,
      .journalChanged:
      "the origin may be merged in part; \(Self.beginAgain)"
    default: nil
    }
  }

  private var otherMergeHint: String {
    if code == .journalOfOtherDevice {
      let copy =
        context.role == "data device"
        ? "; of one that was copied onto another disk: --same-data" : ""
      return
        "give the path of the same file or device\(copy); to merge with another one, begin again "
        + "with 'thin-merge merge' and --restart"
    }
    if context.circumstances.contains(.isFinished) {
      return "'thin-merge merge' with --journal and another path keeps this one"
    }
    if context.circumstances.contains(.isSameThinDevice) {
      return
        "merge it again from the start, with 'thin-merge merge' and --restart: all that it has now is "
        + "merged, and nothing is lost by that"
    }
    let half = "the origin is half merged with dev \(context.deviceID ?? 0): either "
    let what: String
    switch code {
    case .journalOfOtherSize: what = "it the size that it had"
    case .journalOfOtherMappings: what = "the metadata as it was"
    default:
      return half
        + "go on with that merge by \("thin-merge resume \(journal)".commandInSentence), or put its journal "
        + "aside by 'thin-merge merge' with --restart; \(Self.stays)"
    }
    // Resuming now would be refused for the same reason.
    guard context.circumstances.contains(.isResumed) else {
      return half
        + "give \(what), then \("thin-merge resume \(journal)".commandInSentence), or put its journal aside "
        + "by 'thin-merge merge' with --restart; \(Self.stays)"
    }
    return half + "give \(what), or merge from the beginning with 'thin-merge merge' and --restart"
  }

  // MARK: Comparing

  private static let overwrites =
    "to overwrite on the origin what differs from the thin device: add --again"

  private var unsettledHint: String {
    guard context.pool == nil else { return "to undo it: thin-merge settle --pool \(pool)" }
    return "activate the pool, then: thin-merge settle; if it does not exist any more: rm \(path)"
  }

  private var comparisonHint: String? {
    switch code {
    case .sourceChanged: "to merge what was written since: add --again"
    case .originChanged, .bothChanged:
      "to keep the origin as it is, there is nothing to do; \(Self.overwrites)"
    case .mappingsChanged, .otherMergeFinished:
      "to merge it as it is now, overwriting what was written to the origin since: add --again"
    case .mergeNotSettled: unsettledHint
    case .mergeFinished: "--again merges again what differs between thin device and origin"
    case .recordsMissing: "to merge it again: add --again"
    case .checksumsMissing:
      "'thin-merge verify' with --metadata, --data and --dev-id compares all with the source"
    case .mergeNotFinished: "to go on with it: thin-merge resume \(journal)"
    default: nil
    }
  }
}

// MARK: Reasons

extension MergeError {
  /// Why, where that is about an option; nil where the engine's words serve.
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

  /// The ends of two merges, with what each does with blocks past the origin's end.
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

  /// What merges a thin device of a pool that no mapped device shows, as part of a sentence.
  static func merging(_ deviceID: UInt32, pool: String) -> String {
    "'thin-merge merge' with "
      + "\("--pool \(pool.shellQuoted) --dev-id \(deviceID)".commandInSentence) and with --origin and "
      + "--thin-size as of the thin device"
  }
}
