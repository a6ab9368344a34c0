internal import SystemPackage

// The catalogue of faults in a pool's metadata.

extension MetadataFault {
  private static let superblock = MetadataBlock(0)

  // MARK: Reading

  static func cannotRead(_ block: MetadataBlock?, result: Int64) -> MetadataFault {
    guard result < 0 else {
      return MetadataFault(
        .metadataCutShort, block, "cannot be read: the metadata ends inside it")
    }
    let errno = Errno(result: result)
    return MetadataFault(
      .metadataUnreadable, block, "cannot be read: \(errno)",
      hint: MergeError.limitHint(errno, call: "io_submit")
        ?? "the kernel's log may say more about the device", errno: errno)
  }

  static func cannotWait(_ errno: Errno) -> MetadataFault {
    guard errno != .canceled else {
      return MetadataFault(
        .interrupted, nil,
        "signals came while it was being read; it did not answer within 5 s", isDamage: false)
    }
    return MetadataFault(
      .cannotWait, nil, "cannot wait for reads: \(errno)", hint: MergeError.asynchronousHint(errno),
      isDamage: false, errno: errno)
  }

  // MARK: Any block

  static func blockKind(_ block: MetadataBlock, is found: String, expected: String) -> MetadataFault
  {
    MetadataFault(.metadataWrongBlockKind, block, "it is a \(found); a \(expected) is expected")
  }

  static func checksum(
    _ block: MetadataBlock, _ found: UInt32, expected: UInt32, of kind: String
  ) -> MetadataFault {
    MetadataFault(
      .metadataChecksumWrong, block,
      "the checksum is \(hex(found)); \(hex(expected)) is expected of a \(kind)")
  }

