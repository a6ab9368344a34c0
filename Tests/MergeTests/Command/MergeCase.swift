import Fixtures
import Foundation
import Testing

/// A pool and an origin, stored as files in their own folder, with the expected result of a merge.
///
/// The expected origin is computed from the pool's mappings and the data file's current content, so
/// it is known for an origin of any size, and even after a test changes the data. For scenarios
/// made by the kernel, `CommandHarnessTests` compares the expected origin with the data that the
/// kernel read.
final class MergeCase {
  let folder: TemporaryFolder
  let blockByteCount: Int
  let mappings: [ThinMapping]
  /// The origin's content before any merge.
  let before: Data
  let dataBefore: Data

  /// The metadata path passed to a merge.
  ///
  /// Tests may replace this path and the ones below.
  var metadata: String
  var data: String
  var origin: String
  var journal: String
  let deviceID: Int

  /// The actual metadata file, even if a test passes a different path to the merge.
  var metadataFile: String { folder.path("metadata.img") }
  var dataFile: String { folder.path("data.img") }
  var originFile: String { folder.path("origin.img") }

  /// Unpacks a scenario made by the kernel.
  convenience init(kernel name: String, deviceID: Int = 0) throws {
    let scenario = try KernelScenario.load(name)
    let folder = try TemporaryFolder()
    let images = try scenario.unpack(into: folder.path)
    try Program.mustRun("mv", images.metadata, folder.path("metadata.img"))
    try Program.mustRun("mv", images.origin, folder.path("origin.img"))
    try self.init(
      in: folder, blockByteCount: scenario.blockSize,
      mappings: scenario.thinDump().device(deviceID).mappings, deviceID: deviceID)
  }

  /// Writes a pool as described by the test, whose device 0 is to be merged.
  ///
  /// Every sector contains its source and position, so no sector of the pool equals any sector of
  /// the origin.
  convenience init(
    pool: PoolImage, originByteCount: Int, in folder: TemporaryFolder? = nil
  ) throws {
    let home = try folder ?? TemporaryFolder()
    _ = try pool.write(to: home.path)
    try SectorContent(source: .origin, seed: 7).bytes(in: 0..<originByteCount)
      .write(to: URL(filePath: home.path("origin.img")))
    try self.init(
      in: home, blockByteCount: pool.blockByteCount, mappings: pool.devices[0].mappings,
      deviceID: 0)
  }

