internal import SystemPackage

// The catalog of faults in a pool's metadata.

extension MetadataFault {
  private static let superblock = MetadataBlock(0)

  // MARK: Reading

  static func cannotRead(_ block: MetadataBlock?, result: Int64) -> MetadataFault {
    guard result < 0 else {
      return MetadataFault(
        .metadataCutShort, block, "cannot be read: the metadata ends within it")
    }
    let errno = Errno(result: result)
    return MetadataFault(
      .metadataUnreadable, block, "cannot be read: \(errno)",
      hint: MergeError.limitHint(errno, call: "io_submit")
        ?? "see the kernel log about the device", errno: errno)
  }

  static func cannotWait(_ errno: Errno) -> MetadataFault {
    guard errno != .canceled else {
      return MetadataFault(
        .interrupted, nil,
        "signals arrived while it was being read, and the device did not respond within 5 s",
        isDamage: false)
    }
    return MetadataFault(
      .cannotWait, nil, "cannot wait for reads: \(errno)", hint: MergeError.asynchronousHint(errno),
      isDamage: false, errno: errno)
  }

  // MARK: Any block

  static func blockKind(_ block: MetadataBlock, is found: String, expected: String) -> MetadataFault
  {
    MetadataFault(.metadataWrongBlockKind, block, "it is a \(found); expected a \(expected)")
  }

  static func checksum(
    _ block: MetadataBlock, _ found: UInt32, expected: UInt32, of kind: String
  ) -> MetadataFault {
    MetadataFault(
      .metadataChecksumWrong, block,
      "the checksum is \(hex(found)); expected \(hex(expected)) for a \(kind)")
  }

  private static func hex(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  // MARK: Superblocks

  private static let whereMetadataIs =
    "use the metadata device, the first device in the pool's table (VG-POOL_tmeta in LVM); show the table with"
    .above("dmsetup table POOL")

  /// Returns the fault for a file that is shorter than a superblock.
  ///
  /// - `first`: the file's first bytes.
  static func tooShort(_ byteCount: UInt64, blockByteCount: Int, first: [UInt8]) -> MetadataFault {
    MetadataFault(
      .notMetadata, nil,
      "not the metadata of a thin pool: it has \(byteCount) bytes; expected at least one block of "
        + "\(blockByteCount)", hint: dumpHint(first) ?? whereMetadataIs)
  }

  /// Returns the fault for a block without the magic number of a superblock.
  ///
  /// - `isEmpty`: true if the block contains only zeros.
  /// - `first`: the block's first bytes.
  static func notSuperblock(
    _ block: MetadataBlock, isEmpty: Bool, first: [UInt8]
  ) -> MetadataFault {
    guard block == superblock else {
      return MetadataFault(.metadataWrongBlockKind, block, "not a superblock of a thin pool")
    }
    guard !isEmpty else {
      return MetadataFault(
        .notMetadata, block, "not the metadata of a thin pool: the block is empty",
        hint:
          whereMetadataIs + "\n"
          + "if it is that device, it was never formatted or was wiped; try to create a superblock in a copy with"
          .above(
            "thin_repair -i METADATA -o COPY --transaction-id ID --data-block-size SECTORS "
              + "--nr-data-blocks COUNT")
      )
    }
    return MetadataFault(
      .notMetadata, block, "not the metadata of a thin pool",
      hint: dumpHint(first) ?? whereMetadataIs)
  }

  /// Returns a hint that names the tool for converting a dump to metadata; nil if the bytes are not
  /// the start of a dump.
  private static func dumpHint(_ first: [UInt8]) -> String? {
    if first.starts(with: Array("<superblock".utf8)) {
      return "it is an XML dump; convert it to metadata with".above(
        "thin_restore -i DUMP -o METADATA")
    }
    if first.starts(with: [0x77, 0xEF, 0x09, 0x63, 0xAA, 0xA0, 0x37, 0xA5]) {
      return "it is packed metadata; unpack it with".above(
        "thin_metadata_unpack -i PACKED -o METADATA")
    }
    return nil
  }

  static func superblockMisplaced(_ block: MetadataBlock, says own: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataMisplaced, block, "the superblock's block number is \(own); expected \(block)")
  }

  static func superblockVersion(_ block: MetadataBlock, _ version: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the superblock's version is \(version); expected 1 or 2")
  }

  static func incompatibleFeatures(_ block: MetadataBlock, _ flags: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the incompatible-feature flags are 0x\(String(flags, radix: 16)); expected 0")
  }

