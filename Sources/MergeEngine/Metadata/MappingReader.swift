/// Mappings that are consecutive on the thin device and on the data device.
package struct MappingRun: Equatable, Sendable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
  package var blockCount: UInt64

  package init(thinBlock: ThinBlock, dataBlock: DataBlock, blockCount: UInt64) {
    self.thinBlock = thinBlock
    self.dataBlock = dataBlock
    self.blockCount = blockCount
  }
}

/// Runs in a buffer that is filled again and again.
package struct RunBatch: ~Copyable {
  package private(set) var runs: [MappingRun] = []

  package init() { runs.reserveCapacity(BtreeNode.childCountMax + 1) }

  package mutating func removeAll() { runs.removeAll(keepingCapacity: true) }

  @inline(__always)
  package mutating func append(_ run: MappingRun) { runs.append(run) }
}

/// Streams the maximal runs of one device's mapping tree, checked, in constant memory.
///
/// A value of the tree is a data block in its upper 40 bits and a time in the lower 24
/// (dm-thin-metadata.c, pack_block_time).
package struct MappingReader<IO: BlockIO & ~Copyable>: ~Copyable {
  package private(set) var mappedBlockCount: UInt64 = 0
  private var io: IO
  private var walker: TreeWalker
  private var ledger: NodeLedger
  /// Data blocks met so far; only in the first pass: later passes see the same leaves.
  private var usedDataBlocks: PagedBitmap?
  private var pending: MappingRun?
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
    usedDataBlocks = consume bitmap
  }

  /// Begins a later pass at `first`; every node must be as the first pass saw it.
  package mutating func restart(from first: ThinBlock) throws(MergeError) {
    walker.drain(&io)
    ledger.beginComparing()
    usedDataBlocks = nil
    pending = nil
    mappedBlockCount = 0
    do throws(MetadataFault) {
      walker = try TreeWalker(
        root: tree.root, bounds: tree.bounds, leafValueByteCount: MappingTree.valueByteCount,
        firstKey: first.rawValue)
    } catch {
      throw error.refusal(path: tree.path)
    }
  }

  /// Replaces the batch's content by the next runs; false behind the last.
  ///
  /// The batch may stay empty although more follows: a run goes on over many leaves.
  package mutating func next(_ batch: inout RunBatch) throws(MergeError) -> Bool {
    batch.removeAll()
    do throws(MetadataFault) {
      let found = try walker.nextLeaf(&io, &ledger) {
        (node, bytes, block, keys) throws(MetadataFault) in
        try node.checkKeys(in: bytes, of: block, within: keys)
        try tree.checkEnd(of: node, bytes, block)
        mappedBlockCount += UInt64(node.entryCount)
        var run = pending
        for index in 0..<node.entryCount {
          let key = node.key(index, in: bytes)
          let dataBlock = node.value(index, in: bytes) >> 24
          guard dataBlock < tree.dataBlockCount else {
            throw MetadataFault(
              block,
              "thin block \(key) is mapped to data block \(dataBlock); at most "
                + "\(tree.dataBlockCount - 1) is expected")
          }
          guard usedDataBlocks?.insert(dataBlock) ?? true else {
            throw MetadataFault(
              block,
              "data block \(dataBlock) is mapped twice, the second time by thin block \(key); once "
                + "is expected within a device")
          }
          if let open = run, key == open.thinBlock.rawValue + open.blockCount,
            dataBlock == open.dataBlock.rawValue + open.blockCount
          {
            run?.blockCount += 1
          } else {
            if let complete = run { batch.append(complete) }
            run = MappingRun(
              thinBlock: ThinBlock(key), dataBlock: DataBlock(dataBlock), blockCount: 1)
          }
        }
        pending = run
      }
      if found { return true }
    } catch {
      throw error.refusal(path: tree.path)
    }
    guard let last = pending else { return false }
    batch.append(last)
    pending = nil
    return true
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
