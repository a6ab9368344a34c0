import Foundation
import Testing

@Suite(
  "Command: stacked loop devices and loop devices over parts of a file", .waitsForPrograms,
  .needsLoopDevices)
struct LoopStackTests {
  @Test("a loop device stacked on the origin's loop device is refused as the data device")
  func dataOverOrigin() throws {
    let merge = try MergeCase()
    let before = try content(of: merge.dataFile)
    let lower = try LoopDevice(backing: merge.dataFile)
    let upper = try LoopDevice(backing: lower.path, readOnly: true)
    merge.data = upper.path
    merge.origin = lower.path
    expectError(
      try merge.mergeOntoDevice(["--past-end", "clip"]), exitStatus: 2, naming: lower.path)
    #expect(try content(of: merge.dataFile) == before)
    #expect(try merge.newFiles() == [])
    withExtendedLifetime((lower, upper)) {}
  }

  @Test("a loop device stacked on the data device's loop device is refused as the origin")
  func originOverData() throws {
    let merge = try MergeCase()
    let before = try content(of: merge.dataFile)
    let lower = try LoopDevice(backing: merge.dataFile)
    let upper = try LoopDevice(backing: lower.path)
    merge.data = lower.path
    merge.origin = upper.path
    expectError(
      try merge.mergeOntoDevice(["--past-end", "clip"]), exitStatus: 2, naming: upper.path)
    #expect(try content(of: merge.dataFile) == before)
    #expect(try merge.newFiles() == [])
    withExtendedLifetime((lower, upper)) {}
  }

  @Test("origins in two parts of one file have separate journals, and either resumes correctly")
  func partsOfOneFile() throws {
    let merge = try MergeCase()
    let state = try TemporaryFolder()
    let partByteCount = merge.before.count
    let disk = merge.folder.path("disk.img")
    try (merge.before + merge.before).write(to: URL(filePath: disk))
    let first = try LoopDevice(backing: disk, range: 0..<partByteCount)
    let second = try LoopDevice(backing: disk, range: partByteCount..<2 * partByteCount)

    merge.origin = first.path
    let running = try ThinMergeCommand.start(
      merge.mergeArguments(["--yes"] + MergeCase.slowly),
      environment: ["STATE_DIRECTORY": state.path])
    let hasRecorded = try running.waitUntil {
      guard let name = try state.names().first(where: { $0.hasSuffix(".journal") }) else {
        return false
      }
      return try JournalOnDisk.recordedByteCount(of: state.path(name)) > 0
    }
    try #require(hasRecorded)
    running.send(SIGINT)
    try #require(try running.wait().exitStatus == 3)
    let firstNames = try state.names()
    try #require(firstNames.count == 1)
    let firstJournal = state.path(firstNames[0])
    let halfMerged = try content(of: firstJournal)

    merge.origin = second.path
    expectSuccess(
      try ThinMergeCommand.run(
        merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": state.path]))
    #expect(try differingSectors(content(of: second.path), merge.expectedOrigin()) == [])
    #expect(try state.names().count == 2)
    #expect(try content(of: firstJournal) == halfMerged)
    let status = try ThinMergeCommand.run(["status", firstJournal, "--output", "json"]).report()
    #expect(status["state"]?.string == "stopped")

    expectSuccess(
      try ThinMergeCommand.run(
        ["resume", firstJournal, "--yes"], environment: ["STATE_DIRECTORY": state.path]))
    #expect(try differingSectors(content(of: first.path), merge.expectedOrigin()) == [])
    withExtendedLifetime((first, second)) {}
  }

  // MARK: Other users of the file under the origin

  /// Expects that merging onto a loop device over the origin's file, and planning that merge, are
  /// refused as busy.
  private func expectBusy(
    _ merge: MergeCase, naming name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let before = try content(of: merge.originFile)
    let plan = try merge.plan(["--output", "json"])
    #expect(
      try plan.report()["refused"]?["exit_status"]?.integer == 5, "\(plan.standardOutput)",
      sourceLocation: sourceLocation)
    expectError(
      try merge.mergeOntoDevice(), exitStatus: 5, naming: name, sourceLocation: sourceLocation)
    #expect(try content(of: merge.originFile) == before, sourceLocation: sourceLocation)
    withExtendedLifetime(device) {}
  }

  @Test(
    "an origin is busy if a second loop device covers all or part of its backing file")
  func secondLoopDevice() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    for range in [nil, 65_536..<131_072] {
      let other = try LoopDevice(backing: merge.originFile, range: range)
      try expectBusy(merge, naming: other.path)
      withExtendedLifetime(other) {}
    }
  }

