import SystemPackage

@testable import MergeEngine
@testable import thin_merge

/// Sample errors that no test can produce, and sample notes.
enum ErrorSamples {
  /// Errors caused by undiscovered bugs, by changes between two consecutive system calls, or by
  /// hardware that no test machine has.
  static let notBroughtAbout: [(name: String, error: ReportedError)] = [
    sample(
      "another program writes to the journal in that moment",
      JournalFault.changed(at: 4096).conflict(path: "JOURNAL")),
    sample(
      "the journal of a finished merge records only a part",
      .recordsMissing("JOURNAL", byteCount: 4096, of: 8192)),
    sample(
      "two merges onto a named origin are not finished",
      .severalJournals("vg/base", ["JOURNAL", "OTHER"])),
    sample(
      "a file is called like the volume that is the origin",
      .originAmbiguous("vg/base", volumePath: "/dev/mapper/vg-base")),
    sample(
      "the journal of a finished merge runs out of space before its handover",
      .cannotRecordHandover("JOURNAL", .noSpace)),
    (
      "a question about a handover is answered with no",
      ReportedError(Finishing.notAgreed("vg/base"))
    ),
    sample(
      "the origin of a handover is gone from LVM", .volumeGone("vg/base", uuid: "UUID")),
    sample("the journal cannot be inspected", .cannotInspectJournal("JOURNAL", .ioError)),
    sample(
      "the thin device of a metadata snapshot may be gone",
      .metadataSnapshotMaybeOnlyCopy("POOL", deviceID: 5)),
    sample(
      "the journal records what is not mapped behind its first transfers",
      .recordedNotMapped("JOURNAL", byteOffset: 65_536)),
    sample(
      "a signal comes while recorded transfers are looked for", .interruptedChecking("ORIGIN")),
    sample(
      "65537 ranges cannot be read",
      .tooMuchUnreadable("ORIGIN", rangeCountMax: JournalState.unreadableCountMax)),
    sample(
      "the checksums of the journal are right and its bytes are not",
      .journalUnmapped(byteOffset: 65_536)),
    ("the command has a mistake", ReportedError(.bug("the reason"))),
    sample("the pool changes its mappings each time they are read", .metadataChanging("METADATA")),
    sample("the origin is replaced in that moment", .originReplaced("ORIGIN")),
    sample("a file is replaced in that moment", .fileReplaced("ORIGIN", "origin")),
    sample(
      "a file is of a kind that there is not",
      .fileKind("ORIGIN", "origin", is: .other, onlyRegularFiles: false)),
  ]

  private static func sample(
    _ name: String, _ error: MergeError
  ) -> (name: String, error: ReportedError) {
    (name, ReportedError(error))
  }

  private static let handover = VolumeHandover(
    groupName: "vg", thinName: "vm1", originName: "base", groupUUID: "G", thinUUID: "T",
    originUUID: "O", takesName: true, staysActive: false)

  /// Errors that the library words differently from the command.
  static let ofLibrary: [MergeError] = [
    .poolActive("POOL"), .poolNeedsCheck("POOL", metadataPath: "METADATA", holdsSnapshot: true),
    .finishedOtherwise(
      "JOURNAL", .end(found: 8192, .clip, wanted: 4096, .refuse), sourceName: "SOURCE"),
    .journalOfOtherMerge(
      "JOURNAL", .end(found: 8192, .clip, wanted: 4096, .refuse), deviceID: 5, isFinished: false,
      isResumed: false),
    MetadataFault.otherSnapshot(at: MetadataBlock(7), wanted: 9).refusal(path: "METADATA"),
    MetadataFault.noSnapshot().refusal(path: "METADATA"),
    MetadataFault.needsCheck("METADATA", holdsSnapshot: true).refusal(path: "METADATA"),
    MetadataFault.nodeChanged(MetadataBlock(7)).refusal(path: "METADATA"),
    MetadataFault.notSuperblock(MetadataBlock(0), isEmpty: false, first: []).refusal(
      path: "METADATA"
    ).ofSwappedDevices(),
  ]

