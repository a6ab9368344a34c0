/// A pool's checked superblocks: the live one, which sets the bounds, and the one whose trees are
/// read.
package struct PoolMetadata: Equatable, Sendable {
  /// The maximum number of data blocks: a mapping has 40 bits for the number of a data block.
  private static let dataBlockCountMax: UInt64 = 1 << 40
  /// The maximum number of attempts to read the live superblock, since a read that overlaps a write
  /// may be torn.
  private static let liveReadCountMax = 5

  package let path: String
  package let live: Superblock
  /// The superblock whose trees are read: the metadata snapshot's, or the live one if the pool is
  /// inactive.
  package let superblock: Superblock
  /// The block that contains the metadata snapshot's superblock; nil if the pool is inactive.
  package let heldRoot: MetadataBlock?

  package var bounds: MetadataBounds {
    MetadataBounds(blockCount: live.metadataBlockCount, heldRoot: heldRoot)
  }

  /// Reads the superblocks through `io`, whose slab must have room for one block.
  ///
  /// - `byteCount`: a closure that returns the current size of the metadata device in bytes; the
  ///   device may grow at any time.
  /// - Throws: `MergeError` (`refused`), which names the block and the expected value.
  package init<IO: BlockIO & ~Copyable>(
    path: String, byteCount: () throws(MergeError) -> UInt64, mappings: MergeSource.Mappings,
    ignoresNeedsCheck: Bool, _ io: inout IO
  ) throws(MergeError) {
    let firstByteCount = try byteCount()
    let live: Superblock
    do throws(MetadataFault) {
      guard firstByteCount >= UInt64(BlockKind.blockByteCount) else {
        throw .tooShort(
          firstByteCount, blockByteCount: BlockKind.blockByteCount,
          first: FileSystem.firstBytes(of: path, count: 16) ?? [])
      }
      live = try Self.readLive(&io)
    } catch {
      throw error.refusal(path: path)
    }
    // The size is read again because blocks that the superblock counts may have been added since
    // the first read.
    let byteCount = try byteCount()
    do throws(MetadataFault) {
      try self.init(
        live, path: path, byteCount: byteCount, mappings: mappings,
        ignoresNeedsCheck: ignoresNeedsCheck, &io)
    } catch {
      throw error.refusal(path: path)
    }
  }

  private init<IO: BlockIO & ~Copyable>(
    _ live: Superblock, path: String, byteCount: UInt64, mappings: MergeSource.Mappings,
    ignoresNeedsCheck: Bool, _ io: inout IO
  ) throws(MetadataFault) {
    self.path = path
    self.live = live
    guard live.metadataBlockCount > 0 else {
      throw .noBlocks()
    }
    guard live.metadataBlockCount <= MetadataBounds.blockCountMax,
      live.metadataBlockCount * UInt64(BlockKind.blockByteCount) <= byteCount
    else {
      throw .cut(
        blockCount: live.metadataBlockCount,
        there: byteCount / UInt64(BlockKind.blockByteCount))
    }
    guard live.dataBlockCount <= Self.dataBlockCountMax,
      live.dataBlockCount <= UInt64(Int64.max) / live.dataBlockByteCount
    else {
      throw .dataBlockCount(live.dataBlockCount, max: Self.dataBlockCountMax)
    }
    guard !live.needsCheck || ignoresNeedsCheck else {
      throw .needsCheck(
        path, holdsSnapshot: mappings != .inactivePool && live.heldRoot != nil)
    }
    switch mappings {
    case .inactivePool:
      heldRoot = nil
      superblock = live
    case .metadataSnapshot, .ownMetadataSnapshot:
      guard let held = live.heldRoot else {
        throw .noSnapshot()
      }
      if case .metadataSnapshot(let wanted?) = mappings, wanted != held.rawValue {
        throw .otherSnapshot(at: held, wanted: wanted)
      }
      heldRoot = held
      superblock = try Self.readHeld(held, live, &io)
    }
  }

  private static func readLive<IO: BlockIO & ~Copyable>(
    _ io: inout IO
  ) throws(MetadataFault) -> Superblock {
    var attempt = 1
    while true {
      do throws(MetadataFault) {
        return try read(MetadataBlock(0), &io)
      } catch {
        guard attempt < liveReadCountMax else { throw error }
        attempt += 1
      }
    }
  }

  private static func readHeld<IO: BlockIO & ~Copyable>(
    _ held: MetadataBlock, _ live: Superblock, _ io: inout IO
  ) throws(MetadataFault) -> Superblock {
    guard held.rawValue < live.metadataBlockCount else {
      throw .snapshotOutside(at: held, last: live.metadataBlockCount - 1)
    }
    let copy = try read(held, &io)
    guard copy.heldRoot == nil else {
      throw .snapshotHoldsAnother(held)
    }
    guard copy.dataBlockByteCount == live.dataBlockByteCount else {
      throw .snapshotBlockSize(
        held, copy.dataBlockByteCount, expected: live.dataBlockByteCount)
    }
    guard copy.time <= live.time else {
      throw .snapshotTime(held, copy.time, max: live.time)
    }
    return copy
  }

  private static func read<IO: BlockIO & ~Copyable>(
    _ block: MetadataBlock, _ io: inout IO
  ) throws(MetadataFault) -> Superblock {
    let byteCount = BlockKind.blockByteCount
    let result = io.perform(
      IORequest(
        .read, .metadata, byteOffset: block.rawValue * UInt64(byteCount), byteCount: byteCount,
        tag: 0))
    guard result == Int64(byteCount) else { throw .cannotRead(block, result: result) }
    return try Superblock(io.bytes(at: 0, count: byteCount), at: block)
  }

  /// Returns the mapping tree at `root`.
  package func tree(root: MetadataBlock) -> MappingTree {
    MappingTree(
      path: path, root: root, bounds: bounds, dataBlockCount: live.dataBlockCount,
      dataBlockByteCount: superblock.dataBlockByteCount)
  }
}

/// The mapping tree of one thin device, and the limits on the blocks in the tree.
package struct MappingTree: Sendable {
  package var path: String
  package var root: MetadataBlock
  package var bounds: MetadataBounds
  package var dataBlockCount: UInt64
  package var dataBlockByteCount: UInt64
  /// The size of the data device in bytes; nil if unknown.
  package var dataByteCount: UInt64?

  /// The number of data blocks that actually exist: the pool's number, or fewer if the data device
  /// is shorter.
  var dataBlockCountThere: UInt64 {
    min(dataBlockCount, dataByteCount.map { $0 / dataBlockByteCount } ?? dataBlockCount)
  }
}