  static func dataBlockSize(_ block: MetadataBlock, sectorCount: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the data block size is \(sectorCount) sectors; expected a multiple of 128 from 128 to 2097152"
    )
  }

  static func metadataBlockSize(_ block: MetadataBlock, sectorCount: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the metadata block size is \(sectorCount) sectors; expected 8")
  }

  static func snapshotCounter(_ block: MetadataBlock, _ time: UInt32, max: UInt32) -> MetadataFault
  {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the snapshot counter is \(time); expected at most \(max)")
  }

  static func noBlocks() -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, superblock,
      "the pool has no metadata blocks; expected at least 1")
  }

  static func cut(blockCount: UInt64, there: UInt64) -> MetadataFault {
    // An impossible block count could overflow when converted to a byte count.
    let byteCount = blockCount.multipliedReportingOverflow(by: UInt64(BlockKind.blockByteCount))
    let isPossible = blockCount <= MetadataBounds.blockCountMax && !byteCount.overflow
    return MetadataFault(
      .metadataCutShort, superblock,
      "the metadata is truncated: the pool has \(blockCount) metadata blocks, but only \(there) are present",
      hint: isPossible
        ? "copy the whole device; if only the unused end is missing in this copy, extend the copy with"
          .above("truncate --size \(byteCount.partialValue) COPY")
        : nil)
  }

  static func dataBlockCount(_ count: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, superblock,
      "the pool has \(count) data blocks; expected at most \(max), and at most "
        + "\(Int64.max) bytes")
  }

  /// Returns the fault for a pool that cannot be read because it is marked needs_check.
  ///
  /// - `holdsSnapshot`: true if the mappings are read from a metadata snapshot that the pool holds.
  static func needsCheck(_ path: String, holdsSnapshot: Bool) -> MetadataFault {
    MetadataFault(
      .poolNeedsCheck, superblock, "the pool is marked needs_check",
      hint: MergeError.clearingNeedsCheck(path), isDamage: false,
      circumstances: holdsSnapshot ? [.holdsMetadataSnapshot] : [])
  }

  // MARK: The metadata snapshot

  static func noSnapshot() -> MetadataFault {
    MetadataFault(
      .noMetadataSnapshot, superblock, "no metadata snapshot is held",
      hint: "if the pool is active, reserve one with".above(
        "dmsetup message POOL 0 reserve_metadata_snap"),
      isDamage: false)
  }

  static func otherSnapshot(at held: MetadataBlock, wanted: UInt64) -> MetadataFault {
    MetadataFault(
      .otherMetadataSnapshot, superblock,
      "the held metadata snapshot is at block \(held), not at block \(wanted)",
      isDamage: false,
      counts: ["held_block": held.rawValue, "wanted_block": wanted])
  }

  static func snapshotOutside(at held: MetadataBlock, last: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, superblock,
      "the metadata snapshot is at block \(held); the last block is \(last)")
  }

  static func snapshotHoldsAnother(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, block,
      "the metadata snapshot itself has a metadata snapshot; expected none")
  }

  static func snapshotBlockSize(
    _ block: MetadataBlock, _ byteCount: UInt64, expected: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, block,
      "the metadata snapshot's data block size is \(byteCount) bytes; the pool's is \(expected)")
  }

  static func snapshotTime(_ block: MetadataBlock, _ time: UInt32, max: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, block,
      "the metadata snapshot's time is \(time), later than the pool's, \(max)")
  }

  // MARK: Nodes

  static func nodeMisplaced(_ block: MetadataBlock, says own: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataMisplaced, block, "the node's block number is \(own); expected \(block)")
  }

  static func nodeFlags(_ block: MetadataBlock, _ flags: UInt32) -> MetadataFault {
    MetadataFault(.metadataNodeInvalid, block, "the node's flags are \(flags); expected 1 or 2")
  }

  static func nodeValueSize(_ block: MetadataBlock, _ byteCount: UInt32, expected: Int)
    -> MetadataFault
  {
    MetadataFault(
      .metadataNodeInvalid, block,
      "the node's values have \(byteCount) bytes; expected \(expected)")
  }

  static func nodeRoom(_ block: MetadataBlock, _ count: UInt32, max: Int) -> MetadataFault {
    MetadataFault(
      .metadataNodeInvalid, block, "the node has space for \(count) entries; expected 1 to \(max)"
    )
  }

  static func nodeEntryCount(_ block: MetadataBlock, _ count: UInt32, max: UInt32) -> MetadataFault
  {
    MetadataFault(
      .metadataNodeInvalid, block, "the node has \(count) entries; expected at most \(max)")
  }

  static func nodeEmpty(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataNodeInvalid, block, "an internal node has no entries; expected at least 1")
  }

  static func keyBelow(_ block: MetadataBlock, _ key: UInt64, min: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataKeysInvalid, block, "the first key is \(key), below the parent's key \(min)")
  }

  static func keysNotRising(_ block: MetadataBlock, _ key: UInt64, after previous: UInt64)
    -> MetadataFault
  {
    MetadataFault(
      .metadataKeysInvalid, block, "key \(key) follows key \(previous); expected ascending keys")
  }

  static func keyAbove(_ block: MetadataBlock, _ key: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataKeysInvalid, block, "the last key is \(key), above the parent's limit \(max)"
    )
  }

  // MARK: Trees

  static func outside(
    _ parent: MetadataBlock, child: MetadataBlock, blockCount: UInt64, isHeldRoot: Bool
  ) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, parent,
      "it points to block \(child); expected a node in 1 to \(blockCount - 1)"
        + (isHeldRoot ? ", not the metadata snapshot itself" : ""))
  }

  static func tooDeep(_ block: MetadataBlock, max: Int) -> MetadataFault {
    MetadataFault(.metadataTreeInvalid, block, "the tree has more than \(max) levels")
  }

  static func unevenDepth(_ block: MetadataBlock, isLeafExpected: Bool) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, block,
      isLeafExpected
        ? "it is an internal node; expected a leaf, because all leaves have the same depth"
        : "it is a leaf; expected an internal node, because all leaves have the same depth")
  }

  static func reachedTwice(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, block, "two paths in the tree lead to the node; expected one")
  }

  static func nodeChanged(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataNodeChanged, block, "the node changed after the merge was planned",
      hint: "the metadata snapshot was released, or the pool was active; hold one until "
        + "the merge has finished")
  }

  // MARK: Devices and mappings

  /// Returns the fault for a thin device that is in only one of the two device trees.
  ///
  /// - `tree`: the name of the tree that contains the device, to be used in a sentence.
  static func deviceInOneTree(_ block: MetadataBlock, deviceID: UInt32, tree: String)
    -> MetadataFault
  {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "device \(deviceID) is only in the \(tree) tree; expected in both",
      hint:
        "restore the metadata from an earlier copy, if there is one; thin_repair drops "
        + "a device that is in only one tree", deviceID: deviceID)
  }

  static func otherDevices(_ block: MetadataBlock, detailsCount: UInt64, mappingCount: UInt64)
    -> MetadataFault
  {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "the details tree has \(detailsCount) devices and the mapping tree \(mappingCount), not all the same; "
        + "expected the same devices")
  }

  static func deviceID(_ block: MetadataBlock, _ id: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataDevicesDisagree, block, "the device id is \(id); expected at most \(max)")
  }

  /// Returns the fault for a device whose details and tree disagree about the number of mappings.
  ///
  /// - `path`: the path of the metadata, to be used in the hint.
  static func mappingCount(
    _ block: MetadataBlock, deviceID: UInt32, found: UInt64, expected: UInt64, path: String
  ) -> MetadataFault {
    MetadataFault(
      .metadataCountWrong, block,
      "device \(deviceID) has \(found) mappings, but \(expected) according to its details",
      hint: MetadataFault.repairHint(path), deviceID: deviceID,
      counts: ["mappings": found, "counted": expected])
  }

  private static func repairHint(_ path: String) -> String {
    "deactivate the pool, create a copy with correct counts in a file of the same size, and merge from that "
      + "copy".above("thin_repair -i \(path.shellQuoted) -o COPY")
  }

  static func thinBlock(_ block: MetadataBlock, _ thinBlock: ThinBlock) -> MetadataFault {
    MetadataFault(
      .metadataMappingInvalid, block,
      "thin block \(thinBlock) ends past the largest possible offset")
  }

  static func dataBlock(
    _ block: MetadataBlock, _ dataBlock: DataBlock, of thinBlock: ThinBlock, count: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .metadataMappingInvalid, block,
      "thin block \(thinBlock) is mapped to data block \(dataBlock); expected one below \(count)"
    )
  }

  /// Returns the fault for a data block that is within the pool but past the end of the data
  /// device.
  static func dataBlockBehindEnd(
    _ block: MetadataBlock, _ dataBlock: DataBlock, of thinBlock: ThinBlock, count: UInt64,
    blockByteCount: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .dataTooShort, block,
      "thin block \(thinBlock) is mapped to data block \(dataBlock) of \(blockByteCount) bytes, but the device has "
        + "only \(count) whole blocks", isDamage: false,
      counts: [
        "data_block": dataBlock.rawValue, "blocks": count, "block_bytes": blockByteCount,
      ])
  }

  static func mappedTwice(_ dataBlock: DataBlock, by thinBlock: ThinBlock) -> MetadataFault {
    MetadataFault(
      .metadataMappedTwice, nil,
      "data block \(dataBlock) is mapped twice, the second time by thin block \(thinBlock); expected once "
        + "per device",
      hint: "thin_check does not detect this; list both mappings with".above(
        "thin_dump METADATA")
        + "\nwrites through one mapping may have overwritten the data of the other")
  }
}
