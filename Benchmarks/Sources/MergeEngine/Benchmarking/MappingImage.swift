/// The mapping tree of one device, as metadata in memory: three levels, the leaves full.
package struct MappingImage: Sendable {
  /// How the mappings of neighbouring thin blocks lie.
  package enum Order: String, CaseIterable, Sendable {
    /// Every second thin block is mapped, to data blocks in no order: no two make a run.
    case shuffled
    /// Thin blocks and data blocks rise together: all of it is one run.
    case contiguous
  }

  package let leafCount: Int
  package let tree: MappingTree
  package private(set) var bytes: [UInt8] = []
  private static let entryCountMax = BtreeNode.childCountMax / 3 * 3

  /// Precondition: there are at most as many leaves as a tree of three levels has.
  package init(_ order: Order, leafCount: Int, seed: UInt64) {
    precondition((1...Self.entryCountMax * Self.entryCountMax).contains(leafCount))
    self.leafCount = leafCount
    let mappingCount = UInt64(leafCount * Self.entryCountMax)
    let permutation = Permutation(count: mappingCount, seed: seed)
    var blocks = [BlockCopy()]
    // The children of the next level, by their first keys.
    var level: [(key: UInt64, value: UInt64)] = []
    for first in stride(from: 0, to: mappingCount, by: Self.entryCountMax) {
      let entries = (first..<first + UInt64(Self.entryCountMax)).map { number in
        order == .shuffled
          ? (key: 2 * number, value: permutation(number) << 24) : (number, number << 24)
      }
      level.append((entries[0].key, UInt64(blocks.count)))
      blocks.append(Self.node(entries, isLeaf: true, at: blocks.count))
    }
    while level.count > 1 {
      var above: [(key: UInt64, value: UInt64)] = []
      for first in stride(from: 0, to: level.count, by: Self.entryCountMax) {
        let entries = Array(level[first..<min(first + Self.entryCountMax, level.count)])
        above.append((entries[0].key, UInt64(blocks.count)))
        blocks.append(Self.node(entries, isLeaf: false, at: blocks.count))
      }
      level = above
    }
    tree = MappingTree(
      path: "memory", root: MetadataBlock(level[0].value),
      bounds: MetadataBounds(blockCount: UInt64(blocks.count), heldRoot: nil),
      dataBlockCount: mappingCount, dataBlockByteCount: 64 << 10)
    bytes = blocks.flatMap(\.bytes)
  }

  private static func node(
    _ entries: [(key: UInt64, value: UInt64)], isLeaf: Bool, at block: Int
  ) -> BlockCopy {
    var node = BlockCopy()
    node[0] = (isLeaf ? 2 : 1) << 32
    node[8] = UInt64(block)
    node[16] = UInt64(entryCountMax) << 32 | UInt64(entries.count)
    node[24] = 8
    for (index, entry) in entries.enumerated() {
      node[BtreeNode.headerByteCount + 8 * index] = entry.key
      node[BtreeNode.headerByteCount + 8 * (entryCountMax + index)] = entry.value
    }
    node.seal(as: .btreeNode)
    return node
  }
}
