import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: abandoned merges", .waitsForPrograms)
struct GivenUpMergeTests {
  /// Returns a stopped merge of device 0 that was replaced by a finished merge of device 1, after
  /// which the origin was written to.
  private static func givenUp() throws -> MergeCase {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    try merge.interruptEarly()
    expectSuccess(
      try ThinMergeCommand.run(
        merge.argumentsOfDevice1("merge", onto: merge.origin, ["--restart"])))
    try overwrite(merge.originFile, at: 0, with: Data(repeating: 0x33, count: 1024))
    return merge
  }

  @Test(
    "an abandoned merge cannot be resumed from its moved journal, even if the newer one is gone")
  func resumed() throws {
    let merge = try Self.givenUp()
    let origin = try content(of: merge.originFile)
    let moved = merge.folder.path("moved")
    try Program.mustRun("mv", merge.journal + ".old", moved)
    for isOtherThere in [true, false] {
      if !isOtherThere { try Program.remove(merge.journal) }
      for arguments in [
        ["resume", moved, "--yes"], ["resume", moved, "--origin", merge.origin],
        ["resume", moved, "--dry-run"], ["resume", moved], ["verify", "--journal", moved],
        merge.mergeArguments(["--journal", moved]),
      ] {
        let result = try ThinMergeCommand.run(arguments)
        expectError(result, exitStatus: 4, naming: moved)
        #expect(result.standardError.contains("abandoned for a merge of dev 1"), "\(arguments)")
        #expect(result.standardError.contains("thin-merge status \(merge.journal)"))
      }
    }
    #expect(try content(of: merge.originFile) == origin)
  }

  @Test("the status of an abandoned merge names the merge that replaced it")
  func status() throws {
    let merge = try Self.givenUp()
    let old = merge.journal + ".old"
    let report = try ThinMergeCommand.run(["status", old, "--output", "json"]).report()
    #expect(report["state"] == .string("given-up"))
    #expect(report["given_up"]?["dev_id"]?.integer == 1)
    #expect(report["given_up"]?["journal"] == .string(merge.journal))
    let text = try ThinMergeCommand.run(["status", old]).standardOutput
    #expect(text.contains(" for a merge of thin device 1\n"))
    #expect(text.hasSuffix("replaced it:\n  thin-merge status \(merge.journal)\n"))
    #expect(!text.contains("resume"))
  }

  @Test("an abandoned merge that has not been replaced yet is refused without --restart")
  func killedRestart() throws {
    let merge = try Self.givenUp()
    try Program.mustRun("mv", merge.journal + ".old", merge.journal)
    let origin = try content(of: merge.originFile)
    let elsewhere = merge.folder.path("elsewhere")
    for options in [[], ["--journal", elsewhere]] {
      let result = try merge.merge(options)
      expectError(result, exitStatus: 4, naming: merge.journal)
      #expect(result.standardError.contains("--restart"))
      #expect(!result.standardError.contains("thin-merge resume"))
    }
    let status = try ThinMergeCommand.run(["status", merge.journal]).standardOutput
    #expect(status.contains("start over: add --restart to the original merge command"))
    let verified = try merge.verify().standardOutput
    #expect(verified.contains("was given up, and no other merge replaced it"))
    #expect(!verified.contains("thin-merge resume"))
    #expect(try content(of: merge.originFile) == origin)
    let records = try JournalOnDisk.records(of: merge.journal).count
    expectSuccess(try merge.merge(["--restart"]))
    #expect(try JournalOnDisk.records(of: merge.journal + ".old").count == records)
  }
}

@Suite("Command: outdated journals", .waitsForPrograms)
struct OvertakenJournalTests {
  @Test("a copy of a journal that was made before its merge finished cannot be resumed")
  func copy() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let copy = merge.folder.path("copy")
    try Program.mustRun("cp", "-p", merge.journal, copy)
    expectSuccess(try merge.merge())
    try overwrite(merge.originFile, at: 0, with: Data(repeating: 0x33, count: 1024))
    try expectOvertaken(merge, copy)
  }

  @Test("a copy of a journal that was made before its merge was resumed cannot be resumed")
  func copyOfUnfinished() throws {
    for isElsewhere in [false, true] {
      let merge = try MergeCase(scatteredBlocks: 8)
      if isElsewhere { merge.journal = merge.folder.path("kept.journal") }
      let journal = merge.journal
      try merge.interruptEarly(["--journal", journal])
      let copy = journal + ".copy"
      try Program.mustRun("cp", "-p", journal, copy)
      try merge.interruptMerge(
        afterCheckpoints: 2, ["--rate-limit", "64k", "--journal", journal])
      try expectOvertaken(merge, copy)
      expectSuccess(try merge.merge(["--journal", journal]))
    }
  }

  @Test("a journal cannot be resumed after another merge has finished, even without a mark")
  func otherMerge() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    let elsewhere = merge.folder.path("elsewhere")
    merge.journal = elsewhere
    try merge.interruptEarly(["--journal", elsewhere])
    try MergeCase.removeMarks(of: merge.originFile)
    merge.journal = merge.originFile + ".thin-merge"
    expectSuccess(
      try ThinMergeCommand.run(merge.argumentsOfDevice1("merge", onto: merge.origin)))
    try expectOvertaken(merge, elsewhere)
  }

  @Test("a journal can be resumed if the other merge finished before this one started")
  func earlierMerge() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    expectSuccess(
      try ThinMergeCommand.run(merge.argumentsOfDevice1("merge", onto: merge.origin)))
    merge.journal = merge.folder.path("elsewhere")
    try merge.interruptEarly(["--journal", merge.journal])
    expectSuccess(try merge.resume())
  }

  /// Expects resume and merge to refuse to use the journal, and to name the later journal in their
  /// errors.
  private func expectOvertaken(_ merge: MergeCase, _ path: String) throws {
    let origin = try content(of: merge.originFile)
    let journals = try [merge.journal, path].map { try content(of: $0) }
    // If the journal at the default path is unfinished, merge is refused because of that journal.
    expectError(
      try merge.merge(["--journal", path]), exitStatus: 4, naming: merge.journal)
    for arguments in [["resume", path, "--yes"], ["resume", path, "--yes", "--dry-run"]] {
      let result = try ThinMergeCommand.run(arguments)
      expectError(result, exitStatus: 4, naming: path)
      #expect(
        result.standardError.contains("thin-merge status \(merge.journal)"),
        "\(arguments): \(result.standardError)")
    }
    #expect(try content(of: merge.originFile) == origin)
    #expect(try [merge.journal, path].map { try content(of: $0) } == journals)
  }
}
