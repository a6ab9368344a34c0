import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: the Nth operation of a class fails, for every N")
struct FailTheNthTests {
  typealias Class = DiskFaults.Class

  /// A class of operations that fail once or permanently, in a first or a resumed run.
  struct Case: CustomTestStringConvertible {
    var kind: Class
    var isForGood: Bool
    var isResumed: Bool

    var testDescription: String {
      "\(kind) \(isForGood ? "from then on" : "once"), in \(isResumed ? "a resumed" : "the first") run"
    }
  }

  static let cases = [
    Class(.read, .metadata), Class(.read, .data), Class(.read, .target), Class(.write, .target),
    Class(.flush, .target), Class(.read, .journal), Class(.write, .journal),
    Class(.flush, .journal),
  ].flatMap { kind in
    [(false, false), (false, true), (true, false), (true, true)].map {
      Case(kind: kind, isForGood: $0.0, isResumed: $0.1)
    }
  }.filter { $0.isResumed || $0.kind != Class(.read, .target) }

  @Test(
    "after a failed operation and a power cut, no recorded byte is lost and the merge finishes",
    arguments: cases)
  func fail(_ example: Case) throws {
    let seed = Seed.current
    var number = 1
    while true {
      let comment: Comment = "\(example.testDescription), number \(number); \(seed)"
      let harness = try Self.harness(example, seed: seed.value &+ UInt64(number), comment)
      if example.isForGood {
        harness.disk.faults.failingFrom[example.kind] = number
      } else {
        harness.disk.faults.failing[example.kind] = number
      }
      let isFinished = try Self.run(harness, comment)
      let count = harness.disk.counts[example.kind, default: 0]
      if example.kind.operation != .read, example.kind.device == .journal {
        #expect(count <= number, "something was appended after it; \(comment)")
      }

      // A power cut follows, with whatever bytes the failure left in the caches.
      var generator = SeededGenerator(seed: seed.value &+ UInt64(number))
      let cut = harness.disk.cutPower()
      let durable = try harness.afterPowerCut(cut.durable, seed: 0).disk.journalState()
      for contents in [cut.durable, cut.survivors(using: &generator)] {
        let resumed = harness.afterPowerCut(contents, seed: generator.next())
        try resumed.expectTrue(
          torn: cut.tornRanges, atLeast: durable, Disturbance(), comment)
        try resumed.expectMerged(try resumed.run(), comment)
      }
      guard count >= number else {
        #expect(isFinished, "nothing failed, and the merge is not finished; \(comment)")
        break
      }
      harness.disk.faults = DiskFaults()
      try harness.expectMerged(try harness.run(), comment)
      number += Effort.of(all: 1, few: 4)
    }
    #expect(number > 1, "there is no such operation; \(seed)")
  }

  /// Runs the merge with the failure, and expects it to finish, stop, or be refused before writing.
  ///
  /// - Returns: True if the run finished.
  private static func run(_ harness: MergeHarness, _ comment: Comment) throws -> Bool {
    let result: Result<MergeHarness.RunResult, MergeError>
    do throws(MergeError) {
      result = .success(try harness.run())
    } catch {
      result = .failure(error)
    }
    try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
    switch result {
    case .success(let run):
      if run.isFinished {
        try harness.expectMerged(run, comment)
      } else if let error = run.end.error {
        #expect(error.kind == .stopped, "\(error.message): \(comment)")
      }
      return run.isFinished
    case .failure(let error):
      #expect(error.kind == .refused, "\(error.message): \(comment)")
      #expect(harness.disk.originWrites.isEmpty, comment)
      return false
    }
  }

  /// Returns a new merge, or an interrupted merge with an unreadable range.
  private static func harness(
    _ example: Case, seed: UInt64, _ comment: Comment
  ) throws -> MergeHarness {
    let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)
    var merge = InterruptedMergeTests.merge(transfer)
    merge.dataAlignment = 4096
    for reap in 20..<120 {
      let harness = MergeHarness(merge, seed: seed)
      try harness.makeJournal()
      guard example.isResumed else { return harness }
      harness.disk.faults.addBadRange(
        .read, .data, ByteRange(start: 5 * 65_536, end: 5 * 65_536 + 1))
      let first = try harness.run(.init(interruptedAtReap: reap))
      harness.disk.faults = DiskFaults()
      let isInTheMiddle = first.end == .interrupted && first.state.doneByteCount > 0
      if isInTheMiddle, !first.state.unreadable.isEmpty { return harness }
    }
    throw SupportError("no interruption came between the bad spot and the end: \(comment)")
  }
}
