extension MergeError {
  /// A reason for an error, for programs to tell from others.
  ///
  /// The raw value stands in the command's JSON. It stays what it is; later versions add others.
  public enum Code: String, CaseIterable, Sendable {
    // MARK: Files and the system

    /// A file is of another kind than is expected.
    case wrongFileKind = "wrong-file-kind"
    /// A file or device cannot be opened.
    case cannotOpen = "cannot-open"
    /// The system does not tell what a file or device is.
    case cannotInspect = "cannot-inspect"
    /// A file was replaced while it was being opened.
    case fileReplaced = "file-replaced"
    /// A device is held exclusively by somebody else.
    case deviceInUse = "device-in-use"
    /// A device that is to be written to is read-only.
    case deviceReadOnly = "device-read-only"
    /// A loop device lies over a file.
    case underLoopDevice = "under-loop-device"
    /// Nothing tells what lies under a block device.
    case deviceUnseen = "device-unseen"
    /// Nothing tells whether a loop device lies over a file.
    case loopDevicesUnseen = "loop-devices-unseen"
    /// Buffers of that size are more than a program can have.
    case buffersTooLarge = "buffers-too-large"
    /// The system has no memory for buffers.
    case noMemory = "no-memory"
    /// All requests for asynchronous I/O that the kernel allows are in use.
    case requestsUsedUp = "requests-used-up"
    /// The kernel refuses asynchronous I/O.
    case noAsynchronousIO = "no-asynchronous-io"
    /// Reads and writes that were submitted cannot be waited for.
    case cannotWait = "cannot-wait"
    /// The verb was asked to stop.
    case interrupted = "interrupted"
    /// The observer did not approve of the merge.
    case notApproved = "not-approved"
    /// A mistake in the engine.
    case bug = "bug"

    // MARK: Source

    /// The data device is the metadata device, or shares its blocks.
    case dataIsMetadata = "data-is-metadata"
    /// The data device is shorter than the pool's metadata tell.
    case dataTooShort = "data-too-short"
    /// The given size of the thin device is none.
    case thinSizeInvalid = "thin-size-invalid"
    /// The metadata has no thin device of that number.
    case noSuchThinDeviceID = "no-such-thin-device-id"
    /// Some blocks of the source could not be read; all others are merged.
    case someUnreadable = "some-unreadable"
    /// More ranges of the source could not be read than a merge goes on with.
    case tooMuchUnreadable = "too-much-unreadable"
    /// The data device is said to be a copy, and has nothing of what was merged.
    case noCopyOfData = "no-copy-of-data"
    /// The data device has no identity, and has other bytes than those that were merged from it.
    case dataNotAsRecorded = "data-not-as-recorded"
    /// Neither the origin nor the copy of the data device has what was merged.
    case mergedBytesLost = "merged-bytes-lost"
    /// The pool's metadata changed during the merge.
    case metadataChanged = "metadata-changed"
    /// The pool changed its live mappings each time they were read.
    case metadataChanging = "metadata-changing"
    /// A device of a merge that is resumed is not there.
    case deviceMissing = "device-missing"

    // MARK: Origin

    /// The origin is a device of the pool, or shares its blocks.
    case originIsPoolDevice = "origin-is-pool-device"
    /// Another program has locked the whole origin.
    case originLocked = "origin-locked"
    /// Another program has locked a part of the origin.
    case originPartLocked = "origin-part-locked"
    /// The system swaps to the origin.
    case originIsSwap = "origin-is-swap"
    /// The origin cannot be locked.
    case cannotLockOrigin = "cannot-lock-origin"
    /// The origin is a container: an image with headers and tables of its own.
    case originIsContainer = "origin-is-container"
    /// The origin is encrypted, and the merge would replace the header that opens it.
    case originIsLUKS = "origin-is-luks"
    /// The origin ends before the last mapped block.
    case originTooShort = "origin-too-short"
    /// The origin is a device, which a merge cannot extend.
    case originNotExtensible = "origin-not-extensible"
    /// The origin cannot be extended.
    case cannotExtendOrigin = "cannot-extend-origin"
    /// An origin that is compared was not extended yet.
    case originNotExtended = "origin-not-extended"
    /// The file system has no room for the holes of the origin.
    case noRoomForHoles = "no-room-for-holes"
    /// A write to the origin failed.
    case cannotWriteOrigin = "cannot-write-origin"
    /// What was written to the origin cannot be made durable.
    case cannotFlushOrigin = "cannot-flush-origin"
    /// The origin is not at its path any more.
    case originMoved = "origin-moved"
    /// The origin cannot be marked as half merged.
    case cannotMarkOrigin = "cannot-mark-origin"
    /// The origin became shorter during the merge, or while it was compared.
    case originShortened = "origin-shortened"
    /// The origin has nearly nothing of what was merged onto it.
    case originLost = "origin-lost"

