import Fixtures
import MergeEngine
import Testing

/// A merge that must survive random faults, and finish once the faults stop.
///
/// The faults are failing or full devices, flipped bits, power cuts, interruptions, and changes
/// that other programs make to the devices between runs.
struct Storm: CustomStringConvertible {
  private static let roundCountMax = 8

  let seed: UInt64
  private var generator: SeededGenerator
  private let merge: SimulatedMerge
  private(set) var powerCutCount = 0
  private(set) var runCount = 0

  init(seed: UInt64) {
    self.seed = seed
    generator = SeededGenerator(seed: seed)
    merge = SimulatedMerge(storm: &generator)
  }

  var description: String {
    "storm \(seed) of \(merge); replay with THIN_MERGE_STORM=\(seed) scripts/test --filter StormTests"
  }

  /// Runs the storm to completion.
  ///
  /// Every failure message identifies the storm.
  mutating func run() throws {
    do {
      try rage()
    } catch let error as MergeError {
      throw SupportError("\(error.message): \(self)")
    }
  }

  private mutating func rage() throws {
    let comment: Comment = "\(self)"
    var harness = MergeHarness(merge, seed: generator.next())
    for _ in 0..<Int.random(in: 1...Self.roundCountMax, using: &generator) {
      harness.disk.faults = faults()
      try live(through: harness, comment)
      if let cut = harness.disk.powerCut {
        powerCutCount += 1
        harness = harness.afterPowerCut(
          cut.survivors(using: &generator), seed: generator.next())
      }
      disturb(harness)
    }
    harness.disk.faults = DiskFaults()
    // The first run re-checks what the storm recorded; the second, everything the first wrote.
    for run in ["first", "second"] {
      let result = try harness.run(.init(transfer: SimulatedMerge.transfer(using: &generator)))
      try harness.expectNoViolation("\(harness.disk.violation ?? ""), \(run) run: \(comment)")
      try #require(result.isFinished, "\(result.end), \(run) run: \(comment)")
      try harness.expectMerged(result, "\(harness.wrongPlace() ?? ""), \(run) run: \(comment)")
    }
    let open = harness.disk.cutPower().pieces.count
    try #require(open == 0, "\(open) pieces are not durable at the end: \(comment)")
    try expectVerified(harness, comment)
  }

  private func expectVerified(_ harness: MergeHarness, _ comment: Comment) throws {
    let comparison = try harness.compare()
    #expect(comparison.end == .finished && comparison.differences.byteCount == 0, comment)
    let recorded = try harness.compareWithJournal()
    #expect(recorded.end == .finished && recorded.differences.byteCount == 0, comment)
  }

  /// Runs the merge once under faults, and accepts any outcome that is reported truthfully.
  private mutating func live(through harness: MergeHarness, _ comment: Comment) throws {
    runCount += 1
    var options = MergeHarness.RunOptions(transfer: SimulatedMerge.transfer(using: &generator))
    if generator.chance(oneIn: 3) {
      options.interruptedAtReap = .random(in: 1...80, using: &generator)
    }
    if generator.chance(oneIn: 2) {
      // Merges vary in length, so early power cuts are made as likely as late ones.
      options.powerCutAtOperation = .random(
        in: 1...(1 << Int.random(in: 4...11, using: &generator)), using: &generator)
    }
    defer { harness.disk.cutsPowerAt = nil }
    do throws(MergeError) {
      let result = try harness.run(options)
      if let error = result.end.error, harness.disk.powerCut == nil {
        #expect(error.kind == .stopped, "\(error.message): \(comment)")
      }
    } catch {
      try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
      guard harness.disk.powerCut == nil else { return }
      // The run was refused, so nothing was written.
      #expect(error.kind != .bug && error.kind != .stopped, "\(error.message): \(comment)")
      #expect(harness.disk.originWrites.isEmpty, comment)
    }
    try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
  }

  /// Chooses random faults for one run: often a few of every kind, sometimes many of one kind.
  private mutating func faults() -> DiskFaults {
    typealias Class = DiskFaults.Class
    var faults = DiskFaults()
    let rates: [Int?] = [nil, nil, nil, 300, 60, 15]
    for kind in [
      Class(.read, .metadata), Class(.read, .data), Class(.read, .target), Class(.write, .target),
      Class(.flush, .target), Class(.write, .journal), Class(.flush, .journal),
      Class(.read, .journal),
    ] {
      faults.failingOneIn[kind] = rates.randomElement(using: &generator) ?? nil
      if kind.operation != .flush {
        faults.shortOneIn[kind] = [nil, nil, 40, 6].randomElement(using: &generator) ?? nil
      }
    }
    for device in DiskFaults.Device.allCases {
      faults.flippedReadOneIn[device] = rates.randomElement(using: &generator) ?? nil
    }
    if generator.chance(oneIn: 6) {
      faults.fullFrom[.journal] = .random(in: 1...8, using: &generator)
    }
    if generator.chance(oneIn: 8) {
      faults.fullFrom[.target] = .random(in: 1...40, using: &generator)
    }
    for _ in 0..<(generator.chance(oneIn: 3) ? 3 : 0) {
      let start = UInt64.random(
        in: 0..<UInt64(merge.builder.dataBlockCount * merge.builder.blockByteCount),
        using: &generator)
      faults.addBadRange(.read, .data, ByteRange(start: start, end: start + 1000))
    }
    faults.takesFewerOneIn = [nil, 2, 5].randomElement(using: &generator) ?? nil
    faults.interruptedReapOneIn = [nil, 3, 20].randomElement(using: &generator) ?? nil
    return faults
  }

  /// Changes the devices between two runs, as other programs might.
  private mutating func disturb(_ harness: MergeHarness) {
    if generator.chance(oneIn: 3) {
      harness.overwriteSource(
        block: .random(in: 0..<merge.builder.dataBlockCount, using: &generator),
        contentSeed: .random(in: 2...900, using: &generator))
    }
    if generator.chance(oneIn: 4) {
      let sectorCount = (merge.model.originByteCount - 1) / 512
      guard sectorCount > 0 else { return }
      harness.restoreOrigin(sector: .random(in: 0..<sectorCount, using: &generator))
    }
  }
}

extension SimulatedMerge {
  /// Creates a random merge of any shape that is small enough to be run many times.
  init(storm generator: inout SeededGenerator) {
    self.init(
      depth: .random(in: 1...3, using: &generator), mappedByteCountMax: 3 << 20, using: &generator)
    if model.pastEnd == .refuse { model.pastEnd = .clip }
  }
}
