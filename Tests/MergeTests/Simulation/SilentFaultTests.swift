import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: silent device faults")
struct SilentFaultTests {
  static let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)

  private static func merged(
    seed: UInt64, _ prepare: (SimulatedDisk) -> Void
  ) throws -> MergeHarness {
    let harness = MergeHarness(InterruptedMergeTests.merge(transfer), seed: seed)
    prepare(harness.disk)
    let result = try harness.run()
    try harness.expectNoViolation("\(harness.disk.violation ?? "")")
    try #require(result.isFinished)
    return harness
  }

  @Test(
    "verify finds bytes lost by an origin that ignores flushes, and a resumed run rewrites them")
  func lyingFlushOfTheOrigin() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x1_1000)
    var lossCount = 0
    var trustedLossCount = 0
    for round in 1...40 {
      let comment: Comment = "round \(round); \(seed)"
      let harness = MergeHarness(
        InterruptedMergeTests.merge(Self.transfer), seed: generator.next())
      try harness.makeJournal()
      harness.disk.faults.lyingFlushes = [.target]
      let cut =
        try harness.powerCut(
          at: .random(in: 20...500, using: &generator), .init(), comment)
        ?? harness.disk.cutPower()
      // No write to the origin was ever durable.
      var survivors = cut.survivors(using: &generator)
      survivors[.target] = cut.durable[.target]
      let after = harness.afterPowerCut(survivors, seed: generator.next())
      let claimed = try after.disk.recordedPieces()

      let found = try after.compareWithJournal()
      #expect(
        found.differences.byteCount == claimed.reduce(0) { $0 + $1.range.byteCount }, comment)
      lossCount += claimed.isEmpty ? 0 : 1

      let trusting = after.afterPowerCut(survivors, seed: generator.next())
      // The trusted records are wrong here, so the disk must not check them against the origin.
      trusting.disk.faults.lyingFlushes = [.target]
      // Once a merge has finished, its data is read again even if earlier runs are trusted.
      let isReadAgain = try trusting.disk.journalState().finishedSeconds != nil
      let trusted = try trusting.run(.init(trustsEarlierRuns: true))
      try #require(trusted.isFinished, comment)
      let isRight = claimed.isEmpty || isReadAgain
      #expect((trusting.wrongPlace() == nil) == isRight, comment)
      let compared = try trusting.compare()
      #expect((compared.differences.byteCount == 0) == isRight, comment)
      trustedLossCount += isRight ? 0 : 1

      let second = try after.run()
      try after.expectMerged(second, comment)
      #expect(second.rewrittenByteCount == found.differences.byteCount, comment)
    }
    #expect(lossCount > 20, "too little was lost to prove anything; \(seed)")
    #expect(trustedLossCount > 5, "too little was lost in trust to prove anything; \(seed)")
  }

  @Test("if the journal's device ignored flushes, the next run merges correctly or is refused")
  func lyingFlushOfTheJournal() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x1_2000)
    for round in 1...40 {
      let comment: Comment = "round \(round); \(seed)"
      let harness = MergeHarness(
        InterruptedMergeTests.merge(Self.transfer), seed: generator.next())
      try harness.makeJournal()
      harness.disk.faults.lyingFlushes = [.journal]
      let cut =
        try harness.powerCut(
          at: .random(in: 20...500, using: &generator), .init(), comment)
        ?? harness.disk.cutPower()
      for contents in [cut.durable, cut.survivors(using: &generator)] {
        let after = harness.afterPowerCut(contents, seed: generator.next())
        do throws(MergeError) {
          let result = try after.run()
          #expect(result.isFinished && after.wrongPlace() == nil, comment)
        } catch {
          // A later append survived but an earlier one did not.
          #expect(error.kind == .journalConflict && after.disk.originWrites.isEmpty, comment)
        }
        try after.expectNoViolation("\(after.disk.violation ?? ""): \(comment)")
      }
    }
  }

  @Test(
    "verifying with the pool and with the journal both find a write that the origin dropped or misdirected"
  )
  func lostWrites() throws {
    let seed = Seed.current
    let writeCount = try Self.merged(seed: seed.value) { _ in }.disk.originWrites.count
    try #require(writeCount > 30)
    for number in 1...writeCount {
      for fault in [DiskFaults.SilentFault.dropped, .misdirected(by: 65_536)] {
        let comment: Comment = "write \(number), \(fault); \(seed)"
        let harness = try Self.merged(seed: seed.value) { $0.faults.silentFaults = [number: fault] }
        guard harness.wrongPlace() != nil else { continue }
        let lost = try #require(harness.disk.silentlyLost, comment)
        var missed = RangeSet()
        missed.insert(lost)
        let compared = try harness.compare().differences.first
        for range in compared { missed.remove(range) }
        #expect(missed.isEmpty, "\(lost), \(compared.prefix(4)); \(comment)")
        let recorded = try harness.compareWithJournal().differences.first
        #expect(recorded.contains { $0.overlaps(lost) }, "\(recorded.prefix(4)); \(comment)")

        harness.disk.faults = DiskFaults()
        let second = try harness.run()
        #expect(second.isFinished && second.rewrittenByteCount >= lost.byteCount, comment)
        let again = try harness.compare()
        #expect(again.end == .finished && again.differences.byteCount == 0, comment)
      }
    }
  }

  @Test(
    "a comparison finds a bit flipped in a read of the source, and another merge corrects the bit"
  )
  func flippedSource() throws {
    let seed = Seed.current
    for round in 1...30 {
      let comment: Comment = "round \(round); \(seed)"
      let harness = try Self.merged(seed: seed.value &+ UInt64(round)) {
        $0.faults.flippedReadOneIn[.data] = 8
      }
      harness.disk.faults = DiskFaults()
      let wrong = harness.wrongPlace()
      let compared = try harness.compare()
      #expect((compared.differences.byteCount == 0) == (wrong == nil), comment)
      // The journal contains checksums of the bytes as read, so it cannot reveal the flipped bit.
      #expect(try harness.compareWithJournal().differences.byteCount == 0, comment)
      try harness.expectMerged(try harness.run(), comment)
    }
  }

  @Test(
    "a bit flipped in a metadata or journal read leads to a refusal, a stop, or correct bytes",
    arguments: [
      (DiskFaults.Device.metadata, MergeError.Kind.refused),
      (DiskFaults.Device.journal, MergeError.Kind.journalConflict),
    ])
  func flippedRead(of device: DiskFaults.Device, refusal: MergeError.Kind) throws {
    let seed = Seed.current
    var refusalCount = 0
    for round in 1...60 {
      let comment: Comment = "round \(round); \(seed)"
      let harness = MergeHarness(
        InterruptedMergeTests.merge(Self.transfer), seed: seed.value &+ UInt64(round))
      _ = try harness.run(.init(interruptedAtReap: 40))
      harness.disk.faults.flippedReadOneIn[device] = 3
      do throws(MergeError) {
        let result = try harness.run()
        if let error = result.end.error { #expect(error.kind == .stopped, comment) }
        if result.isFinished { #expect(harness.wrongPlace() == nil, comment) }
      } catch {
        refusalCount += 1
        #expect(error.kind == refusal && harness.disk.originWrites.isEmpty, comment)
      }
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)
    }
    #expect(refusalCount > 10, "hardly a flipped bit was met; \(seed)")
  }

  @Test("if a journal header is misread once, the journal is refused or its byte count is correct")
  func misreadHeader() throws {
    let seed = Seed.current
    // Nothing follows the header, so reading too far returns no more bytes.
    let journal = JournalSample(records: []).bytes
    let expected = UInt64(JournalSample.header.encoded.count)
    for round in 1...4000 as ClosedRange<UInt64> {
      let disk = SimulatedDisk(journal: journal)
      disk.generator = SeededGenerator(seed: seed.value &+ round)
      disk.faults.flippedReadOneIn[.journal] = 2
      do throws(MergeError) {
        let reader = try disk.journalReader()
        let byteCount = reader.headerByteCount
        #expect(byteCount == expected, "round \(round); \(seed)")
      } catch {
        #expect(error.kind == .journalConflict, "round \(round); \(seed)")
      }
    }
  }
}