    // MARK: Comparing

    /// The source changed after the merge was finished.
    case sourceChanged = "source-changed"
    /// The origin changed after the merge was finished.
    case originChanged = "origin-changed"
    /// Source and origin changed after the merge was finished.
    case bothChanged = "both-changed"
    /// The source's mappings changed after the merge was finished.
    case mappingsChanged = "mappings-changed"
    /// Another merge of the same devices is finished.
    case otherMergeFinished = "other-merge-finished"
    /// Something of source or origin could not be read to be compared.
    case notAllCompared = "not-all-compared"
    /// The journal of a finished merge records only a part of it.
    case recordsMissing = "records-missing"
    /// The journal of a finished merge has checksums of only a part of it.
    case checksumsMissing = "checksums-missing"
    /// Only what an unfinished merge recorded could be compared.
    case mergeNotFinished = "merge-not-finished"
    /// The merge that is to be resumed is finished.
    case mergeFinished = "merge-finished"
    /// The merge is finished, and something that a run left in its pool is not undone.
    case mergeNotSettled = "merge-not-settled"

    // MARK: The journal's file

    /// There is no journal at the path.
    case noJournal = "no-journal"
    /// Another merge has the journal locked.
    case journalLocked = "journal-locked"
    /// Somebody else can have written the journal.
    case journalNotTrusted = "journal-not-trusted"
    /// The journal is a device of the merge, or shares its blocks.
    case journalIsDevice = "journal-is-device"
    /// The journal's file system is on a device of the merge.
    case journalOnDevice = "journal-on-device"
    /// There is no folder for the journal.
    case noJournalFolder = "no-journal-folder"
    /// The folder of all journals cannot be made.
    case cannotMakeStateFolder = "cannot-make-state-folder"
    /// There is no room for the journal.
    case noRoomForJournal = "no-room-for-journal"
    /// The journal cannot be made.
    case cannotMakeJournal = "cannot-make-journal"
    /// The journal's file system has no way to give a file a name without overwriting another.
    case cannotNameJournal = "cannot-name-journal"
    /// The journal cannot be locked.
    case cannotLockJournal = "cannot-lock-journal"
    /// The journal cannot be read.
    case cannotReadJournal = "cannot-read-journal"
    /// A record cannot be appended to the journal.
    case cannotAppendJournal = "cannot-append-journal"
    /// What is in the journal cannot be made durable.
    case cannotFlushJournal = "cannot-flush-journal"
    /// What a crash left at the journal's end cannot be cut off.
    case cannotCutJournal = "cannot-cut-journal"
    /// The journal cannot be put aside.
    case cannotRenameJournal = "cannot-rename-journal"
    /// The journal cannot be removed.
    case cannotRemoveJournal = "cannot-remove-journal"
    /// The journal was removed or replaced during the merge.
    case journalGone = "journal-gone"
    /// The journal was moved during the merge.
    case journalMoved = "journal-moved"

    // MARK: Whose the journal is

    /// No journal is of a merge from or onto the named device.
    case noJournalOf = "no-journal-of"
    /// Several merges from or onto the named device are not finished.
    case severalJournals = "several-journals"
    /// Two journals are of the same origin.
    case twoJournals = "two-journals"
    /// The journal is of another thin device.
    case journalOfOtherThinDevice = "journal-of-other-thin-device"
    /// The journal is of a merge that ends elsewhere.
    case journalOfOtherEnd = "journal-of-other-end"
    /// The journal is of another data device or origin.
    case journalOfOtherDevice = "journal-of-other-device"
    /// The journal is of a data device or origin of another size.
    case journalOfOtherSize = "journal-of-other-size"
    /// The journal is of other mappings of the thin device.
    case journalOfOtherMappings = "journal-of-other-mappings"
    /// A path from the journal, or one in place of it, leads to another device.
    case notRecordedDevice = "not-recorded-device"
    /// A device without an identity may be another one than the journal's.
    case deviceNotIdentified = "device-not-identified"
    /// An unfinished merge onto the origin is recorded elsewhere.
    case otherMergeUnfinished = "other-merge-unfinished"
    /// The journal's merge was given up for another one.
    case journalGivenUp = "journal-given-up"
    /// Another journal tells of a later merge onto the same origin.
    case journalOvertaken = "journal-overtaken"
    /// The origin is marked as half merged, and the merge has no usable journal.
    case markWithoutJournal = "mark-without-journal"

