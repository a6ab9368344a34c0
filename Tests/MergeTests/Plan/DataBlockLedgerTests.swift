import Fixtures
import Testing

@testable import MergeEngine

@Suite("Metadata: data blocks mapped twice within one thin device")
struct DataBlockLedgerTests {
  @Test("the first data block mapped twice is found no matter where two runs overlap")
  func overlaps() throws {
    let seed = Seed.current
    var generator = seed.generator
    var foundCount = 0
    for _ in 0..<2000 {
      let areShort = generator.chance(oneIn: 4)
      let dataBlockCount = UInt64.random(in: 1...(areShort ? 70_000 : 700), using: &generator)
      let runs = Self.runs(below: dataBlockCount, areShort: areShort, using: &generator)
      let expected = Self.firstMappedTwice(runs)
      var ledger = try DataBlockLedger(dataBlockCount: dataBlockCount)
      let found: MappedTwice?
      do throws(MappedTwice) {
        // The ledger remembers the first batch, so overlaps between the two batches are found too.
        try ledger.enter(runs.span.extracting(first: runs.count / 2))
        try ledger.enter(runs.span.extracting(droppingFirst: runs.count / 2))
        found = nil
      } catch {
        found = error
      }
      #expect(found == expected, "\(runs); \(seed)")
      if found != nil { foundCount += 1 }
    }
    #expect((200...1800).contains(foundCount), "the sample has to have both; \(seed)")
  }

  /// Returns either up to 100 runs of one block each, or up to 6 runs of any length.
  ///
  /// Many runs begin at a multiple of 64 blocks, where a 64-bit word of the ledger's bitmap begins.
  private static func runs(
    below dataBlockCount: UInt64, areShort: Bool, using generator: inout SeededGenerator
  ) -> [MappingRun] {
    var thinBlock: UInt64 = 0
    return (0..<Int.random(in: 0...(areShort ? 100 : 6), using: &generator)).map { _ in
      var first = UInt64.random(in: 0..<dataBlockCount, using: &generator)
      if Bool.random(using: &generator) { first &= ~63 }
      let room = dataBlockCount - first
      let blockCount =
        areShort
        ? 1
        : [1, 1, min(64, room), .random(in: 1...room, using: &generator)]
          .randomElement(using: &generator)
      defer { thinBlock += 1000 }
      return MappingRun(
        thinBlock: ThinBlock(thinBlock), dataBlock: DataBlock(first), blockCount: blockCount ?? 1)
    }
  }

  private static func firstMappedTwice(_ runs: [MappingRun]) -> MappedTwice? {
    var met: Set<UInt64> = []
    for run in runs {
      for step in 0..<run.blockCount where !met.insert(run.dataBlock.rawValue + step).inserted {
        return MappedTwice(
          thinBlock: ThinBlock(run.thinBlock.rawValue + step),
          dataBlock: DataBlock(run.dataBlock.rawValue + step))
      }
    }
    return nil
  }
}
