internal import SystemPackage

// The catalogue of notes, both for observers and for the lists of changes not undone in reports.

extension MergeNote {
  private typealias Context = MergeError.Context

  static func fewerRequests(_ taken: Int, of wanted: Int) -> MergeNote {
    MergeNote(
      .fewerRequests,
      "only \(taken) of \(wanted) requests can be in flight, because fs.aio-max-nr is exhausted; raise it with "
        + "'sysctl fs.aio-max-nr=1048576'",
      context: Context(counts: ["requests": UInt64(taken), "wanted": UInt64(wanted)]))
  }

  static func noDirectIO(_ path: String) -> MergeNote {
    MergeNote(
      .noDirectIO,
      "\(path): its file system does not support direct I/O; using the page cache",
      context: Context(path: path))
  }

  /// Returns the note for a thin device of unknown size.
  ///
  /// - `isOfOrigin`: true if the origin's size was assumed; false if the end of the last mapping
  ///   was assumed.
  static func thinSizeAssumed(_ byteCount: UInt64, isOfOrigin: Bool) -> MergeNote {
    MergeNote(
      .thinSizeAssumed,
      "thin device size unknown; assuming \(byteCount.formattedByteCount), "
        + (isOfOrigin ? "the origin's size" : "the end of the last mapping"),
      context: Context(counts: ["bytes": byteCount]))
  }

  /// Returns the note for device trees that disagree about which devices exist, or that contain an
  /// invalid device.
  static func devicesDisagree(_ reason: String, path: String) -> MergeNote {
    MergeNote(
      .devicesDisagree,
      "the metadata is damaged, but not for this thin device, \(path): \(reason); devices that only one "
        + "tree contains are skipped", context: Context(path: path))
  }

  static func mappingCountIgnored(
    _ reason: String, path: String, deviceID: UInt32
  ) -> MergeNote {
    MergeNote(
      .mappingCountIgnored,
      "\(path): \(reason); using the mappings in its tree, all of which was checked",
      context: Context(path: path, deviceID: deviceID))
  }

  /// Returns the note for a data device that is smaller than the pool's metadata says.
  static func dataShorterThanPool(
    _ path: String, byteCount: UInt64, poolByteCount: UInt64
  ) -> MergeNote {
    MergeNote(
      .dataShorterThanPool,
      "\(path) has \(byteCount) bytes, but \(poolByteCount) according to the pool's metadata; all mappings "
        + "of this thin device are within it",
      context: Context(path: path, counts: ["bytes": byteCount, "pool_bytes": poolByteCount]))
  }

  static func copyNotCompared() -> MergeNote {
    MergeNote(
      .copyNotCompared,
      "the origin is not compared with the copy of the data device, which may lack merged data; compare "
        + "the origin with the journal's checksums")
  }

  static func sourceMayChange() -> MergeNote {
    MergeNote(
      .sourceMayChange,
      "the thin device is active and writable; writes during the comparison may appear as differences"
    )
  }

  static func poolOptionsUnused() -> MergeNote {
    MergeNote(
      .poolOptionsUnused,
      "the devices are not those of an active pool; permissions for active pools have no effect")
  }

