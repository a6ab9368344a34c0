import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: interruption at every moment")
struct InterruptedMergeTests {
  /// Returns a small merge with gaps, scattered data blocks, and an unaligned tail.
  static func merge(_ transfer: TransferOptions) -> SimulatedMerge {
    var merge = SimulatedMerge(
      thinBlocks: [0, 1, 2, 5, 6, 9, 10, 11, 14], dataBlocks: [4, 5, 1, 8, 2, 3, 9, 7, 0],
      originByteCount: 14 * 65_536 + 33_001, transfer: transfer)
    merge.checkpointInterval = .milliseconds(1)
    return merge
  }

  /// The transfer options of a first run and of the run that resumes the merge.
  struct Pair {
    var first, second: TransferOptions

    init(_ firstDepth: Int, _ firstByteCount: UInt64, _ secondDepth: Int, _ secondByteCount: UInt64)
    {
      first = TransferOptions(queueDepth: firstDepth, ioByteCount: firstByteCount)
      second = TransferOptions(queueDepth: secondDepth, ioByteCount: secondByteCount)
    }
  }

  static let pairs = [
    Pair(4, 65_536, 4, 65_536), Pair(64, 1 << 20, 2, 16_384), Pair(1, 32_768, 64, 4 << 20),
    Pair(8, 20_480, 3, 1 << 20),
  ]

  @Test(
    "a merge interrupted at any reap reports the interruption, and resuming it gives correct bytes")
  func everyReap() throws {
    let seed = Seed.current
    for (pairIndex, pair) in Self.pairs.enumerated() {
      var reap = 1
      var isInterrupted = true
      while isInterrupted {
        let harness = MergeHarness(
          Self.merge(pair.first), seed: seed.value &+ UInt64(1000 * pairIndex + reap))
        let comment: Comment = "pair \(pairIndex), reap \(reap); \(seed)"
        let first = try harness.run(.init(interruptedAtReap: reap))
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        isInterrupted = first.reapCount >= reap
        if first.end == .finished {
          // The interruption came too late, so the merge must be complete.
          try harness.expectMerged(first, comment)
        } else {
          #expect(first.end == .interrupted && !first.state.isFinished, comment)
        }
        let second = try harness.run(.init(transfer: pair.second))
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        try harness.expectMerged(second, comment)
        #expect(second.recheckedByteCount == first.state.doneByteCount, comment)
        #expect(second.rewrittenByteCount == 0, comment)
        let left = UInt64(harness.merge.model.writtenByteCount) - first.state.doneByteCount
        #expect(second.writtenByteCount == left, comment)
        reap += 1
      }
    }
  }

