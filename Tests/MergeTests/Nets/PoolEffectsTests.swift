import Foundation
import MergeEngine
import SystemPackage
import Testing

/// A sequence of runs on a simulated pool, in which the effects of the last run are recorded.
private struct PoolRun: Sendable {
  let name: String
  /// A closure that performs the runs and records the effects of the last one.
  let run: @Sendable (Recorded) throws -> Void

  init(_ name: String, _ run: @escaping @Sendable (Recorded) throws -> Void) {
    self.name = name
    self.run = run
  }

  /// A simulated pool, and the recorded effects of a run on that pool.
  final class Recorded {
    let pool: ActivePool
    private(set) var effects = EffectText()
    private(set) var end = ""

    init() throws { pool = try ActivePool() }

    /// Performs a run, and records each step together with the state on disk just before that step.
    func record(_ run: (ActivePool) throws -> ActivePool.Outcome) throws {
      pool.mapper.told = { [unowned self] step in
        lookAround()
        effects.add(step)
      }
      // Also reads the pool record whenever the devices are listed, because a change to the record
      // after the last step would otherwise be missed.
      pool.mapper.whenLookedAt = { [unowned self] in lookAtRecord() }
      defer {
        pool.mapper.told = { _ in }
        pool.mapper.whenLookedAt = {}
      }
      let outcome = try run(pool)
      if pool.mapper.isDead { effects.add("killed") }
      lookAround()
      end = pool.mapper.isDead ? "killed" : "exit \(outcome.exitStatus)"
    }

    /// Adds the current states of the pool record, the journal and the origin.
    private func lookAround() {
      lookAtRecord()
      effects.addState("journal: \(journalText)", after: "journal: ")
      effects.addState("origin: \(originText)", after: "origin: ")
    }

    private func lookAtRecord() {
      effects.addState("record: \(recordText)", after: "record: ")
    }

    private var originText: String {
      guard (try? pool.isUntouched()) != true else { return "as it was" }
      return (try? pool.isMerged()) == true ? "merged" : "in part"
    }

    private var journalText: String {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: pool.state)) ?? []
      guard let name = names.first(where: { $0.hasSuffix(".journal") }) else { return "none" }
      guard let state = try? JournalOnDisk.state(of: pool.state + "/" + name) else {
        return "not readable"
      }
      return state.isFinished ? "finished" : "begun"
    }

    private var recordText: String {
      guard let name = try? pool.recordFiles().first,
        let bytes = FileManager.default.contents(atPath: pool.state + "/pools/" + name)
      else { return "none" }
      guard let record = try? JSONDecoder().decode(PoolState.self, from: bytes) else {
        return "not readable"
      }
      return record.text
    }
  }
}

extension EffectText {
  /// Adds a state line, unless the last line with the same prefix is identical.
  fileprivate mutating func addState(_ line: String, after prefix: String) {
    let last = lines.last { $0.hasPrefix(prefix) }
    if last != line { add(line) }
  }
}

extension PoolState {
  /// The content of the pool record as text, without values that vary from run to run.
  fileprivate var text: String {
    var words: [String] = []
    if let hold = metadataHold {
      words.append(hold.held == nil ? "hold intended" : "hold taken")
      if let deviceID = hold.writtenFrom { words.append("written from \(deviceID)") }
    }
    for snapshot in snapshots {
      words.append("snapshot \(snapshot.isMade ? "made" : "intended")")
      if snapshot.mayBeSuspended { words.append("may be suspended") }
      if snapshot.hasBegun { words.append("begun") }
      if snapshot.isMerged { words.append("merged") }
    }
    words += removals.map {
      "\($0.device.name) removed\($0.isPutBack ? ", to be put back" : "")\($0.staysRemoved ? ", left" : "")"
    }
    words += madeWritable.map { "\($0.name) made writable" }
    return words.joined(separator: "; ")
  }
}

@Suite("Effects: the order of changes to a pool", .needsLoopDevices, .waitsForPrograms)
struct PoolEffectsTests {
  @Test("the effects of runs on a simulated pool match the record in Tests/Effects/pool.txt")
  func pool() throws {
    var record = EffectRecord(
      "Merges from a simulated pool: each step, and what was written down before it.")
    for run in Self.runs + Self.killed {
      let recorded = try PoolRun.Recorded()
      try run.run(recorded)
      record.add(run.name, recorded.effects.lines, end: recorded.end)
    }
    try RecordedText.expect(record.text, in: "Tests/Effects/pool.txt")
  }