@Suite("In-memory merges: bytes left in the cache by a failed flush are not trusted")
struct FailedFlushTests {
  typealias Class = DiskFaults.Class

  @Test("the re-check rewrites bytes whose flush failed, even if they are readable")
  func rewritten() throws {
    let seed = Seed.current
    let harness = MergeHarness(
      InterruptedMergeTests.merge(SilentFaultTests.transfer), seed: seed.value)
    try harness.expectMerged(try harness.run(), "\(seed)")
    harness.overwriteSource(block: 4)
    harness.disk.faults.failingFrom[Class(.flush, .target)] = 1
    let second = try harness.run()
    try #require(second.end.error?.place == "origin" && second.rewrittenByteCount > 0)
    harness.disk.faults = DiskFaults()

    let third = try harness.run()

    try harness.expectMerged(third, "\(seed)")
    #expect(third.rewrittenByteCount == 65_536)
    let survivors = harness.disk.cutPower().durable
    let after = harness.afterPowerCut(survivors, seed: seed.value)
    #expect(after.wrongPlace() == nil)
  }

  @Test(
    "after a failed journal flush, an interrupted run, and a power cut, the merge resumes correctly"
  )
  func journal() throws {
    let seed = Seed.current
    for number in 1...6 {
      let comment: Comment = "flush \(number) of the journal; \(seed)"
      let harness = MergeHarness(
        InterruptedMergeTests.merge(SilentFaultTests.transfer), seed: seed.value)
      harness.disk.faults.failing[Class(.flush, .journal)] = number
      let first = try harness.run()
      try #require(first.end.error?.place == "journal", comment)
      harness.disk.faults = DiskFaults()
      _ = try harness.run(.init(interruptedAtReap: 40))
      let after = harness.afterPowerCut(harness.disk.cutPower().durable, seed: seed.value)
      try after.expectMerged(try after.run(), comment)
    }
  }

  @Test("a read error in the journal stops the merge, which can be resumed")
  func unreadableJournal() throws {
    let seed = Seed.current
    let harness = MergeHarness(
      InterruptedMergeTests.merge(SilentFaultTests.transfer), seed: seed.value)
    try harness.expectMerged(try harness.run(), "\(seed)")
    // A run reads the header and the records, then rereads both for the re-check. The last read
    // fails.
    _ = try harness.run()
    let readCount = try #require(harness.disk.counts[Class(.read, .journal)])
    harness.disk.faults.failing[Class(.read, .journal)] = readCount
    let second = try harness.run()
    #expect(second.end.error?.kind == .stopped, "\(second.end)")
    harness.disk.faults = DiskFaults()
    try harness.expectMerged(try harness.run(), "\(seed)")
  }
}
