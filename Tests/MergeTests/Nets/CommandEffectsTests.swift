import Fixtures
import Foundation
import MergeEngine
import Testing

/// A run of the `thin-merge` command whose effects are traced and recorded.
struct TracedRun: Sendable {
  let name: String
  /// A closure that sets up the situation and runs the command under `strace`.
  let run: @Sendable (Situation) throws -> Void

  /// The files and devices that a traced run uses, and the effects recorded for it.
  final class Situation {
    let merge: MergeCase
    let state: TemporaryFolder
    var devices: [LoopDevice] = []
    /// Paths that vary from run to run, such as those of loop devices, each with a fixed
    /// replacement.
    var names: [(String, String)] = []
    fileprivate var effects: [String] = []
    fileprivate var end = ""

    init(_ merge: MergeCase) throws {
      self.merge = merge
      state = try TemporaryFolder()
    }

    var environment: [String: String] { ["STATE_DIRECTORY": state.path] }

    /// Runs the command under `strace`, optionally with injected faults or an additional wrapper
    /// command.
    func trace(_ arguments: [String], _ options: [String] = []) throws {
      let output = merge.folder.path("trace")
      let result = try ThinMergeCommand.run(
        arguments, under: TracedEffects.tracing(to: output) + options, environment: environment)
      let text = try String(contentsOfFile: output, encoding: .utf8)
      effects =
        TracedEffects(
          text, names: names + [(merge.folder.path, "FOLDER"), (state.path, "STATE")]
        ).effects.lines
      end = "exit \(result.exitStatus)"
    }

    /// Runs a merge that stops when it tries to write past the first 1 MiB of the origin.
    func stop(_ options: [String] = []) throws {
      let result = try ThinMergeCommand.run(
        merge.mergeArguments(MergeCase.steadily + options), under: ["prlimit", "--fsize=1048576"],
        environment: environment)
      guard result.exitStatus == 3 else { throw SupportError(result.standardError) }
    }

    /// Attaches a loop device to a file, registers a fixed name for the device, and returns its
    /// path.
    func attach(_ file: String, as name: String, readOnly: Bool = false) throws -> String {
      let device = try LoopDevice(backing: file, readOnly: readOnly)
      devices.append(device)
      names.append((device.path, name))
      return device.path
    }
  }

  init(_ name: String, _ run: @escaping @Sendable (Situation) throws -> Void) {
    self.name = name
    self.run = run
  }

  /// Performs the given runs in order, and returns their effects as text.
  static func record(_ about: String, _ runs: [TracedRun]) throws -> String {
    var record = EffectRecord(about)
    for run in runs {
      let situation = try Situation(mergeWithTail())
      try run.run(situation)
      record.add(run.name, situation.effects, end: situation.end)
    }
    return record.text
  }

  /// Returns a merge whose last mapped block is cut off at an unaligned offset, so that the end can
  /// be written only by a buffered write.
  private static func mergeWithTail() throws -> MergeCase {
    let builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 12))])
    return try MergeCase(pool: builder.build(), originByteCount: 33 * 65_536 + 40_001)
  }
}

@Suite("Effects: the order of the command's changes to files and devices", .waitsForPrograms)
struct CommandEffectsTests {
  @Test("the command's effects on files match the record in Tests/Effects/files.txt", .needsTracing)
  func files() throws {
    try RecordedText.expect(
      TracedRun.record("The command on files: what it asked the system for.", TracedRun.onFiles),
      in: "Tests/Effects/files.txt")
  }

  @Test(
    "the command's effects on block devices match the record in Tests/Effects/devices.txt",
    .needsTracing, .needsLoopDevices)
  func devices() throws {
    try RecordedText.expect(
      TracedRun.record(
        "The command on loop devices: what it asked the system for.", TracedRun.onDevices),
      in: "Tests/Effects/devices.txt")
  }
}

