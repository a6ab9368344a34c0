import Fixtures
import Foundation
import Testing

/// A merge that can repeatedly be reset to a saved state and run from there.
final class StoppedMerge {
  let merge: MergeCase
  private let journal: Data?
  private let origin: Data
  private let expected: Data

  /// The state from which the stopped run starts: a new merge, or one with blocks to retry or
  /// re-check.
  enum Point: CaseIterable, Sendable {
    case merge, retry, recheck

    /// The number of times that each program is stopped while running from this state.
    var stopCount: Int { self == .merge ? 40 : 30 }
  }

  init(_ point: Point, by first: Generation) throws {
    merge = try MergeCase(scatteredBlocks: 16)
    expected = try merge.expectedOrigin()
    if point != .merge {
      // Data past an offset is unreadable, which leaves those blocks to retry, and the others to
      // re-check.
      let last = try #require(merge.mappings.map(\.dataBlock).max())
      let left = point == .retry ? last / 2 : last
      let result = try first.run(
        merge.mergeArguments(Self.inSteps),
        environment: [
          "LD_PRELOAD": Oracle.stopper, "BAD_READS": "\(Int(left) * merge.blockByteCount)",
        ])
      try #require(result.exitStatus == 3, "\(result.standardError)")
    }
    if point == .recheck {
      // Overwrites some merged sectors, which gives the re-check something to write.
      for mapping in merge.mappings.prefix(4)
      where mapping.dataBlock != merge.mappings.map(\.dataBlock).max() {
        try overwrite(
          merge.originFile, at: Int(mapping.thinBlock) * merge.blockByteCount,
          with: Data(count: 512))
      }
    }
    journal =
      FileManager.default.fileExists(atPath: merge.journal) ? try content(of: merge.journal) : nil
    origin = try content(of: merge.originFile)
  }

  /// Command-line options that make requests small and checkpoints frequent.
  static let inSteps = [
    "--queue-depth", "3", "--io-size", "16k", "--checkpoint-interval", "0.01",
    "--rate-limit", "16M", "--yes",
    "--progress", "none",
  ]

  func restore() throws {
    for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
    try overwrite(merge.originFile, with: origin)
    try MergeCase.removeMarks(of: merge.originFile)
    try journal?.write(to: URL(filePath: merge.journal))
  }

  func run(
    by generation: Generation, _ environment: [String: String] = [:]
  ) throws -> CommandResult {
    try generation.run(
      merge.mergeArguments(Self.inSteps),
      environment: environment.merging(["LD_PRELOAD": Oracle.stopper]) { $1 })
  }

  /// Returns the number of changes to files that a complete run of the given program makes.
  func changeCount(by generation: Generation) throws -> Int {
    try restore()
    let file = merge.folder.path("count")
    expectSuccess(try run(by: generation, ["STOP_COUNT": file]))
    let text = String(decoding: try content(of: file), as: UTF8.self)
    return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// Stops a program at the given change, or at an earlier one if it makes fewer changes.
  ///
  /// The number of changes varies with timing, but every run makes at least one.
  private func stop(
    _ program: Generation, _ way: String, at change: Int
  ) throws -> CommandResult {
    var change = change
    while true {
      try restore()
      let result = try run(by: program, ["STOP_AT": "\(way):\(change)"])
      if result.exitStatus != 0 || change == 1 { return result }
      change = max(1, change * 3 / 4)
    }
  }

  /// Stops one program, finishes the merge with the other, and describes the first problem found,
  /// if any.
  ///
  /// - `resumes`: true to finish the merge with `resume`, if there is a journal, instead of
  ///   `merge`.
  func complaint(
    stopping first: Generation, _ way: String, at change: Int, resumes: Bool, stopped: inout Int
  ) throws -> String? {
    let result = try stop(first, way, at: change)
    if result.exitStatus != 0 { stopped += 1 }
    guard [0, 2, 3, 128 + SIGKILL].contains(result.exitStatus) else {
      return "stopped: exit \(result.exitStatus): \(result.standardError)"
    }
    let hasJournal = FileManager.default.fileExists(atPath: merge.journal)
    let second = try first.other.run(
      resumes && hasJournal
        ? ["resume", merge.journal, "--yes"] : merge.mergeArguments(Self.inSteps))
    guard second.exitStatus == 0 else {
      return "resumed: exit \(second.exitStatus): \(second.standardError)"
    }
    let wrong = differingSectors(try content(of: merge.originFile), expected)
    guard wrong.isEmpty else { return "wrong at \(wrong)" }
    let status = try first.run(["status", merge.journal, "--output", "json"])
    guard status.exitStatus == 0 else {
      return "status: exit \(status.exitStatus): \(status.standardError)"
    }
    let state = try status.report()["state"]
    return state == .string("finished") ? nil : "status: \(String(describing: state))"
  }
}

@Suite(
  "Old vs. new program: merges that one program stops and the other finishes", .waitsForPrograms,
  .needsOracle,
  .serialized)
struct StoppedByTheOtherTests {
  @Test(
    "each program finishes a merge that the other left stopped, with the correct origin content",
    arguments: StoppedMerge.Point.allCases, Generation.allCases)
  func stops(point: StoppedMerge.Point, first: Generation) throws {
    let merge = try StoppedMerge(point, by: first)
    let changeCount = try merge.changeCount(by: first)
    #expect(changeCount > 10)
    var stopped = 0
    for stop in 0..<point.stopCount {
      let change = 1 + stop * changeCount / point.stopCount
      let way = stop % 2 == 0 ? "kill" : "fail"
      let complaint = try merge.complaint(
        stopping: first, way, at: change, resumes: stop / 2 % 2 == 0, stopped: &stopped)
      #expect(complaint == nil, "\(way) at change \(change) of \(changeCount)")
    }
    // One attempt may hit a change whose failure does not stop the program.
    #expect(stopped >= point.stopCount - 1)
  }
}
