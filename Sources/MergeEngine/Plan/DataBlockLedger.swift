/// Which data blocks a device maps, so that none is merged twice.
///
/// One bit for each data block, taken as touched.
package struct DataBlockLedger: ~Copyable {
  /// Runs that lie so far ahead are being fetched: their bits lie all over memory, and the processor must
  /// have many of them under way.
  private static let runsAhead = 32

  private var seen: PagedBitmap

  package init(dataBlockCount: UInt64) throws(MergeError) {
    seen = try PagedBitmap(bitCount: dataBlockCount)
  }

  /// Precondition: the runs' data blocks are below the data block count.
  /// - Throws: `MappedTwice` for the first that was entered before.
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
