import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: devices changed between two runs")
struct ChangesBetweenRunsTests {
  @Test(
    "a run merges the current bytes of a changed source into an origin that was restored in between"
  )
  func changed() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0xB000)
    for round in 1...24 {
      let merge = InterruptedMergeTests.merge(SimulatedMerge.transfer(using: &generator))
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      var options = MergeHarness.RunOptions()
      // Every third round changes the devices of a finished merge.
      if round % 3 != 0 { options.interruptedAtReap = .random(in: 5...60, using: &generator) }
      let first = try harness.run(options)
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      for _ in 0..<3 {
        harness.overwriteSource(block: .random(in: 0..<10, using: &generator))
        harness.restoreOrigin(sector: .random(in: 0..<14 * 128, using: &generator))
      }

      let second = try harness.run(.init(transfer: SimulatedMerge.transfer(using: &generator)))

      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(second, "\(harness.wrongPlace() ?? ""): \(comment)")
      #expect(second.recheckedByteCount == first.state.doneByteCount, comment)
      let recorded = try harness.compareWithJournal()
      #expect(recorded.end == .finished && recorded.differences.byteCount == 0, comment)
      #expect(recorded.comparedByteCount == merge.plannedRanges.byteCount, comment)
    }
  }

  @Test("if a re-check is interrupted, the next run finishes the merge correctly")
  func interruptedRecheck() throws {
    let seed = Seed.current
    var reap = 1
    var isInterrupted = true
    while isInterrupted {
      let merge = InterruptedMergeTests.merge(
        TransferOptions(queueDepth: 4, ioByteCount: 32 << 10))
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(reap))
      let comment: Comment = "reap \(reap); \(seed)"
      try harness.expectMerged(try harness.run(), comment)
      for block in [1, 4, 7] { harness.overwriteSource(block: block) }
      harness.restoreOrigin(sector: 9 * 128 + 5)

      let second = try harness.run(.init(interruptedAtReap: reap))

      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      isInterrupted = second.reapCount >= reap
      #expect(
        second.end == .finished ? harness.wrongPlace() == nil : !second.state.isFinished, comment)
      let third = try harness.run()
      try harness.expectMerged(third, "\(harness.wrongPlace() ?? ""): \(comment)")
      reap += 1
    }
  }
}

extension MergeHarness {
  /// Overwrites a data block in place, which changes no mapping.
  ///
  /// - Returns: The block's byte range on the data device.
  @discardableResult
  func overwriteSource(block: Int, contentSeed: UInt16 = 77) -> ByteRange {
    let byteCount = merge.model.blockByteCount
    let range = block * byteCount..<(block + 1) * byteCount
    let content = SectorContent(source: .data, seed: contentSeed)
    disk.put([UInt8](content.bytes(in: range)), on: .data, at: UInt64(range.lowerBound))
    return ByteRange(range)
  }

  /// Restores a sector of the origin to its content before the first run.
  ///
  /// - Returns: The sector's byte range.
  @discardableResult
  func restoreOrigin(sector: Int) -> ByteRange {
    let start = UInt64(sector * 512)
    disk.put(before.bytes(at: start, count: 512), on: .target, at: start)
    return ByteRange(start: start, end: start + 512)
  }
}
