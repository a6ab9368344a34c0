import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: any geometry")
struct MemoryMergeTests {
  static let roundCount = 12

  @Test("a merge writes exactly the mapped blocks and records all of them", arguments: 1...4)
  func smallBlocks(depth: Int) throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ UInt64(depth) &* 0x1000)
    for round in 1...Self.roundCount {
      let merge = SimulatedMerge(depth: depth, using: &generator)
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "depth \(depth), round \(round): \(merge); \(seed)"
      guard !merge.model.isRefused else {
        #expect(throws: MergeError.self, comment) { try harness.run() }
        #expect(harness.disk.originWrites.isEmpty, comment)
        continue
      }
      try expectMergedAndEqual(harness, merge, comment)
    }
  }

  @Test("blocks of any size up to 1 GiB are merged, even if the origin ends within the last block")
  func anyBlockSize() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x5000)
    let drawn = (0..<10).map { _ in Int.random(in: 1...16_384, using: &generator) }
    for unitCount in [1, 2, 3, 63, 64, 65, 16_383, 16_384] + drawn {
      let merge = SimulatedMerge(unitCount: unitCount, using: &generator)
      let harness = MergeHarness(merge, seed: generator.next())
      try expectMergedAndEqual(harness, merge, "\(unitCount) units: \(merge); \(seed)")
    }
  }

  private func expectMergedAndEqual(
    _ harness: MergeHarness, _ merge: SimulatedMerge, _ comment: Comment
  ) throws {
    let result = try harness.run()
    let why: Comment =
      "\(harness.disk.violation ?? ""), \(harness.wrongPlace() ?? ""), \(result.end): \(comment)"
    try harness.expectMerged(result, why)
    #expect(result.writtenByteCount == UInt64(merge.model.writtenByteCount), comment)
    var written = RangeSet()
    for range in harness.disk.originWrites { written.insert(range) }
    #expect(written == merge.plannedRanges, comment)

    let comparison = try harness.compare()
    #expect(comparison.end == .finished && comparison.unreadable.isEmpty, comment)
    #expect(comparison.differences.byteCount == 0, comment)
    #expect(comparison.comparedByteCount == merge.plannedRanges.byteCount, comment)
    let recorded = try harness.compareWithJournal()
    #expect(recorded.end == .finished && recorded.unreadable.isEmpty, comment)
    #expect(recorded.differences.byteCount == 0, comment)
    #expect(recorded.comparedByteCount == merge.plannedRanges.byteCount, comment)
    try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
  }

  @Test("a comparison finds exactly those damaged sectors of the origin that are mapped")
  func damagedSectors() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x6000)
    for round in 1...Self.roundCount {
      var merge = SimulatedMerge(depth: 2, using: &generator)
      merge.model.pastEnd = .clip
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      try harness.expectMerged(try harness.run(), comment)
      var damaged = RangeSet()
      for _ in 0..<Int.random(in: 1...20, using: &generator) {
        let sector = Int.random(in: 0...merge.model.mergedOriginByteCount / 512, using: &generator)
        damaged.insert(harness.damage(sector: sector))
      }
      var mapped = RangeSet()
      for range in damaged.ranges {
        for part in merge.plannedRanges.ranges where part.overlaps(range) {
          mapped.insert(
            ByteRange(start: max(part.start, range.start), end: min(part.end, range.end)))
        }
      }

      let comparison = try harness.compare()

      #expect(comparison.end == .finished, comment)
      #expect(comparison.differences.first == mapped.ranges, comment)
      #expect(comparison.differences.byteCount == mapped.byteCount, comment)
      var entries = RangeSet()
      for piece in try harness.disk.recordedPieces()
      where mapped.ranges.contains(where: { $0.overlaps(piece.range) }) {
        entries.insert(piece.range)
      }
      let recorded = try harness.compareWithJournal()
      #expect(recorded.differences.first == entries.ranges, comment)
    }
  }
}

extension MergeHarness {
  /// Changes one byte in a sector of the origin, if that sector exists.
  fileprivate func damage(sector: Int) -> ByteRange {
    let start = UInt64(sector * 512)
    let end = min(start + 512, disk[.target].byteCount)
    guard start < end else { return ByteRange(start: start, end: start) }
    var bytes = disk[.target].bytes(at: start, count: Int(end - start))
    // Damaging the same sector again changes it again; only 256 times would restore it.
    bytes[0] &+= 1
    disk.put(bytes, on: .target, at: start)
    return ByteRange(start: start, end: end)
  }
}
