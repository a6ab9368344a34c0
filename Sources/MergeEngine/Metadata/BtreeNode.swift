/// The checked header of a btree node, used to read entries from the node's bytes.
///
/// | offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | checksum |
/// | 4 | 4 | flags: 1 internal, 2 leaf |
/// | 8 | 8 | own block number |
/// | 16 | 4 | number of entries |
/// | 20 | 4 | maximum number of entries |
/// | 24 | 4 | size of a value in bytes |
/// | 32 | 8 each | keys, as many as fit |
/// | after | … | values, as many as fit |
///
/// All fields are little endian; see dm-btree-internal.h. Slots after the last entry may contain
/// anything.
package struct BtreeNode {
  package static let headerByteCount = 32
  /// The maximum number of children of an internal node, whose keys and values take up 8 bytes
  /// each.
  package static let childCountMax =
    (BlockKind.blockByteCount - headerByteCount) / (MemoryLayout<UInt64>.size * 2)

  package let checksum: UInt32
  package let isLeaf: Bool
  package let entryCount: Int
  private let valuesByteOffset: Int
  private let valueByteCount: Int

  /// Checks the header of the node in `bytes`, which were read from `block`.
  ///
  /// - `leafValueByteCount`: the size in bytes of each value in the tree's leaves.
  /// - Throws: `MetadataFault`, which names the invalid field and the expected value.
  package init(
    _ bytes: RawSpan, at block: MetadataBlock, leafValueByteCount: Int
  ) throws(MetadataFault) {
    try BlockKind.btreeNode.check(bytes, of: block)
    checksum = bytes.littleEndian(at: 0, as: UInt32.self)
    let own = bytes.littleEndian(at: 8, as: UInt64.self)
    guard own == block.rawValue else {
      throw .nodeMisplaced(block, says: own)
    }
    let flags = bytes.littleEndian(at: 4, as: UInt32.self)
    guard flags == 1 || flags == 2 else {
      throw .nodeFlags(block, flags)
    }
    isLeaf = flags == 2
    // The value size is checked before it is used in a multiplication.
    let expected = flags == 2 ? leafValueByteCount : MemoryLayout<UInt64>.size
    let valueByteCount = bytes.littleEndian(at: 24, as: UInt32.self)
    guard valueByteCount == expected else {
      throw .nodeValueSize(block, valueByteCount, expected: expected)
    }
    let fitting = (BlockKind.blockByteCount - Self.headerByteCount) / (8 + expected)
    let entryCountMax = bytes.littleEndian(at: 20, as: UInt32.self)
    guard entryCountMax >= 1, entryCountMax <= fitting else {
      throw .nodeRoom(block, entryCountMax, max: fitting)
    }
    let entryCount = bytes.littleEndian(at: 16, as: UInt32.self)
    guard entryCount <= entryCountMax else {
      throw .nodeEntryCount(block, entryCount, max: entryCountMax)
    }
    guard isLeaf || entryCount > 0 else {
      throw .nodeEmpty(block)
    }
    self.entryCount = Int(entryCount)
    self.valueByteCount = expected
    valuesByteOffset = Self.headerByteCount + 8 * Int(entryCountMax)
  }

  /// Returns the key at `index`.
  ///
  /// - Precondition: For this and all other accessors, `index` is less than `entryCount` and
  ///   `bytes` belong to the node.
  @inline(__always)
  package func key(_ index: Int, in bytes: RawSpan) -> UInt64 {
    bytes.littleEndian(at: Self.headerByteCount &+ 8 &* index, as: UInt64.self)
  }

  /// Returns all keys of the node in `bytes`, which must be aligned to 8 bytes in memory.
  @_lifetime(copy bytes)
  func keys(in bytes: RawSpan) -> Span<UInt64> {
    bytes.littleEndianNumbers(at: Self.headerByteCount, count: entryCount)
  }

  /// Returns all values of the node in `bytes`, which must be aligned to 8 bytes in memory.
  ///
  /// - Precondition: Each value is 8 bytes long.
  @_lifetime(copy bytes)
  func values(in bytes: RawSpan) -> Span<UInt64> {
    precondition(valueByteCount == MemoryLayout<UInt64>.size)
    return bytes.littleEndianNumbers(at: valuesByteOffset, count: entryCount)
  }

  /// Returns the range of the node's bytes that a key occupies.
  package func keyBytes(_ index: Int) -> Range<Int> {
    let start = Self.headerByteCount + 8 * index
    return start..<start + 8
  }

  /// Returns the first 8 bytes of the value at `index`.
  @inline(__always)
  package func value(_ index: Int, in bytes: RawSpan) -> UInt64 {
    bytes.littleEndian(at: valueByteOffset(index), as: UInt64.self)
  }

  @inline(__always)
  package func valueByteOffset(_ index: Int) -> Int { valuesByteOffset &+ valueByteCount &* index }

  /// Checks that the keys are in strictly ascending order and within the range that the parent
  /// allows.
  ///
  /// A parent's key may be lower than the child's first key, because deleting an entry does not
  /// raise the parent's key.
  package func checkKeys(
    in bytes: RawSpan, of block: MetadataBlock, within range: ClosedRange<UInt64>
  ) throws(MetadataFault) {
    guard entryCount > 0 else { return }
    var previous = key(0, in: bytes)
    guard previous >= range.lowerBound else {
      throw .keyBelow(block, previous, min: range.lowerBound)
    }
    for index in 1..<max(1, entryCount) {
      let key = key(index, in: bytes)
      guard key > previous else {
        throw .keysNotRising(block, key, after: previous)
      }
      previous = key
    }
    guard previous <= range.upperBound else {
      throw .keyAbove(block, previous, max: range.upperBound)
    }
  }
}
