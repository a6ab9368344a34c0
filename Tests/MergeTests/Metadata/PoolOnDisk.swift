import Fixtures
import Foundation
import Testing

/// A pool and an origin stored as files in a temporary folder, and the command to run on them.
struct PoolOnDisk {
  let folder: TemporaryFolder
  let metadata: String
  let data: String
  let origin: String
  /// The path of the thin-merge executable to run.
  var binaryPath = ThinMergeCommand.binaryPath

  /// The default path of the journal for a merge into this origin.
  var journal: String { origin + ".thin-merge" }

  /// Writes the given pool image to files, along with an origin that has the given content.
  init(_ image: PoolImage, origin content: Data, fillingData: Bool = true) throws {
    folder = try TemporaryFolder()
    let files = try image.write(to: folder.path, fillingData: fillingData)
    metadata = files.metadata
    data = files.data
    origin = folder.path + "/origin.img"
    try content.write(to: URL(filePath: origin))
  }

  /// Unpacks the pool and origin of a scenario that was recorded on a real kernel.
  init(_ scenario: KernelScenario) throws {
    folder = try TemporaryFolder()
    let images = try scenario.unpack(into: folder.path)
    metadata = images.metadata
    data = images.data
    origin = images.origin
  }

  /// Uses another folder's metadata and data images, along with a private copy of the origin.
  init(sharing images: KernelScenario.Images) throws {
    folder = try TemporaryFolder()
    metadata = images.metadata
    data = images.data
    origin = folder.path + "/origin.img"
    try FileManager.default.copyItem(atPath: images.origin, toPath: origin)
  }

  /// Returns the command-line options that select a thin device of this pool.
  func source(_ devID: Int) -> [String] {
    ["--metadata", metadata, "--data", data, "--dev-id", String(devID)]
  }

  /// Runs a merge that prints its report as text.
  func merge(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(
      ["merge"] + source(devID) + ["--origin", origin, "--yes", "--progress", "none"] + options)
  }

  /// Runs `plan` without an origin, with a JSON report.
  func plan(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(["plan"] + source(devID) + ["--output", "json"] + options)
  }

  /// Runs `plan` for a merge into the origin, with a JSON report.
  func planForOrigin(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try plan(devID, ["--origin", origin] + options)
  }

  /// Runs `verify` to compare the thin device with the origin, with a JSON report.
  func verify(_ devID: Int, _ options: [String] = []) throws -> CommandResult {
    try run(
      ["verify"] + source(devID)
        + ["--origin", origin, "--progress", "none", "--output", "json"] + options)
  }

  /// Runs `verify` with the journal instead of the pool, with a JSON report.
  func verifyByJournal() throws -> CommandResult {
    try run(["verify", "--journal", journal, "--progress", "none", "--output", "json"])
  }

  /// Runs thin-merge with the given arguments.
  func run(_ arguments: [String]) throws -> CommandResult {
    try ThinMergeCommand.run(arguments, binaryPath: binaryPath)
  }

  /// Returns the current content of the origin file.
  func originContent() throws -> Data { try Data(contentsOf: URL(filePath: origin)) }
}

/// Returns the report of a command, and fails unless the exit status equals `status`.
func report(
  of result: CommandResult, status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
) throws -> JSONValue {
  try #require(
    result.exitStatus == status, "\(result.standardError)", sourceLocation: sourceLocation)
  return try result.report()
}

/// Returns the error lines in the command's standard error.
func errorLines(_ result: CommandResult) -> [Substring] {
  result.standardError.split(separator: "\n").filter { $0.hasPrefix("thin-merge: error: ") }
}

/// Converts the `{offset, length}` objects in a JSON report to byte ranges.
func byteRanges(_ value: JSONValue?) throws -> [Range<Int>] {
  try #require(value?.array).map { element in
    let start = try #require(element["offset"]?.integer)
    return start..<(start + (try #require(element["length"]?.integer)))
  }
}
