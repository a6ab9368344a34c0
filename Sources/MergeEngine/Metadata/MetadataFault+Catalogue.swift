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
    "the metadata device is the first in 'dmsetup table POOL'; with LVM it is VG-POOL_tmeta"

  static func tooShort(_ byteCount: UInt64, blockByteCount: Int) -> MetadataFault {
    MetadataFault(
      .notMetadata, nil,
      "not the metadata of a thin pool: it has \(byteCount) bytes, at least one block of "
        + "\(blockByteCount) is expected", hint: whereMetadataIs)
  }

  static func notSuperblock(_ block: MetadataBlock) -> MetadataFault {
    guard block == superblock else {
      return MetadataFault(.metadataWrongBlockKind, block, "not a superblock of a thin pool")
    }
    return MetadataFault(
      .notMetadata, block, "not the metadata of a thin pool", hint: whereMetadataIs)
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
    MetadataFault(
      .metadataCutShort, superblock,
      "the metadata is cut short: the pool has \(blockCount) metadata blocks, \(there) are there")
  }

  static func dataBlockCount(_ count: UInt64, max: UInt64) -> MetadataFault {
    MetadataFault(
      .metadataSuperblockInvalid, superblock,
      "the pool has \(count) data blocks; at most \(max) are possible, and no more than "
        + "\(Int64.max) bytes")
  }

  static func needsCheck() -> MetadataFault {
    MetadataFault(
      .poolNeedsCheck, superblock, "the pool is marked needs_check",
      hint: "repair it with thin_check and thin_repair", isDamage: false)
  }

  // MARK: The metadata snapshot

  static func noSnapshot() -> MetadataFault {
    MetadataFault(
      .noMetadataSnapshot, superblock, "no metadata snapshot is held",
      hint: "of an active pool: 'dmsetup message POOL 0 reserve_metadata_snap'", isDamage: false)
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
  /// `tree`: the tree that has it, as part of a sentence.
  static func deviceInOneTree(_ block: MetadataBlock, deviceID: UInt32, tree: String)
    -> MetadataFault
  {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "device \(deviceID) is in the \(tree) tree only; both are expected to have it",
      deviceID: deviceID)
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

  static func mappingCount(
    _ block: MetadataBlock, deviceID: UInt32, found: UInt64, expected: UInt64
  ) -> MetadataFault {
    MetadataFault(
      .metadataDevicesDisagree, block,
      "device \(deviceID) has \(found) mappings; its details say \(expected)",
      deviceID: deviceID)
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

  static func mappedTwice(_ dataBlock: DataBlock, by thinBlock: ThinBlock) -> MetadataFault {
    MetadataFault(
      .metadataMappedTwice, nil,
      "data block \(dataBlock) is mapped twice, the second time by thin block \(thinBlock); once is "
        + "expected within a device")
  }
}
