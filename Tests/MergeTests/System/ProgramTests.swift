import Glibc
import MergeEngine
import Testing

@Suite("System: programs run to get information or make a change", .waitsForPrograms)
struct ProgramTests {
  @Test("running a program that succeeds returns its output")
  func output() {
    #expect(
      MergeEngine.Program.run(["sh", "-c", "echo one; echo two"])
        == .succeeded(output: "one\ntwo\n"))
  }

  @Test(
    "a program that exits with an error, is killed, or does not exist is reported as failed",
    arguments: [
      ["sh", "-c", "echo one; exit 1"], ["sh", "-c", "kill -9 $$"], ["no-such-program"],
    ])
  func failure(command: [String]) {
    #expect(MergeEngine.Program.run(command) == .failed(words: ""))
  }

  @Test(
    "running a program does not wait for its background processes, silent or not",
    arguments: ["exec sleep 100000", "while :; do echo on; done"])
  func leftRunning(script: String) throws {
    let end = MergeEngine.Program.run(["sh", "-c", "sh -c '\(script)' & echo $!"])
    guard case .succeeded(let output) = end else {
      Issue.record("\(end)")
      return
    }
    let number = try #require(
      output.split(separator: "\n").compactMap { pid_t($0) }.first)
    kill(number, SIGKILL)
  }

  @Test("all of a program's output is returned, even if it exceeds the capacity of a pipe")
  func longOutput() {
    let lines = (1...40_000).map { "\($0)\n" }.joined()
    #expect(
      MergeEngine.Program.run(["sh", "-c", "seq 1 40000; exec sleep 0"])
        == .succeeded(output: lines))
  }

  @Test(
    "a program that does not exit in time is killed and reported as not answering",
    arguments: ["exec sleep 100000", "exec sleep 100000 >&-"])
  func noAnswer(script: String) throws {
    let folder = try TemporaryFolder()
    let marker = folder.path("process")
    let clock = StartedClock(marker: marker)
    let end = MergeEngine.Program.run(
      ["sh", "-c", "echo $$ > \(marker).new; mv \(marker).new \(marker); \(script)"],
      clock: clock.clock)
    #expect(end == .noAnswer)
    let number = try #require(FileSystem.text(of: marker))
    // The process is gone or a zombie.
    #expect(poll { FileSystem.text(of: "/proc/\(number)/status")?.contains("\tZ (") ?? true })
  }

  @Test("a slow program that makes a change gets SIGTERM and may still exit by itself")
  func changeTakesTooLong() throws {
    let folder = try TemporaryFolder()
    let (marker, ended) = (folder.path("process"), folder.path("ended"))
    let clock = SteppingClock(marker: marker, first: .seconds(121), step: .seconds(1))
    let end = MergeEngine.Program.runChange(
      [
        "sh", "-c",
        "trap 'touch \(ended); exit 0' TERM; touch \(marker); while :; do sleep 0.01; done",
      ], clock: clock.clock)
    #expect(end == .noAnswer)
    // The program was not killed, so its handler could run.
    #expect(poll { FileSystem.exists(ended) })
  }

  @Test("a program that makes a change and ignores SIGTERM is never sent SIGKILL")
  func changeIsNotKilled() throws {
    let folder = try TemporaryFolder()
    let marker = folder.path("process")
    let clock = SteppingClock(marker: marker, first: .seconds(121), step: .seconds(1))
    let end = MergeEngine.Program.runChange(
      [
        "sh", "-c",
        "trap '' TERM; echo $$ > \(marker).new; mv \(marker).new \(marker); exec sleep 100000",
      ], clock: clock.clock)
    #expect(end == .noAnswer)
    let number = try #require(FileSystem.text(of: marker).flatMap { pid_t($0) })
    #expect(kill(number, 0) == 0)
    kill(number, SIGKILL)
  }

  @Test("a program that makes a change may take a minute")
  func changeHasMoreTime() throws {
    let folder = try TemporaryFolder()
    let marker = folder.path("process")
    let clock = SteppingClock(marker: marker, first: .seconds(60), step: .zero)
    let end = MergeEngine.Program.runChange(
      ["sh", "-c", "touch \(marker); exec sleep 0.3"], clock: clock.clock)
    #expect(end == .succeeded(output: ""))
    #expect(MergeEngine.Program.runChange(["false"]) == .failed(words: ""))
  }
}

/// A clock that jumps ahead one minute once a program creates a file, and runs fast during waits.
private final class StartedClock: Sendable {
  private let marker: String
  private let waited = VirtualClock()
  init(marker: String) { self.marker = marker }

  var clock: Clock {
    Clock(
      now: { [self] in waited.now + (FileSystem.exists(marker) ? .seconds(60) : .zero) },
      sleep: { [self] in waited.advance(by: $0 * 10) })
  }
}

/// A clock that stands still until a program creates a file, and then advances at each reading.
private final class SteppingClock: Sendable {
  private let marker: String
  private let first: Duration
  private let step: Duration
  private let passed = VirtualClock()

  /// - `first`: the time at the first reading after the file was created.
  init(marker: String, first: Duration, step: Duration) {
    self.marker = marker
    self.first = first
    self.step = step
  }

  var clock: Clock {
    Clock(
      now: { [self] in
        guard FileSystem.exists(marker) else { return .zero }
        defer { passed.advance(by: step) }
        return first + passed.now
      }, sleep: ThisSystem.clock.sleep)
  }
}
