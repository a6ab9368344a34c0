import Fixtures
import Testing

@testable import MergeEngine

@Suite("Plan: the numbers in a plan")
struct PlanTests {
  @Test("a plan's numbers match a block-by-block count under each past-end policy")
  func counts() throws {
    let seed = Seed.current
    var generator = seed.generator
    var outcomes: [String: Int] = [:]
    for _ in 1...1500 {
      let sample = PlanSample(using: &generator)
      let comment: Comment = "\(sample); \(seed)"
      let plan: MergePlan
      do throws(MergeError) {
        plan = try sample.plan()
      } catch {
        #expect(error.kind == .refused && sample.isRefused, comment)
        outcomes["refused", default: 0] += 1
        continue
      }
      outcomes["\(sample.options.pastEnd)", default: 0] += 1
      try #require(!sample.isRefused, comment)
      #expect(plan.runCount == UInt64(sample.runs.count), comment)
      #expect(plan.byteCount == sample.writtenByteCount, comment)
      #expect(plan.endByteOffset == sample.end, comment)
      #expect(plan.pastEndBlockCount == UInt64(sample.pastEndBlockCount), comment)
      #expect(plan.clippedByteCount == sample.clippedByteCount, comment)
      let grows = sample.options.pastEnd == .grow && sample.grownEnd > sample.originByteCount
      #expect(plan.grownOriginByteCount == (grows ? sample.grownEnd : nil), comment)
    }
    #expect(outcomes.count == 4, "\(outcomes); \(seed)")
  }

  @Test(
    "a plan counts at most one extra transfer, and no transfer exceeds the planned maximum size")
  func transfers() throws {
    let seed = Seed.current
    var generator = seed.generator
    for _ in 1...300 {
      var sample = PlanSample(using: &generator)
      if sample.options.pastEnd == .refuse { sample.options.pastEnd = .clip }
      let comment: Comment = "\(sample); \(seed)"
      let plan = try sample.plan()
      let transfers = sample.transfers
      let largest = transfers.map(\.byteCount).max() ?? 0
      #expect(plan.transferCount >= UInt64(transfers.count), comment)
      #expect(plan.transferCount <= UInt64(transfers.count) + 1, comment)
      #expect(plan.transferByteCountMax >= largest, comment)
      #expect(plan.transferByteCountMax <= sample.ioByteCount, comment)
    }
  }

  @Test("a journal stays within its planned maximum size, even with a checkpoint for each transfer")
  func journalBound() throws {
    let seed = Seed.current
    var generator = seed.generator
    for _ in 1...60 {
      var sample = PlanSample(using: &generator)
      if sample.options.pastEnd == .refuse { sample.options.pastEnd = .clip }
      let plan = try sample.plan()
      let bound = JournalSize.byteCountMax(
        transferCount: plan.transferCount, endByteOffset: plan.endByteOffset,
        ioByteCount: sample.ioByteCount)
      var journal = JournalSample(records: [JournalSample.run])
      for transfer in sample.transfers {
        journal.records.append(
          JournalSample.checkpoint(
            watermark: transfer.end,
            [JournalSample.entry(transfer.start, transfer.byteCount, .max)]))
      }
      journal.records.append(.finished(seconds: .max))
      #expect(UInt64(journal.bytes.count) <= bound, "\(sample); \(seed)")
    }
  }

  @Test(
    "a plan's fingerprint depends on mappings, origin size and past-end policy, but not on I/O size"
  )
  func fingerprint() throws {
    var generator = SeededGenerator(seed: 4)
    var sample = PlanSample(using: &generator)
    while sample.runs.count < 3 { sample = PlanSample(using: &generator) }
    sample.options = ExtentOptions(pastEnd: .clip)
    sample.originByteCount = 1 << 30
    let fingerprint = try sample.plan().fingerprint
    var others: [Fingerprint] = []
    for change in Self.changes {
      var other = sample
      change(&other)
      others.append(try other.plan().fingerprint)
    }
    #expect(!others.contains(fingerprint))
    #expect(Set(others.map(\.description)).count == others.count)
    var sameMerge = sample
    sameMerge.ioByteCount *= 2
    sameMerge.alignmentByteCount = 1
    #expect(try sameMerge.plan().fingerprint == fingerprint)
  }

