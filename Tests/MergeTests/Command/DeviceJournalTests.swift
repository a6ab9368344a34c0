import Fixtures
import Foundation
import Testing

@Suite("Command: the journal of a merge onto a block device", .waitsForPrograms, .needsLoopDevices)
struct DeviceJournalTests {
  @Test("the journal of a merge onto a block device is kept in the state folder")
  func place() throws {
    let merge = try MergeCase()
    let state = try TemporaryFolder()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    expectSuccess(try self.merge(merge, state: state))
    let names = try state.names()
    #expect(names.count == 1)
    #expect(names.first?.hasSuffix(".journal") == true)
    #expect(try merge.newFiles() == [])
  }

  @Test("the journal of a merge onto a block device is found by any path to the device")
  func otherPath() throws {
    let merge = try MergeCase()
    let state = try TemporaryFolder()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    expectSuccess(try self.merge(merge, state: state))
    let names = try state.names()
    merge.origin = merge.folder.path("by-another-name")
    try Program.mustRun("ln", "-s", device.path, merge.origin)
    expectSuccess(try self.merge(merge, state: state))
    #expect(try state.names() == names)
  }

  @Test("a finished merge onto a block device is recognized even if --journal names another path")
  func finishedElsewhere() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let state = try TemporaryFolder()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    expectSuccess(try self.merge(merge, state: state))
    let elsewhere = merge.folder.path("elsewhere")
    let arguments = merge.mergeArguments(["--journal", elsewhere, "--output", "json"])
    let environment = ["STATE_DIRECTORY": state.path]
    // Without --yes, the command writes nothing.
    let equal = try ThinMergeCommand.run(arguments, environment: environment)
    expectSuccess(equal)
    #expect(try equal.report()["changed"] == .boolean(false))
    try overwrite(
      merge.originFile, at: Int(merge.mappings[5].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 1024))
    let origin = try content(of: merge.originFile)
    let changed = try ThinMergeCommand.run(arguments + ["--yes"], environment: environment)
    #expect(changed.exitStatus == 4, "\(changed.standardError)")
    #expect(try content(of: merge.originFile) == origin)
    #expect(!FileManager.default.fileExists(atPath: elsewhere))
  }

  @Test("a merge can be resumed after the file behind its loop device moves to another loop device")
  func otherLoopDevice() throws {
    let merge = try MergeCase()
    var first: LoopDevice? = try LoopDevice(backing: merge.originFile)
    merge.origin = try #require(first?.path)
    try merge.interruptMerge(["--yes", "--journal", merge.journal])
    let spare = merge.folder.path("spare.img")
    try Program.mustRun("truncate", "--size", "1M", spare)
    first = nil
    // This device takes the first device's number, so the next one gets a different number.
    let inBetween = try LoopDevice(backing: spare)
    let second = try LoopDevice(backing: merge.originFile)
    expectSuccess(try merge.resume(["--origin", second.path, "--yes"]))
    #expect(try differingSectors(content(of: second.path), merge.expectedOrigin()) == [])
    withExtendedLifetime(inBetween) {}
  }

  @Test("a resume is refused if the loop device is now backed by a different file")
  func otherBackingFile() throws {
    let merge = try MergeCase()
    var first: LoopDevice? = try LoopDevice(backing: merge.originFile)
    merge.origin = try #require(first?.path)
    try merge.interruptMerge(["--yes", "--journal", merge.journal])
    first = nil
    let copy = merge.folder.path("copy.img")
    try Program.mustRun("cp", merge.originFile, copy)
    let second = try LoopDevice(backing: copy)
    let result = try merge.resume(["--origin", second.path, "--yes"])
    expectError(result, exitStatus: 4, naming: second.path)
  }

  private func merge(_ merge: MergeCase, state: TemporaryFolder) throws -> CommandResult {
    try ThinMergeCommand.run(
      merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": state.path])
  }
}
