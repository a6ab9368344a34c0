/// The header of a btree node, checked; the entries are read from the node's bytes with it.
///
/// | offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | checksum |
/// | 4 | 4 | flags: 1 internal, 2 leaf |
/// | 8 | 8 | own block number |
/// | 16 | 4 | entries |
/// | 20 | 4 | entries that fit |
/// | 24 | 4 | bytes of a value |
/// | 32 | 8 each | keys, as many as fit |
/// | behind | … | values, as many as fit |
///
/// Little endian; dm-btree-internal.h. Entries behind the last may hold anything.
package struct BtreeNode {
  package static let headerByteCount = 32
  /// Children that an internal node can have: keys and values of 8 bytes each.
  package static let childCountMax =
    (BlockKind.blockByteCount - headerByteCount) / (MemoryLayout<UInt64>.size * 2)

  package let checksum: UInt32
  package let isLeaf: Bool
  package let entryCount: Int
  private let valuesByteOffset: Int
  private let valueByteCount: Int

  /// Checks the node in `bytes`, which came from `block`.
  ///
  /// `leafValueByteCount`: what the values of the tree's leaves have.
  /// - Throws: `MetadataFault` naming the field and what was expected.
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
    // The value size is known before anything is multiplied with it.
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

  /// Precondition for both: `index` is below `entryCount` and `bytes` are those of the node.
  @inline(__always)
  package func key(_ index: Int, in bytes: RawSpan) -> UInt64 {
    bytes.littleEndian(at: Self.headerByteCount &+ 8 &* index, as: UInt64.self)
  }

  /// All keys of the node in `bytes`, which begins at a multiple of 8 in memory.
  @_lifetime(copy bytes)
  func keys(in bytes: RawSpan) -> Span<UInt64> {
    bytes.littleEndianNumbers(at: Self.headerByteCount, count: entryCount)
  }

  /// All values, as ``keys(in:)``.
  ///
  /// Precondition: a value has 8 bytes.
  @_lifetime(copy bytes)
  func values(in bytes: RawSpan) -> Span<UInt64> {
    precondition(valueByteCount == MemoryLayout<UInt64>.size)
    return bytes.littleEndianNumbers(at: valuesByteOffset, count: entryCount)
  }

  /// Where a key lies in the node's bytes.
  package func keyBytes(_ index: Int) -> Range<Int> {
    let start = Self.headerByteCount + 8 * index
    return start..<start + 8
  }

  /// The first 8 bytes of a value.
  @inline(__always)
  package func value(_ index: Int, in bytes: RawSpan) -> UInt64 {
    bytes.littleEndian(at: valueByteOffset(index), as: UInt64.self)
  }

  @inline(__always)
  package func valueByteOffset(_ index: Int) -> Int { valuesByteOffset &+ valueByteCount &* index }

  /// Checks that the keys rise strictly and lie in what the parent hands down.
  ///
  /// A parent's key may be lower than the child's first: deleting does not raise it.
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