  static func originWithoutIdentity(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutIdentity,
      "\(path) has no stable identity; to resume after a reboot or by another path, you must "
        + "confirm that it is the same device", context: Context(path: path))
  }

  /// Returns the note for an origin that is written to as a raw device even though it looks like an
  /// image in a container format.
  ///
  /// - `format`: the name of the container format.
  static func originHasFormat(_ path: String, _ format: String) -> MergeNote {
    MergeNote(
      .originHasFormat,
      "\(path) looks like a \(format) image, but is written to as a raw device: byte 0 of the thin device "
        + "goes to its byte 0", context: Context(path: path, name: format))
  }

  static func originWithoutName(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutName,
      "\(path): the file has no name; its data is lost when the last program closes it",
      context: Context(path: path))
  }

  static func originNotMarked(_ path: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .originNotMarked,
      "\(path) cannot be marked as partially merged (\(errno)); another merge, by another name of the "
        + "origin or with another journal, will not detect this one",
      context: Context(path: path, errno: errno))
  }

  static func mergeUnfinished(_ originPath: String, deviceID: UInt32) -> MergeNote {
    MergeNote(
      .mergeUnfinished, "\(originPath): a merge of dev \(deviceID) into it is unfinished",
      context: Context(path: originPath, deviceID: deviceID))
  }

  static func journalPutAside(_ path: String) -> MergeNote {
    MergeNote(
      .journalPutAside, "the earlier journal is now \(path)", context: Context(path: path))
  }

  static func journalInMemory(_ path: String) -> MergeNote {
    MergeNote(
      .journalInMemory, "\(path) is in memory; the merge cannot be resumed after a reboot",
      context: Context(path: path))
  }

  static func journalOnOverlay(_ path: String) -> MergeNote {
    MergeNote(
      .journalOnOverlay,
      "\(path) is on an overlay file system; the merge may not be resumable after a reboot",
      context: Context(path: path))
  }

  // MARK: The origin of an active pool

  static func otherOriginInTable(_ found: String, given path: String) -> MergeNote {
    MergeNote(
      .otherOriginInTable,
      "the thin device's table names \(found) as its origin, not \(path)",
      context: Context(path: path, name: found))
  }

  static func originShared(by names: [String]) -> MergeNote {
    let list = names.joined(separator: ", ")
    return MergeNote(
      .originShared, "the merge changes the content of other thin devices on this origin: \(list)",
      context: Context(name: list))
  }

  /// Returns the note that lists all inactive thin devices that may read from the origin.
  static func originMaybeShared(by devices: [(deviceID: UInt32, sharesBlocks: Bool)]) -> MergeNote {
    let kin = devices.filter(\.sharesBlocks).map { "\($0.deviceID) (shares blocks)" }
    let list = (kin + ranges(devices.filter { !$0.sharesBlocks }.map(\.deviceID)))
      .joined(separator: ", ")
    return MergeNote(
      .originMaybeShared,
      "the pool has inactive thin devices that may be on this "
        + "origin: dev \(list)", context: Context(counts: ["devices": UInt64(devices.count)]))
  }

  /// Returns the integers as text, with three or more consecutive integers shown as a range.
  private static func ranges(_ rising: [UInt32]) -> [String] {
    var ranges: [ClosedRange<UInt32>] = []
    for number in rising {
      if let last = ranges.last, last.upperBound &+ 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.flatMap { range in
      range.count > 2 ? ["\(range.lowerBound)-\(range.upperBound)"] : range.map { "\($0)" }
    }
  }

  static func consentWithoutNames(_ journalPath: String) -> MergeNote {
    MergeNote(
      .consentWithoutNames,
      "\(journalPath) was written by a version of thin-merge that recorded consent without the names of the "
        + "other thin devices on the origin; confirm again for all of them",
      context: Context(path: journalPath))
  }

  static func originOfSnapshot(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originOfSnapshot, "it is a snapshot of \(volumeName), which is not an external origin",
      context: Context(name: volumeName))
  }

  static func originMadeWritableAgain(_ path: String) -> MergeNote {
    MergeNote(
      .originMadeWritableAgain,
      "\(path) became read-only during the merge, as happens when LVM reloads a thin device; it is writable again",
      context: Context(path: path))
  }

  static func originNotActive(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originNotActive,
      "its external origin \(volumeName) is inactive; activate it with: lvchange -ay \(volumeName.shellQuoted)",
      context: Context(name: volumeName))
  }

  static func originLeft(_ path: String) -> MergeNote {
    MergeNote(
      .originLeft, "an earlier run left \(path) writable; it is read-only again",
      context: Context(path: path))
  }

  static func cannotRestoreReadOnly(_ path: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .cannotRestoreReadOnly,
      "could not make \(path) read-only again: \(errno); the next merge tries again",
      context: Context(path: path, errno: errno))
  }
}
