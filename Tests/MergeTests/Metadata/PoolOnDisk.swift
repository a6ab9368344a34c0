import Fixtures
import Foundation
import Testing

/// A pool and an origin as files in their own folder, with the command that runs on them.
struct PoolOnDisk {
  let folder: TemporaryFolder
  let metadata: String
  let data: String
  let origin: String
  /// The path of the command.
  var binaryPath = ThinMergeCommand.binaryPath

  /// The default path of the journal of a merge onto the origin.
  var journal: String { origin + ".thin-merge" }

  /// Writes a built pool and an origin of the given content.
  init(_ image: PoolImage, origin content: Data, fillingData: Bool = true) throws {
    folder = try TemporaryFolder()
    let files = try image.write(to: folder.path, fillingData: fillingData)
    metadata = files.metadata
    data = files.data
    origin = folder.path + "/origin.img"
    try content.write(to: URL(filePath: origin))
  }

  /// Unpacks a pool that a kernel made.
  init(_ scenario: KernelScenario) throws {
    folder = try TemporaryFolder()
    let images = try scenario.unpack(into: folder.path)
    metadata = images.metadata
    data = images.data
    origin = images.origin
  }

  /// Uses images in another folder, with a copy of the origin.
  init(sharing images: KernelScenario.Images) throws {
    folder = try TemporaryFolder()
    metadata = images.metadata
    data = images.data
    origin = folder.path + "/origin.img"
    try FileManager.default.copyItem(atPath: images.origin, toPath: origin)
  }

  /// Returns the three options that select a thin device.
  func source(_ devID: Int) -> [String] {
    ["--metadata", metadata, "--data", data, "--dev-id", String(devID)]
  }

  /// Merges with a text report.
  func merge(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(
      ["merge"] + source(devID) + ["--origin", origin, "--yes", "--progress", "none"] + options)
  }

  /// Plans with a JSON report, without an origin.
  func plan(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(["plan"] + source(devID) + ["--output", "json"] + options)
  }

  /// Plans with a JSON report for the origin.
  func planForOrigin(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try plan(devID, ["--origin", origin] + options)
  }

  /// Verifies with a JSON report.
  func verify(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(
      ["verify"] + source(devID)
        + ["--origin", origin, "--progress", "none", "--output", "json"] + options)
  }

  /// Verifies by the journal, with a JSON report.
  func verifyByJournal() throws -> CommandResult {
    try run(["verify", "--journal", journal, "--progress", "none", "--output", "json"])
  }

  /// Runs the command.
  func run(_ arguments: [String]) throws -> CommandResult {
    try ThinMergeCommand.run(arguments, binaryPath: binaryPath)
  }

  /// Returns the current content of the origin.
  func originContent() throws -> Data { try Data(contentsOf: URL(filePath: origin)) }
}

/// Returns the report of a command that must end with `status`.
func report(
  of result: CommandResult, status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
) throws -> JSONValue {
  try #require(
    result.exitStatus == status, "\(result.standardError)", sourceLocation: sourceLocation)
  return try result.report()
}

/// Returns the errors among the lines of standard error.
func errorLines(_ result: CommandResult) -> [Substring] {
  result.standardError.split(separator: "\n").filter { $0.hasPrefix("thin-merge: error: ") }
}

/// Returns the `{offset, length}` objects of a report as byte ranges.
func byteRanges(_ value: JSONValue?) throws -> [Range<Int>] {
  try #require(value?.array).map { element in
    let start = try #require(element["offset"]?.integer)
    return start..<(start + (try #require(element["length"]?.integer)))
  }
}
