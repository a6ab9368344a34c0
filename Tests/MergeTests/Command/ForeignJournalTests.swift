import Fixtures
import Foundation
import Testing

@Suite("Command: untrusted journals", .waitsForPrograms, .needsRoot)
struct ForeignJournalTests {
  /// Commands that let another user write to the journal, or give that user another name for it.
  static let ways = [
    ["chown", "65534"], ["chmod", "0620"], ["chmod", "0602"], ["ln"],
  ]

  @Test("merge and resume refuse an untrusted journal and write nothing", arguments: ways)
  func refused(way: [String]) throws {
    let merge = try stoppedMerge(way)
    let before = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    for result in try [merge.resume(), merge.merge(), merge.resume(["--origin", merge.origin])] {
      expectError(result, exitStatus: 2, naming: merge.journal)
    }
    #expect(try content(of: merge.originFile) == before)
    #expect(try content(of: merge.journal) == journal)
  }

  @Test("a plan with an untrusted journal reports that the merge would be refused", arguments: ways)
  func planned(way: [String]) throws {
    let merge = try stoppedMerge(way)
    let report = try merge.plan(["--output", "json"]).report()
    #expect(report["refused"]?["message"]?.string?.contains("cannot trust the journal") == true)
  }

  @Test("status and verify read an untrusted journal", arguments: ways)
  func readOnly(way: [String]) throws {
    let merge = try stoppedMerge(way)
    expectSuccess(try ThinMergeCommand.run(["status", merge.journal]))
    let result = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
    #expect(result.exitStatus == 3, "\(result.standardError)")
  }

  @Test("root's own copy of an untrusted journal can be resumed if --origin names the target")
  func copied() throws {
    let merge = try stoppedMerge(["chown", "65534"])
    let other = try TemporaryFolder()
    let copy = other.path("journal")
    try Program.mustRun("cp", merge.journal, copy)
    expectError(
      try ThinMergeCommand.run(["resume", copy, "--yes"]), exitStatus: 2, naming: copy)
    expectSuccess(try ThinMergeCommand.run(["resume", copy, "--origin", merge.origin]))
    #expect(try merge.wrongSectors() == [])
  }

  private func stoppedMerge(_ way: [String]) throws -> MergeCase {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    if way[0] == "ln" {
      try Program.mustRun("ln", merge.journal, merge.folder.path("another name"))
    } else {
      try Program.mustRun(way[0], way[1], merge.journal)
    }
    return merge
  }
}

@Suite("Command: targets named only by the journal", .waitsForPrograms)
struct RecordedTargetTests {
  @Test("a journal in the state folder may name the target if --yes is given")
  func stateFolder() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let state = try TemporaryFolder()
    merge.journal = state.path("a.journal")
    try merge.interruptEarly(["--journal", merge.journal])
    let variables = ["STATE_DIRECTORY": state.path]
    expectSuccess(
      try ThinMergeCommand.run(["resume", merge.journal, "--yes"], environment: variables))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a journal outside the state folder cannot choose the target; --origin is required")
  func elsewhere() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let other = try TemporaryFolder()
    merge.journal = other.path("a.journal")
    try merge.interruptEarly(["--journal", merge.journal])
    let before = try content(of: merge.originFile)
    let unanswered = try ThinMergeCommand.run(["resume", merge.journal])
    #expect(unanswered.exitStatus == 64)
    #expect(
      unanswered.standardError.contains(
        "\n  thin-merge resume \(merge.journal) --origin \(merge.origin)\n"),
      "\(unanswered.standardError)")
    expectError(try merge.resume(), exitStatus: 2, naming: merge.journal)
    #expect(try content(of: merge.originFile) == before)
    expectSuccess(try merge.resume(["--origin", merge.origin]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("without a terminal to ask for confirmation, resuming onto a file needs --yes")
  func nobodyToAsk() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let before = try content(of: merge.originFile)
    #expect(try ThinMergeCommand.run(["resume", merge.journal]).exitStatus == 64)
    #expect(try content(of: merge.originFile) == before)
  }
}
