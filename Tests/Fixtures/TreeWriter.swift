/// The positions of the nodes of one B-tree.
package struct TreeShape: Sendable, Equatable {
  /// Block numbers by level, from the root to the leaves, each level in key order.
  package let levels: [[Int]]

  package var root: Int { levels[0][0] }
  package var leaves: [Int] { levels[depth - 1] }
  package var depth: Int { levels.count }
  package var blocks: [Int] { levels.flatMap { $0 } }
}

/// Allocates metadata blocks in a given order.
struct BlockAllocator {
  private let order: [Int]
  private(set) var taken: [Int] = []

  init(order: [Int]) { self.order = order }

  mutating func next() -> Int {
    precondition(taken.count < order.count, "the builder's metadata device is too small")
    let block = order[taken.count]
    taken.append(block)
    return block
  }
}

/// Writes B-trees bottom up, with a chosen number of entries per node.
struct TreeWriter {
  var leafEntryCount: Int
  var internalEntryCount: Int
  /// The number of single-entry nodes above the root.
  var extraRootLevelCount = 0

  /// Returns the largest number of entries in a node: a multiple of three, as in the kernel.
  static func entryCountMax(valueByteCount: Int) -> Int {
    (MetadataImage.blockByteCount - 32) / (8 + valueByteCount) / 3 * 3
  }

  /// Returns the number of nodes in a tree of `entryCount` entries.
  func nodeCount(entryCount: Int, valueByteCount: Int) -> Int {
    levelNodeCounts(entryCount: entryCount, valueByteCount: valueByteCount).reduce(0, +)
  }

  /// Returns the number of nodes in each level, leaves first.
  private func levelNodeCounts(entryCount: Int, valueByteCount: Int) -> [Int] {
    let leafMax = min(leafEntryCount, Self.entryCountMax(valueByteCount: valueByteCount))
    let internalMax = min(internalEntryCount, Self.entryCountMax(valueByteCount: 8))
    var counts = [max(1, (entryCount + leafMax - 1) / leafMax)]
    while let count = counts.last, count > 1 {
      precondition(internalMax > 1, "a tree of many leaves needs internal nodes of many entries")
      counts.append((count + internalMax - 1) / internalMax)
    }
    return counts + [Int](repeating: 1, count: extraRootLevelCount)
  }

  /// Writes a tree whose values take `valueWordCount` words each.
  func write(
    keys: [UInt64], values: [UInt64], valueWordCount: Int = 1,
    into image: inout MetadataImage, allocating blocks: inout BlockAllocator
  ) -> TreeShape {
    let valueByteCount = valueWordCount * 8
    let counts = levelNodeCounts(entryCount: keys.count, valueByteCount: valueByteCount)
    let leafMax = min(leafEntryCount, Self.entryCountMax(valueByteCount: valueByteCount))
    let internalMax = min(internalEntryCount, Self.entryCountMax(valueByteCount: 8))
    let topDown = counts.reversed().map { count in (0..<count).map { _ in blocks.next() } }
    let levels = Array(topDown.reversed())

    var firstKeys: [UInt64] = []
    for (index, block) in levels[0].enumerated() {
      let range = (index * leafMax)..<min((index + 1) * leafMax, keys.count)
      firstKeys.append(range.isEmpty ? 0 : keys[range.lowerBound])
      writeNode(
        at: block, flags: NodeEditor.leafFlag, keys: keys[range],
        values: values[(range.lowerBound * valueWordCount)..<(range.upperBound * valueWordCount)],
        valueWordCount: valueWordCount, into: &image)
    }
    for level in 1..<max(1, levels.count) {
      let children = levels[level - 1].map { UInt64($0) }
      var levelFirstKeys: [UInt64] = []
      for (index, block) in levels[level].enumerated() {
        let range = (index * internalMax)..<min((index + 1) * internalMax, children.count)
        levelFirstKeys.append(firstKeys[range.lowerBound])
        writeNode(
          at: block, flags: NodeEditor.internalFlag, keys: firstKeys[range],
          values: children[range], valueWordCount: 1, into: &image)
      }
      firstKeys = levelFirstKeys
    }
    return TreeShape(levels: topDown)
  }

  private func writeNode(
    at block: Int, flags: UInt32, keys: ArraySlice<UInt64>, values: ArraySlice<UInt64>,
    valueWordCount: Int, into image: inout MetadataImage
  ) {
    let entryCountMax = Self.entryCountMax(valueByteCount: valueWordCount * 8)
    let start = block * MetadataImage.wordsPerBlock
    image.words[start] = UInt64(flags) << 32
    image.words[start + 1] = UInt64(block)
    image.words[start + 2] = UInt64(entryCountMax) << 32 | UInt64(keys.count)
    image.words[start + 3] = UInt64(valueWordCount * 8)
    let firstKey = start + 4
    image.words.replaceSubrange(firstKey..<(firstKey + keys.count), with: keys)
    let firstValue = firstKey + entryCountMax
    image.words.replaceSubrange(firstValue..<(firstValue + values.count), with: values)
    image.seal(block, as: .node)
  }
}
