/// Mappings that are consecutive on the thin device and on the data device.
///
/// Three numbers in a row, as fingerprints take them: checksumming runs where they lie costs no copy.
package struct MappingRun: Equatable, Sendable, BitwiseCopyable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
  package var blockCount: UInt64

  /// 24 bytes for each run: thin block, data block, block count.
  @_lifetime(copy runs)
  package static func littleEndianBytes(of runs: Span<MappingRun>) -> RawSpan {
    #if _endian(big)
      #error("the numbers of a run must be turned round for its fingerprint")
    #endif
    precondition(MemoryLayout<MappingRun>.stride == 24)
    return RawSpan(_elements: runs)
  }

  package init(thinBlock: ThinBlock, dataBlock: DataBlock, blockCount: UInt64) {
    self.thinBlock = thinBlock
    self.dataBlock = dataBlock
    self.blockCount = blockCount
  }
}

/// The runs of some leaves, and one that the leaves before began, in a buffer that is filled again and
/// again.
package struct RunBatch: ~Copyable {
  let leafCountMax: Int
  private var storage: FixedArray<MappingRun>
  private var count = 0

  package init(leafCount: Int = 1) {
    leafCountMax = leafCount
    storage = FixedArray(
      repeating: MappingRun(thinBlock: ThinBlock(0), dataBlock: DataBlock(0), blockCount: 0),
      count: leafCount * BtreeNode.childCountMax + 1)
  }

  @_lifetime(borrow self)
  package borrowing func runs() -> Span<MappingRun> { storage.first(count) }

  package mutating func removeAll() { count = 0 }

  /// Precondition: there are fewer than so many leaves have entries, and one.
  @inline(__always)
  package mutating func append(_ run: MappingRun) {
    storage[count] = run
    count &+= 1
  }
}

/// Streams the maximal runs of one device's mapping tree, checked, in constant memory.
package struct MappingReader<IO: BlockIO & ~Copyable>: ~Copyable {
  package private(set) var mappedBlockCount: UInt64 = 0
  private var io: IO
  private var walker: TreeWalker
  private var ledger: NodeLedger
  /// Data blocks met so far; filled in the first pass only: later passes see the same leaves.
  private var usedDataBlocks: PagedBitmap
  private var isFirstPass = true
  /// The run that the next mapping may continue; without blocks if there is none.
  private var pending = MappingRun(thinBlock: ThinBlock(0), dataBlock: DataBlock(0), blockCount: 0)
  private let tree: MappingTree

  /// Reads the tree for the first time, as a whole.
  package init(
    _ tree: MappingTree, io: consuming IO, ledger: consuming NodeLedger
  ) throws(MergeError) {
    let bitmap = try PagedBitmap(bitCount: tree.dataBlockCount)
    let walker: TreeWalker
    do throws(MetadataFault) {
      walker = try TreeWalker(
        root: tree.root, bounds: tree.bounds, leafValueByteCount: MappingTree.valueByteCount)
    } catch {
      throw error.refusal(path: tree.path)
    }
    self.walker = walker
    self.io = io
    self.ledger = ledger
    self.tree = tree
    usedDataBlocks = bitmap
  }

  /// Begins a later pass at `first`; every node must be as the first pass saw it.
  package mutating func restart(from first: ThinBlock) throws(MergeError) {
    walker.drain(&io)
    ledger.beginComparing()
    isFirstPass = false
    pending.blockCount = 0
    mappedBlockCount = 0
    do throws(MetadataFault) {
      walker = try TreeWalker(
        root: tree.root, bounds: tree.bounds, leafValueByteCount: MappingTree.valueByteCount,
        firstKey: first.rawValue)
    } catch {
      throw error.refusal(path: tree.path)
    }
  }

  /// Replaces the batch's content by the runs of as many leaves as it is for; false behind the last.
  ///
  /// The batch may stay empty although more follows: a run goes on over many leaves.
  package mutating func next(_ batch: inout RunBatch) throws(MergeError) -> Bool {
    batch.removeAll()
    var leafCount = 0
    do throws(MetadataFault) {
      while leafCount < batch.leafCountMax, try nextLeaf(into: &batch) { leafCount += 1 }
    } catch {
      throw error.refusal(path: tree.path)
    }
    guard leafCount < batch.leafCountMax, pending.blockCount > 0 else { return leafCount > 0 }
    batch.append(pending)
    pending.blockCount = 0
    return true
  }

  private mutating func nextLeaf(into batch: inout RunBatch) throws(MetadataFault) -> Bool {
    try walker.nextLeaf(&io, &ledger) {
      (node, bytes, block, keys) throws(MetadataFault) in
      try node.checkKeys(in: bytes, of: block, within: keys)
      try tree.checkEnd(of: node, bytes, block)
      try tree.checkDataBlocks(
        of: node, bytes, block, entersNext: isFirstPass, into: usedDataBlocks)
      if isFirstPass { try tree.enterDataBlocks(of: node, bytes, block, into: &usedDataBlocks) }
      mappedBlockCount += UInt64(node.entryCount)
      var run = pending
      for index in 0..<node.entryCount {
        let key = node.key(index, in: bytes)
        let dataBlock = MappingTree.dataBlock(index, of: node, bytes)
        if key == run.thinBlock.rawValue &+ run.blockCount,
          dataBlock == run.dataBlock.rawValue &+ run.blockCount, run.blockCount > 0
        {
          run.blockCount &+= 1
        } else {
          if run.blockCount > 0 { batch.append(run) }
          run = MappingRun(
            thinBlock: ThinBlock(key), dataBlock: DataBlock(dataBlock), blockCount: 1)
        }
      }
      pending = run
    }
  }
}

