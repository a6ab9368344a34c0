/// Mappings that are consecutive on the thin device and on the data device.
///
/// A run is three adjacent numbers in the order of the fingerprint's input, so runs are checksummed
/// in place, without a copy.
package struct MappingRun: Equatable, Sendable, BitwiseCopyable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
  package var blockCount: UInt64

  /// Returns 24 bytes for each run: thin block, data block, block count.
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

/// The runs of some leaves, and one run that earlier leaves started, in a reused buffer.
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

  /// True if the batch has the runs of as many leaves as it has room for.
  var isFull: Bool { leafCount == leafCountMax }

  package mutating func removeAll() {
    storage.removeAll()
    leafCount = 0
  }

  /// Appends a run.
  ///
  /// - Precondition: The batch is below capacity: one run per entry of its leaves, plus the pending
  ///   run.
  package mutating func append(_ run: MappingRun) { storage.append(run) }

  /// Appends the runs of a leaf, except the last one, which becomes `pending`; the pending run of
  /// earlier leaves may continue in this leaf.
  ///
  /// - Precondition: The batch is not full.
  /// - Returns: The largest data block, found in the same loop, for the caller to check.
  mutating func append(
    _ leaf: MappingLeaf, after pending: inout MappingRun
  ) -> DataBlock {
    // A local copy stays in registers from mapping to mapping.
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

/// A mapping to a data block that an earlier mapping already has.
package struct MappedTwice: Error, Equatable {
  package var thinBlock: ThinBlock
  package var dataBlock: DataBlock
}