  /// A sample of every note that the engine can report.
  static let notes: [MergeNote] = [
    .fewerRequests(32, of: 64), .noDirectIO("ORIGIN"),
    .volumeActivated("vg/pool"), .volumeDeactivated("vg/pool"), .volumeStaysActive("vg/base"),
    .originStaysActive("vg/vm1"),
    .volumeNotDeactivated("vg/base", .failed(words: "Volume group vg is busy")),
    .volumeNotActivated("vg/vm1", .tookTooLong(.seconds(120))),
    .originMadeWritableAgain("/dev/mapper/vg-base-real"),
    .handedOver(.removeThinVolume, handover), .handedOver(.makeOriginWritable, handover),
    .handedOver(.renameOrigin, handover),
    .thinSizeAssumed(65_536, isOfOrigin: true), .thinSizeAssumed(65_536, isOfOrigin: false),
    .devicesDisagree("the reason", path: "METADATA"),
    .mappingCountIgnored("the reason", path: "METADATA", deviceID: 5),
    .dataShorterThanPool("DATA", byteCount: 65_536, poolByteCount: 131_072),
    .copyNotCompared(), .sourceMayChange(), .poolOptionsUnused(), .originWithoutIdentity("ORIGIN"),
    .originHasFormat("ORIGIN", "qcow2"),
    .originWithoutName("ORIGIN"), .originNotMarked("ORIGIN", .notSupported),
    .mergeUnfinished("ORIGIN", deviceID: 5),
    .journalPutAside("JOURNAL.old"), .journalInMemory("JOURNAL"), .journalOnOverlay("JOURNAL"),
    .otherOriginInTable("/dev/mapper/base", given: "ORIGIN"),
    .originShared(by: ["vm1", "vm2"]), .originMaybeShared(by: [(6, true), (7, false)]),
    .consentWithoutNames("JOURNAL"),
    .originLeft("/dev/mapper/base"), .originOfSnapshot("vg/vm"), .originNotActive("vg/base"),
    .cannotRestoreReadOnly("/dev/mapper/base", .resourceBusy),
    .thinDeviceRemoved("/dev/mapper/vm"), .thinDeviceRestored("/dev/mapper/vm"),
    .thinDeviceStaysRemoved("/dev/mapper/vm", command), .thinDeviceOutdated("/dev/mapper/vm"),
    .thinDeviceOriginUnknown("/dev/mapper/vm", command),
    .cannotRestoreThinDevice("/dev/mapper/vm", .resourceBusy, command),
    .cachesNotWritten(["/mnt", "/dev/dm-3"], hasAnswered: true),
    .cachesNotWritten(["/mnt"], hasAnswered: false),
    .noSnapshotMade(.metadataSnapshotGiven), .noSnapshotMade(.poolReadOnly),
    .noSnapshotMade(.dataNearlyUsedUp(freeBlockCount: 9, blockCount: 100)),
    .snapshotKept(16_777_215, of: 5, pool: "POOL", byteCount: 65_536),
    .cannotActivateVolume("/dev/mapper/vg-vm", .failed(words: "vg/vm in use"), activating),
    .cannotActivateVolume("/dev/mapper/vg-vm", .devicesSuspended, activating),
    .cannotActivateVolume("/dev/mapper/vg-vm", .tookTooLong(.seconds(120)), activating),
    .cannotActivateVolume(
      "/dev/mapper/vg-vm",
      .noneSelected(uuid: "NDP1xu-zS59-kHGQ-mGdM-9SAZ-Qh8N-8b7hKc", group: "vg"), activating),
    .snapshotOnlyCopy(16_777_215, of: 5, pool: "POOL", isReplaced: false),
    .snapshotOnlyCopy(16_777_215, of: 5, pool: "POOL", isReplaced: true),
    .snapshotMade(16_777_215, of: "/dev/mapper/vm"),
    .snapshotNotThere(16_777_215, pool: "POOL"), .cannotDeleteSnapshot(failed),
    .sourceKept(failed), .notUndone(failed), .poolLeft("POOL", isSettledInPart: false),
    .poolLeft("POOL", isSettledInPart: true),
    .poolNotSettled(
      "POOL",
      PoolRemainder(
        snapshotIDs: [16_777_215], removedPaths: ["/dev/mapper/vm"],
        writableLayerPaths: ["/dev/mapper/base"])),
    .metadataSnapshotOther("POOL"),
    .metadataSnapshotMaybeOurs("POOL"),
    .metadataSnapshotHeld("POOL", after: failed, onlyCopyOf: nil),
    .metadataSnapshotHeld("POOL", after: failed, onlyCopyOf: 5),
    .metadataSnapshotHeld("POOL", .resourceBusy),
    .metadataSnapshotOnlyCopy("POOL", of: 5, isReplaced: false),
    .metadataSnapshotOnlyCopy("POOL", of: 5, isReplaced: true),
    .metadataSnapshotMaybeOnlyCopy("POOL", of: 5),
  ]

  private static let activating = MergeNote.commandActivating("vg/vm")

  private static let command = MergeNote.commandMaking(
    "vm", uuid: "LVM-1", table: "0 3072 thin 253:3 5")
  private static let failed = MergeError.cannotAskPool("POOL", .ioError)
}
