import Foundation
import Testing

@Suite(
  "Command: loop devices over loop devices, and over parts of a file", .waitsForPrograms,
  .needsLoopDevices)
struct LoopStackTests {
  @Test("a loop device over the origin's loop device as the data is refused")
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

  @Test("a loop device over the data's loop device as the origin is refused")
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

  @Test("two parts of one file have a journal each, and a half merged one goes on right")
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
}
