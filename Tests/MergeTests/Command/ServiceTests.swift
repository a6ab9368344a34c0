import Foundation
import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

/// A stand-in for the service manager's socket, read by a separate program.
private struct Manager {
  /// The value of `NOTIFY_SOCKET` for a service.
  let address: String
  private let listener: ChildProcess

  init(address: String) throws {
    self.address = address
    let script = """
      import socket, sys
      listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
      address = sys.argv[1]
      listener.bind("\\0" + address[1:] if address.startswith("@") else address)
      print("listening", flush=True)
      while True:
          print(repr(listener.recv(65536).decode()), flush=True)
      """
    listener = try ChildProcess(["python3", "-c", script, address])
    let listener = listener
    let isListening = try listener.waitUntil {
      listener.standardOutputSoFar.contains("listening\n")
    }
    try #require(isListening)
  }

  /// The messages received so far, each split into lines.
  var messages: [[String]] {
    listener.standardOutputSoFar.split(separator: "\n").dropFirst().map { line in
      line.dropFirst().dropLast().replacing("\\n", with: "\n").split(separator: "\n").map(
        String.init)
    }
  }

  /// Waits for a message that contains the given line.
  func waitFor(_ line: String) throws -> Bool {
    let listener = listener
    return try listener.waitUntil { messages.contains { $0.contains(line) } }
  }
}