  /// Creates a pool with `blockCount` mapped blocks, with holes between them.
  convenience init(scatteredBlocks blockCount: Int = 40) throws {
    let builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: blockCount))])
    try self.init(
      pool: builder.build(), originByteCount: 3 * blockCount * builder.blockByteCount)
  }

  private init(
    in folder: TemporaryFolder, blockByteCount: Int, mappings: [ThinMapping], deviceID: Int
  ) throws {
    self.folder = folder
    self.blockByteCount = blockByteCount
    self.mappings = mappings
    self.deviceID = deviceID
    metadata = folder.path("metadata.img")
    data = folder.path("data.img")
    origin = folder.path("origin.img")
    journal = folder.path("origin.img.thin-merge")
    before = try content(of: folder.path("origin.img"))
    dataBefore = try content(of: folder.path("data.img"))
  }

  /// Returns the expected origin after the merge, computed from the data file's current content.
  ///
  /// For bytes that a test cut from that file, the old content is used.
  func expectedOrigin(thinByteCount: Int? = nil) throws -> Data {
    var expected = before
    var source = try content(of: dataFile)
    source.append(dataBefore.dropFirst(source.count))
    let effectiveEnd = min(thinByteCount ?? before.count, before.count)
    for mapping in mappings {
      let start = Int(mapping.thinBlock) * blockByteCount
      let end = min(start + blockByteCount, effectiveEnd)
      guard start < end else { continue }
      let sourceStart = Int(mapping.dataBlock) * blockByteCount
      expected.replaceSubrange(
        start..<end, with: source[sourceStart..<(sourceStart + end - start)])
    }
    return expected
  }

  /// The number of bytes that a merge writes if no mapped block is past the origin's end.
  var mappedByteCount: Int { mappings.count * blockByteCount }

  // MARK: Running

  /// The arguments that name the source: `--metadata … --data … --dev-id …`.
  var sourceArguments: [String] {
    ["--metadata", metadata, "--data", data, "--dev-id", "\(deviceID)"]
  }

  /// Returns the arguments of a merge command, without the program name.
  func mergeArguments(_ options: [String] = []) -> [String] {
    ["merge"] + sourceArguments + ["--origin", origin] + options
  }

  func merge(_ options: [String] = [], under wrapper: [String] = []) throws -> CommandResult {
    try ThinMergeCommand.run(mergeArguments(options), under: wrapper)
  }

  func startMerge(_ options: [String] = []) throws -> RunningCommand {
    try ThinMergeCommand.start(mergeArguments(options))
  }

  func resume(_ options: [String] = []) throws -> CommandResult {
    let isAsked = !options.contains("--yes") && !options.contains("--origin")
    return try ThinMergeCommand.run(["resume", journal] + options + (isAsked ? ["--yes"] : []))
  }

  func plan(_ options: [String] = []) throws -> CommandResult {
    try ThinMergeCommand.run(["plan"] + sourceArguments + ["--origin", origin] + options)
  }

  func verify(_ options: [String] = []) throws -> CommandResult {
    try ThinMergeCommand.run(["verify"] + sourceArguments + ["--origin", origin] + options)
  }

  func status() throws -> JSONValue {
    try ThinMergeCommand.run(["status", journal, "--output", "json"]).report()
  }

  /// Options that make a merge do the same things in the same order on every machine.
  static let steadily = [
    "--queue-depth", "1", "--io-size", "64k", "--checkpoint-interval", "86400", "--yes",
    "--progress", "none",
  ]

  /// Options that make a merge take several seconds and write many checkpoints.
  static let slowly = [
    "--rate-limit", "1M", "--checkpoint-interval", "0.2", "--io-size", "16k",
    "--queue-depth", "4",
  ]

  /// Starts a merge, and stops it with SIGINT once its journal has shown `checkpointCount`
  /// different byte counts.
  @discardableResult
  func interruptMerge(
    afterCheckpoints checkpointCount: Int = 3, _ options: [String] = []
  )
    throws -> CommandResult
  {
    let running = try startMerge(Self.slowly + options)
    try #require(try running.waitUntilCheckpoint(checkpointCount, in: journal))
    running.send(SIGINT)
    let result = try running.wait()
    try #require(result.exitStatus == 3, "\(result.standardError)")
    return result
  }

  // MARK: Inspecting

  /// Returns the byte offsets of the first sectors where the origin differs from the expected
  /// origin.
  func wrongSectors(thinByteCount: Int? = nil, limit: Int = 8) throws -> [Int] {
    try differingSectors(
      content(of: originFile), expectedOrigin(thinByteCount: thinByteCount), limit: limit)
  }

  /// Returns the byte offsets of the first sectors where the origin differs from its original
  /// content.
  func changedSectors() throws -> [Int] {
    try differingSectors(content(of: originFile), before)
  }

  /// Returns the files in the test's folder that were not there at the start.
  func newFiles() throws -> [String] {
    try folder.names().filter { !["metadata.img", "data.img", "origin.img"].contains($0) }
  }

  /// Restores the origin's original content without replacing the file.
  func restoreOrigin() throws { try overwrite(originFile, with: before) }
}

extension ChildProcess {
  /// Waits until the journal has shown `count` different byte counts above zero.
  func waitUntilCheckpoint(_ count: Int, in journal: String) throws -> Bool {
    var seen: Set<Int> = []
    return try waitUntil {
      let done = try JournalOnDisk.recordedByteCount(of: journal)
      if done > 0 { seen.insert(done) }
      return seen.count >= count
    }
  }
}
