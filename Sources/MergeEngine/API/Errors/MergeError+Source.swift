internal import SystemPackage

// Errors about the pool's metadata and data devices and the thin device on them, and about
// interruptions.

extension MergeError {
  static func dataIsMetadata(_ path: String) -> MergeError {
    MergeError(
      .dataIsMetadata, .refused, "cannot use the data device", at: path,
      because: "it is the metadata device, or overlaps it")
  }

  /// Returns the error for a data device that is too short to contain all blocks that the thin
  /// device maps.
  ///
  /// - `why`: the sentence about the first mapping that goes past the end of the data device.
  static func dataTooShort(
    _ path: String, byteCount: UInt64, because why: String, counts: [String: UInt64]
  ) -> MergeError {
    MergeError(
      .dataTooShort, .refused, "the data device is too short", at: path,
      because: "it has \(byteCount) bytes; \(why)",
      hint: "use the data device of the same pool; if it is a copy, copy it completely",
      context: Context(
        path: path, role: "data device",
        counts: counts.merging(["bytes": byteCount]) { own, _ in own }))
  }

  static func thinSizeInvalid(_ byteCount: UInt64) -> MergeError {
    MergeError(
      .thinSizeInvalid, .refused, "cannot use the thin size", at: "\(byteCount) bytes",
      because: "expected 1 to \(Int64.max)",
      hint: "show the size of a thin device with".above("blockdev --getsize64 DEVICE"),
      context: Context(counts: ["bytes": byteCount]))
  }

  static func noSuchDevice(
    _ deviceID: UInt32, metadataPath: String, otherCount: UInt64, isInactive: Bool
  ) -> MergeError {
    MergeError(
      .noSuchThinDeviceID, .refused, "no thin device \(deviceID) in the metadata", at: metadataPath,
      because: otherCount == 0
        ? "there are none"
        : "there \(otherCount == 1 ? "is one other" : "are \(otherCount) others")",
      context: Context(
        path: metadataPath, deviceID: deviceID, counts: ["others": otherCount],
        circumstances: isInactive ? [.isInactive] : []))
  }

  /// Returns a copy of this error with the hint that the metadata and data devices seem to be
  /// swapped.
  func ofSwappedDevices() -> MergeError {
    var error = hinting("the metadata and data devices seem to be swapped")
    error.context.circumstances.insert(.devicesAreSwapped)
    return error
  }

  static func someUnreadable(
    _ dataPath: String, byteCount: UInt64, rangeCount: Int, journalPath: String
  ) -> MergeError {
    MergeError(
      .someUnreadable, .stopped, "some blocks are unreadable", at: dataPath,
      because: "\(byteCount.formattedByteCount) in \(rangeCount) ranges; everything else is merged",
      context: Context(
        path: dataPath, journalPath: journalPath,
        counts: ["bytes": byteCount, "ranges": UInt64(rangeCount)]))
  }

  static func tooMuchUnreadable(_ originPath: String, rangeCountMax: Int) -> MergeError {
    MergeError(
      .tooMuchUnreadable, .stopped, "too many unreadable ranges", at: originPath,
      because: "more than \(rangeCountMax)",
      hint: "the pool's data device may be failing; see the kernel log",
      context: Context(path: originPath, counts: ["ranges_max": UInt64(rangeCountMax)]))
  }

  static func metadataChanging(_ metadataPath: String) -> MergeError {
    MergeError(
      .metadataChanging, .busy, "cannot read the live mappings", at: metadataPath,
      because: "the pool changed them each time they were read",
      hint: "try again when there are fewer writes to the pool")
  }

  static func metadataChanged(_ metadataPath: String, isInactive: Bool) -> MergeError {
    MergeError(
      .metadataChanged, .stopped, "the metadata changed during the merge", at: metadataPath,
      because: isInactive
        ? "the superblock is different; the pool was active"
        : "the metadata snapshot was released, so its blocks may have been reused",
      hint: "hold a metadata snapshot until the merge has finished, then resume",
      context: Context(path: metadataPath, circumstances: isInactive ? [.isInactive] : []))
  }

  /// Returns the error for a device of a resumed merge that does not exist; after a reboot, it may
  /// not have appeared yet.
  static func deviceMissing(_ path: String, _ role: String) -> MergeError {
    MergeError(
      .deviceMissing, .busy, "cannot continue", at: path,
      because: "it does not exist, or not yet", context: Context(path: path, role: role))
  }

  /// Returns the error for a device with a size of zero, such as a network block device that is not
  /// connected to its server.
  static func deviceEmpty(_ path: String, _ role: String) -> MergeError {
    MergeError(
      .deviceMissing, .busy, "cannot use the \(role)", at: path,
      because: "the device has 0 bytes; it is not set up, or not yet",
      context: Context(path: path, role: role))
  }
}

// MARK: Interruptions

extension MergeError {
  static func interruptedPlanning(_ metadataPath: String) -> MergeError {
    interrupted(
      metadataPath, "a signal arrived while the mappings were being read; nothing was written")
  }

  static func interruptedSuspending(_ path: String) -> MergeError {
    interrupted(path, "a signal arrived while it was being suspended; nothing was written")
  }

  static func interruptedAllocating(_ originPath: String) -> MergeError {
    interrupted(
      originPath, "a signal arrived while its holes were being allocated; nothing was written")
  }

  static func interruptedChecking(_ originPath: String) -> MergeError {
    interrupted(originPath, "a signal arrived before this run wrote anything")
  }

  static func interruptedMerging(_ originPath: String) -> MergeError {
    interrupted(originPath, "a signal arrived; progress is saved")
  }

  static func interruptedComparing(_ originPath: String) -> MergeError {
    interrupted(originPath, "a signal arrived before the comparison was complete")
      .hinting("nothing was changed; to compare, run the same command again")
  }

  /// Returns the error for a signal that interrupts the wait for an unresponsive device.
  static func interruptedReading(_ path: String, because why: String) -> MergeError {
    interrupted(path, why)
  }

  private static func interrupted(_ place: String, _ why: String) -> MergeError {
    MergeError(.interrupted, .stopped, "interrupted", at: place, because: why)
  }
}
