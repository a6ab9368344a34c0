/// The data blocks that a device maps, recorded so that none is merged twice.
///
/// The ledger has one bit per data block; memory is allocated when it is first touched.
package struct DataBlockLedger: ~Copyable {
  /// The prefetch distance in runs, which is large because the runs' bits are scattered across
  /// memory and the processor needs many fetches in flight.
  private static let runsAhead = 32

  private var seen: PagedBitmap

  package init(dataBlockCount: UInt64) throws(MergeError) {
    seen = try PagedBitmap(bitCount: dataBlockCount)
  }

  /// Records the data blocks of runs.
  ///
  /// - Precondition: The numbers of all data blocks in `runs` are less than the data block count.
  /// - Throws: `MappedTwice` for the first data block that was already recorded.
  package mutating func enter(_ runs: Span<MappingRun>) throws(MappedTwice) {
    for index in runs.indices {
      if index + Self.runsAhead < runs.count {
        seen.expect(runs[index + Self.runsAhead].dataBlock.rawValue)
      }
      let run = runs[index]
      guard let again = seen.insert(run.dataBlock.rawValue, count: run.blockCount) else { continue }
      throw MappedTwice(
        thinBlock: ThinBlock(run.thinBlock.rawValue + (again - run.dataBlock.rawValue)),
        dataBlock: DataBlock(again))
    }
  }
}
