/// A message to the user that is not an error.
///
/// Programs go by the ``code``; the words may change from version to version.
public struct MergeNote: Equatable, Sendable {
  /// The kind of note.
  ///
  /// The raw value stands in the command's JSON. It stays what it is; later versions add others.
  public enum Code: String, CaseIterable, Sendable {
    /// The kernel gave fewer requests in flight than were asked for.
    case fewerRequests = "fewer-requests"
    /// A file system has no direct I/O.
    case noDirectIO = "no-direct-io"
    /// The size of the thin device is not known and was taken from elsewhere.
    case thinSizeAssumed = "thin-size-assumed"
    /// The metadata disagrees with itself about other thin devices.
    case devicesDisagree = "devices-disagree"
    /// The thin device has other mappings than its details count.
    case mappingCountIgnored = "mapping-count-ignored"
    /// The data device ends before the pool does, and behind all mappings of the thin device.
    case dataShorterThanPool = "data-shorter-than-pool"
    /// The origin is not read back, since the source is a copy.
    case copyNotCompared = "copy-not-compared"
    /// The source may be written to while it is compared.
    case sourceMayChange = "source-may-change"
    /// What may be done to an active pool is not needed, since none is active.
    case poolOptionsUnused = "pool-options-unused"
    /// The origin has no identity by which it could be known again.
    case originWithoutIdentity = "origin-without-identity"
    /// The origin begins as a container does.
    case originHasFormat = "origin-has-format"
    /// No path leads to the origin's file.
    case originWithoutName = "origin-without-name"
    /// The origin cannot be marked as half merged.
    case originNotMarked = "origin-not-marked"
    /// A merge onto the origin is not finished.
    case mergeUnfinished = "merge-unfinished"
    /// An earlier journal has another name now.
    case journalPutAside = "journal-put-aside"
    /// The journal is in memory.
    case journalInMemory = "journal-in-memory"
    /// The journal is on an overlay.
    case journalOnOverlay = "journal-on-overlay"
    /// The thin device's table names another origin than the given one.
    case otherOriginInTable = "other-origin-in-table"
    /// What other thin devices show changes with the origin.
    case originShared = "origin-shared"
    /// Thin devices that are not active may show the origin.
    case originMaybeShared = "origin-maybe-shared"
    /// A journal records consent to other thin devices on the origin, and not to which.
    case consentWithoutNames = "consent-without-names"
    /// A killed run left the origin writable, and it is read-only again.
    case originLeft = "origin-left"
    /// Where the external origin is not known: the thin device is a snapshot.
    case originOfSnapshot = "origin-of-snapshot"
    /// Where the external origin is not known: it is not active.
    case originNotActive = "origin-not-active"
    /// A step of the handover from a thin volume to its origin was taken in LVM.
    case handoverStep = "handover-step"
    /// A volume of LVM that was active, or whose origin took its place, could not be activated.
    case volumeNotActivated = "volume-not-activated"
    /// A thin device was removed for the time of the merge.
    case thinDeviceRemoved = "thin-device-removed"
    /// A thin device was put back.
    case thinDeviceRestored = "thin-device-restored"
    /// A thin device that was removed stays so.
    case thinDeviceStaysRemoved = "thin-device-stays-removed"
    /// A thin device that was removed can no longer be put back.
    case thinDeviceOutdated = "thin-device-outdated"
    /// A thin device is not put back, since its origin may be another one.
    case thinDeviceOriginUnknown = "thin-device-origin-unknown"
    /// A thin device could not be put back.
    case cannotRestoreThinDevice = "cannot-restore-thin-device"
    /// The origin was made read-only in mid-merge, and writable again.
    case originMadeWritableAgain = "origin-made-writable-again"
    /// A volume of LVM was activated for the run.
    case volumeActivated = "volume-activated"
    /// It was deactivated again.
    case volumeDeactivated = "volume-deactivated"
    /// It stays active: somebody else has it open, or the thin volume was active whose place it took.
    case volumeStaysActive = "volume-stays-active"
    /// It could not be deactivated.
    case volumeNotDeactivated = "volume-not-deactivated"
    /// The thin device itself is merged, and not a snapshot of it.
    case noSnapshotMade = "no-snapshot-made"
    /// A snapshot is kept for a merge that is not finished.
    case snapshotKept = "snapshot-kept"
    /// A snapshot is the only copy of a thin device.
    case snapshotOnlyCopy = "snapshot-only-copy"
    /// Caches above the thin device could not be flushed before its snapshot was made.
    case cachesNotWritten = "caches-not-written"
    /// A snapshot of the thin device was made.
    case snapshotMade = "snapshot-made"
    /// A snapshot that an earlier run made is not there.
    case snapshotNotThere = "snapshot-not-there"
    /// A snapshot could not be deleted.
    case cannotDeleteSnapshot = "cannot-delete-snapshot"
    /// What was made to be merged from is kept.
    case sourceKept = "source-kept"
    /// A layer of the origin could not be made read-only again.
    case cannotRestoreReadOnly = "cannot-restore-read-only"
    /// An earlier run ended without undoing its changes to the pool.
    case poolLeft = "pool-left"
    /// An earlier run left changes in the pool, and who only looks leaves them as they are.
    case poolNotSettled = "pool-not-settled"
    /// The metadata snapshot is not the one that an earlier run took.
    case metadataSnapshotNotOurs = "metadata-snapshot-not-ours"
    /// Nothing tells whether the metadata snapshot is the one that an earlier run was about to take.
    case metadataSnapshotMaybeOurs = "metadata-snapshot-maybe-ours"
    /// The metadata snapshot could not be released.
    case metadataSnapshotHeld = "metadata-snapshot-held"
    /// The metadata snapshot is the only copy of a thin device.
    case metadataSnapshotOnlyCopy = "metadata-snapshot-only-copy"
    /// The metadata snapshot may be the only copy of a thin device.
    case metadataSnapshotMaybeOnlyCopy = "metadata-snapshot-maybe-only-copy"
    /// Something cannot be undone now; the next run tries again.
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

/// Why the thin device itself is merged, and not a snapshot of it.
package enum NoSnapshotReason: Equatable, Sendable {
  case asked
  /// The user names the metadata snapshot that is to be read.
  case metadataSnapshotGiven
  case poolReadOnly
  case poolNeedsCheck
  case metadataNearlyUsedUp
  case dataNearlyUsedUp(freeBlockCount: UInt64, blockCount: UInt64)
}

/// Why a volume is not as LVM was told to make it, active or inactive.
package enum ActivationFailure: Equatable, Sendable {
  /// LVM was not asked, since it waits for devices that are suspended.
  case devicesSuspended
  case failed(words: String)
  /// LVM has succeeded, and found no volume of that uuid in the group, or is set not to activate it.
  case noneSelected(uuid: String, group: String)
  /// LVM did not end in that time, and was told to end.
  case tookTooLong(Duration)

  /// Part of a sentence.
  var text: String {
    switch self {
    case .devicesSuspended: "LVM was not asked, since a thin device may be suspended"
    case .failed(let words):
      words.isEmpty ? "LVM refused, and did not say why" : "LVM says: \(words)"
    case .noneSelected(let uuid, let group):
      "LVM finds no volume with its uuid, \(uuid), in \(group): it is gone or elsewhere, or LVM is set not to "
        + "activate it; \("lvs -a -o vg_name,lv_name,lv_uuid".commandInSentence) shows where it is"
    case .tookTooLong(let limit):
      "'lvchange' did not end in \(limit.components.seconds) s, got SIGTERM, and may still run; once it has ended"
    }
  }
}