  private static let changes: [@Sendable (inout PlanSample) -> Void] = [
    { $0.runs[0].dataBlock.rawValue += 1 }, { $0.runs[1].blockCount += 1 },
    { $0.runs[2].thinBlock.rawValue += 1 }, { $0.runs.removeLast() },
    { $0.originByteCount += 1 }, { $0.options.pastEnd = .refuse },
  ]
}

@Suite("Plan: splitting a merge into transfers")
struct TransferCutsTests {
  @Test(
    "transfers are split at multiples of the I/O size, before the unaligned tail, and at the end")
  func everywhere() {
    for ioByteCount in [4096, 8192, 12_288, 65_536] as [UInt64] {
      for end in [1, 511, 4095, 4096, 4097, 12_288, 20_000, 70_000] as [UInt64] {
        for alignmentByteCount in [1, 512, 4096, 8192] {
          let cuts = TransferCuts(
            ioByteCount: ioByteCount, endByteOffset: end, alignmentByteCount: alignmentByteCount)
          let unit = UInt64(max(alignmentByteCount, 4096))
          #expect(cuts.tailByteOffset == end / unit * unit)
          // Every offset at which a write must end.
          let places =
            Array(stride(from: ioByteCount, to: end, by: UInt64.Stride(ioByteCount))) + [
              cuts.tailByteOffset, end,
            ]
          for start in stride(from: 0, to: end, by: 512) {
            let expected = places.filter { $0 > start }.min()
            #expect(cuts.cut(after: start) == expected, "\(start) of \(end) by \(ioByteCount)")
          }
        }
      }
    }
  }
}

@Suite("Plan: the maximum size of a journal")
struct JournalSizeTests {
  @Test("the journal size bound covers a header and an attempt record with paths of maximum length")
  func longestPaths() {
    let longest = String(repeating: "/abc", count: 4095 / 4)
    var journal = JournalSample()
    journal.header.metadataPath = longest
    journal.header.dataPath = longest
    journal.header.originPath = longest
    journal.header.originIdentity.name = String(repeating: "x", count: 1024)
    journal.records = [
      .attempt(
        JournalRecord.Attempt(
          seconds: .max, bootID: "c6a0a2f4-34c1-4b2e-9b5f-0123456789ab", metadataPath: longest,
          dataPath: longest, originPath: longest,
          dataPlace: String(repeating: "x", count: 240),
          originPlace: String(repeating: "x", count: 240))),
      .finished(seconds: .max),
    ]
    let bound = JournalSize.byteCountMax(
      transferCount: 0, endByteOffset: 0, ioByteCount: 4096)
    #expect(UInt64(journal.bytes.count) <= bound)
  }

  @Test(
    "the journal size bound covers entries at the end of the largest device, one per checkpoint")
  func largestOffsets() {
    let end = UInt64(Int64.max) / 65_536 * 65_536
    let ioByteCount: UInt64 = 64 << 20
    var journal = JournalSample(records: [JournalSample.run])
    let first = end - 40 * 2 * ioByteCount
    for index in 0..<40 as Range<UInt64> {
      let start = first + 2 * index * ioByteCount
      journal.records.append(
        JournalSample.checkpoint(
          watermark: start + ioByteCount, [JournalSample.entry(start, ioByteCount, .max)]))
    }
    let bound = JournalSize.byteCountMax(
      transferCount: 40, endByteOffset: end, ioByteCount: ioByteCount)
    #expect(UInt64(journal.bytes.count) <= bound)
    // The space allowed for a journal's start must not mask a bound that is too small for the
    // entries.
    let records = journal.recordBytes.dropFirst()
    let beginning = JournalSize.byteCountMax(
      transferCount: 0, endByteOffset: end, ioByteCount: ioByteCount)
    #expect(UInt64(records.reduce(0) { $0 + $1.count }) <= bound - beginning)
  }

  @Test("after a very large number of checkpoints, small ones must wait but large ones need not")
  func fewLargeCheckpoints() {
    #expect(JournalSize.allowsCheckpoint(of: 1, after: 0))
    #expect(!JournalSize.allowsCheckpoint(of: 1, after: 1 << 40))
    #expect(JournalSize.allowsCheckpoint(of: 1000, after: 1 << 40))
  }
}