    // MARK: The journal's content

    /// The file is no journal.
    case notJournal = "not-journal"
    /// The journal ends within its header.
    case journalHeaderCut = "journal-header-cut"
    /// The journal is of a format that this version does not know.
    case journalVersionUnknown = "journal-version-unknown"
    /// The journal needs a feature that this version does not know.
    case journalNewer = "journal-newer"
    /// The journal's header has an impossible size.
    case journalHeaderSizeInvalid = "journal-header-size-invalid"
    /// The checksum of the journal's header is wrong.
    case journalHeaderChecksumWrong = "journal-header-checksum-wrong"
    /// The journal's header lacks a field, or a field makes no sense.
    case journalHeaderFieldInvalid = "journal-header-field-invalid"
    /// A record of the journal cannot be understood.
    case journalRecordUnknown = "journal-record-unknown"
    /// A record of the journal is damaged, and valid ones follow.
    case journalDamaged = "journal-damaged"
    /// A record of the journal names bytes that the merge does not have.
    case journalBytesOutside = "journal-bytes-outside"
    /// The journal names more unreadable ranges than a merge goes on with.
    case journalTooManyRanges = "journal-too-many-ranges"
    /// A checkpoint of the journal records bytes behind its watermark.
    case journalBeyondWatermark = "journal-beyond-watermark"
    /// The journal records bytes twice.
    case journalBytesTwice = "journal-bytes-twice"
    /// An entry of the journal is larger than a transfer can be.
    case journalEntryTooLarge = "journal-entry-too-large"
    /// The journal records more bytes than the merge has.
    case journalTooManyBytes = "journal-too-many-bytes"
    /// The entries of the journal do not rise.
    case journalOutOfOrder = "journal-out-of-order"
    /// The journal changed while it was being read.
    case journalChanged = "journal-changed"
    /// The journal records bytes that the thin device does not map.
    case journalUnmapped = "journal-unmapped"
    /// The journal does not prove that all of the merge is done.
    case journalIncomplete = "journal-incomplete"

    // MARK: Finding pool and thin device

    /// Device-mapper cannot be asked.
    case noDeviceMapper = "no-device-mapper"
    /// There is no active pool on this system.
    case noActivePool = "no-active-pool"
    /// Device-mapper has no pool of that name.
    case noSuchPool = "no-such-pool"
    /// No pool is active on the metadata device.
    case poolNotActive = "pool-not-active"
    /// LVM did not activate a volume.
    case volumeNotActivated = "volume-not-activated"
    /// The record of a volume that is to be activated cannot be written.
    case cannotWriteActivationRecord = "cannot-write-activation-record"
    /// Another run is activating or deactivating volumes.
    case activationsLocked = "activations-locked"
    /// The pool of a logical volume is not active.
    case volumePoolNotActive = "volume-pool-not-active"
    /// There is no thin device of that name.
    case noSuchThinDevice = "no-such-thin-device"
    /// The device of that name is no thin device.
    case notThinDevice = "not-thin-device"
    /// The table of the thin device names a pool that is none.
    case noPoolOfDevice = "no-pool-of-device"
    /// LVM was asked about a volume and did not answer.
    case lvmSilent = "lvm-silent"
    /// Tables do not agree about the thin device.
    case thinDeviceAmbiguous = "thin-device-ambiguous"
    /// Several pools are active on the metadata device.
    case severalPools = "several-pools"
    /// A given device is not the one that the active pool uses.
    case notPoolDevice = "not-pool-device"
    /// Another pool is active on the data device.
    case poolActiveOnData = "pool-active-on-data"
    /// LVM has the volume group as exported.
    case volumeGroupExported = "volume-group-exported"
    /// A physical volume of the volume group is missing.
    case volumeGroupPartial = "volume-group-partial"
    /// The volume group is shared between systems by a lock manager.
    case volumeGroupShared = "volume-group-shared"
    /// The volume group is another system's.
    case volumeGroupForeign = "volume-group-foreign"

