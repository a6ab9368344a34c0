/// A parsed `thin` line of a device-mapper table: `<pool> <dev id> [<external origin>]`.
package struct ThinTarget: Equatable, Sendable {
  package var pool: DeviceNumber
  package var deviceID: UInt32
  package var origin: DeviceNumber?
  package var sectorCount: UInt64

  /// Parses a table line; nil if it is not a valid `thin` line.
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

/// The parsed device-mapper table of a thin pool: `<metadata> <data> <block size> <low water mark>
/// …`.
package struct PoolTarget: Equatable, Sendable {
  package var metadata: DeviceNumber
  package var data: DeviceNumber
  package var blockByteCount: UInt64

  /// Parses a device-mapper table; nil if it is not a valid table of a thin pool.
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

/// The parsed device-mapper status of a thin pool.
///
/// Words after the eighth are ignored. Words that kernels before 4.2 do not print are optional.
package struct PoolStatus: Equatable, Sendable {
  package enum Mode: Equatable, Sendable { case writable, outOfDataSpace, readOnly }

  package var mode: Mode
  package var dataBlockCount: UInt64
  package var freeDataBlockCount: UInt64
  package var metadataBlockCount: UInt64
  package var freeMetadataBlockCount: UInt64
  /// The block of the held metadata snapshot; nil if none is held.
  package var heldRoot: UInt64?
  package var needsCheck: Bool

  /// Parses status lines; nil if the pool has failed, or if the lines are not the status of a thin
  /// pool.
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

  /// The minimum number of free metadata blocks; with fewer, this tool adds nothing to the
  /// metadata.
  ///
  /// If no block is free, the kernel makes the pool read-only, and then the metadata snapshot can
  /// no longer be released.
  package var freeMetadataBlockCountMin: UInt64 { max(16, metadataBlockCount / 50) }

  /// True if too few metadata blocks are free to take a metadata snapshot or a thin snapshot.
  package var isMetadataNearlyUsedUp: Bool { freeMetadataBlockCount < freeMetadataBlockCountMin }

  /// True if so few data blocks are free that a thin snapshot may fill the pool: after it is made,
  /// overwriting a block of the thin device takes up a new block.
  package var isDataNearlyUsedUp: Bool { freeDataBlockCount < (dataBlockCount + 9) / 10 }

  private static func usage(_ word: Substring) -> (used: UInt64, total: UInt64)? {
    let numbers = word.split(separator: "/").map { UInt64($0) }
    guard numbers.count == 2, let used = numbers[0], let total = numbers[1] else { return nil }
    return (used, total)
  }
}

extension MappedDevice {
  /// The targets of all `thin` lines in the device's live and inactive tables.
  package var thinTargets: [ThinTarget] {
    (liveTable + inactiveTable).compactMap { ThinTarget($0) }
  }

  /// The `thin` target, if it is the only target in the device's live table; otherwise nil.
  package var thinTarget: ThinTarget? {
    guard liveTable.count == 1, liveTable[0].startSector == 0 else { return nil }
    return ThinTarget(liveTable[0])
  }

  package var poolTarget: PoolTarget? { PoolTarget(liveTable) }

  /// The device below this one, if the live table is a single linear target; otherwise nil.
  package var linearTarget: DeviceNumber? {
    guard liveTable.count == 1, liveTable[0].kind == "linear" else { return nil }
    return liveTable[0].words.first.flatMap { DeviceNumber(text: String($0)) }
  }
}
