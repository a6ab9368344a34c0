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
      throw MetadataFault(
        parent ?? MetadataBlock(0),
        "it leads to block \(block); a node in 1 to \(blockCount - 1) is expected"
          + (block == heldRoot ? ", not the metadata snapshot itself" : ""))
    }
  }
}
