/// A run of mappings that are consecutive on both the thin device and the data device.
///
/// A run consists of three adjacent integers in the order in which the fingerprint takes them, so
/// runs are checksummed in place, without a copy.
package struct MappingRun: Equatable, Sendable, BitwiseCopyable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
  package var blockCount: UInt64

  /// Returns the bytes of the given runs in place, 24 per run: thin block, data block, block count.
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

/// A reusable buffer for the mapping runs of several leaves, plus one run that began in an earlier
/// leaf.
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

  /// True if the batch contains the runs of the maximum number of leaves.
  var isFull: Bool { leafCount == leafCountMax }

  package mutating func removeAll() {
    storage.removeAll()
    leafCount = 0
  }

  /// Appends a run.
  ///
  /// - Precondition: The batch is below capacity, which is one run per leaf entry, plus one pending
  ///   run.
  package mutating func append(_ run: MappingRun) { storage.append(run) }

  /// Appends the pending run of earlier leaves, extended if this leaf continues it, and the runs of
  /// this leaf, except for the last run, which becomes `pending`.
  ///
  /// - Precondition: The batch is not full.
  /// - Returns: The leaf's largest data block, for the caller to check; finding it here avoids a
  ///   second loop.
  mutating func append(
    _ leaf: MappingLeaf, after pending: inout MappingRun
  ) -> DataBlock {
    // A local copy can stay in registers throughout the loop.
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

/// A mapping whose data block an earlier mapping already refers to.
package struct MappedTwice: Error, Equatable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
}
