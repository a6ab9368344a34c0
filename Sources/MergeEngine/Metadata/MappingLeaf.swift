/// The mappings in a leaf of a device's tree, read in place.
///
/// Each key is a thin block. Each value contains a data block in its upper 40 bits and a time in
/// its lower 24 bits (dm-thin-metadata.c, pack_block_time).
package struct MappingLeaf: ~Escapable {
  package static let valueByteCount = 8

  let block: MetadataBlock
  private let keys: Span<UInt64>
  private let values: Span<UInt64>

  /// - `bytes`: the node's bytes, as read from `block`.
  @_lifetime(copy bytes)
  init(_ node: BtreeNode, in bytes: RawSpan, of block: MetadataBlock) {
    self.block = block
    keys = node.keys(in: bytes)
    values = node.values(in: bytes)
  }

  var indices: Range<Int> { keys.indices }

  @inline(__always)
  func thinBlock(_ index: Int) -> ThinBlock { ThinBlock(keys[index]) }

  @inline(__always)
  func dataBlock(_ index: Int) -> DataBlock { DataBlock(values[index] >> 24) }

  /// Checks that the leaf's thin blocks end within the maximum byte offset.
  ///
  /// - Throws: `MetadataFault` if the last thin block ends past the maximum byte offset, 2^63 - 1.
  func checkEnd(dataBlockByteCount: UInt64) throws(MetadataFault) {
    guard let index = indices.last else { return }
    let last = thinBlock(index)
    guard last.rawValue < UInt64(Int64.max) / dataBlockByteCount else {
      throw .thinBlock(block, last)
    }
  }

  /// Checks that all data blocks in the leaf exist.
  ///
  /// - `largest`: the highest-numbered data block in the leaf.
  /// - `there`: the number of data blocks that exist, at most the number in the pool.
  /// - Throws: `MetadataFault` for the first data block past the end of the pool or, if there is
  ///   none, past the end of the data device.
  func checkDataBlocks(
    largest: DataBlock, there: UInt64, in tree: borrowing MappingTree
  ) throws(MetadataFault) {
    guard largest.rawValue >= there else { return }
    for index in indices where dataBlock(index).rawValue >= tree.dataBlockCount {
      throw .dataBlock(
        block, dataBlock(index), of: thinBlock(index), count: tree.dataBlockCount)
    }
    for index in indices where dataBlock(index).rawValue >= there {
      throw .dataBlockBehindEnd(
        block, dataBlock(index), of: thinBlock(index), count: there,
        blockByteCount: tree.dataBlockByteCount)
    }
  }
}