@Suite("Command: running as a service", .waitsForPrograms)
struct ServiceTests {
  @Test(
    "the service manager receives ready, status, watchdog and stopping messages",
    .needsPython, arguments: [false, true])
  func notifications(isAbstract: Bool) throws {
    let merge = try MergeCase()
    let manager = try Manager(
      address: isAbstract
        ? "@thin-merge-test-\(UUID().uuidString)" : merge.folder.path("notify"))
    let running = try ThinMergeCommand.start(
      merge.mergeArguments(MergeCase.slowly),
      environment: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"])
    let isAlive = try running.waitUntil {
      manager.messages.filter { $0.contains("WATCHDOG=1") }.count >= 3
    }
    #expect(isAlive)
    running.send(SIGINT)
    #expect(try running.wait().exitStatus == 3)
    #expect(try manager.waitFor("STOPPING=1"))
    let ready = manager.messages.filter { $0.contains("READY=1") }
    #expect(ready.count == 1)
    #expect(ready.first?.contains { $0.hasPrefix("STATUS=merging: ") } == true)
    #expect(manager.messages.allSatisfy { $0.contains { $0.hasPrefix("STATUS=") } })

    let result = try ThinMergeCommand.run(
      ["resume", merge.journal, "--yes"], environment: ["NOTIFY_SOCKET": manager.address])
    expectSuccess(result)
    #expect(try manager.waitFor("STATUS=done"))
    #expect(manager.messages.filter { $0.contains("READY=1") }.count == 2)
  }

  @Test("a refused merge is never reported as ready", .needsPython)
  func refused() throws {
    let merge = try MergeCase()
    let manager = try Manager(address: merge.folder.path("notify"))
    let environment = ["NOTIFY_SOCKET": manager.address]
    // Blocks past the origin's end are known only after all mappings have been read.
    try Program.mustRun("truncate", "--size", "1M", merge.origin)
    let refused = try ThinMergeCommand.run(merge.mergeArguments(), environment: environment)
    #expect(refused.exitStatus == 2)
    expectSuccess(
      try ThinMergeCommand.run(
        merge.mergeArguments(["--past-end", "clip"]), environment: environment))
    #expect(try manager.waitFor("STATUS=done"))
    #expect(manager.messages.filter { $0.contains("READY=1") }.count == 1)
  }

  @Test(
    "a merge completes even if nothing listens on the notify socket",
    arguments: ["/nowhere/notify", "@thin-merge-nobody", "", "/", "vsock:2:1", "@"])
  func nobody(address: String) throws {
    let merge = try MergeCase(scatteredBlocks: 2)
    expectSuccess(
      try ThinMergeCommand.run(
        merge.mergeArguments(), environment: ["NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("the watchdog interval is ignored if it is meant for another process")
  func watchdog() {
    func interval(_ variables: [String: String]) -> Duration? {
      ServiceStatus.watchdog(variables: variables, processID: 7)
    }
    #expect(interval([:]) == nil)
    #expect(interval(["WATCHDOG_USEC": "2000000"]) == .seconds(2))
    #expect(interval(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"]) == .seconds(2))
    #expect(interval(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"]) == nil)
    #expect(interval(["WATCHDOG_USEC": "0"]) == nil)
    #expect(interval(["WATCHDOG_USEC": "soon"]) == nil)
  }

  @Test(
    "undelivered service messages are resent, and the watchdog is notified at half its interval")
  func repetition() {
    let sent = Mutex<[String]>([])
    let isTaken = Atomic(false)
    let milliseconds = Atomic(0)
    let service = ServiceStatus(
      watchdog: .seconds(4),
      now: { .milliseconds(milliseconds.load(ordering: .relaxed)) },
      send: { message in
        sent.withLock { $0.append(message) }
        return isTaken.load(ordering: .relaxed)
      })
    func tell(_ time: Int, _ phase: MergeProgress.Phase) -> String? {
      sent.withLock { $0 = [] }
      milliseconds.store(time, ordering: .relaxed)
      let progress = MergeProgress(
        phase: phase, doneByteCount: 1, totalByteCount: 2, earlierByteCount: 0, elapsed: .zero,
        readsInFlight: 0, writesInFlight: 0)
      service.progress(ProgressLine(progress: progress, pace: RateEstimator()), isStopping: false)
      return sent.withLock { $0.first }
    }
    #expect(tell(0, .planning)?.hasPrefix("WATCHDOG=1\nSTATUS=planning: ") == true)
    isTaken.store(true, ordering: .relaxed)
    #expect(tell(1, .merging)?.hasPrefix("READY=1\nWATCHDOG=1\nSTATUS=merging: ") == true)
    #expect(tell(900, .merging) == nil)
    #expect(tell(1001, .merging)?.hasPrefix("STATUS=") == true)
    #expect(tell(2001, .merging)?.hasPrefix("WATCHDOG=1\nSTATUS=") == true)
  }

  @Test(
    "systemd-analyze verify accepts the systemd unit without printing anything",
    .needsSystemdAnalyze)
  func unit() throws {
    let folder = try TemporaryFolder()
    let binaries = URL(filePath: ThinMergeCommand.binaryPath).deletingLastPathComponent()
      .path(percentEncoded: false)
    let text = try String(
      contentsOfFile: PackageFolder.path("packaging/thin-merge@.service"), encoding: .utf8)
    try text.replacing("@sbindir@", with: binaries.trimmingSuffix("/")).write(
      toFile: folder.path("thin-merge@.service"), atomically: false, encoding: .utf8)
    let result = try Program.run(
      ["systemd-analyze", "verify", "--man=no", folder.path("thin-merge@.service")])
    #expect(result.exitStatus == 0)
    #expect(!result.standardError.contains("thin-merge"), "\(result.standardError)")
  }

  @Test("the systemd unit restarts only after it exits as busy or ends abnormally")
  func statuses() throws {
    let text = try String(
      contentsOfFile: PackageFolder.path("packaging/thin-merge@.service"), encoding: .utf8)
    let lines = text.split(separator: "\n")
    #expect(lines.contains("RestartForceExitStatus=\(ExitStatus.busy.rawValue)"))
    // No other exit status restarts the unit.
    #expect(lines.contains("Restart=on-abnormal"))
    // The unit does not delay the boot.
    #expect(lines.contains("After=multi-user.target"))
  }

  @Test(
    "the systemd unit runs settle whenever a run ends, and ignores a settle failure")
  func settling() throws {
    let text = try String(
      contentsOfFile: PackageFolder.path("packaging/thin-merge@.service"), encoding: .utf8)
    #expect(text.split(separator: "\n").contains("ExecStopPost=-@sbindir@/thin-merge settle"))
  }

  @Test(
    "the service for a finished merge starts and succeeds even if its devices are missing",
    .needsPython
  )
  func finished() throws {
    let merge = try MergeCase(scatteredBlocks: 2)
    expectSuccess(try merge.merge())
    for path in [merge.metadataFile, merge.dataFile, merge.originFile] { try Program.remove(path) }
    let manager = try Manager(address: merge.folder.path("notify"))
    let result = try ThinMergeCommand.run(
      ["resume", "--yes", "--progress", "none", merge.journal],
      environment: ["NOTIFY_SOCKET": manager.address])
    expectSuccess(result)
    #expect(result.standardOutput.contains("finished at"))
    #expect(try manager.waitFor("READY=1"))
    #expect(try manager.waitFor("STATUS=done"))
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
