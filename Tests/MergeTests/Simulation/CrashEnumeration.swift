import Fixtures
@testable import MergeEngine
import Testing

/// Cuts the power at every operation of a merge, and resumes from many possible surviving states.
///
/// The power is also cut during the resumed runs.
struct CrashEnumeration {
  /// The number of random surviving states tried for each power cut that leaves pieces undecided.
  static let survivalCount = Effort.of(all: 50, few: 4)
  /// The maximum number of undecided pieces for which every subset is tried.
  static let pieceCountMax = Effort.of(all: 10, few: 3)
  /// The number of second power cuts tried after each first power cut.
  static let secondCutCountEach = Effort.of(all: 3, few: 1)
  static let secondSurvivalCount = 2

  /// The state of the merge before the run whose operations are enumerated.
  let harness: MergeHarness
  var options = MergeHarness.RunOptions()
  var resumeOptions = MergeHarness.RunOptions()
  var disturbance = Disturbance()
  private let contents: [PowerCut.Device: SparseContent]
  private let seed: Seed
  private var generator: SeededGenerator
  private(set) var cutCount = 0
  private(set) var survivalCount = 0
  /// The number of power cuts for which every subset of pieces was tried.
  private(set) var exhaustedCutCount = 0
  private(set) var secondCutCount = 0
  /// The number of journals in which a durable record was damaged.
  private(set) var damageCount = 0

  init(_ harness: MergeHarness, seed: Seed, salt: UInt64) throws {
    try harness.makeJournal()
    self.harness = harness
    self.seed = seed
    generator = SeededGenerator(seed: seed.value &+ salt)
    contents = harness.disk.devices.mapValues(\.content)
  }

  mutating func run(_ name: String) throws {
    let runSeed = generator.next()
    var last: PowerCut?
    var operation = 1
    while true {
      let comment: Comment = "\(name), power cut at operation \(operation); \(seed)"
      let first = harness.afterPowerCut(contents, seed: runSeed)
      guard let cut = try first.powerCut(at: operation, options, comment) else {
        // The run is complete: every write must be durable.
        let end = first.disk.cutPower()
        #expect(end.pieces.isEmpty, "\(end.pieces.count) pieces are not durable; \(comment)")
        print(
          "\(name): \(cutCount) power cuts, \(exhaustedCutCount) with every subset, "
            + "\(secondCutCount) second ones; \(survivalCount) survivals, \(damageCount) damaged")
        return
      }
      cutCount += 1
      try survive(cut, isNew: !(last.map { cut.allowsTheSame(as: $0) } ?? false), comment)
      try damage(cut, comment)
      last = cut
      operation += 1
    }
  }

  private mutating func survive(_ cut: PowerCut, isNew: Bool, _ comment: Comment) throws {
    let torn = cut.tornRanges
    let durable = try harness.afterPowerCut(cut.durable, seed: 0).disk.journalState()
    var resumedOperationCount = 0
    // If no piece is undecided, there is only one possible surviving state.
    for survival in 0..<(cut.pieces.isEmpty ? 1 : Self.survivalCount) {
      resumedOperationCount = try resume(
        cut.survivors(using: &generator), torn, durable, "survival \(survival) of \(comment)")
    }
    if isNew {
      let all = cut.everySurvival(pieceCountMax: Self.pieceCountMax)
      exhaustedCutCount += all.isEmpty ? 0 : 1
      for (subset, survivors) in all.enumerated() {
        _ = try resume(survivors, torn, durable, "subset \(subset) of \(comment)")
      }
    }
    for _ in 0..<Self.secondCutCountEach {
      let operation = Int.random(in: 1...resumedOperationCount, using: &generator)
      try cutAgain(
        at: operation, cut, "again at operation \(operation) after a \(comment)")
    }
  }

  /// Checks the surviving devices, resumes to the end, and checks the result.
  ///
  /// - `torn`: the ranges that may contain garbage.
  /// - `durable`: the state that the durable part of the journal records.
  /// - Returns: The number of operations in the resumed run.
  private mutating func resume(
    _ survivors: [PowerCut.Device: SparseContent], _ torn: RangeSet, _ durable: JournalState,
    _ comment: Comment
  ) throws -> Int {
    survivalCount += 1
    let resumed = harness.afterPowerCut(survivors, seed: generator.next())
    try resumed.expectTrue(torn: torn, atLeast: durable, disturbance, comment)
    let done = try resumed.disk.journalState().doneByteCount
    let result = try resumed.run(resumeOptions)
    try resumed.expectMerged(result, comment)
    #expect(
      result.writtenByteCount - result.rewrittenByteCount
        == harness.merge.plannedRanges.byteCount - done, comment)
    return resumed.disk.operationCount
  }

  private mutating func cutAgain(at operation: Int, _ cut: PowerCut, _ comment: Comment) throws {
    let resumed = harness.afterPowerCut(
      cut.survivors(using: &generator), seed: generator.next())
    guard let second = try resumed.powerCut(at: operation, resumeOptions, comment) else { return }
    secondCutCount += 1
    var torn = cut.tornRanges
    for range in second.tornRanges.ranges { torn.insert(range) }
    let durable = try resumed.afterPowerCut(second.durable, seed: 0).disk.journalState()
    for survival in 0..<Self.secondSurvivalCount {
      _ = try resume(
        second.survivors(using: &generator), torn, durable, "survival \(survival), \(comment)")
    }
  }

  /// Flips a bit in a record before the last append, and expects the run to refuse the journal.
  ///
  /// Such damage does not count as a torn tail.
  private mutating func damage(_ cut: PowerCut, _ comment: Comment) throws {
    let damaged = harness.afterPowerCut(cut.durable, seed: generator.next())
    let records = try damaged.disk.journalRecords()
    guard let last = records.last?.frame.appendSequence,
      let record = records.filter({ $0.frame.sequence < last }).randomElement(using: &generator)
    else { return }
    damageCount += 1
    let place = UInt64.random(
      in: record.byteOffset..<record.byteOffset + 32 + UInt64(record.frame.payloadByteCount),
      using: &generator)
    let bit = UInt8.random(in: 0...7, using: &generator)
    let byte = damaged.disk[.journal].bytes(at: place, count: 1)[0]
    damaged.disk.put([byte ^ 1 << bit], on: .journal, at: place)
    let comment: Comment = "bit \(bit) of byte \(place) of the journal flipped, \(comment)"
    let error = #expect(throws: MergeError.self, comment) { try damaged.run(resumeOptions) }
    #expect(error?.kind == .journalConflict, comment)
    #expect(damaged.disk.originWrites.isEmpty, comment)
  }
}
