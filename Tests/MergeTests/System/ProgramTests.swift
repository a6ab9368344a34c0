import MergeEngine
import Testing

@Suite("System: a program that is asked something", .waitsForPrograms)
struct ProgramTests {
  @Test("the output of a program that succeeds is returned")
  func output() {
    #expect(
      MergeEngine.Program.run(["sh", "-c", "echo one; echo two"])
        == .succeeded(output: "one\ntwo\n"))
  }

  @Test(
    "a program that fails, is killed or is not there has failed",
    arguments: [
      ["sh", "-c", "echo one; exit 1"], ["sh", "-c", "kill -9 $$"], ["no-such-program"],
    ])
  func failure(command: [String]) {
    #expect(MergeEngine.Program.run(command) == .failed)
  }

  @Test(
    "a program that does not end in time is killed, and is no answer",
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
    // Gone, or dead and not asked about any more.
    #expect(poll { FileSystem.text(of: "/proc/\(number)/status")?.contains("\tZ (") ?? true })
  }
}

/// Time that passes a minute at once as soon as a program has made a file, and in which waiting takes long.
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
