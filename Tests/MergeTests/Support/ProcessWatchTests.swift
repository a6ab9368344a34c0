import Foundation
import Testing

@Suite("Support: programs that a test waits for", .waitsForPrograms)
struct ProcessWatchTests {
  private static let sleeping = RunningProcess(
    identifier: 7, processorTicks: 3, isIdle: true, inputOutput: "rchar: 1")

  /// Returns the zero-based index of the sample at which a watch gives up; nil if it never does.
  ///
  /// The closure `look` supplies the processes seen in each sample.
  private func lookOfGivingUp(
    atMost lookCount: Int = 10 * ProcessWatch.idleLookCountMax, _ look: (Int) -> [RunningProcess]
  ) -> Int? {
    var watch = ProcessWatch(7)
    return (0..<lookCount).first { watch.judge(look($0), outputByteCount: 0) != nil }
  }

  @Test("the wait for a program that only sleeps ends after the maximum number of idle polls")
  func asleep() {
    #expect(lookOfGivingUp { _ in [Self.sleeping] } == ProcessWatch.idleLookCountMax)
  }

  @Test("the wait for a program that is runnable but not scheduled never ends early")
  func runnable() {
    var waiting = Self.sleeping
    waiting.isIdle = false
    #expect(lookOfGivingUp { _ in [waiting] } == nil)
  }

  @Test("the wait for a sleeping program does not end while a descendant is runnable")
  func busyDescendant() {
    let busy = RunningProcess(identifier: 8, processorTicks: 0, isIdle: false, inputOutput: "")
    #expect(lookOfGivingUp { _ in [Self.sleeping, busy] } == nil)
  }

  @Test("the wait for a sleeping program that does I/O on every hundredth poll never ends early")
  func slowInputOutput() {
    #expect(
      lookOfGivingUp { look in
        var process = Self.sleeping
        process.inputOutput = "rchar: \(look / 100)"
        return [process]
      } == nil)
  }

  @Test("the wait for a program that polls ends even though its processor time grows")
  func polling() {
    let look = lookOfGivingUp { look in
      var process = Self.sleeping
      process.processorTicks = look
      process.isIdle = look % 10 != 0
      return [process]
    }
    #expect(look != nil)
  }

  @Test("processor time counts as progress if the I/O counters are unreadable")
  func secretCounters() {
    #expect(
      lookOfGivingUp { look in
        [RunningProcess(identifier: 7, processorTicks: look, isIdle: true, inputOutput: nil)]
      } == nil)
  }

  @Test("the wait for a program ends when its processes exceed the allowed processor time")
  func processorTime() {
    let ticks = ProcessWatch.usualProcessorSeconds * RunningProcess.ticksPerSecond
    let look = lookOfGivingUp { look in
      [7, 8].map {
        RunningProcess(
          identifier: $0, processorTicks: look * ticks / 20, isIdle: false, inputOutput: "\(look)")
      }
    }
    #expect(look == 11)
  }

  @Test(
    "the process tree of a shell contains the sleeping program that the shell started, both idle")
  func tree() throws {
    let shell = try ChildProcess(["sh", "-c", "sleep 1000 & echo ready >&2; wait"])
    #expect(try shell.waitUntil { shell.standardErrorSoFar.contains("ready") })
    #expect(
      poll {
        let tree = RunningProcess.tree(from: shell.processIdentifier)
        return tree.count == 2 && tree.allSatisfy(\.isIdle)
      })
    let tree = RunningProcess.tree(from: shell.processIdentifier)
    shell.send(SIGKILL)
    for process in tree where process.parentIdentifier == shell.processIdentifier {
      kill(process.identifier, SIGKILL)
    }
    #expect(try shell.wait().exitStatus == 128 + SIGKILL)
  }

  @Test("a program in an endless loop is killed when it exceeds the allowed processor time")
  func endlessLoop() throws {
    let program = try ChildProcess(["sh", "-c", "while :; do :; done"])
    #expect(throws: SupportError.self) { try program.wait(processorSecondsMax: 0) }
    #expect(try program.wait().exitStatus == 128 + SIGKILL)
  }
}
