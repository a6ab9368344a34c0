import Fixtures
import Foundation
import Testing

@Suite(
  "Command: calls that the system interrupts, limits or does not have", .waitsForPrograms,
  .needsTracing)
struct RefusedCallTests {
  @Test(
    "a call that a signal interrupts is made again",
    arguments: ["fallocate", "fsync", "flock", "ftruncate"])
  func interrupted(call: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try Self.merge(merge, "inject=\(call):error=EINTR:when=1..2"))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a system that cannot take space in advance, or may not, merges without",
    arguments: ["EPERM", "ENOSYS", "EOPNOTSUPP"])
  func noAllocation(errno: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Program.mustRun("truncate", "--size", "0", merge.origin)
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    expectSuccess(try Self.merge(merge, "inject=fallocate:error=\(errno)"))
    expectSuccess(try merge.verify())
  }

  @Test(
    "a call that a sandbox refuses is named with the sandbox",
    arguments: ["statx", "io_setup", "io_submit"], ["EPERM", "ENOSYS"])
  func sandbox(call: String, errno: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try Self.merge(merge, "inject=\(call):error=\(errno)")
    #expect(result.exitStatus == 2)
    #expect(result.standardError.contains("sandbox"), "\(result.standardError)")
    #expect(result.standardError.contains(call), "\(result.standardError)")
    #expect(
      result.standardError.contains("CONFIG_AIO") == (call == "io_setup" && errno == "ENOSYS"))
    #expect(try merge.changedSectors() == [])
    #expect(try merge.newFiles() == [])
  }

  @Test(
    "a limit on sizes of files, or on their number, is named",
    arguments: [("--fsize=1048576", "ulimit -f"), ("--nofile=8", "ulimit -n")])
  func limits(limit: String, hint: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try merge.merge(under: ["prlimit", limit])
    #expect(result.exitStatus != 0)
    #expect(result.standardError.contains(hint), "\(result.standardError)")
  }

  @Test(
    "a file system without hard links has its journal by a rename that does not replace",
    arguments: ["EPERM", "EOPNOTSUPP", "ENOSYS"])
  func noHardLinks(errno: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try Self.merge(merge, "inject=link,linkat:error=\(errno)"))
    #expect(try merge.wrongSectors() == [])
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
    #expect(try merge.status()["state"] == .string("finished"))
  }

  @Test("a file system without hard links and without such a rename has no journal")
  func noSafeName() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try Self.merge(
      merge, "inject=link,linkat:error=EPERM", "inject=renameat2:error=EINVAL")
    expectError(result, exitStatus: 2, naming: merge.journal)
    #expect(result.standardError.contains("hard links"), "\(result.standardError)")
    #expect(try merge.newFiles() == [])
    #expect(try merge.changedSectors() == [])
  }

  @Test("a journal that another merge made meanwhile is not replaced where there are no hard links")
  func journalTaken() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try Self.merge(
      merge, "inject=link,linkat:error=EPERM", "inject=renameat2:error=EEXIST")
    expectError(result, exitStatus: 2, naming: "File exists")
    #expect(try merge.newFiles() == [])
  }

  private static func merge(_ merge: MergeCase, _ injections: String...) throws -> CommandResult {
    let calls = injections.map { $0.split(separator: ":")[0].dropFirst("inject=".count) }
    return try merge.merge(
      MergeCase.steadily,
      under: [
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls.joined(separator: ","),
      ] + injections.flatMap { ["-e", $0] })
  }
}

@Suite("Command: a merge that is refused for want of room", .waitsForPrograms, .needsTmpfs)
struct NoRoomTests {
  @Test("the holes of the origin stay holes")
  func holesStay() throws {
    let place = try TemporaryFolder(onTmpfsOf: 400 << 10)
    let merge = try MergeCase(scatteredBlocks: 8)
    merge.origin = place.path("origin.img")
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    let result = try merge.merge(["--journal", merge.journal])
    expectError(result, exitStatus: 2, naming: merge.origin)
    #expect(try Program.mustRun("stat", "-c", "%b", merge.origin) == "0\n")
    #expect(try merge.newFiles() == [])
  }

  @Test(
    "an origin whose holes fit although its file system has less than the whole length is merged")
  func mappedHolesFit() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let place = try TemporaryFolder(onTmpfsOf: merge.mappedByteCount + (256 << 10))
    merge.origin = place.path("origin.img")
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    expectSuccess(try merge.merge(["--journal", merge.journal]))
    expectSuccess(try merge.verify())
  }

  @Test("a folder for journals that was made for the merge is removed", .needsLoopDevices)
  func stateFolder() throws {
    let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
    _ = try Program.run(
      ["dd", "if=/dev/zero", "of=\(place.path("filler"))", "bs=4k", "count=13"])
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": place.path("state")])
    expectError(result, exitStatus: 2, naming: place.path("state"))
    #expect(try place.names() == ["filler"])
  }

  @Test("root is not asked for where the file system is read-only", .needsLoopDevices)
  func readOnlyStateFolder() throws {
    let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
    try place.makeReadOnly()
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": place.path("state")])
    expectError(result, exitStatus: 2, naming: place.path("state"))
    #expect(!result.standardError.contains("root"), "\(result.standardError)")
    #expect(result.standardError.contains("--journal"), "\(result.standardError)")
  }
}

@Suite("Command: a device that nothing is connected to", .waitsForPrograms, .needsLoopDevices)
struct EmptyDeviceTests {
  @Test("an origin of 0 bytes is not there, for plan and merge", arguments: ["plan", "merge"])
  func emptyOrigin(verb: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Program.mustRun("truncate", "--size", "0", merge.originFile)
    let device = try LoopDevice(backing: merge.originFile)
    let result = try ThinMergeCommand.run(
      [verb] + merge.sourceArguments + ["--origin", device.path]
        + (verb == "merge" ? ["--yes"] : []))
    expectError(result, exitStatus: 5, naming: device.path)
    #expect(result.standardError.contains("0 bytes"), "\(result.standardError)")
  }

  @Test("an origin that is gone when a merge is resumed is waited for, and resumed from then on")
  func resumed() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let options = ["--journal", merge.journal, "--yes"]
    try merge.interruptMerge(afterCheckpoints: 1, options)
    let halfMerged = try content(of: merge.originFile)
    try Program.mustRun("truncate", "--size", "0", merge.originFile)
    try Program.mustRun("losetup", "--set-capacity", device.path)
    expectError(
      try merge.resume(["--origin", device.path, "--yes"]), exitStatus: 5, naming: device.path)
    try overwrite(merge.originFile, with: halfMerged)
    try Program.mustRun("losetup", "--set-capacity", device.path)
    expectSuccess(try merge.resume(["--origin", device.path, "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }
}
