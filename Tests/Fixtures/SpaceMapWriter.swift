/// Writes the space maps of a pool, so that other tools also accept a built image.
struct SpaceMapWriter {
  static let entriesPerBitmap = 16_320
  /// The largest data device with a complete space map; a larger one gets a root with only its
  /// count.
  static let dataBlockCountMax = 4 << 20

  private static let treeWriter = TreeWriter(leafEntryCount: 168, internalEntryCount: 252)

  static func bitmapCount(_ blockCount: Int) -> Int {
    (blockCount + entriesPerBitmap - 1) / entriesPerBitmap
  }

  /// Returns the number of metadata blocks in a data space map.
  static func dataNodeCount(dataBlockCount: Int) -> Int {
    guard dataBlockCount <= dataBlockCountMax else { return 0 }
    let bitmaps = bitmapCount(dataBlockCount)
    return bitmaps + treeWriter.nodeCount(entryCount: bitmaps, valueByteCount: 16) + 1
  }

  /// Returns the number of metadata blocks in a metadata space map.
  static func metadataNodeCount(metadataBlockCount: Int) -> Int {
    bitmapCount(metadataBlockCount) + 2
  }

  /// Writes the map of the data device and returns the four words of its root.
  static func writeDataMap(
    counts: [UInt8], into image: inout MetadataImage, allocating blocks: inout BlockAllocator
  ) -> [UInt64] {
    let entries = writeBitmaps(counts: counts, into: &image, allocating: &blocks)
    let tree = treeWriter.write(
      keys: (0..<(entries.count / 2)).map { UInt64($0) }, values: entries, valueWordCount: 2,
      into: &image, allocating: &blocks)
    let countRoot = blocks.next()
    writeCountLeaf(counts: counts, at: countRoot, into: &image)
    return [
      UInt64(counts.count), UInt64(counts.count { $0 > 0 }), UInt64(tree.root), UInt64(countRoot),
    ]
  }

  /// Writes the map of the metadata device and returns the four words of its root.
  ///
  /// - Precondition: `counts` includes the blocks of this map, which are the next ones of `blocks`.
  static func writeMetadataMap(
    counts: [UInt8], into image: inout MetadataImage, allocating blocks: inout BlockAllocator
  ) -> [UInt64] {
    let entries = writeBitmaps(counts: counts, into: &image, allocating: &blocks)
    let index = blocks.next()
    let start = index * MetadataImage.wordsPerBlock
    image.words[start + 1] = UInt64(index)
    image.words.replaceSubrange((start + 2)..<(start + 2 + entries.count), with: entries)
    image.seal(index, as: .metadataIndex)
    let countRoot = blocks.next()
    writeCountLeaf(counts: counts, at: countRoot, into: &image)
    return [
      UInt64(counts.count), UInt64(counts.count { $0 > 0 }), UInt64(index), UInt64(countRoot),
    ]
  }

  /// Writes the bitmaps and returns two words for each: its block, then first free and free
  /// entries.
  private static func writeBitmaps(
    counts: [UInt8], into image: inout MetadataImage, allocating blocks: inout BlockAllocator
  ) -> [UInt64] {
    var entries: [UInt64] = []
    for bitmap in 0..<bitmapCount(counts.count) {
      let first = bitmap * entriesPerBitmap
      let block = blocks.next()
      let start = block * MetadataImage.wordsPerBlock
      image.words[start + 1] = UInt64(block)
      var freeCount = 0
      var firstFree: Int?
      for index in 0..<min(entriesPerBitmap, counts.count - first) {
        let count = counts[first + index]
        guard count > 0 else {
          freeCount += 1
          firstFree = firstFree ?? index
          continue
        }
        // The two bits of an entry are stored with the high bit first.
        let bits: UInt64 = count == 1 ? 2 : count == 2 ? 1 : 3
        image.words[start + 2 + index / 32] |= bits << UInt64(2 * (index % 32))
      }
      image.seal(block, as: .bitmap)
      entries.append(UInt64(block))
      entries.append(UInt64(firstFree ?? 0) << 32 | UInt64(freeCount))
    }
    return entries
  }

  /// Writes the tree of the counts too large for a bitmap entry: one leaf.
  private static func writeCountLeaf(
    counts: [UInt8], at block: Int, into image: inout MetadataImage
  ) {
    var node = NodeEditor()
    node.flags = NodeEditor.leafFlag
    node.blockNumber = UInt64(block)
    node.entryCountMax = UInt32(TreeWriter.entryCountMax(valueByteCount: 4))
    node.valueByteCount = 4
    for (index, count) in counts.enumerated() where count >= 3 {
      node.setKey(Int(node.entryCount), to: UInt64(index))
      node.block.set(UInt32(count), at: node.valueByteOffset(Int(node.entryCount)))
      node.entryCount += 1
    }
    image[block] = node.block
    image.seal(block, as: .node)
  }
}
