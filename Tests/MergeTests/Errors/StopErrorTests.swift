import Fixtures
import Foundation
import SystemPackage
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: commands that stop before they finish", .waitsForPrograms)
struct StopErrorTests {
  @Test(
    "whatever stops a command early, the error has the expected code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "if a system call on the origin or metadata is refused, a merge fails with a matching error",
    .needsTracing, arguments: refused)
  func ofSystem(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "if a system call on the origin's device is refused, the merge fails with a matching error",
    .needsTracing,
    .needsLoopDevices)
  func ofSystemAndDevice() throws { try Self.refusedOfDevice.check() }

  @Test(
    "if a system call is refused even to root, the command fails with a matching error",
    .needsTracing,
    .needsRoot)
  func ofSystemAndRoot() throws { try Self.refusedToRoot.check() }

  static let situations = signals + devices + changes + comparisons + movedFiles

  private static let signals: [ErrorSituation] = [
    ErrorSituation(
      "a signal comes while blocks are written", "interrupted", .stopped,
      command: { merge in
        try merge.interruptEarly()
      }),
    ErrorSituation("a signal comes while the mappings are read", "interrupted", .stopped) {
      var builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 70))])
      builder.leafEntryCount = 1
      let merge = try MergeCase(pool: builder.build(), originByteCount: 210 * 65_536)
      let interruption = Interruption()
      interruption.request()
      return try merge.stopped(by: interruption)
    },
    ErrorSituation("a signal comes while room is taken for holes", "interrupted", .stopped) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try Program.mustRun("truncate", "--size", "0", merge.origin)
      try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
      let interruption = Interruption()
      return try merge.stopped(by: interruption) { interruption.request() }
    },
  ]

  private static let devices: [ErrorSituation] = [
    ErrorSituation("the source cannot be read in places", "some-unreadable", .stopped) {
      let merge = try MergeCase(scatteredBlocks: 40)
      let running = try merge.startMerge(MergeCase.slowly)
      try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
      try Program.mustRun("truncate", "--size", "\(35 * merge.blockByteCount)", merge.dataFile)
      return try ReportedError(running.wait()).followed().naming([(merge.folder.path, "FOLDER")])
    },
    ErrorSituation(
      "the origin cannot be written to", "cannot-write-origin", .stopped,
      command: { merge in
        try merge.merge(
          ["--io-size", "64k", "--queue-depth", "1"], under: ["prlimit", "--fsize=\(1 << 20)"])
      }),
    ErrorSituation(
      "the origin cannot be extended", "cannot-extend-origin", .stopped,
      command: { merge in
        try Program.mustRun("truncate", "--size", "512K", merge.origin)
        return try merge.merge(["--past-end", "grow"], under: ["prlimit", "--fsize=\(1 << 20)"])
      }),
    failing("a flush of the origin fails", "cannot-flush-origin") {
      $0.failing[DiskFaults.Class(.flush, .target)] = 1
    },
    failing("a flush of the journal fails", "cannot-flush-journal") {
      $0.failing[DiskFaults.Class(.flush, .journal)] = 2
    },
    failing("the journal has no room for a record", "cannot-append-journal") {
      $0.fullFrom[.journal] = 2
    },
  ]

  private static let changes: [ErrorSituation] = [
    changing("the metadata snapshot is released during the merge", "no-metadata-snapshot") {
      image in
      image.editSuperblock(.live) { $0.heldRoot = 0 }
    },
    changing("another metadata snapshot is taken during the merge", "metadata-changed") { image in
      image.editSuperblock(.held) { $0.transactionID += 1 }
    },
    changing("the pool is activated during the merge", "metadata-changed", mappings: .inactivePool)
    { image in
      image.editSuperblock(.live) { $0.transactionID += 1 }
    },
    changing("a node changes after the plan", "metadata-node-changed") { image in
      image.editNode(at: image.held.mapping(of: 0).leaves[0]) { $0.setValue(0, to: 60 << 24) }
    },
  ]

  private static let comparisons: [ErrorSituation] = [
    ErrorSituation("a signal comes while source and origin are compared", "interrupted", .stopped) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let interruption = Interruption()
      let report = try merge.merger(interruption, whenPlanned: interruption.request).verify(
        merge.engineSource, against: merge.origin, extent: ExtentOptions(),
        transfer: TransferOptions())
      return try ReportedError(#require(report.failure)).naming([(merge.folder.path, "FOLDER")])
    },
    ErrorSituation(
      "the compared origin is cut short", "not-all-compared", .stopped,
      command: { merge in
        expectSuccess(try merge.merge())
        try Program.mustRun("truncate", "--size", "512K", merge.origin)
        return try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      }),
    ErrorSituation("the merge in the journal is not finished", "merge-not-finished", .stopped) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      let recorded = try #require(try merge.status()["done_bytes"]?.integer)
      let result = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      return try ReportedError(result).followed().naming([
        (merge.folder.path, "FOLDER"), (": \(recorded) of", ": RECORDED of"),
      ])
    },
    ErrorSituation("the journal lacks checksums of a part", "checksums-missing", .stopped) {
      let crafted = try CraftedMerge()
      try crafted.putReplacedInPart()
      return try crafted.reported(["verify", "--journal", crafted.merge.journal])
    },
    ErrorSituation("the journal lacks half of the merge", "journal-incomplete", .stopped) {
      let crafted = try CraftedMerge()
      try crafted.put(Array(crafted.entries.prefix(4)), isFinished: true)
      return try crafted.reported(crafted.merge.mergeArguments())
    },
    ErrorSituation(
      "the journal lacks its last record", "merge-not-finished", .stopped,
      command: { merge in
        expectSuccess(try merge.merge())
        let last = try #require(try JournalOnDisk.recordRanges(of: merge.journal).last)
        try Program.mustRun("truncate", "--size", "\(last.lowerBound)", merge.journal)
        return try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      }),
    ErrorSituation("two changes to the pool cannot be undone", "not-put-back", .stopped) {
      var report = try MergeReport.finished()
      report.cleanupFailures = [
        .metadataSnapshotHeld("POOL", .resourceBusy),
        .cannotRestoreReadOnly("/dev/mapper/base", .resourceBusy),
      ]
      return try ReportedError(#require(report.failure()))
    },
  ]

  /// Situations in which a system call, usually one on the origin, is refused.
  static let refused: [ErrorSituation] = [
    ErrorSituation(
      "reads of the metadata cannot be waited for", "cannot-wait", .refused,
      command: { merge in
        try ThinMergeCommand.run(
          ["plan"] + merge.sourceArguments, under: SystemCallTrace.withoutCompletions(from: 1))
      }),
    ErrorSituation(
      "reads and writes cannot be waited for", "cannot-wait", .stopped,
      command: { merge in
        try ThinMergeCommand.run(
          merge.mergeArguments(MergeCase.slowly),
          under: SystemCallTrace.withoutCompletions(from: 12))
      }),
    ErrorSituation("the metadata device does not answer, and signals come", "interrupted", .stopped)
    {
      ReportedError(MetadataFault.cannotWait(.canceled).refusal(path: "METADATA"))
    },
    ErrorSituation(
      "the origin cannot be flushed before earlier runs are checked", "cannot-flush-origin",
      .stopped,
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "fsync,fdatasync", on: merge.origin, with: "EIO")
      }),
    ErrorSituation(
      "the origin cannot be inspected", "cannot-inspect", .refused,
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "statx", on: merge.origin, with: "EIO")
      }),
    ErrorSituation(
      "a sandbox refuses to lock the origin", "cannot-lock-origin", .refused,
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "flock", on: merge.origin, with: "EPERM")
      }),
    ErrorSituation(
      "a sandbox refuses to make the journal durable", "cannot-make-journal", .refused
    ) {
      // A dry run creates no journal, so it cannot fail this way.
      ReportedError(MergeError.cannotMakeJournal("JOURNAL", .notPermitted))
    },
    ErrorSituation(
      "the origin cannot be locked", "cannot-lock-origin", .refused,
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "flock", on: merge.origin, with: "ENOLCK")
      }),
  ]

  /// A situation in which even root is denied permission to open the origin.
  static let refusedToRoot = ErrorSituation(
    "root may not open the origin", "cannot-open", .refused,
    command: { merge in
      try merge.run(merge.mergeArguments(), refusing: "openat", on: merge.origin, with: "EPERM")
    })

  /// A situation in which a system call on the origin, a block device, is refused.
  static let refusedOfDevice = ErrorSituation(
    "the device of the origin is gone", "cannot-inspect", .refused
  ) {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    return try ReportedError(
      merge.run(
        merge.mergeArguments(["--yes", "--journal", merge.journal]), refusing: "ioctl",
        on: device.path, with: "ENODEV")
    ).naming([(device.path, "DEVICE")])
  }

  /// Situations in which files that a merge uses are removed while the merge runs.
  private static let movedFiles: [ErrorSituation] = [
    ErrorSituation(
      "the origin is removed during the merge", "origin-moved", .stopped,
      command: { merge in
        try merge.changingFiles { try Program.remove(merge.originFile) }
      }),
    ErrorSituation(
      "the origin becomes shorter during the merge", "origin-shortened", .stopped,
      command: { merge in
        try merge.changingFiles {
          try Program.mustRun("truncate", "--size", "-4096", merge.originFile)
        }
      }),
    ErrorSituation(
      "the journal is removed during the merge", "journal-gone", .stopped,
      command: { merge in
        try merge.changingFiles { try Program.remove(merge.journal) }
      }),
    ErrorSituation(
      "the journal is moved during the merge", "journal-moved", .stopped,
      command: { merge in
        try merge.changingFiles {
          try Program.mustRun("mv", merge.journal, merge.journal + ".moved")
        }
      }),
  ]

  // MARK: Preparation

  /// Returns a situation in which a merge runs on a simulated disk that injects faults.
  private static func failing(
    _ name: String, _ code: String,
    _ faults: @escaping @Sendable (inout DiskFaults) -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, .stopped) {
      let harness = MergeHarness(
        InterruptedMergeTests.merge(TransferOptions(queueDepth: 2, ioByteCount: 16 << 10)), seed: 1)
      faults(&harness.disk.faults)
      return try ReportedError(
        Failure(stopping: #require(harness.run().end.error), journalPath: "journal"))
    }
  }

  /// Returns a situation in which the metadata changes after the merge was planned.
  private static func changing(
    _ name: String, _ code: String,
    mappings: MergeSource.Mappings = .metadataSnapshot(block: nil),
    _ change: @escaping @Sendable (inout PoolImage) -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, .stopped) {
      let image = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 8))]).build()
      var changed = image
      change(&changed)
      let merge = try MergeCase(pool: image, originByteCount: 24 * 65_536)
      let (bytes, metadata) = (changed.metadata.data, merge.metadataFile)
      return try merge.stopped(by: Interruption(), mappings: mappings) {
        try? overwrite(metadata, with: bytes)
      }
    }
  }
}

