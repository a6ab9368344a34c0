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
  private let leafCountMax: Int
  private var leafCount = 0
  private var storage: FixedArray<MappingRun>

  package init(leafCount: Int = 1) {
    leafCountMax = leafCount
    storage = FixedArray(capacity: leafCount * BtreeNode.childCountMax + 1)
  }

  package var runs: Span<MappingRun> {
    @_lifetime(borrow self)
    borrowing get { storage.span }
  }

  /// Whether it has the runs of as many leaves as it is for.
  var isFull: Bool { leafCount == leafCountMax }

  package mutating func removeAll() {
    storage.removeAll()
    leafCount = 0
  }

  /// Precondition: there are fewer than so many leaves have entries, and one.
  package mutating func append(_ run: MappingRun) { storage.append(run) }

  /// Appends the runs of a leaf, but for its last one, which is left `pending`; that of the leaves before may
  /// go on in this one.
  ///
  /// Precondition: the batch is not full.
  /// - Returns: The largest data block, which is found in the same loop and is to be checked.
  fileprivate mutating func append(
    _ leaf: MappingLeaf, after pending: inout MappingRun
  ) -> DataBlock {
    // Local, so that it stays in registers from mapping to mapping.
    var run = pending
    var largest = DataBlock(0)
    for index in leaf.indices {
      let thinBlock = leaf.thinBlock(index)
      let dataBlock = leaf.dataBlock(index)
      largest = max(largest, dataBlock)
      if thinBlock.rawValue == run.thinBlock.rawValue &+ run.blockCount,
        dataBlock.rawValue == run.dataBlock.rawValue &+ run.blockCount, run.blockCount > 0
      {
        run.blockCount &+= 1
      } else {
        if run.blockCount > 0 { storage.append(run) }
        run = MappingRun(thinBlock: thinBlock, dataBlock: dataBlock, blockCount: 1)
      }
    }
    pending = run
    leafCount += 1
    return largest
  }
}

/// Streams the maximal runs of one device's mapping tree, checked, in constant memory.
package struct MappingReader<IO: BlockIO & ~Copyable>: ~Copyable {
  package private(set) var mappedBlockCount: UInt64 = 0
  private var io: IO
  private var walker: TreeWalker
  private var ledger: NodeLedger
  /// The run that the next mapping may continue; without blocks if there is none.
  private var pending = MappingRun(thinBlock: ThinBlock(0), dataBlock: DataBlock(0), blockCount: 0)
  private let tree: MappingTree

  /// Begins to read the tree for the first time, as a whole.
  package init(
    _ tree: MappingTree, io: consuming IO, ledger: consuming NodeLedger
  ) throws(MergeError) {
    let walker: TreeWalker
    do throws(MetadataFault) {
      walker = try TreeWalker(
        root: tree.root, bounds: tree.bounds, leafValueByteCount: MappingLeaf.valueByteCount)
    } catch {
      throw error.refusal(path: tree.path)
    }
    self.walker = walker
    self.io = io
    self.ledger = ledger
    self.tree = tree
  }

  /// Begins a later pass at `first`; every node must be as the first pass saw it.
  package mutating func restart(from first: ThinBlock) throws(MergeError) {
    walker.drain(&io)
    ledger.beginComparing()
    pending.blockCount = 0
    mappedBlockCount = 0
    do throws(MetadataFault) {
      walker = try TreeWalker(
        root: tree.root, bounds: tree.bounds, leafValueByteCount: MappingLeaf.valueByteCount,
        firstKey: first.rawValue)
    } catch {
      throw error.refusal(path: tree.path)
    }
  }

  /// Appends the runs of the next leaves, as far as the batch has room; false behind the last.
  ///
  /// There may be none although more follows: a run goes on over many leaves. After a throw the batch is empty.
  ///
  /// Precondition: the batch is not full.
  package mutating func next(
    _ batch: inout RunBatch, atMost leafCountMax: Int = 1
  ) throws(MergeError) -> Bool {
    precondition(!batch.isFull)
    var leafCount = 0
    do throws(MetadataFault) {
      while leafCount < leafCountMax, !batch.isFull {
        guard try nextLeaf(into: &batch) else {
          guard pending.blockCount > 0 else { return leafCount > 0 }
          batch.append(pending)
          pending.blockCount = 0
          return true
        }
        leafCount += 1
      }
    } catch {
      // The last leaf's runs are in it, and were not checked.
      batch.removeAll()
      throw error.refusal(path: tree.path)
    }
    return true
  }

  /// Says which leaf has a mapping that must not be, for which that leaf is read again.
  ///
  /// Streaming goes on with `restart` only.
  package mutating func refusal(_ mapping: MappedTwice) -> MergeError {
    var fault = MetadataFault(
      nil,
      "data block \(mapping.dataBlock) is mapped twice, the second time by thin block "
        + "\(mapping.thinBlock); once is expected within a device")
    do throws(MergeError) {
      try restart(from: mapping.thinBlock)
    } catch {
      return error
    }
    do throws(MetadataFault) {
      _ = try walker.nextLeaf(&io, &ledger) { (_, _, block, _) in fault.block = block }
    } catch {
      // The tree is another one by now, or can no longer be read: that says more.
      fault = error
    }
    return fault.refusal(path: tree.path)
  }

  private mutating func nextLeaf(into batch: inout RunBatch) throws(MetadataFault) -> Bool {
    try walker.nextLeaf(&io, &ledger) {
      (node, bytes, block, keys) throws(MetadataFault) in
      try node.checkKeys(in: bytes, of: block, within: keys)
      let leaf = MappingLeaf(node, in: bytes, of: block)
      try leaf.checkEnd(dataBlockByteCount: tree.dataBlockByteCount)
      let largest = batch.append(leaf, after: &pending)
      try leaf.checkDataBlocks(largest: largest, count: tree.dataBlockCount)
      mappedBlockCount += UInt64(node.entryCount)
    }
  }
}

/// One device's mapping tree, and what bounds it.
package struct MappingTree: Sendable {
  package var path: String
  package var root: MetadataBlock
  package var bounds: MetadataBounds
  package var dataBlockCount: UInt64
  package var dataBlockByteCount: UInt64
}
