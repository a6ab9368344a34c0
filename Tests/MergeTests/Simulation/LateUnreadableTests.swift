import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: source bytes that become unreadable after they were merged")
struct LateUnreadableTests {
  @Test(
    "a merge stays unfinished if the re-check cannot read some sectors, and a resume counts them once"
  )
  func metByTheRecheck() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0xC000)
    for round in 1...24 {
      let merge = InterruptedMergeTests.merge(SimulatedMerge.transfer(using: &generator))
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      let planned = merge.plannedRanges.byteCount
      try harness.expectMerged(try harness.run(), comment)

      var expected = RangeSet()
      for _ in 0..<(round % 3 + 1) {
        // Each mapped block is merged as a whole, except the end of the last one.
        let start = UInt64(Int.random(in: 0..<9 * 128, using: &generator) * 512)
        let bad = ByteRange(start: start, end: start + 512)
        guard let range = merge.originRange(ofData: bad) else { continue }
        harness.disk.faults.addBadRange(.read, .data, bad)
        expected.insert(ByteRange(start: range.start, end: range.start + 512))
      }
      for ending in ["first", "again"] {
        let second = try harness.run()
        try expectNoBug(second, harness, "\(ending): \(comment)")
        try #require(second.end == .finished, "\(ending): \(comment)")
        #expect(second.state.isFinished == expected.isEmpty, "\(ending): \(comment)")
        #expect(
          second.state.doneByteCount >= planned - expected.byteCount
            && second.state.doneByteCount <= planned, "\(ending): \(comment)")
      }

      harness.disk.faults = DiskFaults()
      for run in ["first resume", "second resume"] {
        let result = try harness.run()
        try expectNoBug(result, harness, "\(run): \(comment)")
        try harness.expectMerged(
          result, "\(run): \(harness.wrongPlace() ?? ""): \(comment)")
        #expect(result.state.doneByteCount == planned, "\(run): \(comment)")
      }
    }
  }

  @Test("a range that the re-check can read but the retry cannot is left for the next run")
  func readByTheRecheckOnly() throws {
    let seed = Seed.current
    for round in 1...8 {
      let merge = InterruptedMergeTests.merge(SilentFaultTests.transfer)
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(round))
      let comment: Comment = "round \(round); \(seed)"
      try harness.expectMerged(try harness.run(), comment)
      let bad = ByteRange(start: 4 * 65_536 + 512, end: 4 * 65_536 + 1024)
      harness.disk.faults.addBadRange(.read, .data, bad)
      try #require(try harness.run().unreadable.byteCount == 512, comment)

      // The retry reads first: the whole transfer, then the range alone.
      harness.disk.faults = DiskFaults()
      harness.disk.faults.failingUpTo[DiskFaults.Class(.read, .data)] = 2
      let third = try harness.run()
      try expectNoBug(third, harness, comment)
      try #require(third.unreadable.byteCount == 512, comment)
      #expect(third.state.unreadable == third.unreadable, comment)
      #expect(third.state.doneByteCount == merge.plannedRanges.byteCount - 512, comment)

      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  private func expectNoBug(
    _ result: MergeHarness.RunResult, _ harness: MergeHarness, _ comment: Comment,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try harness.expectNoViolation(comment, sourceLocation: sourceLocation)
    #expect(result.end.error?.kind != .bug, comment, sourceLocation: sourceLocation)
  }
}