  @Test("an origin loop device is busy if another loop device is stacked on it")
  func loopDeviceOnTop() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let lower = try LoopDevice(backing: merge.originFile)
    let upper = try LoopDevice(backing: lower.path)
    merge.origin = lower.path
    expectError(try merge.mergeOntoDevice(), exitStatus: 5, naming: upper.path)
    #expect(try merge.changedSectors() == [])
    withExtendedLifetime((lower, upper)) {}
  }

  @Test("a loop device origin is busy while another program has locked its backing file")
  func lockedFile() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    for lock in [HeldFile.withFileLock, HeldFile.withOpenFileLock] {
      let holder = try lock(merge.originFile)
      try expectBusy(merge, naming: merge.originFile)
      try holder.close()
    }
  }

  @Test("a loop device origin is busy while its backing file is in use as swap", .needsSwap)
  func swapFile() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    let swap = try SwapFile(at: merge.originFile, byteCount: merge.before.count)
    merge.origin = device.path
    expectError(try merge.mergeOntoDevice(), exitStatus: 5, naming: merge.originFile)
    withExtendedLifetime((device, swap)) {}
  }

  @Test("a running merge onto a loop device locks the device's backing file")
  func mergeOntoLoopDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let first = try merge.startMerge(MergeCase.slowly + ["--yes", "--journal", merge.journal])
    try #require(try first.waitUntilCheckpoint(1, in: merge.journal))
    #expect(HeldFile.isLocked(merge.originFile))
    expectSuccess(try first.wait())
    withExtendedLifetime(device) {}
  }

  @Test(
    "attaching a loop device to the origin leaves the running merge unfinished until a resume"
  )
  func attachedMeanwhile() throws {
    let merge = try MergeCase()
    let running = try merge.startMerge(
      MergeCase.slowly + ["--yes", "--journal", merge.journal])
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    var device: LoopDevice? = try LoopDevice(backing: merge.originFile)
    let path = try #require(device?.path)
    expectError(try running.wait(), exitStatus: 3, naming: path)
    device = nil
    let status = try ThinMergeCommand.run(["status", merge.journal, "--output", "json"]).report()
    #expect(status["state"]?.string == "stopped")
    expectSuccess(try ThinMergeCommand.run(["resume", merge.journal, "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }
}

@Suite(
  "Command: loop devices that cannot be seen", .waitsForPrograms, .needsLoopDevices)
struct UnseenLoopDeviceTests {
  /// Shell scripts that each hide loop devices in a different way, then run their arguments.
  static let ways = [
    "without sysfs": "umount -R -l /sys && exec \"$@\"",
    "without nodes": "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && exec \"$@\"",
  ]

  private static func under(_ way: String) -> [String] {
    ["unshare", "--mount", "sh", "-c", ways[way] ?? "", "sh"]
  }

  @Test(
    "plan and merge onto a file require --unseen-loops-ok if loop devices cannot be seen",
    arguments: ways.keys.sorted())
  func file(way: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let spare = merge.folder.path("spare.img")
    try Program.mustRun("truncate", "--size", "1M", spare)
    let other = try LoopDevice(backing: spare)
    let under = Self.under(way)
    let plan = try ThinMergeCommand.run(
      ["plan"] + merge.sourceArguments + ["--origin", merge.origin, "--output", "json"],
      under: under)
    #expect(
      try plan.report()["refused"]?["code"]?.string == "loop-devices-unseen",
      "\(plan.standardError)")
    let refused = try merge.merge(under: under)
    expectError(refused, exitStatus: 2, naming: merge.origin)
    #expect(refused.standardError.contains("--unseen-loops-ok"))
    #expect(try merge.changedSectors() == [])
    expectSuccess(try merge.merge(["--unseen-loops-ok"], under: under))
    #expect(try merge.wrongSectors() == [])
    withExtendedLifetime(other) {}
  }

  @Test("a loop device without a device node is found through sysfs")
  func pathTells() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    let result = try merge.merge(["--unseen-loops-ok"], under: Self.under("without nodes"))
    expectError(result, exitStatus: 5, naming: device.path)
    #expect(try merge.changedSectors() == [])
    withExtendedLifetime(device) {}
  }
}
