import Foundation
import MergeEngine
import Testing

@Suite("Command: files moved, removed or replaced during a merge", .waitsForPrograms)
struct MovedFileTests {
  @Test("--same-data resumes from a copy of the data device that lacks already merged blocks")
  func copiedData() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptMerge(["--rate-limit", "256k"])
    let copy = merge.folder.path("copy.img")
    var content = merge.dataBefore
    // The first block has already been merged, so the copy has zeros in its place.
    content.replaceSubrange(0..<16_384, with: Data(count: 16_384))
    try content.write(to: URL(filePath: copy))
    #expect(try merge.resume(["--data", copy]).standardError.contains("--same-data"))
    expectSuccess(try merge.resume(["--data", copy, "--same-data"]))
    #expect(try merge.wrongSectors() == [])
  }

  /// Starts a merge, suspends its process while `meanwhile` runs, and then lets the process
  /// continue.
  private func merge(
    _ merge: MergeCase, stopping: Bool, _ meanwhile: () throws -> Void
  ) throws -> CommandResult {
    let running = try merge.startMerge(MergeCase.slowly + ["--rate-limit", "256k", "--verify"])
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    try running.whileStopped {
      try #require(try !JournalOnDisk.state(of: merge.journal).isFinished)
      try meanwhile()
      if stopping { running.send(SIGINT) }
    }
    return try running.wait()
  }

  @Test(
    "an origin replaced or removed during a merge is not reported as merged",
    arguments: [true, false])
  func origin(isReplaced: Bool) throws {
    let merge = try MergeCase(scatteredBlocks: 16)
    let copy = merge.folder.path("copy")
    try Program.mustRun("cp", merge.originFile, copy)
    let kept = merge.folder.path("kept")
    let result = try self.merge(merge, stopping: false) {
      try Program.mustRun("mv", merge.originFile, kept)
      if isReplaced { try Program.mustRun("mv", copy, merge.originFile) }
    }
    expectError(result, exitStatus: 3, naming: merge.origin)
    #expect(!result.standardOutput.contains("Merged"))
    #expect(try !JournalOnDisk.state(of: merge.journal).isFinished)
    try Program.mustRun("mv", kept, merge.originFile)
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("an origin truncated during a merge is not reported as merged")
  func truncatedOrigin() throws {
    let merge = try MergeCase(scatteredBlocks: 16)
    let result = try self.merge(merge, stopping: false) {
      // The truncated file still extends past the last mapped block, so no write makes it longer
      // again.
      try Program.mustRun("truncate", "--size", "-4096", merge.originFile)
    }
    expectError(result, exitStatus: 3, naming: merge.origin)
    #expect(!result.standardOutput.contains("Merged"))
    #expect(try !JournalOnDisk.state(of: merge.journal).isFinished)
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.originFile)
    try overwrite(
      merge.originFile, at: merge.before.count - 4096, with: merge.before.suffix(4096))
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a merge stops if the file behind one of its loop devices is replaced", .needsLoopDevices)
  func fileOfLoopDevice() throws {
    let merge = try MergeCase(scatteredBlocks: 16)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let (copy, kept) = (merge.folder.path("copy"), merge.folder.path("kept"))
    try Program.mustRun("cp", merge.originFile, copy)
    let running = try merge.startMerge(
      MergeCase.slowly + ["--rate-limit", "256k", "--yes", "--journal", merge.journal])
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    try running.whileStopped {
      try Program.mustRun("mv", merge.originFile, kept)
      try Program.mustRun("mv", copy, merge.originFile)
    }
    expectError(try running.wait(), exitStatus: 3, naming: device.path)
    try Program.mustRun("mv", kept, merge.originFile)
    expectSuccess(try merge.resume(["--origin", device.path, "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a merge whose journal is deleted ends, and suggests no resume command",
    arguments: [true, false])
  func journal(isStopped: Bool) throws {
    let merge = try MergeCase(scatteredBlocks: 16)
    let result = try self.merge(merge, stopping: isStopped) { try Program.remove(merge.journal) }
    expectError(result, exitStatus: 3, naming: merge.journal)
    #expect(result.standardError.contains("the merge cannot be resumed"))
    #expect(!result.standardError.contains("progress is saved"), "\(result.standardError)")
    #expect(!result.standardError.contains("thin-merge resume"), "\(result.standardError)")
    #expect(!result.standardOutput.contains("can be resumed"), "\(result.standardOutput)")
  }

  @Test("a merge whose folder was renamed can be resumed with the new journal and origin paths")
  func renamedFolder() throws {
    let folder = try TemporaryFolder()
    let (before, after) = (folder.path("before"), folder.path("after"))
    try Program.mustRun("mkdir", before)
    let merge = try MergeCase(scatteredBlocks: 16)
    try Program.mustRun("mv", merge.originFile, before)
    merge.origin = before + "/origin.img"
    merge.journal = merge.origin + ".thin-merge"
    let result = try self.merge(merge, stopping: false) { try Program.mustRun("mv", before, after) }
    expectError(result, exitStatus: 3, naming: merge.journal)
    #expect(result.standardError.contains("no longer at its path"), "\(result.standardError)")
    let (origin, journal) = (after + "/origin.img", after + "/origin.img.thin-merge")
    let unnamed = try ThinMergeCommand.run(["resume", journal, "--yes"])
    #expect(
      unnamed.standardError.contains("thin-merge resume \(journal) --origin \(origin)"),
      "\(unnamed.standardError)")
    expectSuccess(try ThinMergeCommand.run(["resume", journal, "--yes", "--origin", origin]))
    try Program.mustRun("mv", origin, merge.originFile)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("merging onto an origin that no longer has a name prints a note")
  func deletedFile() throws {
    let merge = try MergeCase(scatteredBlocks: 2)
    let arguments = merge.mergeArguments(["--journal", merge.folder.path("journal")])
    let result = try Program.run(
      [
        "sh", "-c", "exec 9<>\"$1\"; rm \"$1\"; shift; exec \"$@\"", "sh", merge.originFile,
        ThinMergeCommand.binaryPath,
      ] + arguments.map { $0 == merge.origin ? "/proc/self/fd/9" : $0 })
    expectSuccess(result)
    #expect(result.standardError.contains("note: /proc/self/fd/9: the file has no name"))
  }
}
