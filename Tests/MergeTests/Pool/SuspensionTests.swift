import Testing

@Suite(
  "Suspension: a message while a thin device is suspended", .waitsForPrograms,
  .needsSuspensionProgram)
struct SuspensionTests {
  @Test("a device is suspended only for the message, without freezing a file system on it")
  func done() throws {
    #expect(
      try SuspensionProgram.run([]) == [
        "tool: suspend", "tool: create_snap 7 1", "tool: resume", "returns: done",
      ])
  }

  @Test(
    "the watchdog resumes a device whose tool was killed during the suspension",
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
    "the watchdog kills a tool that is stopped for 10 s, and then resumes the device",
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

  @Test("a slow suspend does not shorten the 10 s that the snapshot has")
  func slowSuspend() throws {
    let lines = try SuspensionProgram.run(["stop:create_snap", "slow"])
    #expect(lines.first { $0.hasPrefix("watchdog") } == "watchdog: 10 s are over", "\(lines)")
  }

  @Test("no snapshot is created without a watchdog that would resume the device")
  func noWatchdog() throws {
    #expect(
      try SuspensionProgram.run(["no-watchdog"]) == [
        "tool: suspend", "tool: resume", "returns: preparing, EPIPE",
      ])
  }

  @Test("the watchdog resumes the device after another 10 s if the tool cannot be killed")
  func unkillable() throws {
    #expect(
      try SuspensionProgram.run(["stop:create_snap", "unkillable"]) == [
        "tool: suspend", "watchdog: 10 s are over", "watchdog: kills the tool",
        "watchdog: 10 s are over", "watchdog: resume",
        // A tool that continued anyway would find the device active.
        "tool: create_snap 7 1", "tool: resume of a device that is active",
        "returns: resumed by others, EBUSY",
      ])
  }

  @Test(
    "a message fails if another program resumes the device before its status is checked",
    arguments: ["create_snap", "status"])
  func resumedByOthers(before change: String) throws {
    let lines = try SuspensionProgram.run(["resume:\(change)"])
    #expect(lines.contains("others: resume"))
    #expect(lines.last == "returns: resumed by others, EBUSY")
  }

  @Test("a device with an unknown suspension state counts as resumed by another program")
  func statusFails() throws {
    let lines = try SuspensionProgram.run(["refuse:status"])
    #expect(lines.suffix(2) == ["tool: resume", "returns: resumed by others, EIO"])
  }

  @Test("a resume by another program after the message is no failure")
  func resumedByOthersAfterwards() throws {
    #expect(try SuspensionProgram.run(["resume:resume"]).last == "returns: done")
  }

  @Test("a device is resumed if its message is refused")
  func refused() throws {
    #expect(
      try SuspensionProgram.run(["refuse:create_snap"]) == [
        "tool: suspend", "tool: resume", "returns: making, EIO",
      ])
  }

  @Test("a suspend that takes longer than 5 s is abandoned")
  func suspendTakesLong() throws {
    #expect(
      try SuspensionProgram.run(["wait:suspend"]) == [
        "tool: gives it 5 s", "tool: resume of a device that is active",
        "returns: suspending, ETIME",
      ])
  }

  @Test("the watchdog retries a failed resume, and only its failure too is reported")
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
    "nothing is suspended if the tool or the watchdog cannot lock its memory",
    arguments: ["no-memory", "no-tool-memory"])
  func noMemory(whose: String) throws {
    #expect(try SuspensionProgram.run([whose]) == ["returns: preparing, ENOMEM"])
  }
}
