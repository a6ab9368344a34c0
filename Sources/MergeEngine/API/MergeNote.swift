/// A message to the user that is not an error.
///
/// Programs should use the ``code``; the wording may change between versions.
public struct MergeNote: Equatable, Sendable {
  /// The kind of note.
  ///
  /// The raw value appears in the command's JSON. Existing values never change; later versions add
  /// others.
  public enum Code: String, CaseIterable, Sendable {
    /// The kernel granted fewer requests in flight than requested.
    case fewerRequests = "fewer-requests"
    /// A file system does not support direct I/O.
    case noDirectIO = "no-direct-io"
    /// The size of the thin device is unknown, so a size was assumed.
    case thinSizeAssumed = "thin-size-assumed"
    /// The metadata contradicts itself about other thin devices.
    case devicesDisagree = "devices-disagree"
    /// The thin device's number of mappings differs from the count in its details.
    case mappingCountIgnored = "mapping-count-ignored"
    /// The data device ends before the pool does, but after all mappings of the thin device.
    case dataShorterThanPool = "data-shorter-than-pool"
    /// The origin is not read back because the source is a copy.
    case copyNotCompared = "copy-not-compared"
    /// The source may be written during the comparison.
    case sourceMayChange = "source-may-change"
    /// The pool options have no effect because no pool is active.
    case poolOptionsUnused = "pool-options-unused"
    /// The origin has no identity by which to recognize it later.
    case originWithoutIdentity = "origin-without-identity"
    /// The origin looks like an image in a container format.
    case originHasFormat = "origin-has-format"
    /// No path leads to the origin's file.
    case originWithoutName = "origin-without-name"
    /// The origin cannot be marked as partially merged.
    case originNotMarked = "origin-not-marked"
    /// A merge onto the origin is not finished.
    case mergeUnfinished = "merge-unfinished"
    /// An earlier journal was renamed.
    case journalPutAside = "journal-put-aside"
    /// The journal is in memory.
    case journalInMemory = "journal-in-memory"
    /// The journal is on an overlay file system.
    case journalOnOverlay = "journal-on-overlay"
    /// The thin device's table names an origin other than the given one.
    case otherOriginInTable = "other-origin-in-table"
    /// Other thin devices read from the origin, so their content changes with it.
    case originShared = "origin-shared"
    /// Inactive thin devices may read from the origin.
    case originMaybeShared = "origin-maybe-shared"
    /// A journal records consent to changing other thin devices on the origin, but not which ones.
    case consentWithoutNames = "consent-without-names"
    /// A killed run left the origin writable; it is read-only again.
    case originLeft = "origin-left"
    /// The external origin is unknown because the thin device is a snapshot.
    case originOfSnapshot = "origin-of-snapshot"
    /// The external origin is not active.
    case originNotActive = "origin-not-active"
    /// LVM completed a step of the handover from a thin volume to its origin.
    case handoverStep = "handover-step"
    /// An LVM volume that was active, or replaced an active one, could not be activated.
    case volumeNotActivated = "volume-not-activated"
    /// A thin device was removed for the merge.
    case thinDeviceRemoved = "thin-device-removed"
    /// A thin device was restored.
    case thinDeviceRestored = "thin-device-restored"
    /// A removed thin device stays removed.
    case thinDeviceStaysRemoved = "thin-device-stays-removed"
    /// A removed thin device can no longer be restored.
    case thinDeviceOutdated = "thin-device-outdated"
    /// A thin device is not restored because its origin may be another one.
    case thinDeviceOriginUnknown = "thin-device-origin-unknown"
    /// A thin device could not be restored.
    case cannotRestoreThinDevice = "cannot-restore-thin-device"
    /// The origin was made read-only during the merge and is writable again.
    case originMadeWritableAgain = "origin-made-writable-again"
    /// An LVM volume was activated for the run.
    case volumeActivated = "volume-activated"
    /// An LVM volume activated for a run was deactivated.
    case volumeDeactivated = "volume-deactivated"
    /// An LVM volume stays active: it is open, or it replaced a thin volume that was active.
    case volumeStaysActive = "volume-stays-active"
    /// An LVM volume activated for a run could not be deactivated.
    case volumeNotDeactivated = "volume-not-deactivated"
    /// The thin device itself is merged, not a snapshot of it.
    case noSnapshotMade = "no-snapshot-made"
    /// A snapshot is kept for an unfinished merge.
    case snapshotKept = "snapshot-kept"
    /// A snapshot is the only copy of a thin device.
    case snapshotOnlyCopy = "snapshot-only-copy"
    /// Caches above the thin device could not be flushed before its snapshot was created.
    case cachesNotWritten = "caches-not-written"
    /// A snapshot of the thin device was created.
    case snapshotMade = "snapshot-made"
    /// A snapshot of an earlier run does not exist.
    case snapshotNotThere = "snapshot-not-there"
    /// A snapshot could not be deleted.
    case cannotDeleteSnapshot = "cannot-delete-snapshot"
    /// The snapshot or metadata snapshot taken for a merge is kept.
    case sourceKept = "source-kept"
    /// A layer of the origin could not be made read-only again.
    case cannotRestoreReadOnly = "cannot-restore-read-only"
    /// An earlier run ended without undoing its changes to the pool.
    case poolLeft = "pool-left"
    /// An earlier run left changes in the pool, and a verb that only inspects does not undo them.
    case poolNotSettled = "pool-not-settled"
    /// The metadata snapshot is not the one taken by an earlier run.
    case metadataSnapshotNotOurs = "metadata-snapshot-not-ours"
    /// The metadata snapshot may be the one that an earlier run was about to take.
    case metadataSnapshotMaybeOurs = "metadata-snapshot-maybe-ours"
    /// The metadata snapshot could not be released.
    case metadataSnapshotHeld = "metadata-snapshot-held"
    /// The metadata snapshot is the only copy of a thin device.
    case metadataSnapshotOnlyCopy = "metadata-snapshot-only-copy"
    /// The metadata snapshot may be the only copy of a thin device.
    case metadataSnapshotMaybeOnlyCopy = "metadata-snapshot-maybe-only-copy"
    /// A change cannot be undone now; the next run retries.
    case notUndone = "not-undone"
  }

