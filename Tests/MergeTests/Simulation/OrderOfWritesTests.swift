import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: the order of writes")
struct OrderOfWritesTests {
  @Test("no direct request is in flight on the origin while a tail with a bad range is written")
  func badSpotInTail() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0xD000)
    // The tail begins at the last 4 KiB boundary: it is the 233 bytes in sector 64 of the last
    // block.
    let tailSectors: [UInt64] = [0, 7, 40, 55, 63, 64]
    for (round, sector) in tailSectors.enumerated() {
      for depth in [1, 2, 8, 64] {
        for ioByteCount: UInt64 in [4096, 16_384, 65_536, 1 << 20] {
          var merge = InterruptedMergeTests.merge(
            TransferOptions(queueDepth: depth, ioByteCount: ioByteCount))
          merge.dataAlignment = generator.chance(oneIn: 2) ? 512 : 4096
          merge.originAlignment = generator.chance(oneIn: 2) ? 512 : 4096
          let harness = MergeHarness(merge, seed: generator.next())
          let comment: Comment = "round \(round), sector \(sector): \(merge); \(seed)"
          // The origin's last block comes from the first block of the data device.
          let bad = ByteRange(start: sector * 512, end: sector * 512 + 1)
          harness.disk.faults.addBadRange(.read, .data, bad)
          let first = try harness.run()
          try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
          try #require(first.end == .finished && !first.unreadable.isEmpty, comment)
          #expect(harness.wrongPlace(unmerged: first.unreadable) == nil, comment)

          // The retry now writes the tail, and the re-check rewrites the restored bytes.
          harness.disk.faults = DiskFaults()
          harness.disk.put([1, 2, 3], on: .target, at: 14 * 65_536 + 32_998)
          harness.disk.put([1, 2, 3], on: .target, at: 13 * 512)
          let second = try harness.run()
          try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
          try harness.expectMerged(second, "\(harness.wrongPlace() ?? ""): \(comment)")
        }
      }
    }
  }

  @Test("bad ranges in and before the tail do not wait for each other, whichever comes first")
  func badSpotsInTailAndBefore() throws {
    let seed = Seed.current
    for round in 0..<40 {
      let merge = InterruptedMergeTests.merge(
        TransferOptions(queueDepth: 8, ioByteCount: round % 2 == 0 ? 16_384 : 65_536))
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(0xE000 + round))
      let comment: Comment = "round \(round): \(merge); \(seed)"
      // One byte in the tail's transfer and one in each of the two blocks before it.
      for byteOffset: UInt64 in [32_768, 7 * 65_536 + 60_000, 9 * 65_536 + 60_000] {
        harness.disk.faults.addBadRange(
          .read, .data, ByteRange(start: byteOffset, end: byteOffset + 1))
      }
      let first = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try #require(first.end == .finished && first.unreadable.ranges.count == 3, comment)
      #expect(harness.wrongPlace(unmerged: first.unreadable) == nil, comment)
      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  @Test("a rate-limited merge that is killed at any moment has few written but unrecorded bytes")
  func littleUnrecorded() throws {
    let seed = Seed.current
    let rate: UInt64 = 1 << 20
    for depth in [1, 4, 8] {
      let transfer = TransferOptions(queueDepth: depth, ioByteCount: 16_384, rateLimit: rate)
      var merge = SimulatedMerge(
        thinBlocks: Array(0..<24), originByteCount: 24 * 65_536, transfer: transfer)
      merge.checkpointInterval = .milliseconds(20)
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(depth))
      let result = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): depth \(depth); \(seed)")
      try harness.expectMerged(result, "depth \(depth); \(seed)")
      // Two intervals, 2 ms for each request of a checkpoint or before it, a tenth of a second of
      // rate-limit catch-up, and finally the requests in flight.
      let milliseconds = 2 * 20 + 2 * (UInt64(depth) + 6) + 100
      let bound = milliseconds * rate / 1000 + UInt64(depth) * transfer.ioByteCount
      #expect(bound < harness.merge.model.writtenByteCount / 4)
      #expect(result.unrecordedByteCountMax < bound, "depth \(depth); \(seed)")
    }
  }

  @Test("several bad ranges in the tail do not wait for each other after they become readable")
  func badSpotsInTail() throws {
    let seed = Seed.current
    for depth in [1, 2, 8, 64] {
      // The tail begins at the last 4 KiB boundary and contains six whole sectors and part of one.
      let tail = 14 * 65_536 + 32_768
      var merge = SimulatedMerge(
        thinBlocks: [0, 1, 2, 14], dataBlocks: [3, 1, 2, 0],
        originByteCount: tail + 6 * 512 + 100,
        transfer: TransferOptions(queueDepth: depth, ioByteCount: 65_536))
      merge.checkpointInterval = .milliseconds(1)
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(0xF000 + depth))
      let comment: Comment = "depth \(depth): \(merge); \(seed)"
      for sector in [0, 3, 5] as [UInt64] {
        let start = 32_768 + sector * 512
        harness.disk.faults.addBadRange(.read, .data, ByteRange(start: start, end: start + 1))
      }
      let first = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try #require(first.unreadable.ranges.count == 3, comment)

      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)

      // Each piece of the tail is a separate transfer in the re-check, and all must be rewritten.
      harness.disk.put(
        before(harness, tail, 6 * 512 + 100), on: .target, at: UInt64(tail))
      let third = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(third, comment)
      #expect(third.rewrittenByteCount == 6 * 512 + 100, comment)
    }
  }

  /// Returns bytes of the origin as they were before the first run.
  private func before(_ harness: MergeHarness, _ byteOffset: Int, _ count: Int) -> [UInt8] {
    harness.before.bytes(at: UInt64(byteOffset), count: count)
  }

  @Test(
    "a rate-limited merge writes the lowest transfers first, so an interruption loses few of them")
  func rateLimited() throws {
    let seed = Seed.current
    for depth in [2, 8, 32] {
      var reap = 1
      var isInterrupted = true
      while isInterrupted {
        let transfer = TransferOptions(
          queueDepth: depth, ioByteCount: 16_384, rateLimit: 4 << 20)
        let harness = MergeHarness(
          InterruptedMergeTests.merge(transfer), seed: seed.value &+ UInt64(1000 * depth + reap))
        let comment: Comment = "depth \(depth), reap \(reap); \(seed)"
        let begin = harness.disk.time.now
        let result = try harness.run(.init(interruptedAtReap: reap))
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        isInterrupted = result.reapCount >= reap
        let written = harness.disk.originWrites.reduce(0) { $0 + $1.byteCount }
        // The rate limit allows a tenth of a second of catch-up.
        let elapsed = harness.disk.time.now - begin + .milliseconds(100)
        let allowed = UInt64(Double(4 << 20) * (elapsed / .seconds(1)))
        #expect(written <= allowed + transfer.ioByteCount, comment)
        let lost = UInt64(depth) * transfer.ioByteCount
        #expect(result.state.doneByteCount + lost >= written, comment)
        // Few written bytes lie past the first unwritten byte.
        var missing = harness.merge.plannedRanges
        for range in harness.disk.originWrites { missing.remove(range) }
        if let first = missing.ranges.first {
          let behind = harness.disk.originWrites.reduce(0) {
            $0 + ($1.start > first.start ? $1.byteCount : 0)
          }
          #expect(behind <= lost, comment)
        }
        reap += 3
      }
      #expect(reap > 20, "depth \(depth): nearly nothing was interrupted; \(seed)")
    }
  }
}
