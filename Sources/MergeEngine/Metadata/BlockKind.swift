/// The kinds of metadata blocks; each salts its checksum with another number.
///
/// The checksum is in bytes 0..<4 of a block, CRC-32C without the final inversion over the rest,
/// exclusive-or the salt (dm-block-manager.c, dm_bm_checksum).
package enum BlockKind: UInt32, CaseIterable {
  case superblock = 160774
  case btreeNode = 121107
  case spaceMapBitmap = 240779
  case spaceMapIndex = 160478

  /// Bytes of every metadata block.
  package static let blockByteCount = 4096

  /// - Throws: `MetadataFault` when the block's checksum is not that of this kind.
  package func check(_ bytes: RawSpan, of block: MetadataBlock) throws(MetadataFault) {
    let stored = bytes.littleEndian(at: 0, as: UInt32.self)
    let plain = ~CRC32C.checksum(of: bytes.extracting(4..<Self.blockByteCount))
    guard stored != plain ^ rawValue else { return }
    if let other = Self.allCases.first(where: { stored == plain ^ $0.rawValue }) {
      throw .blockKind(block, is: other.inWords, expected: inWords)
    }
    throw .checksum(
      block, stored, expected: plain ^ rawValue, of: inWords)
  }

  private var inWords: String {
    switch self {
    case .superblock: "superblock"
    case .btreeNode: "btree node"
    case .spaceMapBitmap: "space-map bitmap"
    case .spaceMapIndex: "space-map index"
    }
  }
}

/// Which metadata blocks a tree may use.
package struct MetadataBounds: Sendable {
  /// 255 index entries of 16320 blocks each: all that a metadata space map can count.
  package static let blockCountMax: UInt64 = 255 * 16320

  /// The metadata space map's count, from the live superblock.
  package let blockCount: UInt64
  /// The copy of the superblock that a metadata snapshot is; never a node.
  package let heldRoot: MetadataBlock?

  package init(blockCount: UInt64, heldRoot: MetadataBlock?) {
    self.blockCount = blockCount
    self.heldRoot = heldRoot
  }

  /// `parent`: the block that names this one; nil for the superblock.
  /// - Throws: `MetadataFault` when no node can be at `block`.
  package func check(
    _ block: MetadataBlock, from parent: MetadataBlock?
  ) throws(MetadataFault) {
    guard block.rawValue > 0, block.rawValue < blockCount, block != heldRoot else {
      throw .outside(
        parent ?? MetadataBlock(0), child: block, blockCount: blockCount,
        isHeldRoot: block == heldRoot)
    }
  }
}