extension TracedRun {
  static let onFiles: [TracedRun] = [
    TracedRun("a merge") { try $0.trace($0.merge.mergeArguments(MergeCase.steadily)) },
    TracedRun("a merge that verifies") {
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily + ["--verify"]))
    },
    TracedRun("a merge with a journal at another place") {
      try $0.trace(
        $0.merge.mergeArguments(
          MergeCase.steadily + ["--journal", $0.merge.folder.path("journal")]))
    },
    TracedRun("a merge onto a file that grows") {
      try Program.mustRun("truncate", "--size", "196608", $0.merge.origin)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily + ["--past-end", "grow"]))
    },
    TracedRun("a merge onto a file with holes") {
      try Program.mustRun("truncate", "--size", "0", $0.merge.origin)
      try Program.mustRun("truncate", "--size", "\($0.merge.before.count)", $0.merge.origin)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge that goes on from one that stopped") {
      try $0.stop()
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge that trusts the one that stopped") {
      try $0.stop()
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily + ["--trust-earlier-runs"]))
    },
    TracedRun("a merge that begins anew") {
      try $0.stop()
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily + ["--restart"]))
    },
    TracedRun("a merge where one is finished") {
      _ = try $0.merge.merge(MergeCase.steadily)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a resume") {
      try $0.stop()
      try $0.trace(["resume", $0.merge.journal, "--yes", "--progress", "none"] + oneAtATime)
    },
    TracedRun("a resume of a finished merge") {
      _ = try $0.merge.merge(MergeCase.steadily)
      try $0.trace(["resume", $0.merge.journal, "--yes", "--progress", "none"] + oneAtATime)
    },
    TracedRun("a resume that tries them again") {
      try leaveUnread($0.merge)
      try $0.trace(["resume", $0.merge.journal, "--yes", "--progress", "none"] + oneAtATime)
    },
    TracedRun("a merge that a signal stops before its journal has a name") {
      try $0.trace(
        $0.merge.mergeArguments(MergeCase.steadily), ["-e", "inject=fsync:signal=TERM:when=1"])
    },
    TracedRun("a merge that a signal stops when its run is recorded") {
      try $0.trace(
        $0.merge.mergeArguments(MergeCase.steadily), ["-e", "inject=pwrite64:signal=TERM:when=1"])
    },
    TracedRun("a merge that cannot make its journal durable") {
      try $0.trace(
        $0.merge.mergeArguments(MergeCase.steadily), ["-e", "inject=fdatasync:error=EIO:when=1"])
    },
    TracedRun("a merge that cannot write to the origin") {
      try $0.trace(
        $0.merge.mergeArguments(MergeCase.steadily), ["prlimit", "--fsize=1048576"])
    },
    TracedRun("a merge onto a file that somebody has locked") {
      let holder = try HeldFile.withFileLock($0.merge.originFile)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
      try holder.close()
    },
    TracedRun("a merge onto a file that is not there") {
      $0.merge.origin = $0.merge.folder.path("nothing")
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge with a journal that is none") {
      try Data("notes\n".utf8).write(to: URL(filePath: $0.merge.journal))
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge with a journal that is damaged") {
      try $0.stop()
      try overwrite($0.merge.journal, at: 40, with: Data([0xFF]))
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a plan") { try $0.trace(["plan"] + $0.targets) },
    TracedRun("a comparison") {
      _ = try $0.merge.merge(MergeCase.steadily)
      try $0.trace(["verify"] + $0.targets + ["--progress", "none"] + oneAtATime)
    },
    TracedRun("a comparison with the journal") {
      _ = try $0.merge.merge(MergeCase.steadily)
      try $0.trace(["verify", "--journal", $0.merge.journal, "--progress", "none"] + oneAtATime)
    },
    TracedRun("the status of a merge that stopped") {
      try $0.stop()
      try $0.trace(["status", $0.merge.journal])
    },
    TracedRun("the devices of a pool") {
      try $0.trace(["devices", "--metadata", $0.merge.metadata])
    },
  ]

  static let onDevices: [TracedRun] = [
    TracedRun("a merge from files onto a device") {
      $0.merge.origin = try $0.attach($0.merge.originFile, as: "ORIGIN")
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge from devices onto a device") {
      try attachAll($0)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a resume onto a device") {
      try attachAll($0)
      let result = try ThinMergeCommand.run(
        $0.merge.mergeArguments(MergeCase.steadily),
        under: [
          "strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1",
        ], environment: $0.environment)
      guard result.exitStatus == 3 else { throw SupportError(result.standardError) }
      let journal = try $0.state.names().first { $0.hasSuffix(".journal") } ?? ""
      try $0.trace(
        ["resume", $0.state.path(journal), "--yes", "--progress", "none"] + oneAtATime)
    },
    TracedRun("a comparison of devices") {
      try attachAll($0)
      try $0.trace(["verify"] + $0.targets + ["--progress", "none"] + oneAtATime)
    },
    TracedRun("a merge onto a device that is read-only") {
      $0.merge.origin = try $0.attach($0.merge.originFile, as: "ORIGIN", readOnly: true)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
    },
    TracedRun("a merge onto a device that somebody has open for himself alone") {
      $0.merge.origin = try $0.attach($0.merge.originFile, as: "ORIGIN")
      let holder = try HeldFile.exclusively($0.merge.origin)
      try $0.trace($0.merge.mergeArguments(MergeCase.steadily))
      try holder.close()
    },
  ]

  private static let oneAtATime = ["--queue-depth", "1", "--io-size", "64k"]

  /// Runs a merge while everything past the ninth block of the data file is unreadable, and then
  /// restores the file.
  private static func leaveUnread(_ merge: MergeCase) throws {
    let data = merge.dataFile
    let outcome = try EngineInProcess.merge(
      MergeSource(metadataPath: merge.metadata, dataPath: data, deviceID: 0), onto: merge.origin,
      options: MergeOptions(transfer: TransferOptions(queueDepth: 1, ioByteCount: 65_536))
    ) { (try? Program.mustRun("truncate", "--size", "589824", data)) != nil }
    guard outcome.exitStatus == 3 else { throw SupportError(outcome.message) }
    try overwrite(data, with: merge.dataBefore)
  }

  private static func attachAll(_ situation: Situation) throws {
    situation.merge.metadata = try situation.attach(situation.merge.metadataFile, as: "METADATA")
    situation.merge.data = try situation.attach(situation.merge.dataFile, as: "DATA")
    situation.merge.origin = try situation.attach(situation.merge.originFile, as: "ORIGIN")
  }
}

extension TracedRun.Situation {
  /// The command-line options that tell `plan` and `verify` which source and origin to use.
  fileprivate var targets: [String] { merge.sourceArguments + ["--origin", merge.origin] }
}
