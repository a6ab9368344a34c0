import Foundation
import Testing

@Suite("Command: missing permissions", .waitsForPrograms)
struct PermissionTests {
  @Test(
    "a merge is refused if the user lacks permission to access one of its files", .needsRoot,
    arguments: ["metadata.img", "data.img", "origin.img"])
  func noPermission(file: String) throws {
    let merge = try MergeCase()
    try merge.openToEverybody()
    try Program.mustRun("chmod", file == "origin.img" ? "0444" : "0000", merge.folder.path(file))
    let result = try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
    expectError(result, exitStatus: 2, naming: merge.folder.path(file))
    #expect(try merge.changedSectors() == [])
  }

  @Test("an unprivileged user can merge their own files", .needsRoot)
  func ownFiles() throws {
    let merge = try MergeCase()
    try merge.openToEverybody()
    expectSuccess(try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("an origin on a read-only file system is refused", .needsTmpfs)
  func readOnlyFileSystem() throws {
    let merge = try MergeCase()
    let place = try TemporaryFolder(onTmpfsOf: 128 << 20)
    merge.origin = place.path("origin.img")
    try Program.mustRun("cp", "--sparse=always", merge.originFile, merge.origin)
    try place.makeReadOnly()
    let result = try merge.merge(["--journal", merge.folder.path("journal")])
    expectError(result, exitStatus: 2, naming: merge.origin)
    #expect(try merge.newFiles() == [])
  }
}

@Suite("Command: unsuitable journal locations", .waitsForPrograms)
struct BadJournalPlaceTests {
  @Test("a journal on a read-only file system is refused before anything is written", .needsTmpfs)
  func readOnlyFolder() throws {
    let merge = try MergeCase()
    let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
    try place.makeReadOnly()
    try expectNoMerge(merge, journal: place.path("journal"))
    #expect(try place.names() == [])
  }

  @Test("a journal on a full file system is refused before anything is written", .needsTmpfs)
  func fullFolder() throws {
    let merge = try MergeCase()
    let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
    // The journal's header fits, but not everything that follows it.
    _ = try Program.run(
      ["dd", "if=/dev/zero", "of=\(place.path("filler"))", "bs=4k", "count=12"])
    try expectNoMerge(merge, journal: place.path("journal"))
    #expect(try place.names() == ["filler"])
  }

  @Test("a journal path in a folder that does not exist is refused")
  func missingFolder() throws {
    let merge = try MergeCase()
    try expectNoMerge(merge, journal: merge.folder.path("nothing/journal"))
  }

  @Test("a journal path that names a folder is refused")
  func folderInItsPlace() throws {
    let merge = try MergeCase()
    let journal = merge.folder.path("journal")
    try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: false)
    try expectNoMerge(merge, journal: journal)
  }

  @Test(
    "the metadata, data or origin file of a merge is refused as its journal",
    arguments: ["metadata.img", "data.img", "origin.img"])
  func ownFiles(file: String) throws {
    let merge = try MergeCase()
    let before = try content(of: merge.folder.path(file))
    try expectNoMerge(merge, journal: merge.folder.path(file))
    #expect(try content(of: merge.folder.path(file)) == before)
  }

  @Test(
    "an existing file that is not a journal is not overwritten by one",
    arguments: [[], ["--restart"]])
  func foreignFile(options: [String]) throws {
    let merge = try MergeCase()
    try Data("a letter, not a journal\n".utf8).write(to: URL(filePath: merge.journal))
    let result = try merge.merge(options)
    #expect([2, 4].contains(result.exitStatus), "\(result.standardError)")
    #expect(try content(of: merge.journal) == Data("a letter, not a journal\n".utf8))
    #expect(try merge.changedSectors() == [])
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
  }

  @Test("a dangling symbolic link as the journal path is refused, and its target is not created")
  func danglingLink() throws {
    let merge = try MergeCase()
    try Program.mustRun("ln", "-s", merge.folder.path("elsewhere"), merge.journal)
    let result = try merge.merge()
    #expect(result.exitStatus == 2, "\(result.standardError)")
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
    #expect(try merge.changedSectors() == [])
  }

  @Test("a journal on a file system that lives on the data device is refused", .needsExt4)
  func onTheDataDevice() throws {
    let merge = try MergeCase()
    let folder = try TemporaryFolder()
    try Program.mustRun("mkfs.ext4", "-q", merge.dataFile)
    let device = try LoopDevice(backing: merge.dataFile)
    let mount = try Mount(device: device.path, at: folder.path)
    merge.data = device.path
    try expectNoMerge(merge, journal: folder.path("journal"))
    mount.unmount()
  }

  @Test("merge and plan both name the folder if the user may not write to it", .needsRoot)
  func foreignFolder() throws {
    let merge = try MergeCase()
    try Program.mustRun("chmod", "0666", merge.originFile)
    try Program.mustRun("chmod", "0755", merge.folder.path)
    let merged = try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
    let planned = try ThinMergeCommand.runAsNobody(
      ["plan"] + merge.mergeArguments().dropFirst(), in: merge.folder)
    expectError(merged, exitStatus: 2, naming: merge.journal)
    let error = try ReportedError(merged)
    #expect(planned.standardOutput.contains("  \(error.message)\n"), "\(planned)")
    #expect(error.lines.dropFirst().allSatisfy { planned.standardOutput.contains("  \($0)\n") })
  }

  private func expectNoMerge(
    _ merge: MergeCase, journal: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let planned = try merge.plan(["--journal", journal, "--output", "json"]).report()["refused"]
    let result = try merge.merge(["--journal", journal])
    expectError(result, exitStatus: 2, naming: journal, sourceLocation: sourceLocation)
    let message = try #require(planned?["message"]?.string, sourceLocation: sourceLocation)
    #expect(result.standardError.contains(": \(message)\n"), sourceLocation: sourceLocation)
    #expect(try merge.changedSectors() == [], sourceLocation: sourceLocation)
  }
}

extension MergeCase {
  /// Gives all users access to the folder and the images, so that tests can run as another user.
  func openToEverybody() throws {
    try Program.mustRun("chmod", "0777", folder.path)
    try Program.mustRun("chmod", "0666", metadataFile, dataFile, originFile)
  }
}
