import Fixtures
import Foundation
import Testing

@Suite(
  "Command: a finished merge is found by every name of its origin", .waitsForPrograms,
  .needsLoopDevices)
struct FinishedMarkTests {
  private static let attribute = "user.thin-merge-finished.0-end"

  /// Expects that the finished merge, given again, overwrites nothing of what was written to its origin since.
  private func expectFound(
    _ merge: MergeCase, onto path: String, _ options: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try ThinMergeCommand.run(
      ["merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "0"]
        + ["--origin", path, "--past-end", "clip", "--yes"] + options)
    #expect(result.exitStatus == 4, "\(result.standardError)", sourceLocation: sourceLocation)
  }

  private static func writeSomething(onto merge: MergeCase) throws -> Data {
    try overwrite(
      merge.originFile, at: Int(merge.mappings[1].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 1024))
    return try content(of: merge.originFile)
  }

  @Test(
    "what was written after a finished merge is not overwritten by another name of the origin",
    arguments: OtherName.allCases.dropLast())
  func otherName(name: OtherName) throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge(["--past-end", "clip"]))
    let later = try Self.writeSomething(onto: merge)
    try name.with(merge) { try expectFound(merge, onto: $0) }
    #expect(try content(of: merge.originFile) == later)
  }

  @Test("what was written after a merge with its journal elsewhere is not overwritten without it")
  func journalElsewhere() throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("kept.journal")
    expectSuccess(try merge.merge(["--journal", elsewhere, "--past-end", "clip"]))
    expectSuccess(try merge.merge(["--past-end", "clip"]))
    let later = try Self.writeSomething(onto: merge)
    try expectFound(merge, onto: merge.origin)
    try expectFound(merge, onto: merge.origin, ["--journal", merge.folder.path("new.journal")])
    let renamed = merge.folder.path("renamed.img")
    try Program.mustRun("mv", merge.originFile, renamed)
    try expectFound(merge, onto: renamed)
    #expect(try content(of: renamed) == later)
    #expect(try merge.newFiles() == ["kept.journal", "renamed.img"])
  }

  @Test("another merge onto the origin takes the trace of a finished one away")
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

  @Test("the copy of a finished origin is another origin, which is merged onto")
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