  @Test("a merge that is interrupted repeatedly and resumed with changing options finishes")
  func againAndAgain() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x7000)
    for round in 1...6 {
      var merge = SimulatedMerge(depth: .random(in: 1...3, using: &generator), using: &generator)
      merge.model.pastEnd = .clip
      let harness = MergeHarness(merge, seed: generator.next())
      let comment: Comment = "round \(round): \(merge); \(seed)"
      for _ in 0..<6 {
        var options = MergeHarness.RunOptions()
        options.transfer = SimulatedMerge.transfer(using: &generator)
        options.interruptedAtReap = .random(in: 1...120, using: &generator)
        let result = try harness.run(options)
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        if result.end == .finished { try harness.expectMerged(result, comment) }
      }
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  @Test(
    "if a device hangs, a merge told not to drain ends after about 5 s and resumes correctly",
    arguments: [
      DiskFaults.Class(.write, .target), .init(.read, .data), .init(.flush, .target),
      .init(.write, .journal),
    ])
  func hangingDevice(kind: DiskFaults.Class) throws {
    let seed = Seed.current
    for reap in 2...12 {
      let harness = MergeHarness(
        Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)),
        seed: seed.value &+ UInt64(reap))
      // The first write to the journal records the start of the run.
      harness.disk.faults.hangingFrom = [kind: 2]
      var options = MergeHarness.RunOptions()
      options.stopsWaitingAtReap = reap
      let begin = harness.disk.time.now
      let first = try harness.run(options)
      let comment: Comment = "\(kind), reap \(reap); \(seed)"
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      #expect(first.end == .interrupted, comment)
      #expect(harness.disk.time.now - begin < Interruption.waitMax + .seconds(2), comment)
      harness.disk.faults.hangingFrom = [:]
      let second = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(second, comment)
      #expect(second.recheckedByteCount == first.state.doneByteCount, comment)
    }
  }

  @Test(
    "if a device hangs, a resumed merge told not to drain ends after about 5 s and appends nothing",
    arguments: [DiskFaults.Class(.read, .target), .init(.read, .data)])
  func hangingWhileResumed(kind: DiskFaults.Class) throws {
    let seed = Seed.current
    for reap in 1...5 {
      let harness = MergeHarness(
        Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)),
        seed: seed.value &+ UInt64(reap))
      let comment: Comment = "\(kind), reap \(reap); \(seed)"
      let first = try harness.run(.init(interruptedAtReap: 20))
      try #require(first.end == .interrupted && first.state.doneByteCount > 0, comment)
      let journalByteCount = harness.disk[.journal].byteCount
      harness.disk.faults.hangingFrom = [kind: 1]
      // The run first compares the origin with the journal.
      var options = MergeHarness.RunOptions(skipsOriginCheck: false)
      options.stopsWaitingAtReap = reap
      let begin = harness.disk.time.now
      do throws(MergeError) {
        let end = try harness.run(options).end
        #expect(end == .interrupted, comment)
      } catch {
        #expect(error.kind == .stopped && error.code == .interrupted, "\(error): \(comment)")
      }
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      #expect(harness.disk.time.now - begin < Interruption.waitMax + .seconds(2), comment)
      #expect(harness.disk[.journal].byteCount == journalByteCount, comment)
      harness.disk.faults.hangingFrom = [:]
      try harness.expectMerged(try harness.run(.init(skipsOriginCheck: false)), comment)
    }
  }

  @Test("if the metadata device hangs, a plan told not to drain ends after about 5 s")
  func hangingMetadata() throws {
    let seed = Seed.current
    var reasons: Set<String> = []
    for number in 1...6 {
      let harness = MergeHarness(
        Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)), seed: seed.value)
      harness.disk.faults.hangingFrom = [DiskFaults.Class(.read, .metadata): number]
      var options = MergeHarness.RunOptions()
      options.stopsWaitingBeforePlanning = true
      let begin = harness.disk.time.now
      do throws(MergeError) {
        _ = try harness.run(options)
        Issue.record("read \(number): not interrupted; \(seed)")
      } catch {
        #expect(error.kind == .stopped && error.code == .interrupted, "read \(number); \(seed)")
        reasons.insert(error.why)
      }
      #expect(harness.disk.time.now - begin < Interruption.waitMax + .seconds(2), "\(seed)")
    }
    #expect(reasons.contains { $0.contains("did not respond within 5 s") }, "\(reasons)")
  }

  @Test("if the metadata device hangs, a merge told not to drain ends after about 5 s")
  func hangingMetadataInMidMerge() throws {
    let seed = Seed.current
    let harness = MergeHarness(
      Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)), seed: seed.value)
    var options = MergeHarness.RunOptions()
    options.stopsWaitingAtReap = 3
    options.afterPlanning = {
      harness.disk.faults.hangingFrom = [DiskFaults.Class(.read, .metadata): 1]
    }
    let begin = harness.disk.time.now
    guard case .failed(let error) = try harness.run(options).end else {
      Issue.record("not failed; \(seed)")
      return
    }
    #expect(error.kind == .stopped && error.code == .interrupted, "\(seed)")
    #expect(harness.disk.time.now - begin < Interruption.waitMax + .seconds(2), "\(seed)")
    harness.disk.faults.hangingFrom = [:]
    try harness.expectMerged(try harness.run(), "\(seed)")
  }

  @Test(
    "if draining takes less than 5 s, a merge told not to drain records as much as one that drains")
  func drainsInTime() throws {
    let seed = Seed.current
    for reap in 1...40 {
      let comment: Comment = "reap \(reap); \(seed)"
      let recorded = try [false, true].map { isDraining in
        let harness = MergeHarness(
          Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)),
          seed: seed.value &+ UInt64(reap))
        var options = MergeHarness.RunOptions()
        options.interruptedAtReap = isDraining ? reap : nil
        options.stopsWaitingAtReap = isDraining ? nil : reap
        let first = try harness.run(options)
        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        return first.state.doneByteCount
      }
      #expect(recorded[0] == recorded[1], comment)
    }
  }

  @Test("a merge whose reaps fail reports the system error, and resuming it gives correct bytes")
  func unknownCompletions() throws {
    let seed = Seed.current
    for reap in 1...20 {
      let harness = MergeHarness(
        Self.merge(TransferOptions(queueDepth: 4, ioByteCount: 16_384)),
        seed: seed.value &+ UInt64(reap))
      harness.disk.faults.failingReapFrom = reap
      let comment: Comment = "reap \(reap); \(seed)"
      do throws(MergeError) {
        let first = try harness.run()
        guard case .failed(let error) = first.end else {
          Issue.record("not failed, \(comment)")
          continue
        }
        #expect(error.kind == .stopped && error.why.contains("Operation not permitted"), comment)
      } catch {
        #expect(error.kind == .refused && error.why.contains("Operation not permitted"), comment)
      }
      harness.disk.faults.failingReapFrom = nil
      let second = try harness.run()
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      try harness.expectMerged(second, comment)
    }
  }

  @Test("a comparison interrupted at any reap reports success only if it compared every byte")
  func comparing() throws {
    let seed = Seed.current
    let transfer = TransferOptions(queueDepth: 64, ioByteCount: 65_536)
    let harness = MergeHarness(Self.merge(transfer), seed: seed.value)
    try harness.expectMerged(try harness.run(), "\(seed)")
    let plannedByteCount = harness.merge.plannedRanges.byteCount
    for reap in 1...30 {
      let comparison = try harness.compare(interruptedAtReap: reap)
      let comment: Comment = "reap \(reap), \(comparison.comparedByteCount) bytes; \(seed)"
      #expect(
        (comparison.end == .finished) == (comparison.comparedByteCount == plannedByteCount), comment
      )
    }
  }
}
