import Fixtures
import MergeEngine
import Testing

/// A sequence of runs on a simulated disk, in which the effects of the last run are recorded.
private struct MemoryRun: Sendable {
  let name: String
  /// A closure that performs the runs and records the effects of the last one.
  let run: @Sendable (inout Recorded) throws -> Void

  init(_ name: String, _ run: @escaping @Sendable (inout Recorded) throws -> Void) {
    self.name = name
    self.run = run
  }

  /// A merge on a simulated disk, and the effects of the run that was recorded.
  struct Recorded {
    let harness: MergeHarness
    private(set) var effects = EffectText()
    private(set) var end = ""

    init(_ harness: MergeHarness) {
      self.harness = harness
      quieten()
    }

    /// Disables random faults, and injects only the given ones.
    mutating func quieten(_ faults: DiskFaults = DiskFaults()) {
      var faults = faults
      faults.takesFewerOneIn = nil
      faults.interruptedReapOneIn = nil
      harness.disk.faults = faults
    }

    /// Runs the merge and records its effects.
    mutating func record(_ options: MergeHarness.RunOptions = .init()) throws {
      let seen = Seen()
      harness.disk.told = { request, result in
        guard request.operation != .read else { return }
        let device = DiskFaults.Device(request.file)
        let name = device == .target ? "origin" : "\(device)"
        let verb =
          request.operation == .flush ? "flush" : device == .journal ? "append to" : "write"
        // A flush is recorded as two effects: its request and its completion.
        switch (result, request.operation) {
        case (nil, .flush): seen.effects.add("flush \(name): asked for")
        case (nil, _): seen.effects.add("\(verb) \(name)")
        case (let result?, .flush):
          seen.effects.add("flush \(name): \(result < 0 ? "fails" : "done")")
        case (let result?, _): if result < 0 { seen.effects.add("\(verb) \(name): fails") }
        }
      }
      defer { harness.disk.told = nil }
      do throws(MergeError) {
        let result = try harness.run(options)
        let unread = result.unreadable.isEmpty ? "" : ", some is not readable"
        end = "\(Self.word(result.end))\(unread)"
      } catch {
        end = "refused: \(error.message)"
      }
      effects = seen.effects
    }

    private static func word(_ end: PipelineEnd) -> String {
      switch end {
      case .finished: "finished"
      case .interrupted: "interrupted"
      case .failed(let error): "failed: \(error.message)"
      }
    }
  }

  private final class Seen {
    var effects = EffectText()
  }
}

@Suite("Effects: the order of a merge's writes and flushes on a simulated disk")
struct MemoryEffectsTests {
  @Test("a merge's effects on an in-memory disk match the record in Tests/Effects/memory.txt")
  func memory() throws {
    var record = EffectRecord(
      "Merges on a disk in memory: what is written, and what is made durable.")
    for run in Self.runs {
      var merge = InterruptedMergeTests.merge(
        TransferOptions(queueDepth: 4, ioByteCount: 32_768))
      merge.checkpointInterval = .milliseconds(4)
      var recorded = MemoryRun.Recorded(MergeHarness(merge, seed: 4242))
      try run.run(&recorded)
      record.add(run.name, recorded.effects.folded(roundsOf: "write origin"), end: recorded.end)
    }
    try RecordedText.expect(record.text, in: "Tests/Effects/memory.txt")
  }

  private typealias Class = DiskFaults.Class

  private static let runs: [MemoryRun] = [
    MemoryRun("a merge") { try $0.record() },
    MemoryRun("a merge, one request after the other") {
      try $0.record(.init(transfer: TransferOptions(queueDepth: 1, ioByteCount: 32_768)))
    },
    MemoryRun("a merge that is stopped early") { try $0.record(.init(interruptedAtReap: 2)) },
    MemoryRun("a merge that is stopped in the middle") {
      try $0.record(.init(interruptedAtReap: 14))
    },
    MemoryRun("one that goes on") {
      _ = try $0.harness.run(.init(interruptedAtReap: 14))
      try $0.record()
    },
    MemoryRun("one that goes on and trusts what is recorded") {
      _ = try $0.harness.run(.init(interruptedAtReap: 14))
      try $0.record(.init(trustsEarlierRuns: true))
    },
    MemoryRun("one that goes on where the origin was written to") {
      _ = try $0.harness.run(.init(interruptedAtReap: 14))
      $0.harness.disk.put([1, 2, 3], on: .target, at: 70_000)
      try $0.record()
    },
    MemoryRun("one where all is finished") {
      _ = try $0.harness.run()
      try $0.record()
    },
    MemoryRun("one where all is finished and the origin was written to") {
      _ = try $0.harness.run()
      $0.harness.disk.put([1, 2, 3], on: .target, at: 70_000)
      try $0.record()
    },
    MemoryRun("a source with a bad spot") {
      $0.quieten(badSource)
      try $0.record()
    },
    MemoryRun("a bad spot that can be read again") {
      $0.quieten(badSource)
      _ = try $0.harness.run()
      $0.quieten()
      try $0.record()
    },
    MemoryRun("a bad spot that still cannot be read") {
      $0.quieten(badSource)
      _ = try $0.harness.run()
      try $0.record()
    },
    MemoryRun("a retry that is stopped") {
      $0.quieten(badSource)
      _ = try $0.harness.run()
      $0.quieten()
      try $0.record(.init(interruptedAtReap: 1, trustsEarlierRuns: true))
    },
    MemoryRun("an origin that cannot be written") {
      var faults = DiskFaults()
      faults.failing[Class(.write, .target)] = 5
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("an origin that is full") {
      var faults = DiskFaults()
      faults.fullFrom[.target] = 5
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("an origin that cannot be made durable") {
      var faults = DiskFaults()
      faults.failing[Class(.flush, .target)] = 1
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("a journal that cannot be made durable") {
      var faults = DiskFaults()
      faults.failing[Class(.flush, .journal)] = 2
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("a journal that cannot be appended to") {
      var faults = DiskFaults()
      faults.failing[Class(.write, .journal)] = 2
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("a journal that is full at the end") {
      var faults = DiskFaults()
      faults.fullFrom[.journal] = 3
      $0.quieten(faults)
      try $0.record()
    },
    MemoryRun("one that goes on after a power cut") {
      _ = try $0.harness.run(.init(powerCutAtOperation: 60))
      let cut = try #require($0.harness.disk.powerCut)
      $0 = MemoryRun.Recorded($0.harness.afterPowerCut(cut.durable, seed: 4242))
      try $0.record()
    },
  ]

  private static var badSource: DiskFaults {
    var faults = DiskFaults()
    faults.addBadRange(.read, .data, ByteRange(start: 70_000, end: 70_001))
    return faults
  }
}
