/// A `thin` line of a table: `<pool> <dev id> [<external origin>]`.
package struct ThinTarget: Equatable, Sendable {
  package var pool: DeviceNumber
  package var deviceID: UInt32
  package var origin: DeviceNumber?
  package var sectorCount: UInt64

  /// Nil for a line of another target.
  package init?(_ line: TableLine) {
    let words = line.words
    guard line.kind == "thin", words.count >= 2, let pool = DeviceNumber(text: String(words[0])),
      let deviceID = UInt32(words[1])
    else { return nil }
    self.pool = pool
    self.deviceID = deviceID
    origin = words.count > 2 ? DeviceNumber(text: String(words[2])) : nil
    sectorCount = line.sectorCount
  }
}

/// The table of a pool: `<metadata> <data> <block size> <low water mark> …`.
package struct PoolTarget: Equatable, Sendable {
  package var metadata: DeviceNumber
  package var data: DeviceNumber
  package var blockByteCount: UInt64

  /// Nil for any other table.
  package init?(_ table: [TableLine]) {
    guard table.count == 1, table[0].kind == "thin-pool" else { return nil }
    let words = table[0].words
    guard words.count >= 3, let metadata = DeviceNumber(text: String(words[0])),
      let data = DeviceNumber(text: String(words[1])), let sectors = UInt64(words[2]),
      sectors <= 2_097_152
    else { return nil }
    self.metadata = metadata
    self.data = data
    blockByteCount = sectors * 512
  }
}

/// The status of a pool.
///
/// Words after the eighth are ignored. Words that kernels before 4.2 do not have are optional.
package struct PoolStatus: Equatable, Sendable {
  package enum Mode: Equatable, Sendable { case writable, outOfDataSpace, readOnly }

  package var mode: Mode
  package var dataBlockCount: UInt64
  package var freeDataBlockCount: UInt64
  package var metadataBlockCount: UInt64
  package var freeMetadataBlockCount: UInt64
  /// The block of the metadata snapshot that is held; nil if none is.
  package var heldRoot: UInt64?
  package var needsCheck: Bool

  /// Nil for a failed pool, and for lines that are not a pool's status.
  package init?(_ lines: [TableLine]) {
    guard lines.count == 1, lines[0].kind == "thin-pool" else { return nil }
    let words = lines[0].words
    guard words.count >= 6, let metadata = Self.usage(words[1]), let data = Self.usage(words[2])
    else { return nil }
    metadataBlockCount = metadata.total
    freeMetadataBlockCount = metadata.total - min(metadata.used, metadata.total)
    dataBlockCount = data.total
    freeDataBlockCount = data.total - min(data.used, data.total)
    heldRoot = UInt64(words[3])
    switch words[4] {
    case "rw": mode = .writable
    case "out_of_data_space": mode = .outOfDataSpace
    case "ro": mode = .readOnly
    default: return nil
    }
    needsCheck = words.count > 7 && words[7] == "needs_check"
  }

  /// The number of free metadata blocks below which nothing is added to the metadata.
  ///
  /// Without a free block the kernel makes the pool read-only, and then its metadata snapshot can
  /// no longer be released.
  package var freeMetadataBlockCountMin: UInt64 { max(16, metadataBlockCount / 50) }

  /// True if too few metadata blocks are free for a metadata snapshot or a snapshot.
  package var isMetadataNearlyUsedUp: Bool { freeMetadataBlockCount < freeMetadataBlockCountMin }

  /// True if so few data blocks are free that a snapshot may fill the pool: after a snapshot, every
  /// overwritten block is copied.
  package var isDataNearlyUsedUp: Bool { freeDataBlockCount < (dataBlockCount + 9) / 10 }

  private static func usage(_ word: Substring) -> (used: UInt64, total: UInt64)? {
    let numbers = word.split(separator: "/").map { UInt64($0) }
    guard numbers.count == 2, let used = numbers[0], let total = numbers[1] else { return nil }
    return (used, total)
  }
}

extension MappedDevice {
  /// The targets of all `thin` lines of the device, in the live and the inactive table.
  package var thinTargets: [ThinTarget] {
    (liveTable + inactiveTable).compactMap { ThinTarget($0) }
  }

  /// The target of a device that is a thin device as a whole; nil for any other device.
  package var thinTarget: ThinTarget? {
    guard liveTable.count == 1, liveTable[0].startSector == 0 else { return nil }
    return ThinTarget(liveTable[0])
  }

  package var poolTarget: PoolTarget? { PoolTarget(liveTable) }

  /// The device whose sectors this one shows in one linear target; nil for any other table.
  package var linearTarget: DeviceNumber? {
    guard liveTable.count == 1, liveTable[0].kind == "linear" else { return nil }
    return liveTable[0].words.first.flatMap { DeviceNumber(text: String($0)) }
  }
}