extension MergeReport {
  /// Runs a merge to the end, and returns its report.
  fileprivate static func finished() throws -> MergeReport {
    let merge = try MergeCase(scatteredBlocks: 1)
    return try merge.merger(Interruption())
      .merge(merge.engineSource, onto: merge.origin, options: MergeOptions())
  }
}

/// An observer that runs one action before it approves a merge, and another at every note.
///
/// One such note states which end was assumed for the thin device.
private struct Agreeing: MergeObserver {
  let happens: @Sendable () -> Void
  let planned: @Sendable () -> Void

  func note(_ note: MergeNote) { planned() }
  func progress(_ progress: MergeProgress) {}
  func approve(_ plan: PlanReport) -> Bool {
    happens()
    return true
  }
}

extension MergeCase {
  fileprivate var engineSource: MergeSource {
    MergeSource(metadataPath: metadata, dataPath: data, deviceID: 0)
  }

  /// Returns a merge engine that is set up the way the command sets it up.
  fileprivate func merger(
    _ interruption: Interruption, whenAsked happens: @escaping @Sendable () -> Void = {},
    whenPlanned planned: @escaping @Sendable () -> Void = {}
  ) -> Merger {
    Merger(
      environment: Environment(
        stateFolder: "/nonexistent", interruption: interruption,
        observer: Agreeing(happens: happens, planned: planned)))
  }

