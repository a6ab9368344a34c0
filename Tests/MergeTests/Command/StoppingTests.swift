import Fixtures
import Foundation
import Testing

@Suite("Command: merges stopped by a signal", .waitsForPrograms)
struct StoppingTests {
  @Test("a signal stops a merge with exit status 3", arguments: [SIGINT, SIGTERM, SIGHUP])
  func exitStatus(signal: Int32) throws {
    let (_, result) = try stoppedMerge(by: signal)
    #expect(result.exitStatus == 3, "\(result.standardError)")
  }

  @Test("a stopped merge prints the resume command", arguments: [SIGINT, SIGTERM, SIGHUP])
  func resumeCommand(signal: Int32) throws {
    let (merge, result) = try stoppedMerge(by: signal)
    let printed = result.standardOutput + result.standardError
    #expect(printed.contains("thin-merge resume \(merge.journal)"), "\(printed)")
  }

  @Test("the printed resume command completes the merge")
  func printedCommandWorks() throws {
    let (merge, _) = try stoppedMerge(by: SIGINT)
    expectSuccess(try ThinMergeCommand.run(["resume", merge.journal, "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "all bytes written before a stop signal are recorded in the journal",
    arguments: [SIGINT, SIGTERM, SIGHUP])
  func allRecorded(signal: Int32) throws {
    let (merge, _) = try stoppedMerge(by: signal)
    #expect(try merge.writtenByteCount() == merge.status()["done_bytes"]?.integer)
  }

  @Test("SIGUSR1 prints a progress line, and the merge runs to completion")
  func statusLine() throws {
    let merge = try MergeCase()
    let running = try merge.startMerge(MergeCase.slowly + ["--progress", "none"])
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    let before = running.standardErrorSoFar
    running.send(SIGUSR1)
    #expect(try running.waitUntil { running.standardErrorSoFar.count > before.count })
    #expect(running.isRunning)
    expectSuccess(try running.wait())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge completes even if the reader of its report has exited")
  func brokenPipe() throws {
    let merge = try MergeCase()
    let running = try ThinMergeCommand.start(
      merge.mergeArguments(), standardOutputTarget: .brokenPipe)
    let result = try running.wait()
    #expect(result.exitStatus < 128, "\(result.standardError)")
    #expect(try merge.wrongSectors() == [])
    #expect(try merge.status()["state"] == .string("finished"))
  }

  private func stoppedMerge(by signal: Int32) throws -> (MergeCase, CommandResult) {
    let merge = try MergeCase()
    let running = try merge.startMerge(MergeCase.slowly)
    try #require(try running.waitUntilCheckpoint(2, in: merge.journal))
    running.send(signal)
    return (merge, try running.wait())
  }
}

@Suite("Command: signals while a device is hung", .waitsForPrograms, .needsTracing)
struct HangingDeviceTests {
  @Test("a second SIGINT ends a merge on a hung device with an error message")
  func secondInterrupt() throws {
    let (merge, running) = try hangingMerge()
    running.send(SIGINT)
    try #require(try running.waitUntil { running.standardErrorSoFar.contains("stopping") })
    running.send(SIGINT)
    let result = try running.wait()
    #expect(result.exitStatus == 3)
    #expect(result.standardError.contains("error: interrupted, "), "\(result.standardError)")
    // `merge` deletes its folder when it is deallocated, so keep it alive until here.
    withExtendedLifetime(merge) {}
  }

  @Test("a third SIGINT ends a merge on a hung device immediately, without an error message")
  func thirdInterrupt() throws {
    let (merge, running) = try hangingMerge()
    running.send(SIGINT)
    try #require(try running.waitUntil { running.standardErrorSoFar.contains("stopping") })
    running.send(SIGINT)
    try #require(
      try running.waitUntil { running.standardErrorSoFar.contains("get 5 s to complete") })
    running.send(SIGINT)
    let result = try running.wait()
    #expect(result.exitStatus == 3)
    #expect(!result.standardError.contains("error: "), "\(result.standardError)")
    // `merge` deletes its folder when it is deallocated, so keep it alive until here.
    withExtendedLifetime(merge) {}
  }

  @Test(
    "repeated SIGHUP and SIGTERM do not end a merge that is draining its requests",
    arguments: [
      [SIGHUP, SIGHUP], [SIGTERM, SIGTERM], [SIGHUP, SIGTERM], [SIGINT, SIGHUP],
      [SIGHUP, SIGHUP, SIGTERM, SIGHUP],
    ])
  func hangUps(signals: [Int32]) throws {
    let (merge, running) = try hangingMerge()
    running.send(signals[0])
    try #require(try running.waitUntil { running.standardErrorSoFar.contains("stopping") })
    for (count, signal) in signals.dropFirst().enumerated() {
      running.send(signal)
      try #require(try running.waitUntilTaken(signal))
      // The merge prints this line only if the signal has not ended it.
      running.send(SIGUSR1)
      let isAlive = try running.waitUntil {
        running.standardErrorSoFar.components(separatedBy: "thin-merge: merging: ").count
          >= count + 2
      }
      try #require(isAlive, "\(running.standardErrorSoFar)")
    }
    #expect(running.isRunning)
    #expect(!running.standardErrorSoFar.contains("get 5 s to complete"))
    // `merge` deletes its folder when it is deallocated, so keep it alive until here.
    withExtendedLifetime(merge) {}
  }

  /// Starts a merge whose I/O completions are hidden from some point on, and waits for that point.
  private func hangingMerge() throws -> (MergeCase, RunningCommand) {
    let merge = try MergeCase()
    let trace = merge.folder.path("trace")
    // With -D, the traced program is the direct child, so signals reach the program itself.
    let running = try ThinMergeCommand.start(
      merge.mergeArguments(MergeCase.slowly + ["--progress", "none"]),
      under: SystemCallTrace.hanging(trace: trace))
    let hangs = try running.waitUntil {
      (try? String(contentsOfFile: trace, encoding: .utf8))?.contains("INJECTED") == true
    }
    try #require(hangs, "\(running.standardErrorSoFar)")
    return (merge, running)
  }
}

@Suite("Command: stopping at any moment", .waitsForPrograms)
struct RandomStopTests {
  /// Options that make a merge take long enough to be stopped several times.
  static let options = [
    "--rate-limit", "2M", "--checkpoint-interval", "0.05", "--io-size", "\(transferByteCount)",
    "--queue-depth", "8",
  ]
  private static let transferByteCount = 16 << 10

  @Test(
    "a merge that is stopped repeatedly by signals completes correctly",
    arguments: [SIGINT, SIGTERM, SIGHUP])
  func signals(signal: Int32) throws {
    try stopAgainAndAgain(stopCount: 12) { running in
      guard try running.waitUntilItHandles(signal) else { return [0] }
      running.send(signal)
      return [0, 3]
    }
  }

  @Test("a merge that is killed repeatedly completes correctly")
  func kills() throws {
    try stopAgainAndAgain(stopCount: 50) { running in
      running.send(SIGKILL)
      return [0, 128 + SIGKILL]
    }
  }

  @Test("a merge that is stopped repeatedly by random signals completes correctly")
  func mixed() throws {
    var generator = Seed.current.generator
    try stopAgainAndAgain(stopCount: 20) { running in
      let signal = [SIGKILL, SIGINT, SIGTERM, SIGHUP].randomElement(using: &generator) ?? SIGKILL
      guard signal != SIGKILL else {
        running.send(signal)
        return [0, 128 + signal]
      }
      guard try running.waitUntilItHandles(signal) else { return [0] }
      running.send(signal)
      return [0, 3]
    }
  }

  /// Starts several merges, stops each one repeatedly after random amounts of progress, and then
  /// finishes it.
  ///
  /// - `stopCount`: The total number of stops.
  /// - `stop`: A closure that stops a run and returns the exit statuses to expect.
  private func stopAgainAndAgain(
    stopCount: Int, stop: (RunningCommand) throws -> [Int32]
  ) throws {
    let seed = Seed.current
    var generator = seed.generator
    var stopsLeft = stopCount
    while stopsLeft > 0 {
      let merge = try MergeCase()
      var finished = false
      while !finished {
        let recorded = try JournalOnDisk.recordedByteCount(of: merge.journal)
        let transfersLeft = (merge.mappedByteCount - recorded) / Self.transferByteCount
        let running = try merge.startMerge(Self.options)
        // A run with nothing left to merge would be stopped at its start over and over.
        guard stopsLeft > 0, transfersLeft > 0 else {
          expectSuccess(try running.wait())
          break
        }
        // The run may be stopped before it has recorded anything, or after all of its transfers.
        let count = Int.random(in: 0...transfersLeft, using: &generator)
        let goal = recorded + count * Self.transferByteCount
        _ = try running.waitUntil {
          try JournalOnDisk.recordedByteCount(of: merge.journal) >= goal
        }
        let expected = try stop(running)
        let result = try running.wait()
        try #require(
          expected.contains(result.exitStatus),
          "exit \(result.exitStatus); \(seed)\n\(result.standardError)")
        finished = result.exitStatus == 0
        if !finished { stopsLeft -= 1 }
      }
      try #require(try merge.wrongSectors() == [], "\(seed)")
    }
  }
}

@Suite("Command: writes after a stop", .waitsForPrograms)
struct WrittenAgainTests {
  // `OrderOfWritesTests` checks how much progress a kill loses, using a clock that does not depend
  // on the machine's load.
  @Test(
    "all bytes recorded in the journal of a killed merge have been written to the origin",
    .needsTmpfs)
  func killed() throws {
    let seed = Seed.current
    var generator = seed.generator
    for _ in 0..<5 {
      let merge = try MergeCase(
        pool: PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 40))]).build(),
        originByteCount: 120 * 65_536, in: TemporaryFolder(onTmpfsOf: 64 << 20))
      let running = try merge.startMerge(MergeCase.slowly)
      try #require(try running.waitUntilCheckpoint(2, in: merge.journal))
      let goal = try Int.random(
        in: recordedByteCount(merge)...merge.mappedByteCount, using: &generator)
      _ = try running.waitUntil { try recordedByteCount(merge) >= goal }
      running.send(SIGKILL)
      _ = try running.wait()
      let recorded = try #require(try merge.status()["done_bytes"]?.integer)
      let unrecorded = try merge.writtenByteCount() - recorded
      #expect(unrecorded >= 0, "recorded but not written; \(seed)")
    }
  }

  @Test("a merge that is stopped by signals and resumed writes no bytes twice")
  func signalled() throws {
    let merge = try MergeCase()
    var written = 0
    for _ in 0..<3 {
      let running = try merge.startMerge(MergeCase.slowly + ["--output", "json"])
      let resumedFrom = try recordedByteCount(merge)
      let moved = try running.waitUntil { try recordedByteCount(merge) > resumedFrom }
      if moved { running.send(SIGINT) }
      written += try running.wait().report()["bytes_written"]?.integer ?? 0
    }
    written += try merge.merge(["--output", "json"]).report()["bytes_written"]?.integer ?? 0
    #expect(written == merge.mappedByteCount)
  }

  private func recordedByteCount(_ merge: MergeCase) throws -> Int {
    try JournalOnDisk.recordedByteCount(of: merge.journal)
  }
}

extension MergeCase {
  /// Returns the number of origin bytes that already have their merged content.
  ///
  /// - Precondition: The pool was generated by the test, so every sector differs from the origin's.
  func writtenByteCount() throws -> Int {
    let unwritten = try differingSectors(
      content(of: originFile), expectedOrigin(), limit: .max
    ).count
    return mappedByteCount - unwritten * SectorContent.sectorByteCount
  }
}
