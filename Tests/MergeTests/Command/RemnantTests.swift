import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: blocks of a merge that was given up", .waitsForPrograms)
struct RemnantTests {
  private static let isNotNeeded = "not needed any more"

  private func recorded(_ report: JSONValue) -> [Int?] {
    report["remnants"]?.array?.map { $0["recorded_bytes"]?.integer } ?? []
  }

  private func devices(_ report: JSONValue) -> [Int?] {
    report["remnants"]?.array?.map { $0["dev_id"]?.integer } ?? []
  }

  /// Expects a report that says whose blocks stay, and nowhere that the thin device is not needed.
  private func expectNamed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(text.contains("  left there "), "\(text)", sourceLocation: sourceLocation)
    #expect(
      text.contains("or more of thin device 0, whose merge was not finished; they stay wherever"),
      "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains(Self.isNotNeeded), "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains("until the origin"), "\(text)", sourceLocation: sourceLocation)
  }

  @Test("of another thin device are named before, in the report, and by whoever compares later")
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
        "what that one wrote then stays on the origin wherever this thin device has no block"))
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
      merged.standardOutput.contains("Keep the thin device: the origin may not read as it does."))
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

  @Test("are none where the same merge begins again")
  func sameMerge() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let merged = try merge.merge(["--restart", "--output", "json"])
    expectSuccess(merged)
    #expect(try merged.report()["remnants"]?.array?.isEmpty == true)
    #expect(try merge.verify().standardOutput.contains(Self.isNotNeeded))
  }

  @Test("of other mappings are those of an earlier state of the thin device")
  func otherMappings() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    try merge.replaceMappings(merge.mappings.dropFirst())
    let merged = try merge.merge(["--restart"])
    expectSuccess(merged)
    #expect(merged.standardOutput.contains("or more of an earlier state of this thin device"))
    #expect(!merged.standardOutput.contains(Self.isNotNeeded))
  }

  @Test(
    "are named also where the merge that took the place was given up, or was killed before it wrote"
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
    // As after a kill before the first run is recorded.
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
}