    // MARK: The handover from a merged volume to its origin

    /// One of the two is no volume of LVM, or the origin is not the thin volume's.
    case noVolumesToHandOver = "no-volumes-to-hand-over"
    /// Other volumes are on one of the two.
    case volumesOnOrigin = "volumes-on-origin"
    /// The thin volume is larger than its origin.
    case originShorterThanVolume = "origin-shorter-than-volume"
    /// The thin volume has something that the origin does not have, or would not have.
    case volumeNotAllMerged = "volume-not-all-merged"
    /// The thin volume is in use.
    case volumeStaysActive = "volume-stays-active"
    /// LVM does not know one of the two any more, or under another name, or another volume has the name to be given.
    case volumeNotAsRecorded = "volume-not-as-recorded"
    /// LVM did not take a step.
    case handoverStepFailed = "handover-step-failed"
    /// The journal cannot be written to.
    case cannotRecordHandover = "cannot-record-handover"

    // MARK: State of a pool

    /// The pool's status cannot be asked for.
    case cannotAskPool = "cannot-ask-pool"
    /// The kernel has given the pool up.
    case poolFailed = "pool-failed"
    /// The pool is marked `needs_check`.
    case poolNeedsCheck = "pool-needs-check"
    /// The metadata of the active pool is not what device-mapper tells.
    case poolMismatch = "pool-mismatch"
    /// The live mappings were wanted, and the pool is active.
    case poolActive = "pool-active"
    /// The pool changed between question and answer, and with it what would be read.
    case poolChanged = "pool-changed"
    /// The pool is read-only.
    case poolReadOnly = "pool-read-only"
    /// The pool's metadata device is nearly full.
    case poolMetadataUsedUp = "pool-metadata-used-up"
    /// The pool is full or read-only, and no snapshot can be made.
    case poolTakesNoSnapshot = "pool-takes-no-snapshot"
    /// The pool does not commit.
    case cannotCommitPool = "cannot-commit-pool"
    /// Another run works on the pool.
    case poolInUse = "pool-in-use"
    /// The pool's record cannot be locked.
    case cannotLockPool = "cannot-lock-pool"
    /// The pool's record was written by a newer version.
    case poolRecordNewer = "pool-record-newer"
    /// The pool's record is damaged.
    case poolRecordDamaged = "pool-record-damaged"
    /// The record of an origin cannot be read; one is kept while no pool is active.
    case cannotReadOriginRecord = "cannot-read-origin-record"
    /// The record of an origin cannot be written; one is kept while no pool is active.
    case cannotWriteOriginRecord = "cannot-write-origin-record"
    /// The pool's record cannot be written.
    case cannotWritePoolRecord = "cannot-write-pool-record"

    // MARK: The metadata snapshot

    /// The metadata snapshot is held by somebody else.
    case metadataSnapshotForeign = "metadata-snapshot-foreign"
    /// The metadata snapshot of an earlier run could not be released.
    case metadataSnapshotLeft = "metadata-snapshot-left"
    /// The metadata snapshot is the only copy of a thin device.
    case metadataSnapshotOnlyCopy = "metadata-snapshot-only-copy"
    /// The metadata snapshot may be the only copy of a thin device.
    case metadataSnapshotMaybeOnlyCopy = "metadata-snapshot-maybe-only-copy"
    /// A metadata snapshot cannot be taken.
    case cannotTakeMetadataSnapshot = "cannot-take-metadata-snapshot"

    // MARK: Keeping the thin device at rest

