import Testing

@Suite(
  "Suspension: a message while a thin device is suspended", .waitsForPrograms,
  .needsSuspensionProgram)
struct SuspensionTests {
  @Test("the device is suspended, and no file system on it frozen, only for the message")
  func done() throws {
    #expect(
      try SuspensionProgram.run([]) == [
        "tool: suspend", "tool: create_snap 7 1", "tool: resume", "returns: done",
      ])
  }

  @Test(
    "a device whose tool was killed while it was suspended is resumed by the watchdog",
    arguments: ["create_snap", "status", "resume"])
  func killed(before change: String) throws {
    let lines = try SuspensionProgram.run(["kill:\(change)"])
    #expect(
      lines.suffix(3) == [
        "watchdog: sees the end of the tool", "watchdog: resume",
        "the tool was killed by signal 9",
      ])
  }

  @Test(
    "a tool that is stopped for 10 s is killed, and the device resumed once it has ended",
    arguments: ["create_snap", "status", "resume"], [[], ["no-pidfd"]])
  func stopped(before change: String, options: [String]) throws {
    let lines = try SuspensionProgram.run(["stop:\(change)"] + options)
    #expect(
      lines.drop { !$0.hasPrefix("watchdog") } == [
        "watchdog: 10 s are over",
        "watchdog: kills the tool" + (options.isEmpty ? "" : " by its number"),
        "watchdog: sees the end of the tool", "watchdog: resume",
        "the tool was killed by signal 9",
      ])
  }

  @Test("a suspend that took long leaves the snapshot 10 s all the same")
  func slowSuspend() throws {
    let lines = try SuspensionProgram.run(["stop:create_snap", "slow"])
    #expect(lines.first { $0.hasPrefix("watchdog") } == "watchdog: 10 s are over", "\(lines)")
  }

  @Test("no snapshot is made while no watchdog would resume the device")
  func noWatchdog() throws {
    #expect(
      try SuspensionProgram.run(["no-watchdog"]) == [
        "tool: suspend", "tool: resume", "returns: preparing, EPIPE",
      ])
  }

  @Test("a tool that cannot be ended does not keep the device suspended")
  func unkillable() throws {
    #expect(
      try SuspensionProgram.run(["stop:create_snap", "unkillable"]) == [
        "tool: suspend", "watchdog: 10 s are over", "watchdog: kills the tool",
        "watchdog: 10 s are over", "watchdog: resume",
        // If it could go on, it would know.
        "tool: create_snap 7 1", "tool: resume of a device that is active",
        "returns: resumed by others, EBUSY",
      ])
  }

  @Test(
    "a message that was sent while somebody else had the device resumed has failed",
    arguments: ["create_snap", "status"])
  func resumedByOthers(before change: String) throws {
    let lines = try SuspensionProgram.run(["resume:\(change)"])
    #expect(lines.contains("others: resume"))
    #expect(lines.last == "returns: resumed by others, EBUSY")
  }

  @Test("a device of which nobody knows whether it is suspended still counts as resumed by others")
  func statusFails() throws {
    let lines = try SuspensionProgram.run(["refuse:status"])
    #expect(lines.suffix(2) == ["tool: resume", "returns: resumed by others, EIO"])
  }

  @Test("a device that somebody else has resumed after the message is as it should be")
  func resumedByOthersAfterwards() throws {
    #expect(try SuspensionProgram.run(["resume:resume"]).last == "returns: done")
  }

  @Test("a device whose message is refused is resumed")
  func refused() throws {
    #expect(
      try SuspensionProgram.run(["refuse:create_snap"]) == [
        "tool: suspend", "tool: resume", "returns: making, EIO",
      ])
  }

  @Test("a suspend that takes longer than 5 s is given up")
  func suspendTakesLong() throws {
    #expect(
      try SuspensionProgram.run(["wait:suspend"]) == [
        "tool: gives it 5 s", "tool: resume of a device that is active",
        "returns: suspending, ETIME",
      ])
  }

  @Test("a resume that fails is made by the watchdog, and has failed only if that fails too")
  func resumeFails() throws {
    #expect(
      try SuspensionProgram.run(["refuse:resume"]).suffix(2) == [
        "watchdog: resume", "returns: done",
      ])
    #expect(
      try SuspensionProgram.run(["refuse:resume", "no-second"]).suffix(2) == [
        "returns: resuming, EIO", "the device stays suspended",
      ])
  }

  @Test(
    "nothing is suspended, and nothing resumed, by a tool or watchdog that may have to wait for memory",
    arguments: ["no-memory", "no-tool-memory"])
  func noMemory(whose: String) throws {
    #expect(try SuspensionProgram.run([whose]) == ["returns: preparing, ENOMEM"])
  }
}