  private static let runs: [PoolRun] = [
    PoolRun("a device that is not active") { try $0.record { $0.merge() } },
    PoolRun("a device that is not active, and the answer is no") {
      try $0.record { $0.merge(agrees: false) }
    },
    PoolRun("a device that is read-only") {
      var thin = try $0.pool.thin()
      thin.isReadOnly = true
      $0.pool.mapper.mapped.append(thin)
      try $0.record { $0.merge(.device("vm")) }
    },
    PoolRun("a device that is active") {
      $0.pool.mapper.mapped.append(try $0.pool.thin())
      try $0.record { $0.merge(.device("vm")) }
    },
    PoolRun("a device that is active, and is merged itself") {
      $0.pool.mapper.mapped.append(try $0.pool.thin())
      try $0.record { $0.merge(.device("vm"), PoolOptions(mergesThinDeviceItself: true)) }
    },
    PoolRun("a device that is active, is merged itself, and is to be put back") {
      $0.pool.mapper.mapped.append(try $0.pool.thin())
      try $0.record {
        $0.merge(.device("vm"), PoolOptions(mergesThinDeviceItself: true, reactivates: true))
      }
    },
    PoolRun("a device that is active, and the answer is no") {
      $0.pool.mapper.mapped.append(try $0.pool.thin())
      try $0.record { $0.merge(.device("vm"), agrees: false) }
    },
    PoolRun("a device in use") {
      try addDeviceInUse($0)
      try $0.record { $0.merge(.device("vm")) }
    },
    PoolRun("a snapshot of a device in use") {
      try addDeviceInUse($0)
      try $0.record { $0.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)) }
    },
    PoolRun("a snapshot that cannot be made") {
      try addDeviceInUse($0)
      $0.pool.mapper.fails["create_snap"] = .noMemory
      try $0.record { $0.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)) }
    },
    PoolRun("a device that cannot be resumed") {
      try addDeviceInUse($0)
      $0.pool.mapper.resumeFails = .ioError
      try $0.record { $0.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)) }
    },
    PoolRun("a metadata snapshot of somebody else") {
      try $0.pool.mapper.holdForSomebodyElse()
      try $0.record { $0.merge() }
    },
    PoolRun("a metadata snapshot that cannot be taken") {
      $0.pool.mapper.fails["reserve_metadata_snap"] = .ioError
      try $0.record { $0.merge() }
    },
    PoolRun("a metadata snapshot that cannot be released") {
      $0.pool.mapper.fails["release_metadata_snap"] = .ioError
      try $0.record { $0.merge() }
    },
    PoolRun("a device that cannot be put back") {
      $0.pool.mapper.mapped.append(try $0.pool.thin())
      $0.pool.mapper.fails["make"] = .ioError
      try $0.record { $0.merge(.device("vm"), PoolOptions(reactivates: true)) }
    },
    PoolRun("a device that is deleted in mid-merge") {
      try $0.pool.cutData()
      try $0.record { mergeDeleting($0) }
    },
    PoolRun("the merge of a deleted device, resumed") {
      try $0.pool.cutData()
      _ = mergeDeleting($0.pool)
      try $0.pool.restoreData()
      try $0.record { try $0.resume() }
    },
    PoolRun("a plan") {
      try $0.record { pool in
        pool.run { merger throws(MergeError) in
          let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
          _ = try merger.plan(found.source, onto: nil)
        }
      }
    },
    PoolRun("the devices of a pool") {
      try $0.record { pool in
        pool.run { merger throws(MergeError) in _ = try merger.devices(pool: "pool") }
      }
    },
  ]

  /// Runs a merge during which another program deletes the thin device, and which then stops at
  /// unreadable blocks.
  private static func mergeDeleting(_ pool: ActivePool) -> ActivePool.Outcome {
    pool.merge(
      .member(pool: "pool", deviceID: 5), PoolOptions(mergesThinDeviceItself: true),
      whenAsked: { try? pool.mapper.replaceBySomebodyElse(5) })
  }

  private static func addDeviceInUse(_ recorded: PoolRun.Recorded) throws {
    var thin = try recorded.pool.thin()
    thin.openCount = 1
    recorded.pool.mapper.mapped.append(thin)
  }

  /// Runs that follow a killed run, for selected kill steps of each kind of merge.
  private static let killed: [PoolRun] = PoolCrashTests.Way.allCases.flatMap { way in
    let steps: [Int] =
      switch way {
      case .inactive: [0, 1, 2, 3, 4, 5, 6, 7]
      case .itself: [0, 1, 2, 3]
      case .active: [4, 5]
      case .reactivated: [2, 3, 4, 5, 6, 7, 8]
      case .snapshot: [4, 5, 6, 7, 8, 9, 10, 11, 13, 14]
      case .originMadeWritable: [2, 3, 4, 5, 6, 7, 8, 9]
      }
    return steps.map { step in
      PoolRun("\(way): killed \(step % 2 == 0 ? "before" : "after") step \(step / 2)") {
        try way.prepare($0.pool)
        _ = try PoolCrashTests.killed($0.pool, way, at: step)
        try $0.record { $0.merge(way.selection, way.options) }
      }
    }
  }
}
