/// The kinds of metadata blocks, each of which salts its checksum with a different number.
///
/// The checksum is in bytes 0..<4 of a block: CRC-32C, without the final inversion, of the other
/// bytes, XORed with the salt (dm-block-manager.c, dm_bm_checksum).
package enum BlockKind: UInt32, CaseIterable {
  case superblock = 160774
  case btreeNode = 121107
  case spaceMapBitmap = 240779
  case spaceMapIndex = 160478

  /// The size of every metadata block, in bytes.
  package static let blockByteCount = 4096

  /// Checks the checksum of a block that must be of this kind.
  ///
  /// - Throws: `MetadataFault` if the block's checksum does not match this kind.
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

/// The limits on the metadata blocks that a tree may use.
package struct MetadataBounds: Sendable {
  /// The maximum number of blocks that a metadata space map can track: 255 index entries of 16320
  /// blocks each.
  package static let blockCountMax: UInt64 = 255 * 16320

  /// The number of blocks in the metadata space map, from the live superblock.
  package let blockCount: UInt64
  /// The block that contains a metadata snapshot's superblock, which is never a tree node; nil if
  /// there is none.
  package let heldRoot: MetadataBlock?

  package init(blockCount: UInt64, heldRoot: MetadataBlock?) {
    self.blockCount = blockCount
    self.heldRoot = heldRoot
  }

  /// Checks that a block may be a tree node.
  ///
  /// - `parent`: the block that refers to `block`; nil if that is the superblock.
  /// - Throws: `MetadataFault` if `block` cannot be a node.
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
