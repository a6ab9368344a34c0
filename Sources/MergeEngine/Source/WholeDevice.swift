/// A source that reads one device's whole mapping tree in constant memory, checks it, and yields
/// its runs.
package struct WholeDevice<IO: BlockIO & ~Copyable>: RunSource, ~Copyable {
  package private(set) var mappedBlockCount: UInt64 = 0
  private var io: IO
  private var walker: TreeWalker
  private var ledger: NodeLedger
  /// The run that the next mapping may continue; its block count is 0 if there is none.
  private var pending = MappingRun(thinBlock: ThinBlock(0), dataBlock: DataBlock(0), blockCount: 0)
  private let tree: MappingTree
  private let dataBlockCountThere: UInt64

  /// Starts the first pass over the whole tree.
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
    dataBlockCountThere = tree.dataBlockCountThere
  }

  // In this pass, every node must match what the first pass read.
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

  // A run may span many leaves, so a call may append none.
  package mutating func next(
    _ batch: inout RunBatch, atMost leafCountMax: Int
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
      // The batch may contain runs of the last leaf that were not checked.
      batch.removeAll()
      throw error.refusal(path: tree.path)
    }
    return true
  }

  /// Returns the error for a data block that is mapped twice, after rereading the tree to find
  /// which leaf contains the second mapping.
  ///
  /// After this call, no more runs can be read until `restart(from:)` is called.
  package mutating func refusal(_ mapping: MappedTwice) -> MergeError {
    var fault = MetadataFault.mappedTwice(mapping.dataBlock, by: mapping.thinBlock)
    do throws(MergeError) {
      try restart(from: mapping.thinBlock)
    } catch {
      return error
    }
    do throws(MetadataFault) {
      _ = try walker.nextLeaf(&io, &ledger) { (_, _, block, _) in fault.block = block }
    } catch {
      // The tree has changed or can no longer be read, which is more useful to report.
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
      try leaf.checkDataBlocks(largest: largest, there: dataBlockCountThere, in: tree)
      mappedBlockCount += UInt64(node.entryCount)
    }
  }
}