    /// The thin device is in use.
    case thinDeviceInUse = "thin-device-in-use"
    /// The thin device can be written to through several devices.
    case thinDeviceInUseTwice = "thin-device-in-use-twice"
    /// A table was loaded for the thin device and is not live yet.
    case thinDeviceChanging = "thin-device-changing"
    /// The thin device is suspended.
    case thinDeviceSuspended = "thin-device-suspended"
    /// The thin device was activated or changed during the merge.
    case thinDeviceActivated = "thin-device-activated"
    /// Nothing tells whether the thin device was active for a while during the merge.
    case thinDeviceMaybeActivated = "thin-device-maybe-activated"
    /// The thin device cannot be removed for the time of the merge.
    case cannotRemoveThinDevice = "cannot-remove-thin-device"
    /// The thin device cannot be resumed.
    case cannotResumeThinDevice = "cannot-resume-thin-device"
    /// A snapshot of the thin device cannot be made.
    case cannotMakeSnapshot = "cannot-make-snapshot"
    /// LVM's numbers of thin volumes reach those of snapshots.
    case numbersOfLVMTooHigh = "numbers-of-lvm-too-high"
    /// All numbers for snapshots are in use.
    case snapshotIDsUsedUp = "snapshot-ids-used-up"
    /// The thin device was activated while a snapshot of it was made.
    case thinDeviceJustActivated = "thin-device-just-activated"
    /// The thin device could not be suspended in time.
    case suspendTooLong = "suspend-too-long"
    /// The thin device was resumed while it had to be suspended.
    case thinDeviceResumed = "thin-device-resumed"
    /// A snapshot of the thin device is being merged.
    case snapshotUnfinished = "snapshot-unfinished"
    /// A snapshot is being merged of a thin device whose number another one has now.
    case snapshotOfAnother = "snapshot-of-another"
    /// The snapshot that is merged is in use.
    case snapshotInUse = "snapshot-in-use"
    /// The snapshot that an earlier run made is gone.
    case snapshotGone = "snapshot-gone"
    /// A snapshot that is merged could not be deleted yet.
    case snapshotLeft = "snapshot-left"
    /// A snapshot that was made for a merge cannot be deleted.
    case cannotDeleteSnapshot = "cannot-delete-snapshot"

    // MARK: The origin of an active pool

    /// Other thin devices show the origin.
    case originShared = "origin-shared"
    /// The origin's name is that of a file and of a logical volume.
    case originAmbiguous = "origin-ambiguous"
    /// LVM has classic snapshots of the origin.
    case originHasSnapshots = "origin-has-snapshots"
    /// LVM caches the origin with a cache volume.
    case originCachedByVolume = "origin-cached-by-volume"
    /// Other thin devices may show the origin.
    case originMaybeShared = "origin-maybe-shared"
    /// The origin is suspended.
    case originSuspended = "origin-suspended"
    /// A mapped device lies on the origin.
    case originInUse = "origin-in-use"
    /// Device-mapper has the origin read-only.
    case originReadOnly = "origin-read-only"
    /// Device-mapper has the origin read-only, and that cannot be lifted.
    case originReadOnlyForGood = "origin-read-only-for-good"
    /// The origin cannot be made writable.
    case cannotMakeOriginWritable = "cannot-make-origin-writable"

    // MARK: The pool's metadata

    /// A block of the metadata cannot be read.
    case metadataUnreadable = "metadata-unreadable"
    /// The file or device is not the metadata of a thin pool.
    case notMetadata = "not-metadata"
    /// The metadata is cut short.
    case metadataCutShort = "metadata-cut-short"
    /// The checksum of a block of the metadata is wrong.
    case metadataChecksumWrong = "metadata-checksum-wrong"
    /// A block of the metadata is of another kind than is expected.
    case metadataWrongBlockKind = "metadata-wrong-block-kind"
    /// A block of the metadata tells that it is another block.
    case metadataMisplaced = "metadata-misplaced"
    /// A field of a superblock is not what it can be.
    case metadataSuperblockInvalid = "metadata-superblock-invalid"
    /// No metadata snapshot is held.
    case noMetadataSnapshot = "no-metadata-snapshot"
    /// Another metadata snapshot is held than the wanted one.
    case otherMetadataSnapshot = "other-metadata-snapshot"
    /// The metadata snapshot and the live superblock do not agree.
    case metadataSnapshotInvalid = "metadata-snapshot-invalid"
    /// A field of a node is not what it can be.
    case metadataNodeInvalid = "metadata-node-invalid"
    /// The keys of a node are not those that they have to be.
    case metadataKeysInvalid = "metadata-keys-invalid"
    /// The nodes of a tree do not make a tree.
    case metadataTreeInvalid = "metadata-tree-invalid"
    /// A node changed since the plan was made.
    case metadataNodeChanged = "metadata-node-changed"
    /// The trees of the devices do not agree, or not with a device's mappings.
    case metadataDevicesDisagree = "metadata-devices-disagree"
    /// The details of a device count other mappings than it has.
    case metadataCountWrong = "metadata-count-wrong"
    /// A mapping leads to a place that there is not.
    case metadataMappingInvalid = "metadata-mapping-invalid"
    /// A data block is mapped twice.
    case metadataMappedTwice = "metadata-mapped-twice"
  }
}
