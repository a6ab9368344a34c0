internal import SystemPackage

// The catalogue of notes, both for observers and for the lists of changes not undone in reports.

extension MergeNote {
  private typealias Context = MergeError.Context

  static func fewerRequests(_ taken: Int, of wanted: Int) -> MergeNote {
    MergeNote(
      .fewerRequests,
      "only \(taken) of \(wanted) requests in flight: fs.aio-max-nr is used up; "
        + "'sysctl fs.aio-max-nr=1048576' allows more",
      context: Context(counts: ["requests": UInt64(taken), "wanted": UInt64(wanted)]))
  }

  static func noDirectIO(_ path: String) -> MergeNote {
    MergeNote(
      .noDirectIO,
      "\(path): its file system has no direct I/O; reads and writes go through the page cache",
      context: Context(path: path))
  }

  /// Returns the note for a thin device of unknown size.
  ///
  /// - `isOfOrigin`: true if the origin's end was assumed, false if the end of the last mapping
  ///   was.
  static func thinSizeAssumed(_ byteCount: UInt64, isOfOrigin: Bool) -> MergeNote {
    MergeNote(
      .thinSizeAssumed,
      "thin size not known: taken as \(byteCount) bytes, "
        + (isOfOrigin ? "the origin's end" : "the end of the last mapping"),
      context: Context(counts: ["bytes": byteCount]))
  }

  /// Returns the note for device trees that contain different devices, or an impossible one.
  static func devicesDisagree(_ reason: String, path: String) -> MergeNote {
    MergeNote(
      .devicesDisagree,
      "the metadata is wrong about other thin devices, \(path): \(reason); those that are in one "
        + "tree only are left out", context: Context(path: path))
  }

  static func mappingCountIgnored(
    _ reason: String, path: String, deviceID: UInt32
  ) -> MergeNote {
    MergeNote(
      .mappingCountIgnored,
      "\(path): \(reason); the mappings are those of its tree, which was checked as a whole",
      context: Context(path: path, deviceID: deviceID))
  }

  /// Returns the note for a data device that ends before the pool does.
  static func dataShorterThanPool(
    _ path: String, byteCount: UInt64, poolByteCount: UInt64
  ) -> MergeNote {
    MergeNote(
      .dataShorterThanPool,
      "\(path) has \(byteCount) bytes, and the pool's metadata says \(poolByteCount); all mappings of "
        + "this thin device lie before its end",
      context: Context(path: path, counts: ["bytes": byteCount, "pool_bytes": poolByteCount]))
  }

  static func copyNotCompared() -> MergeNote {
    MergeNote(
      .copyNotCompared,
      "the origin is not compared with a copy of the data device, which may lack what was merged; it can "
        + "be compared with the journal's checksums")
  }

  static func sourceMayChange() -> MergeNote {
    MergeNote(
      .sourceMayChange,
      "the thin device is active and writable: what changes now may show as a difference")
  }

  static func poolOptionsUnused() -> MergeNote {
    MergeNote(
      .poolOptionsUnused,
      "the devices are not those of an active pool: what may be done to one is not needed")
  }

  static func originWithoutIdentity(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutIdentity,
      "\(path) has no identity of its own: resuming after a reboot, or by another path, needs to "
        + "be told that it is the same", context: Context(path: path))
  }

  /// Returns the note for an origin that is written even though it begins like a container.
  ///
  /// - `format`: the container's name.
  static func originHasFormat(_ path: String, _ format: String) -> MergeNote {
    MergeNote(
      .originHasFormat,
      "\(path) begins as \(format) does, and is written to as it is: byte 0 of the thin device goes to "
        + "its byte 0", context: Context(path: path, name: format))
  }

  static func originWithoutName(_ path: String) -> MergeNote {
    MergeNote(
      .originWithoutName,
      "\(path): the file has no name; what is merged is lost once nobody has it open",
      context: Context(path: path))
  }

  static func originNotMarked(_ path: String, _ errno: Errno) -> MergeNote {
    MergeNote(
      .originNotMarked,
      "\(path) cannot be marked as half merged (\(errno)): another merge, by another name of the "
        + "origin or with another journal, would not notice this one",
      context: Context(path: path, errno: errno))
  }

  static func mergeUnfinished(_ originPath: String, deviceID: UInt32) -> MergeNote {
    MergeNote(
      .mergeUnfinished, "\(originPath): a merge of dev \(deviceID) onto it is not finished",
      context: Context(path: originPath, deviceID: deviceID))
  }

  static func journalPutAside(_ path: String) -> MergeNote {
    MergeNote(
      .journalPutAside, "the earlier journal is now \(path)", context: Context(path: path))
  }

  static func journalInMemory(_ path: String) -> MergeNote {
    MergeNote(
      .journalInMemory, "\(path) is in memory: the merge cannot be resumed after a reboot",
      context: Context(path: path))
  }

  static func journalOnOverlay(_ path: String) -> MergeNote {
    MergeNote(
      .journalOnOverlay,
      "\(path) is on an overlay: the merge may not be resumable after a reboot",
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
      .originShared, "what other thin devices on this origin show changes: \(list)",
      context: Context(name: list))
  }

  /// Returns the note that lists all inactive thin devices that may read from the origin.
  static func originMaybeShared(by devices: [(deviceID: UInt32, sharesBlocks: Bool)]) -> MergeNote {
    let kin = devices.filter(\.sharesBlocks).map { "\($0.deviceID) (shares blocks)" }
    let list = (kin + ranges(devices.filter { !$0.sharesBlocks }.map(\.deviceID)))
      .joined(separator: ", ")
    return MergeNote(
      .originMaybeShared,
      "the pool has thin devices that are not active, and nothing tells whether they are on this "
        + "origin: dev \(list)", context: Context(counts: ["devices": UInt64(devices.count)]))
  }

  /// Returns the numbers as text, three or more consecutive ones as a range.
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
      "\(journalPath) is of a version of thin-merge that recorded consent to other thin devices on the "
        + "origin, and not to which: consent to all of them is needed again",
      context: Context(path: journalPath))
  }

  static func originOfSnapshot(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originOfSnapshot, "it is a snapshot of \(volumeName), which is no external origin",
      context: Context(name: volumeName))
  }

  static func originMadeWritableAgain(_ path: String) -> MergeNote {
    MergeNote(
      .originMadeWritableAgain,
      "\(path) was made read-only in mid-merge, as LVM does when it loads a thin device anew; it is writable again",
      context: Context(path: path))
  }

  static func originNotActive(_ volumeName: String) -> MergeNote {
    MergeNote(
      .originNotActive,
      "its external origin \(volumeName) is not active: lvchange -ay \(volumeName.shellQuoted)",
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