  private static func hex(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  // MARK: Superblocks

  private static let whereMetadataIs =
    "the metadata device is the first in the pool's table, with LVM VG-POOL_tmeta; this shows the table"
    .above("dmsetup table POOL")

  /// Returns the fault for a file that is shorter than a superblock.
  ///
  /// - `first`: the file's first bytes.
  static func tooShort(_ byteCount: UInt64, blockByteCount: Int, first: [UInt8]) -> MetadataFault {
    MetadataFault(
      .notMetadata, nil,
      "not the metadata of a thin pool: it has \(byteCount) bytes, at least one block of "
        + "\(blockByteCount) is expected", hint: dumpHint(first) ?? whereMetadataIs)
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
          + "if this is it, it was never formatted, or was wiped; this may make a superblock in a copy"
          .above(
            "thin_repair -i METADATA -o COPY --transaction-id ID --data-block-size SECTORS "
              + "--nr-data-blocks COUNT")
      )
    }
    return MetadataFault(
      .notMetadata, block, "not the metadata of a thin pool",
      hint: dumpHint(first) ?? whereMetadataIs)
  }

  /// Returns a hint to the tool that turns a dump into metadata; nil if the bytes begin no dump.
  private static func dumpHint(_ first: [UInt8]) -> String? {
    if first.starts(with: Array("<superblock".utf8)) {
      return "it is a dump in XML; this makes metadata of it".above(
        "thin_restore -i DUMP -o METADATA")
    }
    if first.starts(with: [0x77, 0xEF, 0x09, 0x63, 0xAA, 0xA0, 0x37, 0xA5]) {
      return "it is packed metadata; unpack it".above("thin_metadata_unpack -i PACKED -o METADATA")
    }
    return nil
  }

  static func superblockMisplaced(_ block: MetadataBlock, says own: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataMisplaced, block, "the superblock says it is block \(own); \(block) is expected")
  }

  static func superblockVersion(_ block: MetadataBlock, _ version: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the superblock's version is \(version); 1 or 2 is expected")
  }

  static func incompatibleFeatures(_ block: MetadataBlock, _ flags: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the incompatible-feature flags are 0x\(String(flags, radix: 16)); 0 is expected")
  }

  static func dataBlockSize(_ block: MetadataBlock, sectorCount: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the data block size is \(sectorCount) sectors; a multiple of 128 from 128 to 2097152 is "
        + "expected")
  }

  static func metadataBlockSize(_ block: MetadataBlock, sectorCount: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the metadata block size is \(sectorCount) sectors; 8 is expected")
  }

  static func snapshotCounter(_ block: MetadataBlock, _ time: UInt32, max: UInt32) -> MetadataFault
  {
    MetadataFault(
      .metadataSuperblockInvalid, block,
      "the snapshot counter is \(time), above the \(max) that mappings can hold")
  }

  static func noBlocks() -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, superblock,
      "the pool has no metadata blocks; at least 1 is expected")
  }

  static func cut(blockCount: UInt64, there: UInt64) -> MetadataFault {
    // An impossible block count could overflow as a byte count.
    let byteCount = blockCount.multipliedReportingOverflow(by: UInt64(BlockKind.blockByteCount))
    let isPossible = blockCount <= MetadataBounds.blockCountMax && !byteCount.overflow
    return MetadataFault(
      .metadataCutShort, superblock,
      "the metadata is cut short: the pool has \(blockCount) metadata blocks, \(there) are there",
      hint: isPossible
        ? "copy the whole device; of a copy whose rest was left out because it was never used, this lengthens it"
          .above("truncate --size \(byteCount.partialValue) COPY")
        : nil)
  }

  static func dataBlockCount(_ count: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, superblock,
      "the pool has \(count) data blocks; at most \(max) are possible, and no more than "
        + "\(Int64.max) bytes")
  }

  /// Returns the fault for a pool marked needs_check whose devices or images are read.
  ///
  /// - `holdsSnapshot`: true if a metadata snapshot is held that could be read instead.
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
      hint: "of an active pool, take one".above("dmsetup message POOL 0 reserve_metadata_snap"),
      isDamage: false)
  }

  static func otherSnapshot(at held: MetadataBlock, wanted: UInt64) -> MetadataFault {
    MetadataFault(
      .otherMetadataSnapshot, superblock,
      "the metadata snapshot that is held is at block \(held); block \(wanted) is wanted",
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
      "the metadata snapshot holds another one; none is expected")
  }

  static func snapshotBlockSize(
    _ block: MetadataBlock, _ byteCount: UInt64, expected: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, block,
      "the metadata snapshot's data block size is \(byteCount) bytes, the pool's \(expected)")
  }

  static func snapshotTime(_ block: MetadataBlock, _ time: UInt32, max: UInt32) -> MetadataFault {
    MetadataFault(
      .metadataSnapshotInvalid, block,
      "the metadata snapshot's time is \(time), above the pool's \(max)")
  }

  // MARK: Nodes

  static func nodeMisplaced(_ block: MetadataBlock, says own: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataMisplaced, block, "the node says it is block \(own); \(block) is expected")
  }

  static func nodeFlags(_ block: MetadataBlock, _ flags: UInt32) -> MetadataFault {
    MetadataFault(.metadataNodeInvalid, block, "the node's flags are \(flags); 1 or 2 is expected")
  }

  static func nodeValueSize(_ block: MetadataBlock, _ byteCount: UInt32, expected: Int)
    -> MetadataFault
  {
    MetadataFault(
      .metadataNodeInvalid, block,
      "the node's values have \(byteCount) bytes; \(expected) is expected")
  }

  static func nodeRoom(_ block: MetadataBlock, _ count: UInt32, max: Int) -> MetadataFault {
    MetadataFault(
      .metadataNodeInvalid, block, "the node has room for \(count) entries; 1 to \(max) is expected"
    )
  }

  static func nodeEntryCount(_ block: MetadataBlock, _ count: UInt32, max: UInt32) -> MetadataFault
  {
    MetadataFault(
      .metadataNodeInvalid, block, "the node has \(count) entries; at most \(max) is expected")
  }

  static func nodeEmpty(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataNodeInvalid, block, "an internal node has no entries; at least 1 is expected")
  }

  static func keyBelow(_ block: MetadataBlock, _ key: UInt64, min: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataKeysInvalid, block, "the first key is \(key), below the parent's key \(min)")
  }

  static func keysNotRising(_ block: MetadataBlock, _ key: UInt64, after previous: UInt64)
    -> MetadataFault
  {
    MetadataFault(
      .metadataKeysInvalid, block, "key \(key) follows key \(previous); rising keys are expected")
  }

  static func keyAbove(_ block: MetadataBlock, _ key: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataKeysInvalid, block, "the last key is \(key), above the \(max) that the parent allows"
    )
  }

  // MARK: Trees

  static func outside(
    _ parent: MetadataBlock, child: MetadataBlock, blockCount: UInt64, isHeldRoot: Bool
  ) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, parent,
      "it leads to block \(child); a node in 1 to \(blockCount - 1) is expected"
        + (isHeldRoot ? ", not the metadata snapshot itself" : ""))
  }

  static func tooDeep(_ block: MetadataBlock, max: Int) -> MetadataFault {
    MetadataFault(.metadataTreeInvalid, block, "the tree has more than \(max) levels")
  }

  static func unevenDepth(_ block: MetadataBlock, isLeafExpected: Bool) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, block,
      isLeafExpected
        ? "an internal node where a leaf is expected: not all leaves are equally deep"
        : "a leaf where an internal node is expected: not all leaves are equally deep")
  }

  static func reachedTwice(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataTreeInvalid, block, "the node is reached twice; once is expected in a tree")
  }

  static func nodeChanged(_ block: MetadataBlock) -> MetadataFault {
    MetadataFault(
      .metadataNodeChanged, block, "the node changed since the plan was made",
      hint: "the metadata snapshot was released, or the pool was active: one has to be held until "
        + "the merge has finished")
  }

  // MARK: Devices and mappings

  /// Returns the fault for a device in only one of the two trees.
  ///
  /// - `tree`: the tree that contains the device, as part of a sentence.
  static func deviceInOneTree(_ block: MetadataBlock, deviceID: UInt32, tree: String)
    -> MetadataFault
  {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "device \(deviceID) is in the \(tree) tree only; both are expected to have it",
      hint:
        "restore the metadata from a copy of an earlier time, if there is one; thin_repair drops "
        + "a device that only one tree has", deviceID: deviceID)
  }

  static func otherDevices(_ block: MetadataBlock, detailsCount: UInt64, mappingCount: UInt64)
    -> MetadataFault
  {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "the details tree has other devices (\(detailsCount)) than the mapping tree "
        + "(\(mappingCount)); the same are expected")
  }

  static func deviceID(_ block: MetadataBlock, _ id: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataDevicesDisagree, block, "the device id is \(id); at most \(max) is expected")
  }

  /// Returns the fault for a device whose details and tree have different mapping counts.
  ///
  /// - `path`: the path of the metadata for the hint.
  static func mappingCount(
    _ block: MetadataBlock, deviceID: UInt32, found: UInt64, expected: UInt64, path: String
  ) -> MetadataFault {
    MetadataFault(
      .metadataCountWrong, block,
      "device \(deviceID) has \(found) mappings; its details say \(expected)",
      hint: MetadataFault.repairHint(path), deviceID: deviceID,
      counts: ["mappings": found, "counted": expected])
  }

  private static func repairHint(_ path: String) -> String {
    "once the pool is not active, this makes a copy whose counts are right, in a file of the same size; merge from "
      + "that".above("thin_repair -i \(path.shellQuoted) -o COPY")
  }

  static func thinBlock(_ block: MetadataBlock, _ thinBlock: ThinBlock) -> MetadataFault {
    MetadataFault(
      .metadataMappingInvalid, block,
      "thin block \(thinBlock) ends past the largest offset that a device can have")
  }

  static func dataBlock(
    _ block: MetadataBlock, _ dataBlock: DataBlock, of thinBlock: ThinBlock, count: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .metadataMappingInvalid, block,
      "thin block \(thinBlock) is mapped to data block \(dataBlock); one below \(count) is expected"
    )
  }

  /// Returns the fault for a data block that the pool has but that lies past the data device's end.
  static func dataBlockBehindEnd(
    _ block: MetadataBlock, _ dataBlock: DataBlock, of thinBlock: ThinBlock, count: UInt64,
    blockByteCount: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .dataTooShort, block,
      "thin block \(thinBlock) is mapped to data block \(dataBlock) of \(blockByteCount) bytes; "
        + "\(count) whole blocks are there", isDamage: false,
      counts: [
        "data_block": dataBlock.rawValue, "blocks": count, "block_bytes": blockByteCount,
      ])
  }

  static func mappedTwice(_ dataBlock: DataBlock, by thinBlock: ThinBlock) -> MetadataFault {
    MetadataFault(
      .metadataMappedTwice, nil,
      "data block \(dataBlock) is mapped twice, the second time by thin block \(thinBlock); once is "
        + "expected within a device",
      hint: "thin_check does not look for that; this lists both mappings".above(
        "thin_dump METADATA")
        + "\nwhat was written by way of one may have overwritten what the other had")
  }
}
