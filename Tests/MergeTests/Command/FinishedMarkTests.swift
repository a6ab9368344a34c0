import Fixtures
import Foundation
import Testing

@Suite(
  "Command: finished merges and other names for their origins", .waitsForPrograms,
  .needsLoopDevices)
struct FinishedMarkTests {
  private static let attribute = "user.thin-merge-finished.0-end"

  /// Expects that repeating the finished merge does not overwrite later writes to its origin.
  private func expectFound(
    _ merge: MergeCase, onto path: String, _ options: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try ThinMergeCommand.run(
      ["merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "0"]
        + ["--origin", path, "--past-end", "clip", "--yes"] + options)
    #expect(result.exitStatus == 4, "\(result.standardError)", sourceLocation: sourceLocation)
  }

  /// Overwrites some merged bytes on the origin, and returns the new content.
  @discardableResult
  private static func write(onto merge: MergeCase) throws -> Data {
    try overwrite(
      merge.originFile, at: Int(merge.mappings[1].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 1024))
    return try content(of: merge.originFile)
  }

  @Test(
    "later writes to a finished merge's origin are not overwritten under another of its names",
    arguments: OtherName.allCases.dropLast())
  func otherName(name: OtherName) throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge(["--past-end", "clip"]))
    let later = try Self.write(onto: merge)
    try name.with(merge) { try expectFound(merge, onto: $0) }
    #expect(try content(of: merge.originFile) == later)
  }

  @Test(
    "writes made after a merge are not overwritten, even if its journal is not in the default path")
  func journalElsewhere() throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("kept.journal")
    expectSuccess(try merge.merge(["--journal", elsewhere, "--past-end", "clip"]))
    expectSuccess(try merge.merge(["--past-end", "clip"]))
    let later = try Self.write(onto: merge)
    try expectFound(merge, onto: merge.origin)
    try expectFound(merge, onto: merge.origin, ["--journal", merge.folder.path("new.journal")])
    let renamed = merge.folder.path("renamed.img")
    try Program.mustRun("mv", merge.originFile, renamed)
    try expectFound(merge, onto: renamed)
    #expect(try content(of: renamed) == later)
    #expect(try merge.newFiles() == ["kept.journal", "renamed.img"])
  }

  @Test(
    "a finished merge can be compared through a loop device, and merged again with --again")
  func comparedByLoopDevice() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge())
    let device = try LoopDevice(backing: merge.originFile)
    try withExtendedLifetime(device) {
      merge.origin = device.path
      let text = try merge.merge(["--yes"])
      expectSuccess(text)
      #expect(text.standardOutput.hasPrefix("Already merged, and still identical:"), "\(text)")
      try Self.write(onto: merge)
      expectSuccess(try merge.merge(["--again", "--yes"]))
    }
    #expect(try merge.wrongSectors() == [])
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
  }

  /// A change to the journal of a finished merge.
  enum Fate: CaseIterable, Sendable {
    case deleted, moved, damaged, writableByOthers, replaced
  }

  @Test(
    "a finished merge whose journal is lost or untrusted is refused without --again",
    arguments: Fate.allCases)
  func journalLost(fate: Fate) throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("kept.journal")
    expectSuccess(try merge.merge(["--journal", elsewhere]))
    switch fate {
    case .deleted: try Program.remove(elsewhere)
    case .moved: try Program.mustRun("mv", elsewhere, elsewhere + ".moved")
    case .damaged: try overwrite(elsewhere, at: 24, with: Data([0xFF, 0xFF]))
    case .writableByOthers: try Program.mustRun("chmod", "0666", elsewhere)
    case .replaced:
      let other = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try other.merge())
      try Program.mustRun("cp", "-p", other.journal, elsewhere)
    }
    let later = try Self.write(onto: merge)
    let plan = try merge.plan(["--output", "json"])
    #expect(try plan.report()["refused"]?["code"]?.string == "other-merge-finished")
    let result = try merge.merge()
    expectError(result, exitStatus: 4, naming: merge.origin)
    #expect(result.standardError.contains("this merge is finished"), "\(result.standardError)")
    #expect(try content(of: merge.originFile) == later)
    expectSuccess(try merge.merge(["--again", "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a finished merge is recognized even if the data device was replaced by a copy")
  func copyOfData() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge(["--journal", merge.folder.path("kept.journal")]))
    let later = try Self.write(onto: merge)
    try Program.mustRun("cp", merge.dataFile, merge.folder.path("copy.img"))
    merge.data = merge.folder.path("copy.img")
    for options in [[], ["--same-data"]] {
      let result = try merge.merge(options)
      #expect(result.exitStatus == 4, "\(result.standardError)")
    }
    #expect(try content(of: merge.originFile) == later)
  }

  @Test("repeating a finished merge after another merge ran is refused without --again")
  func followedByAnother() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge())
    let other = merge.argumentsOfDevice1("merge", onto: merge.origin)
    expectSuccess(try ThinMergeCommand.run(other))
    let later = try Self.write(onto: merge)
    expectError(try merge.merge(), exitStatus: 4, naming: merge.journal + ".1")
    #expect(try content(of: merge.originFile) == later)
    expectSuccess(try merge.merge(["--again", "--yes"]))
  }

  @Test("every finished merge that was followed by another one is refused, not only the first")
  func followedByOthers() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge())
    let other = merge.argumentsOfDevice1("merge", onto: merge.origin)
    expectSuccess(try ThinMergeCommand.run(other))
    expectSuccess(try merge.merge(["--again", "--yes"]))
    let later = try Self.write(onto: merge)
    let second = merge.journal + ".1.2"
    expectError(try ThinMergeCommand.run(other), exitStatus: 4, naming: second)
    try Program.remove(merge.journal + ".1")
    expectError(try ThinMergeCommand.run(other), exitStatus: 4, naming: second)
    #expect(try content(of: merge.originFile) == later)
  }

  @Test("a merge of another device removes the finished mark at its start, and sets it at its end")
  func otherMerge() throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("kept.journal")
    expectSuccess(try merge.merge(["--journal", elsewhere]))
    #expect(try MergeCase.hasAttribute(Self.attribute, of: merge.originFile))
    let running = try ThinMergeCommand.start(
      merge.argumentsOfDevice1("merge", onto: merge.origin, MergeCase.slowly))
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    #expect(try !MergeCase.hasAttribute(Self.attribute, of: merge.originFile))
    expectSuccess(try running.wait())
    #expect(try MergeCase.hasAttribute(Self.attribute, of: merge.originFile))
  }

  @Test("a copy of a finished merge's origin is treated as a new origin")
  func copied() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge(["--journal", merge.folder.path("kept.journal")]))
    let copy = merge.folder.path("copy.img")
    try Program.mustRun("cp", "--preserve=all", merge.originFile, copy)
    #expect(try MergeCase.hasAttribute(Self.attribute, of: copy))
    merge.origin = copy
    let result = try merge.merge(["--output", "json"])
    expectSuccess(result)
    #expect(try result.report()["bytes_written"]?.integer == merge.mappedByteCount)
  }
}