/// One device's mapping tree, and what bounds it.
package struct MappingTree: Sendable {
  package static let valueByteCount = 8

  package var path: String
  package var root: MetadataBlock
  package var bounds: MetadataBounds
  package var dataBlockCount: UInt64
  package var dataBlockByteCount: UInt64

  /// A value is a data block in its upper 40 bits and a time in the lower 24 (dm-thin-metadata.c,
  /// pack_block_time).
  @inline(__always)
  static func dataBlock(_ index: Int, of leaf: BtreeNode, _ bytes: RawSpan) -> UInt64 {
    leaf.value(index, in: bytes) >> 24
  }

  /// `entersNext`: whether they are entered into `met` next, so that their bits are fetched meanwhile.
  /// - Throws: `MetadataFault` where a data block lies behind the data device.
  func checkDataBlocks(
    of node: BtreeNode, _ bytes: RawSpan, _ block: MetadataBlock, entersNext: Bool,
    into met: borrowing PagedBitmap
  ) throws(MetadataFault) {
    for index in 0..<node.entryCount {
      let dataBlock = Self.dataBlock(index, of: node, bytes)
      guard dataBlock < dataBlockCount else {
        throw MetadataFault(
          block,
          "thin block \(node.key(index, in: bytes)) is mapped to data block \(dataBlock); one below "
            + "\(dataBlockCount) is expected")
      }
      if entersNext { met.expect(dataBlock) }
    }
  }

  /// - Throws: `MetadataFault` where a data block was met before.
  ///
  /// A loop of its own, and a short one: the bits lie all over memory, and the processor must have many
  /// of them under way.
  func enterDataBlocks(
    of node: BtreeNode, _ bytes: RawSpan, _ block: MetadataBlock, into met: inout PagedBitmap
  ) throws(MetadataFault) {
    for index in 0..<node.entryCount {
      let dataBlock = Self.dataBlock(index, of: node, bytes)
      guard met.insert(dataBlock) else {
        throw MetadataFault(
          block,
          "data block \(dataBlock) is mapped twice, the second time by thin block "
            + "\(node.key(index, in: bytes)); once is expected within a device")
      }
    }
  }

  /// - Throws: `MetadataFault` where the leaf's last thin block ends past what 64 bits can tell.
  func checkEnd(
    of node: BtreeNode, _ bytes: RawSpan, _ block: MetadataBlock
  ) throws(MetadataFault) {
    guard node.entryCount > 0 else { return }
    let last = node.key(node.entryCount - 1, in: bytes)
    guard last < UInt64(Int64.max) / dataBlockByteCount else {
      throw MetadataFault(
        block, "thin block \(last) ends past the largest offset that a device can have")
    }
  }
}
