import Testing

@Suite(
  "Suspension: sending a message while a thin device is suspended", .waitsForPrograms,
  .needsSuspensionProgram)
struct SuspensionTests {
  @Test("a device is suspended only while a message is sent, without freezing its file system")
  func done() throws {
    #expect(
      try SuspensionProgram.run([]) == [
        "tool: suspend", "tool: create_snap 7 1", "tool: resume", "returns: done",
      ])
  }

  @Test(
    "the watchdog resumes a device if the tool was killed while the device was suspended",
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
    "if the tool is stopped for 10 s, the watchdog kills the tool and then resumes the device",
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

  @Test("a slow suspend does not shorten the 10 s allowed for the snapshot")
  func slowSuspend() throws {
    let lines = try SuspensionProgram.run(["stop:create_snap", "slow"])
    #expect(lines.first { $0.hasPrefix("watchdog") } == "watchdog: 10 s are over", "\(lines)")
  }

  @Test("no snapshot is created if there is no watchdog to resume the device")
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
        // If the tool continued anyway, it would find that the device is active.
        "tool: create_snap 7 1", "tool: resume of a device that is active",
        "returns: resumed by others, EBUSY",
      ])
  }

  @Test(
    "a message counts as failed if another program resumes the device before the status check",
    arguments: ["create_snap", "status"])
  func resumedByOthers(before change: String) throws {
    let lines = try SuspensionProgram.run(["resume:\(change)"])
    #expect(lines.contains("others: resume"))
    #expect(lines.last == "returns: resumed by others, EBUSY")
  }

  @Test("a device whose suspension state is unknown counts as resumed by another program")
  func statusFails() throws {
    let lines = try SuspensionProgram.run(["refuse:status"])
    #expect(lines.suffix(2) == ["tool: resume", "returns: resumed by others, EIO"])
  }

  @Test("it is not an error if another program resumes the device after the message was sent")
  func resumedByOthersAfterwards() throws {
    #expect(try SuspensionProgram.run(["resume:resume"]).last == "returns: done")
  }

  @Test("a device is resumed even if the message sent during its suspension is refused")
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

  @Test(
    "the watchdog retries a failed resume, and an error is reported only if the retry also fails")
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
    "no device is suspended if the tool or the watchdog cannot lock its memory",
    arguments: ["no-memory", "no-tool-memory"])
  func noMemory(whose: String) throws {
    #expect(try SuspensionProgram.run([whose]) == ["returns: preparing, ENOMEM"])
  }
}
