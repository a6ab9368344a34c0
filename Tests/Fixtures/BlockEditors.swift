/// The fields of a superblock, live or held.
///
/// | byte offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | checksum |
/// | 4 | 4 | flags |
/// | 8 | 8 | own block number |
/// | 32 | 8 | magic |
/// | 40 | 4 | version |
/// | 44 | 4 | time |
/// | 48 | 8 | transaction id |
/// | 56 | 8 | held root |
/// | 64 | 128 | data space-map root |
/// | 192 | 128 | metadata space-map root |
/// | 320 | 8 | root of the top-level mapping tree |
/// | 328 | 8 | root of the details tree |
/// | 336 | 4 | data block in sectors |
/// | 340 | 4 | metadata block in sectors |
/// | 344 | 8 | metadata blocks at format time |
/// | 352, 356, 360 | 4 | compatible, compatible read-only, incompatible features |
package struct SuperblockEditor: Sendable {
  package static let magic: UInt64 = 27_022_010
  package var block: BlockBytes

  package init(block: BlockBytes = BlockBytes()) { self.block = block }

  package var checksum: UInt32 {
    get { block.uint32(at: 0) }
    set { block.set(newValue, at: 0) }
  }
  package var flags: UInt32 {
    get { block.uint32(at: 4) }
    set { block.set(newValue, at: 4) }
  }
  package var blockNumber: UInt64 {
    get { block.uint64(at: 8) }
    set { block.set(newValue, at: 8) }
  }
  package var magic: UInt64 {
    get { block.uint64(at: 32) }
    set { block.set(newValue, at: 32) }
  }
  package var version: UInt32 {
    get { block.uint32(at: 40) }
    set { block.set(newValue, at: 40) }
  }
  package var time: UInt32 {
    get { block.uint32(at: 44) }
    set { block.set(newValue, at: 44) }
  }
  package var transactionID: UInt64 {
    get { block.uint64(at: 48) }
    set { block.set(newValue, at: 48) }
  }
  package var heldRoot: UInt64 {
    get { block.uint64(at: 56) }
    set { block.set(newValue, at: 56) }
  }
  package var dataBlockCount: UInt64 {
    get { block.uint64(at: 64) }
    set { block.set(newValue, at: 64) }
  }
  package var metadataBlockCount: UInt64 {
    get { block.uint64(at: 192) }
    set { block.set(newValue, at: 192) }
  }
  package var topLevelRoot: UInt64 {
    get { block.uint64(at: 320) }
    set { block.set(newValue, at: 320) }
  }
  package var detailsRoot: UInt64 {
    get { block.uint64(at: 328) }
    set { block.set(newValue, at: 328) }
  }
  package var dataBlockSectorCount: UInt32 {
    get { block.uint32(at: 336) }
    set { block.set(newValue, at: 336) }
  }
  package var metadataBlockSectorCount: UInt32 {
    get { block.uint32(at: 340) }
    set { block.set(newValue, at: 340) }
  }
  package var metadataBlockCountAtFormat: UInt64 {
    get { block.uint64(at: 344) }
    set { block.set(newValue, at: 344) }
  }
  package var compatibleFeatures: UInt32 {
    get { block.uint32(at: 352) }
    set { block.set(newValue, at: 352) }
  }
  package var compatibleReadOnlyFeatures: UInt32 {
    get { block.uint32(at: 356) }
    set { block.set(newValue, at: 356) }
  }
  package var incompatibleFeatures: UInt32 {
    get { block.uint32(at: 360) }
    set { block.set(newValue, at: 360) }
  }

  /// Writes the four words of a space-map root: blocks, allocated, bitmap root, count root.
  mutating func setSpaceMapRoot(_ words: [UInt64], at byteOffset: Int) {
    for (index, word) in words.enumerated() { block.set(word, at: byteOffset + 8 * index) }
  }
}

/// The fields of a B-tree node.
///
/// | byte offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | checksum |
/// | 4 | 4 | flags: 1 internal, 2 leaf |
/// | 8 | 8 | own block number |
/// | 16 | 4 | entries |
/// | 20 | 4 | entries at most |
/// | 24 | 4 | bytes of a value |
/// | 32 | 8 each | keys |
/// | after the last possible key | as above | values |
package struct NodeEditor: Sendable {
  package static let internalFlag: UInt32 = 1
  package static let leafFlag: UInt32 = 2
  package var block: BlockBytes

  package init(block: BlockBytes = BlockBytes()) { self.block = block }

  package var checksum: UInt32 {
    get { block.uint32(at: 0) }
    set { block.set(newValue, at: 0) }
  }
  package var flags: UInt32 {
    get { block.uint32(at: 4) }
    set { block.set(newValue, at: 4) }
  }
  package var blockNumber: UInt64 {
    get { block.uint64(at: 8) }
    set { block.set(newValue, at: 8) }
  }
  package var entryCount: UInt32 {
    get { block.uint32(at: 16) }
    set { block.set(newValue, at: 16) }
  }
  package var entryCountMax: UInt32 {
    get { block.uint32(at: 20) }
    set { block.set(newValue, at: 20) }
  }
  package var valueByteCount: UInt32 {
    get { block.uint32(at: 24) }
    set { block.set(newValue, at: 24) }
  }

  package func key(_ index: Int) -> UInt64 { block.uint64(at: 32 + 8 * index) }

  package mutating func setKey(_ index: Int, to key: UInt64) {
    block.set(key, at: 32 + 8 * index)
  }

  /// Returns the first eight bytes of a value.
  package func value(_ index: Int) -> UInt64 { block.uint64(at: valueByteOffset(index)) }

  package mutating func setValue(_ index: Int, to value: UInt64) {
    block.set(value, at: valueByteOffset(index))
  }

  /// Returns the byte offset of value `index` under the current header.
  package func valueByteOffset(_ index: Int) -> Int {
    32 + 8 * Int(entryCountMax) + Int(valueByteCount) * index
  }

  /// Moves the values to their offsets under a header with `newMax` possible entries.
  package mutating func relayout(entryCountMax newMax: UInt32) {
    let values = (0..<Int(entryCount)).map { index in
      Array(block.bytes[valueByteOffset(index)..<(valueByteOffset(index) + Int(valueByteCount))])
    }
    entryCountMax = newMax
    for (index, value) in values.enumerated() {
      let start = valueByteOffset(index)
      block.bytes.replaceSubrange(start..<(start + value.count), with: value)
    }
  }
}
