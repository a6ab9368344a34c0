extension MergeError {
  /// A stable reason for an error, for programs.
  ///
  /// The raw value appears in the command's JSON. Existing values never change; later versions add
  /// others.
  public enum Code: String, CaseIterable, Sendable {
    // MARK: Files and the system

    /// A file is not of the expected kind.
    case wrongFileKind = "wrong-file-kind"
    /// A file or device cannot be opened.
    case cannotOpen = "cannot-open"
    /// The system cannot report the properties of a file or device.
    case cannotInspect = "cannot-inspect"
    /// A file was replaced while it was being opened.
    case fileReplaced = "file-replaced"
    /// A device is already held exclusively.
    case deviceInUse = "device-in-use"
    /// A device to be written is read-only.
    case deviceReadOnly = "device-read-only"
    /// A loop device is attached to a file.
    case underLoopDevice = "under-loop-device"
    /// The devices under a block device cannot be determined.
    case deviceUnseen = "device-unseen"
    /// A loop device attached to a file cannot be ruled out.
    case loopDevicesUnseen = "loop-devices-unseen"
    /// The buffers are larger than a process can allocate.
    case buffersTooLarge = "buffers-too-large"
    /// The system has no memory left for buffers.
    case noMemory = "no-memory"
    /// All requests for asynchronous I/O that the kernel allows are in use.
    case requestsUsedUp = "requests-used-up"
    /// The kernel refuses asynchronous I/O.
    case noAsynchronousIO = "no-asynchronous-io"
    /// Waiting for submitted reads and writes failed.
    case cannotWait = "cannot-wait"
    /// The verb was asked to stop.
    case interrupted = "interrupted"
    /// The observer did not approve the merge.
    case notApproved = "not-approved"
    /// A bug in the engine.
    case bug = "bug"

    // MARK: Source

    /// The data device is the metadata device, or shares blocks with it.
    case dataIsMetadata = "data-is-metadata"
    /// The data device is shorter than the pool's metadata requires.
    case dataTooShort = "data-too-short"
    /// The given size of the thin device is out of range.
    case thinSizeInvalid = "thin-size-invalid"
    /// The metadata has no thin device with the given ID.
    case noSuchThinDeviceID = "no-such-thin-device-id"
    /// Some blocks of the source are unreadable; all others are merged.
    case someUnreadable = "some-unreadable"
    /// The source has more unreadable ranges than a merge allows.
    case tooMuchUnreadable = "too-much-unreadable"
    /// The data device was declared a copy, but contains none of the merged bytes.
    case noCopyOfData = "no-copy-of-data"
    /// The data device has no identity, and its bytes differ from those merged earlier.
    case dataNotAsRecorded = "data-not-as-recorded"
    /// Some merged bytes are neither on the origin nor on the copy of the data device.
    case mergedBytesLost = "merged-bytes-lost"
    /// The pool's metadata changed during the merge.
    case metadataChanged = "metadata-changed"
    /// The pool's live mappings changed during every attempt to read them.
    case metadataChanging = "metadata-changing"
    /// A device of a resumed merge is missing.
    case deviceMissing = "device-missing"

    // MARK: Origin

    /// The origin is a device of the pool, or shares blocks with one.
    case originIsPoolDevice = "origin-is-pool-device"
    /// Another program has locked the whole origin.
    case originLocked = "origin-locked"
    /// Another program has locked part of the origin.
    case originPartLocked = "origin-part-locked"
    /// The system uses the origin as swap space.
    case originIsSwap = "origin-is-swap"
    /// The origin cannot be locked.
    case cannotLockOrigin = "cannot-lock-origin"
    /// The origin is a container: an image with its own headers and tables.
    case originIsContainer = "origin-is-container"
    /// The origin is encrypted, and the merge would overwrite its LUKS header.
    case originIsLUKS = "origin-is-luks"
    /// The origin ends before the last mapped block.
    case originTooShort = "origin-too-short"
    /// The origin is a device, and a merge can extend only a file.
    case originNotExtensible = "origin-not-extensible"
    /// The origin cannot be extended.
    case cannotExtendOrigin = "cannot-extend-origin"
    /// The origin to be compared has not been extended yet.
    case originNotExtended = "origin-not-extended"
    /// The file system has no room to fill the origin's holes.
    case noRoomForHoles = "no-room-for-holes"
    /// A write to the origin failed.
    case cannotWriteOrigin = "cannot-write-origin"
    /// Writes to the origin cannot be made durable.
    case cannotFlushOrigin = "cannot-flush-origin"
    /// The origin is no longer at its path.
    case originMoved = "origin-moved"
    /// The origin cannot be marked as half merged.
    case cannotMarkOrigin = "cannot-mark-origin"
    /// The origin became shorter during the merge or the comparison.
    case originShortened = "origin-shortened"
    /// The origin contains almost none of the bytes merged onto it.
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
    /// A merge of the same devices is already finished.
    case otherMergeFinished = "other-merge-finished"
    /// Part of the source or origin was unreadable and could not be compared.
    case notAllCompared = "not-all-compared"
    /// The journal of a finished merge records only part of it.
    case recordsMissing = "records-missing"
    /// The journal of a finished merge has checksums for only part of it.
    case checksumsMissing = "checksums-missing"
    /// The merge is unfinished, so only its recorded bytes could be compared.
    case mergeNotFinished = "merge-not-finished"
    /// The merge to be resumed is already finished.
    case mergeFinished = "merge-finished"
    /// The merge is finished, but a run's changes to the pool have not been undone yet.
    case mergeNotSettled = "merge-not-settled"

    // MARK: The journal's file

    /// There is no journal at the path.
    case noJournal = "no-journal"
    /// Another merge has locked the journal.
    case journalLocked = "journal-locked"
    /// Someone other than the user or root could have written the journal.
    case journalNotTrusted = "journal-not-trusted"
    /// The journal is a device of the merge, or shares blocks with one.
    case journalIsDevice = "journal-is-device"
    /// The journal's file system is on a device of the merge.
    case journalOnDevice = "journal-on-device"
    /// The journal's folder does not exist.
    case noJournalFolder = "no-journal-folder"
    /// The state folder, which contains the journals, cannot be created.
    case cannotMakeStateFolder = "cannot-make-state-folder"
    /// There is no room for the journal.
    case noRoomForJournal = "no-room-for-journal"
    /// The journal cannot be created.
    case cannotMakeJournal = "cannot-make-journal"
    /// The journal's file system cannot name a file without the risk of overwriting another.
    case cannotNameJournal = "cannot-name-journal"
    /// The journal cannot be locked.
    case cannotLockJournal = "cannot-lock-journal"
    /// The journal cannot be read.
    case cannotReadJournal = "cannot-read-journal"
    /// A record cannot be appended to the journal.
    case cannotAppendJournal = "cannot-append-journal"
    /// The journal cannot be made durable.
    case cannotFlushJournal = "cannot-flush-journal"
    /// The torn write at the journal's end cannot be truncated.
    case cannotCutJournal = "cannot-cut-journal"
    /// The journal cannot be renamed.
    case cannotRenameJournal = "cannot-rename-journal"
    /// The journal cannot be removed.
    case cannotRemoveJournal = "cannot-remove-journal"
    /// The journal was removed or replaced during the merge.
    case journalGone = "journal-gone"
    /// The journal was moved during the merge.
    case journalMoved = "journal-moved"

    // MARK: The journal's merge

    /// No journal belongs to a merge from or onto the named device.
    case noJournalOf = "no-journal-of"
    /// Several merges from or onto the named device are unfinished.
    case severalJournals = "several-journals"
    /// Two journals belong to the same origin.
    case twoJournals = "two-journals"
    /// The journal belongs to another thin device.
    case journalOfOtherThinDevice = "journal-of-other-thin-device"
    /// The journal belongs to a merge with another end or another policy past the origin's end.
    case journalOfOtherEnd = "journal-of-other-end"
    /// The journal belongs to another data device or origin.
    case journalOfOtherDevice = "journal-of-other-device"
    /// The journal belongs to a data device or origin of another size.
    case journalOfOtherSize = "journal-of-other-size"
    /// The journal belongs to other mappings of the thin device.
    case journalOfOtherMappings = "journal-of-other-mappings"
    /// A path from the journal, or its replacement, leads to a different device.
    case notRecordedDevice = "not-recorded-device"
    /// A device without an identity may not be the one in the journal.
    case deviceNotIdentified = "device-not-identified"
    /// Another journal records an unfinished merge onto the origin.
    case otherMergeUnfinished = "other-merge-unfinished"
    /// The journal's merge was abandoned in favor of another merge.
    case journalGivenUp = "journal-given-up"
    /// Another journal records a later merge onto the same origin.
    case journalOvertaken = "journal-overtaken"
    /// The origin is marked as half merged, and the merge has no usable journal.
    case markWithoutJournal = "mark-without-journal"

    // MARK: The journal's content

    /// The file is not a journal.
    case notJournal = "not-journal"
    /// The journal ends within its header.
    case journalHeaderCut = "journal-header-cut"
    /// The journal's format is unknown to this version.
    case journalVersionUnknown = "journal-version-unknown"
    /// The journal needs a feature unknown to this version.
    case journalNewer = "journal-newer"
    /// The journal's header has an impossible size.
    case journalHeaderSizeInvalid = "journal-header-size-invalid"
    /// The checksum of the journal's header is wrong.
    case journalHeaderChecksumWrong = "journal-header-checksum-wrong"
    /// A field of the journal's header is missing or invalid.
    case journalHeaderFieldInvalid = "journal-header-field-invalid"
    /// A record of the journal is of an unknown kind or form.
    case journalRecordUnknown = "journal-record-unknown"
    /// A record of the journal is corrupt, and valid records follow it.
    case journalDamaged = "journal-damaged"
    /// A record of the journal names bytes outside the merge.
    case journalBytesOutside = "journal-bytes-outside"
    /// The journal names more unreadable ranges than a merge allows.
    case journalTooManyRanges = "journal-too-many-ranges"
    /// A checkpoint of the journal records bytes past its watermark.
    case journalBeyondWatermark = "journal-beyond-watermark"
    /// The journal records bytes twice.
    case journalBytesTwice = "journal-bytes-twice"
    /// An entry of the journal is larger than a transfer can be.
    case journalEntryTooLarge = "journal-entry-too-large"
    /// The journal records more bytes than the merge covers.
    case journalTooManyBytes = "journal-too-many-bytes"
    /// The entries of the journal are not in ascending order.
    case journalOutOfOrder = "journal-out-of-order"
    /// The journal changed while it was being read.
    case journalChanged = "journal-changed"
    /// The journal records bytes that the thin device does not map.
    case journalUnmapped = "journal-unmapped"
    /// The journal does not prove that the whole merge is complete.
    case journalIncomplete = "journal-incomplete"

    // MARK: Finding the pool and the thin device

    /// Device-mapper cannot be queried.
    case noDeviceMapper = "no-device-mapper"
    /// No pool is active on this system.
    case noActivePool = "no-active-pool"
    /// Device-mapper has no pool with that name.
    case noSuchPool = "no-such-pool"
    /// No pool is active on the metadata device.
    case poolNotActive = "pool-not-active"
    /// LVM did not activate a volume.
    case volumeNotActivated = "volume-not-activated"
    /// The record of a volume to be activated cannot be written.
    case cannotWriteActivationRecord = "cannot-write-activation-record"
    /// Another run is activating or deactivating volumes.
    case activationsLocked = "activations-locked"
    /// The pool of a logical volume is not active.
    case volumePoolNotActive = "volume-pool-not-active"
    /// No thin device has that name.
    case noSuchThinDevice = "no-such-thin-device"
    /// The named device is not a thin device.
    case notThinDevice = "not-thin-device"
    /// The table of the thin device names a device that is not a pool.
    case noPoolOfDevice = "no-pool-of-device"
    /// LVM did not answer a query about a volume.
    case lvmSilent = "lvm-silent"
    /// Tables disagree about the thin device.
    case thinDeviceAmbiguous = "thin-device-ambiguous"
    /// Several pools are active on the metadata device.
    case severalPools = "several-pools"
    /// A given device is not the one used by the active pool.
    case notPoolDevice = "not-pool-device"
    /// Another pool is active on the data device.
    case poolActiveOnData = "pool-active-on-data"
    /// The volume group is exported.
    case volumeGroupExported = "volume-group-exported"
    /// A physical volume of the volume group is missing.
    case volumeGroupPartial = "volume-group-partial"
    /// A lock manager shares the volume group between systems.
    case volumeGroupShared = "volume-group-shared"
    /// The volume group belongs to another system.
    case volumeGroupForeign = "volume-group-foreign"

    // MARK: The handover from a merged volume to its origin

    /// LVM does not know the thin device as a thin volume on that origin, or its pool is not
    /// active.
    case noVolumesToHandOver = "no-volumes-to-hand-over"
    /// Other volumes depend on the thin volume or the origin.
    case volumesOnOrigin = "volumes-on-origin"
    /// The thin volume is larger than its origin.
    case originShorterThanVolume = "origin-shorter-than-volume"
    /// The thin volume has data that the origin lacks, or would lack.
    case volumeNotAllMerged = "volume-not-all-merged"
    /// The thin volume is in use.
    case volumeStaysActive = "volume-stays-active"
    /// LVM no longer has one of the two volumes, has it under another name, or has another volume
    /// under the name to be given.
    case volumeNotAsRecorded = "volume-not-as-recorded"
    /// LVM failed to carry out a step.
    case handoverStepFailed = "handover-step-failed"
    /// The handover cannot be recorded in the journal.
    case cannotRecordHandover = "cannot-record-handover"

    // MARK: The state of a pool

    /// The pool's status cannot be queried.
    case cannotAskPool = "cannot-ask-pool"
    /// The kernel has put the pool into failed mode.
    case poolFailed = "pool-failed"
    /// The pool is marked `needs_check`.
    case poolNeedsCheck = "pool-needs-check"
    /// The metadata of the active pool disagrees with device-mapper.
    case poolMismatch = "pool-mismatch"
    /// The live mappings were requested, but the pool is active.
    case poolActive = "pool-active"
    /// The pool changed between the question and the answer, so a different device would be read.
    case poolChanged = "pool-changed"
    /// The pool is read-only.
    case poolReadOnly = "pool-read-only"
    /// The pool's metadata device is nearly full.
    case poolMetadataUsedUp = "pool-metadata-used-up"
    /// The pool is full or read-only, and no snapshot can be made.
    case poolTakesNoSnapshot = "pool-takes-no-snapshot"
    /// The pool cannot be made to commit.
    case cannotCommitPool = "cannot-commit-pool"
    /// Another run works on the pool.
    case poolInUse = "pool-in-use"
    /// The pool's record cannot be locked.
    case cannotLockPool = "cannot-lock-pool"
    /// The pool's record was written by a newer version.
    case poolRecordNewer = "pool-record-newer"
    /// The pool's record is corrupt.
    case poolRecordDamaged = "pool-record-damaged"
    /// The record of an origin, kept while no pool is active, cannot be read.
    case cannotReadOriginRecord = "cannot-read-origin-record"
    /// The record of an origin, kept while no pool is active, cannot be written.
    case cannotWriteOriginRecord = "cannot-write-origin-record"
    /// The pool's record cannot be written.
    case cannotWritePoolRecord = "cannot-write-pool-record"

    // MARK: The metadata snapshot

    /// The held metadata snapshot belongs to someone else.
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
    /// The thin device is writable through several devices.
    case thinDeviceInUseTwice = "thin-device-in-use-twice"
    /// A table was loaded for the thin device but is not live yet.
    case thinDeviceChanging = "thin-device-changing"
    /// The thin device is suspended.
    case thinDeviceSuspended = "thin-device-suspended"
    /// The thin device was activated or changed during the merge.
    case thinDeviceActivated = "thin-device-activated"
    /// The thin device may have been active for a while during the merge.
    case thinDeviceMaybeActivated = "thin-device-maybe-activated"
    /// The thin device cannot be removed for the duration of the merge.
    case cannotRemoveThinDevice = "cannot-remove-thin-device"
    /// The thin device cannot be resumed.
    case cannotResumeThinDevice = "cannot-resume-thin-device"
    /// A snapshot of the thin device cannot be made.
    case cannotMakeSnapshot = "cannot-make-snapshot"
    /// LVM's IDs of thin volumes reach the range reserved for snapshots.
    case numbersOfLVMTooHigh = "numbers-of-lvm-too-high"
    /// No free ID for a snapshot was found.
    case snapshotIDsUsedUp = "snapshot-ids-used-up"
    /// The thin device was activated while its snapshot was being created.
    case thinDeviceJustActivated = "thin-device-just-activated"
    /// The thin device could not be suspended in time.
    case suspendTooLong = "suspend-too-long"
    /// The thin device was resumed when it had to stay suspended.
    case thinDeviceResumed = "thin-device-resumed"
    /// A snapshot of the thin device is being merged.
    case snapshotUnfinished = "snapshot-unfinished"
    /// A snapshot is being merged, but the ID of its thin device now belongs to another device.
    case snapshotOfAnother = "snapshot-of-another"
    /// The snapshot being merged is in use.
    case snapshotInUse = "snapshot-in-use"
    /// A snapshot created by an earlier run is gone.
    case snapshotGone = "snapshot-gone"
    /// A merged snapshot could not be deleted yet.
    case snapshotLeft = "snapshot-left"
    /// A snapshot created for a merge cannot be deleted.
    case cannotDeleteSnapshot = "cannot-delete-snapshot"

    // MARK: The origin of an active pool

    /// Other thin devices read from the origin.
    case originShared = "origin-shared"
    /// The origin's name matches both a file and a logical volume.
    case originAmbiguous = "origin-ambiguous"
    /// The origin has classic LVM snapshots.
    case originHasSnapshots = "origin-has-snapshots"
    /// LVM caches the origin with a cache volume.
    case originCachedByVolume = "origin-cached-by-volume"
    /// Other thin devices may read from the origin.
    case originMaybeShared = "origin-maybe-shared"
    /// The origin is suspended.
    case originSuspended = "origin-suspended"
    /// A mapped device lies on the origin.
    case originInUse = "origin-in-use"
    /// Device-mapper has the origin read-only.
    case originReadOnly = "origin-read-only"
    /// Device-mapper has the origin read-only, and the origin cannot be made writable.
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
    /// A block of the metadata is not of the expected kind.
    case metadataWrongBlockKind = "metadata-wrong-block-kind"
    /// A block of the metadata contains the number of another block.
    case metadataMisplaced = "metadata-misplaced"
    /// A field of a superblock is invalid.
    case metadataSuperblockInvalid = "metadata-superblock-invalid"
    /// No metadata snapshot is held.
    case noMetadataSnapshot = "no-metadata-snapshot"
    /// The held metadata snapshot is not the requested one.
    case otherMetadataSnapshot = "other-metadata-snapshot"
    /// The metadata snapshot and the live superblock disagree.
    case metadataSnapshotInvalid = "metadata-snapshot-invalid"
    /// A field of a node is invalid.
    case metadataNodeInvalid = "metadata-node-invalid"
    /// The keys of a node are out of order or out of range.
    case metadataKeysInvalid = "metadata-keys-invalid"
    /// The nodes do not form a valid tree.
    case metadataTreeInvalid = "metadata-tree-invalid"
    /// A node changed since the plan was made.
    case metadataNodeChanged = "metadata-node-changed"
    /// The trees of the devices disagree with each other or with a device's mappings.
    case metadataDevicesDisagree = "metadata-devices-disagree"
    /// The details of a device give a wrong number of mappings.
    case metadataCountWrong = "metadata-count-wrong"
    /// A mapping has a thin block or data block out of range.
    case metadataMappingInvalid = "metadata-mapping-invalid"
    /// A data block is mapped twice.
    case metadataMappedTwice = "metadata-mapped-twice"
  }
}
