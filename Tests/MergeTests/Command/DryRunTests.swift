import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: dry runs", .waitsForPrograms)
struct DryRunTests {
  /// The state of all files in a folder that a command could change: contents, marks and times.
  private struct FolderState: Equatable {
    private struct File: Equatable {
      var content: Data
      var marks: [String: [UInt8]]
      var changed: Date?
    }

    private var files: [String: File] = [:]

    init(_ merge: MergeCase) throws {
      for name in try merge.folder.names() {
        let path = merge.folder.path(name)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        files[name] = File(
          content: try Data(contentsOf: URL(filePath: path)),
          marks: try MergeCase.marks(of: path),
          changed: attributes[.modificationDate] as? Date)
      }
    }
  }

  private func expectNothingLeft(
    _ merge: MergeCase, by arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> CommandResult {
    let before = try FolderState(merge)
    let result = try ThinMergeCommand.run(arguments)
    #expect(
      try FolderState(merge) == before, "\(arguments)", sourceLocation: sourceLocation)
    return result
  }

  private static func finished() throws -> MergeCase {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try merge.merge())
    return merge
  }

  private static func stopped() throws -> MergeCase {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    return merge
  }

  @Test("a dry run of a new merge exits with status 0 and leaves nothing behind")
  func wouldBegin() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try expectNothingLeft(
      merge, by: merge.mergeArguments(["--dry-run", "--verify", "--rate-limit", "1M"]))
    expectSuccess(result)
    #expect(try merge.newFiles() == [])
    #expect(result.standardOutput.contains("Nothing was written to the origin. To merge:\n"))
    #expect(result.standardOutput.contains("--verify --rate-limit 1048576\n"))
    #expect(!result.standardOutput.contains("--dry-run"))
  }

  @Test("a dry run of a stopped merge exits with status 0, and does not lock or write the journal")
  func wouldGoOn() throws {
    let merge = try Self.stopped()
    let recorded = try merge.status()["done_bytes"]?.integer
    for arguments in [
      merge.mergeArguments(["-n", "--output", "json"]),
      ["resume", merge.journal, "--yes", "-n", "--output", "json"],
    ] {
      let result = try withExtendedLifetime(HeldFile.withSharedFileLock(merge.journal)) {
        try expectNothingLeft(merge, by: arguments)
      }
      expectSuccess(result)
      let report = try result.report()
      #expect(report["schema"] == .string("thin-merge/plan/1"))
      #expect(report["recorded_bytes"]?.integer == recorded)
      #expect(report["compared_bytes"]?.integer == recorded)
    }
    let trusting = try merge.merge(["-n", "--trust-earlier-runs", "--output", "json"]).report()
    #expect(trusting["compared_bytes"]?.integer == 0)
  }

  @Test("a dry run with --restart names the journal that it would set aside, but does not move it")
  func restart() throws {
    let merge = try Self.stopped()
    let arguments = merge.mergeArguments(["--restart", "--dry-run"])
    let report = try expectNothingLeft(merge, by: arguments + ["--output", "json"]).report()
    #expect(report["put_aside"]?.array?.map { $0["journal"] } == [.string(merge.journal)])
    #expect(report["recorded_bytes"]?.integer == 0)
    let text = try expectNothingLeft(merge, by: arguments)
    expectSuccess(text)
    #expect(text.standardOutput.contains("  to set aside  the journal \(merge.journal)\n"))
  }

  @Test("a dry run with --restart names the journal of another device's unfinished merge")
  func givenUp() throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("elsewhere")
    merge.journal = elsewhere
    try merge.interruptMerge(afterCheckpoints: 1, ["--journal", elsewhere])
    let arguments = merge.argumentsOfDevice1(
      "merge", onto: merge.origin, ["--restart", "--dry-run", "--output", "json"])
    let result = try withExtendedLifetime(HeldFile.withSharedFileLock(elsewhere)) {
      try expectNothingLeft(merge, by: arguments)
    }
    expectSuccess(result)
    #expect(
      try result.report()["put_aside"]?.array?.map { $0["journal"] } == [.string(elsewhere)])
    let busy = try withExtendedLifetime(HeldFile.withFileLock(elsewhere)) {
      try expectNothingLeft(merge, by: arguments)
    }
    expectError(busy, exitStatus: 5, inJSONWith: "journal-locked")
  }

  @Test(
    "a dry run of a finished merge exits with 0 and reports the bytes --again would compare")
  func ofFinished() throws {
    let merge = try Self.finished()
    let once = try expectNothingLeft(merge, by: merge.mergeArguments(["-n", "--output", "json"]))
    expectSuccess(once)
    #expect(try once.report()["finished"] == .boolean(true))
    #expect(try once.report()["again"] == .boolean(false))
    #expect(try once.report()["compared_bytes"]?.integer == merge.mappedByteCount)
    let unread = try merge.merge(["-n", "--no-compare", "--output", "json"])
    #expect(try unread.report()["compared_bytes"]?.integer == 0)
    let again = try expectNothingLeft(
      merge, by: merge.mergeArguments(["-n", "--again", "--yes", "--output", "json"]))
    expectSuccess(again)
    #expect(try again.report()["again"] == .boolean(true))
    #expect(try again.report()["compared_bytes"]?.integer == merge.mappedByteCount)
    expectSuccess(try expectNothingLeft(merge, by: ["resume", merge.journal, "-n"]))
  }

  @Test("a dry run of a merge that would be refused prints the plan and exits as the merge would")
  func refused() throws {
    let merge = try Self.stopped()
    try merge.restoreOrigin()
    let result = try expectNothingLeft(merge, by: merge.mergeArguments(["-n"]))
    expectError(result, exitStatus: 4, naming: merge.origin)
    #expect(result.standardOutput.contains("A merge would be refused:"))
    let real = try merge.merge()
    #expect(real.standardError == result.standardError)
    expectSuccess(try merge.plan())
  }

  @Test("a dry run onto an origin in use exits with status 5, even if the plan also has an error")
  func busy() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Program.mustRun("truncate", "--size", "65536", merge.origin)
    let held = try HeldFile.withFileLock(merge.origin)
    let result = try expectNothingLeft(merge, by: merge.mergeArguments(["-n"]))
    expectError(result, exitStatus: 5, naming: merge.origin)
    try held.close()
    expectError(try merge.merge(["-n"]), exitStatus: 2, naming: merge.origin)
  }

  @Test("a dry run never asks; it exits with status 64 if the merge would need --yes")
  func nobodyToAsk() throws {
    let merge = try Self.finished()
    let result = try expectNothingLeft(merge, by: merge.mergeArguments(["--again", "-n"]))
    #expect(result.exitStatus == 64)
    #expect(result.standardError.contains("add --yes"))
    #expect(result.standardOutput.contains("Nothing was written to the origin."))
  }

  @Test(
    "a dry run without room for the origin's holes exits with status 2 and allocates nothing",
    .needsTmpfs)
  func holes() throws {
    let place = try TemporaryFolder(onTmpfsOf: 1 << 18)
    let merge = try MergeCase(scatteredBlocks: 8)
    merge.origin = place.path("origin.img")
    try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
    let result = try merge.merge(["--journal", merge.journal, "-n", "--output", "json"])
    expectError(result, exitStatus: 2, inJSONWith: "no-room-for-holes")
    let allocated = try FileManager.default.attributesOfFileSystem(forPath: place.path)
    #expect((allocated[.systemFreeSize] as? Int).map { $0 > 1 << 17 } == true)
    #expect(try merge.newFiles() == [])
  }

  @Test("the plan of a finished merge reports no refusal if the only problem is an origin in use")
  func finishedAndInUse() throws {
    let merge = try Self.finished()
    try withExtendedLifetime(HeldFile.withFileLock(merge.origin)) {
      #expect(try merge.plan(["--output", "json"]).report()["refused"] == .null)
      expectSuccess(try merge.merge())
    }
  }
}

/// Expects one JSON error line with the given code, and the given exit status.
private func expectError(
  _ result: CommandResult, exitStatus: Int32, inJSONWith code: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let errors = (try? result.messages().filter { $0["type"]?.string == "error" }) ?? []
  #expect(
    result.exitStatus == exitStatus, "\(result.standardError)", sourceLocation: sourceLocation)
  #expect(
    errors.map { $0["code"]?.string } == [code], "\(result.standardError)",
    sourceLocation: sourceLocation)
}