  /// The kind of note, for programs.
  public var code: Code
  /// The devices, numbers and ranges involved, for programs.
  public var context: MergeError.Context
  /// One sentence, for people.
  public var text: String

  /// Makes a note.
  package init(_ code: Code, _ text: String, context: MergeError.Context = MergeError.Context()) {
    self.code = code
    self.text = text
    self.context = context
  }
}

/// The reason that the thin device itself is merged, not a snapshot of it.
package enum NoSnapshotReason: Equatable, Sendable {
  case asked
  /// The user names the metadata snapshot to read.
  case metadataSnapshotGiven
  case poolReadOnly
  case poolNeedsCheck
  case metadataNearlyUsedUp
  case dataNearlyUsedUp(freeBlockCount: UInt64, blockCount: UInt64)
}

/// The reason that LVM did not activate or deactivate a volume as requested.
package enum ActivationFailure: Equatable, Sendable {
  /// LVM was not run because it waits for suspended devices.
  case devicesSuspended
  case failed(words: String)
  /// LVM succeeded but found no volume with that uuid in the group, or is configured not to
  /// activate the volume.
  case noneSelected(uuid: String, group: String)
  /// LVM did not exit within the given time and was sent SIGTERM.
  case tookTooLong(Duration)

  /// Part of a sentence.
  var text: String {
    switch self {
    case .devicesSuspended: "LVM was not run, because a thin device may be suspended"
    case .failed(let words):
      words.isEmpty ? "LVM failed without a message" : "LVM says: \(words)"
    case .noneSelected(let uuid, let group):
      "LVM finds no volume with UUID \(uuid) in \(group); it was removed or moved, or LVM is configured not "
        + "to activate it; to find it, run \("lvs -a -o vg_name,lv_name,lv_uuid".commandInSentence)"
    case .tookTooLong(let limit):
      "'lvchange' did not finish in \(limit.components.seconds) s, got SIGTERM, and may still be running; wait for its end"
    }
  }
}
