import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: devices that fail")
struct InjectedErrorTests {
  typealias Class = DiskFaults.Class

  static let transfer = TransferOptions(queueDepth: 8, ioByteCount: 65_536)

  @Test(
    "unreadable source units are skipped, the rest is merged, and a resume retries only the skipped units"
  )
  func badSource() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x8000)
    for round in 1...16 {
      var merge = InterruptedMergeTests.merge(SimulatedMerge.transfer(using: &generator))
      merge.dataAlignment = round % 2 == 0 ? 512 : 4096
      merge.originAlignment = round % 4 < 2 ? 512 : 4096
      let harness = MergeHarness(merge, seed: generator.next())
      // Pieces next to a bad range may also be written only partially.
      if round % 3 == 0 { harness.disk.faults.shortOneIn[Class(.write, .target)] = 2 }
      let unit = UInt64(max(merge.dataAlignment, merge.originAlignment))
      var expected = RangeSet()
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        let start = UInt64.random(in: 0..<10 * 65_536, using: &generator)
        let end = start + UInt64([1, 512, 5000].randomElement(using: &generator) ?? 1)
        harness.disk.faults.addBadRange(.read, .data, ByteRange(start: start, end: end))
        var place = start.roundedDown(toMultipleOf: unit)
        while place < end {
          let bad = ByteRange(start: place, end: place + unit)
          // In the tail's unit, only the sectors required by the data device's alignment are read.
          if let range = merge.originRange(ofData: bad),
            start < place + range.byteCount.roundedUp(toMultipleOf: UInt64(merge.dataAlignment))
          {
            expected.insert(range)
          }
          place += unit
        }
      }
      let comment: Comment = "round \(round): \(merge); \(seed)"

      let first = try harness.run()

      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      #expect(first.end == .finished && first.unreadable == expected, comment)
      #expect(first.state.unreadable == expected, comment)
      #expect(first.state.isFinished == expected.isEmpty, comment)
      #expect(harness.wrongPlace(unmerged: expected) == nil, comment)
      let planned = merge.plannedRanges.byteCount
      #expect(first.state.doneByteCount == planned - expected.byteCount, comment)

      // The ranges are still bad, so nothing changes.
      let second = try harness.run(.init(trustsEarlierRuns: true))
      #expect(second.unreadable == expected && second.writtenByteCount == 0, comment)

      harness.disk.faults = DiskFaults()
      let third = try harness.run(.init(trustsEarlierRuns: true))
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(third, comment)
      #expect(third.writtenByteCount == expected.byteCount, comment)
      let reads = harness.disk.dataReads.reduce(0) { $0 + $1.byteCount }
      #expect(reads <= expected.byteCount.roundedUp(toMultipleOf: unit) + unit, comment)
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  @Test("a failed write to the origin stops the merge, and resuming it gives correct bytes")
  func badOrigin() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x9000)
    for round in 1...16 {
      let merge = InterruptedMergeTests.merge(SimulatedMerge.transfer(using: &generator))
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      if round % 2 == 0 {
        harness.disk.faults.fullFrom[.target] = .random(in: 1...4, using: &generator)
      } else {
        let bad = merge.model.writes.randomElement(using: &generator)?.target ?? 0..<1
        harness.disk.faults.addBadRange(.write, .target, ByteRange(bad.prefix(1)))
      }
      let first = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      let error = try #require(first.end.error, comment)
      #expect(error.kind == .stopped && error.place.hasPrefix("origin, byte "), comment)
      #expect(!first.state.isFinished, comment)

      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  @Test("after a failed flush of the origin, a run records nothing more")
  func failedFlush() throws {
    let seed = Seed.current
    var number = 1
    var isMet = true
    while isMet {
      let merge = InterruptedMergeTests.merge(
        TransferOptions(queueDepth: 2, ioByteCount: 16 << 10))
      let harness = MergeHarness(merge, seed: seed.value &+ UInt64(number))
      let comment: Comment = "flush \(number); \(seed)"
      harness.disk.faults.failing[Class(.flush, .target)] = number
      let first = try harness.run()
      isMet = harness.disk.counts[Class(.flush, .target), default: 0] >= number
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      guard isMet else {
        try harness.expectMerged(first, comment)
        break
      }
      #expect(first.end.error?.place == "origin" && !first.state.isFinished, comment)
      #expect(harness.disk.counts[Class(.flush, .target)] == number, comment)
      #expect(first.checkpointCount == UInt64(number - 1), comment)

      harness.disk.faults = DiskFaults()
      let second = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(second, comment)
      // Readable bytes without a record do not count as merged.
      let left = harness.merge.plannedRanges.byteCount - first.state.doneByteCount
      #expect(second.writtenByteCount == left, comment)
      number += 1
    }
    #expect(number > 3, "the merge made too few checkpoints; \(seed)")
  }

  @Test(
    "a merge stopped by a full disk or a short append to the journal resumes when there is space")
  func fullJournal() throws {
    let seed = Seed.current
    for number in 2...6 {
      for isShort in [false, true] {
        let harness = MergeHarness(
          InterruptedMergeTests.merge(Self.transfer), seed: seed.value &+ UInt64(number))
        let comment: Comment = "append \(number), in part \(isShort); \(seed)"
        if isShort {
          harness.disk.faults.shortOneIn[Class(.write, .journal)] = number
        } else {
          harness.disk.faults.fullFrom[.journal] = number
        }
        let first = try harness.run()
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        if !isShort, harness.disk.counts[Class(.write, .journal), default: 0] >= number {
          #expect(first.end.error?.place == "journal", comment)
        }
        harness.disk.faults = DiskFaults()
        try harness.expectMerged(try harness.run(), comment)
      }
    }
  }

  @Test("short reads and writes are continued from an aligned offset and give correct bytes")
  func shortRequests() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0xA000)
    for round in 1...10 {
      var merge = SimulatedMerge(depth: 1, using: &generator)
      merge.model.pastEnd = .clip
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      for kind in [Class(.read, .data), Class(.read, .target), Class(.write, .target)] {
        harness.disk.faults.shortOneIn[kind] = .random(in: 2...5, using: &generator)
      }
      try harness.expectMerged(try harness.run(), "\(harness.disk.violation ?? ""): \(comment)")
      let comparison = try harness.compare()
      #expect(comparison.comparedByteCount == merge.plannedRanges.byteCount, comment)
      #expect(comparison.differences.byteCount == 0, comment)
      try harness.expectMerged(try harness.run(), comment)
    }
  }
}

extension PipelineEnd {
  /// The error that the run failed with; nil if the run ended in any other way.
  var error: MergeError? {
    guard case .failed(let error) = self else { return nil }
    return error
  }
}
