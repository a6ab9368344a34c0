import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: remnants of abandoned merges", .waitsForPrograms)
struct RemnantTests {
  private static let isNotNeeded = "You can remove the thin device"

  private func recorded(_ report: JSONValue) -> [Int?] {
    report["remnants"]?.array?.map { $0["recorded_bytes"]?.integer } ?? []
  }

  private func devices(_ report: JSONValue) -> [Int?] {
    report["remnants"]?.array?.map { $0["dev_id"]?.integer } ?? []
  }

  /// Expects a report that names the thin device whose remnants were left, and never says that a
  /// thin device is no longer needed.
  private func expectNamed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(text.contains("  remnants "), "\(text)", sourceLocation: sourceLocation)
    #expect(
      text.contains("from thin device 0, whose merge is unfinished; it stays wherever"),
      "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains(Self.isNotNeeded), "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains("until the origin"), "\(text)", sourceLocation: sourceLocation)
  }

  @Test("merge, plan and verify report remnants left by another thin device's merge")
  func otherDevice() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    try merge.interruptEarly()
    let byteCount = try merge.status()["done_bytes"]?.integer
    func run(_ verb: String, _ options: [String] = []) throws -> CommandResult {
      try ThinMergeCommand.run(merge.argumentsOfDevice1(verb, onto: merge.origin, options))
    }
    let refused = try run("merge")
    #expect(refused.exitStatus == 4)
    #expect(
      refused.standardError.contains(
        "the writes of that merge then stay on the origin wherever this thin device has no block"))
    for options in [["--restart"], ["--restart", "--dry-run"]] {
      let verb = options.count == 1 ? "plan" : "merge"
      expectNamed(try run(verb, options).standardOutput)
      let report = try run(verb, options + ["--output", "json"]).report()
      #expect(devices(report) == [0] && recorded(report) == [byteCount])
    }
    let merged = try run("merge", ["--restart"])
    expectSuccess(merged)
    expectNamed(merged.standardOutput)
    #expect(
      merged.standardOutput.contains("Keep the thin device: the origin may differ from it."))
    for (verb, options) in [("verify", []), ("merge", [])] as [(String, [String])] {
      let later = try run(verb, options)
      expectSuccess(later)
      expectNamed(later.standardOutput)
      let report = try run(verb, options + ["--output", "json"]).report()
      #expect(devices(report) == [0] && recorded(report) == [byteCount])
    }
    let journal = try ThinMergeCommand.run([
      "verify", "--journal", merge.journal, "--output", "json",
    ])
    expectSuccess(journal)
    #expect(try devices(journal.report()) == [0])
  }

  @Test("restarting the same merge leaves no remnants")
  func sameMerge() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let merged = try merge.merge(["--restart", "--output", "json"])
    expectSuccess(merged)
    #expect(try merged.report()["remnants"]?.array?.isEmpty == true)
    #expect(try merge.verify().standardOutput.contains(Self.isNotNeeded))
  }

  @Test("remnants of earlier mappings are reported as an earlier state of the thin device")
  func otherMappings() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    try merge.replaceMappings(merge.mappings.dropFirst())
    let merged = try merge.merge(["--restart"])
    expectSuccess(merged)
    #expect(merged.standardOutput.contains("from an earlier state of this thin device"))
    #expect(!merged.standardOutput.contains(Self.isNotNeeded))
  }

  @Test(
    "remnants are reported even if the restart was abandoned, or killed before it wrote anything"
  )
  func onceMore() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    try merge.interruptEarly()
    let place = ["--journal", merge.folder.path("kept.journal")]
    merge.journal = place[1]
    let running = try ThinMergeCommand.start(
      merge.argumentsOfDevice1(
        "merge", onto: merge.origin,
        place + ["--restart"] + MergeCase.slowly + ["--rate-limit", "64k"]))
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    running.send(SIGINT)
    #expect(try running.wait().exitStatus == 3)
    // This is the state if the merge was killed before it recorded its first run.
    let header = try JournalOnDisk.reader(of: merge.journal).header
    let journal = try content(of: merge.journal)
    try Data(header.encoded).write(to: URL(filePath: merge.journal))
    for isBegun in [false, true] {
      if isBegun { try journal.write(to: URL(filePath: merge.journal)) }
      let plan = try ThinMergeCommand.run(
        merge.argumentsOfDevice1(
          "plan", onto: merge.origin, place + ["--restart", "--output", "json"]))
      #expect(try devices(plan.report()) == [0], "\(isBegun)")
    }
    let first = try merge.plan(["--restart", "--output", "json"])
    #expect(try devices(first.report()) == [1])
  }

  /// A change to the journal of a stopped merge.
  enum Fate: CaseIterable, Sendable {
    case deleted, damaged, damagedWithoutMark, elsewhere
  }

  @Test(
    "remnants are reported even if their journal is missing, damaged or at another path",
    arguments: Fate.allCases)
  func lostJournal(fate: Fate) throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    try merge.interruptEarly()
    switch fate {
    case .deleted: try Program.remove(merge.journal)
    case .damaged, .damagedWithoutMark:
      try overwrite(merge.journal, at: 24, with: Data([0xFF, 0xFF]))
      if fate == .damagedWithoutMark { try MergeCase.removeMarks(of: merge.originFile) }
    case .elsewhere: try Program.mustRun("mv", merge.journal, merge.folder.path("moved"))
    }
    func run(_ verb: String, _ options: [String] = []) throws -> CommandResult {
      try ThinMergeCommand.run(merge.argumentsOfDevice1(verb, onto: merge.origin, options))
    }
    for (verb, options) in [
      ("plan", ["--restart"]), ("merge", ["--restart", "--yes"]), ("verify", []),
    ] {
      let result = try run(verb, options)
      #expect(
        result.standardOutput.contains(
          "  an unknown amount from a merge whose journal is missing or unreadable"
        ),
        "\(verb): \(result.standardOutput)")
      #expect(!result.standardOutput.contains(Self.isNotNeeded), "\(verb)")
    }
    let report = try run("verify", ["--output", "json"]).report()
    #expect(report["remnants"]?.array?.first?["dev_id"] == .null)
  }

  @Test(
    "verify reports remnants under another name of the origin, or with a journal at another path")
  func otherName() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    try merge.interruptEarly()
    let elsewhere = merge.folder.path("kept.journal")
    expectSuccess(
      try ThinMergeCommand.run(
        merge.argumentsOfDevice1(
          "merge", onto: merge.origin, ["--restart", "--yes", "--journal", elsewhere])))
    let link = merge.folder.path("link.img")
    try Program.mustRun("ln", merge.originFile, link)
    for origin in [merge.origin, link] {
      expectNamed(
        try ThinMergeCommand.run(merge.argumentsOfDevice1("verify", onto: origin)).standardOutput)
    }
    expectSuccess(
      try ThinMergeCommand.run(
        merge.argumentsOfDevice1("merge", onto: link, ["--again", "--yes"])))
    expectNamed(
      try ThinMergeCommand.run(merge.argumentsOfDevice1("verify", onto: link)).standardOutput)
  }

  @Test("verify --journal reports an unfinished merge that started after the journal's own")
  func verifyByJournal() throws {
    let merge = try MergeCase.twoDevices(blockCount: 8)
    expectSuccess(try merge.merge())
    let journal = merge.journal
    merge.journal = merge.folder.path("other")
    let running = try ThinMergeCommand.start(
      merge.argumentsOfDevice1(
        "merge", onto: merge.origin,
        ["--journal", merge.journal, "--rate-limit", "64k"]
          + MergeCase.slowly.dropFirst(2)))
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    running.send(SIGINT)
    #expect(try running.wait().exitStatus == 3)
    let result = try ThinMergeCommand.run(["verify", "--journal", journal])
    #expect(result.standardOutput.contains("thin-merge resume \(merge.journal)"), "\(result)")
    #expect(!result.standardOutput.contains("--again"), "\(result)")
  }
}
