import Fixtures
import Foundation
import Testing

@Suite(
  "Command: interrupted, limited and missing system calls", .waitsForPrograms,
  .needsTracing)
struct RefusedCallTests {
  @Test(
    "a system call interrupted by a signal is retried",
    arguments: ["fallocate", "fsync", "flock", "ftruncate"])
  func interrupted(call: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try Self.merge(merge, "inject=\(call):error=EINTR:when=1..2"))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a merge completes if the system cannot or may not allocate space in advance",
    arguments: ["EPERM", "ENOSYS", "EOPNOTSUPP"])
  func noAllocation(errno: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Program.mustRun("truncate", "--size", "0", merge.origin)
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    expectSuccess(try Self.merge(merge, "inject=fallocate:error=\(errno)"))
    expectSuccess(try merge.verify())
  }

  @Test(
    "the error for a system call that a sandbox refuses names the call and the sandbox",
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
    "the hint about a limit on file size or open files names the limit",
    arguments: [("--fsize=1048576", "ulimit -f"), ("--nofile=8", "ulimit -n")])
  func limits(limit: String, hint: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try merge.merge(under: ["prlimit", limit])
    #expect(result.exitStatus != 0)
    #expect(result.standardError.contains(hint), "\(result.standardError)")
  }

  @Test(
    "without hard links, the journal is moved into place by a rename that cannot overwrite",
    arguments: ["EPERM", "EOPNOTSUPP", "ENOSYS"])
  func noHardLinks(errno: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try Self.merge(merge, "inject=link,linkat:error=\(errno)"))
    #expect(try merge.wrongSectors() == [])
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
    #expect(try merge.status()["state"] == .string("finished"))
  }

  @Test("a merge is refused if the file system has neither hard links nor no-replace renames")
  func noSafeName() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try Self.merge(
      merge, "inject=link,linkat:error=EPERM", "inject=renameat2:error=EINVAL")
    expectError(result, exitStatus: 2, naming: merge.journal)
    #expect(result.standardError.contains("hard links"), "\(result.standardError)")
    #expect(try merge.newFiles() == [])
    #expect(try merge.changedSectors() == [])
  }

  @Test("without hard links, a journal created by a concurrent merge is not overwritten")
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

@Suite("Command: merges without enough space", .waitsForPrograms, .needsTmpfs)
struct NoRoomTests {
  @Test("a merge refused for lack of space leaves the origin's holes unallocated")
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
    "a merge succeeds if the origin's mapped holes fit, even if its full length does not")
  func mappedHolesFit() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let place = try TemporaryFolder(onTmpfsOf: merge.mappedByteCount + (256 << 10))
    merge.origin = place.path("origin.img")
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    expectSuccess(try merge.merge(["--journal", merge.journal]))
    expectSuccess(try merge.verify())
  }

  @Test(
    "if a merge is refused, the journal folder that was created for it is removed",
    .needsLoopDevices)
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

  @Test(
    "the hint for a read-only state folder suggests --journal, not running as root",
    .needsLoopDevices)
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

@Suite("Command: devices without a medium", .waitsForPrograms, .needsLoopDevices)
struct EmptyDeviceTests {
  @Test("plan and merge refuse an origin of 0 bytes with status 5", arguments: ["plan", "merge"])
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

  @Test(
    "resuming onto an origin of 0 bytes exits with status 5, and succeeds once the origin is back")
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