  /// Runs a merge that does not finish, and returns the error that the command reports.
  fileprivate func stopped(
    by interruption: Interruption, mappings: MergeSource.Mappings = .metadataSnapshot(block: nil),
    whenAsked happens: @escaping @Sendable () -> Void = {}
  ) throws -> ReportedError {
    var source = engineSource
    source.mappings = mappings
    let said: ReportedError
    do throws(MergeError) {
      let report = try merger(interruption, whenAsked: happens)
        .merge(source, onto: origin, options: MergeOptions())
      guard let failure = report.failure() else {
        throw MergeError(.bug, .bug, "", at: "", because: "")
      }
      said = ReportedError(failure)
    } catch {
      said = ReportedError(error)
    }
    return said.naming([(folder.path, "FOLDER")])
  }
}

extension MergeCase {
  /// Starts a merge, stops its process after the journal's first checkpoint, makes the change, and
  /// lets the merge continue.
  fileprivate func changingFiles(_ change: () throws -> Void) throws -> CommandResult {
    let running = try startMerge(Self.slowly + ["--rate-limit", "128k"])
    try #require(try running.waitUntilCheckpoint(1, in: journal))
    try running.whileStopped {
      try #require(try !JournalOnDisk.state(of: journal).isFinished)
      try change()
    }
    return try running.wait()
  }
}
