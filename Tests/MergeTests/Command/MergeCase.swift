import Fixtures
import Foundation
import Testing

/// A pool and an origin as files in their own folder, and the expected result of a merge.
///
/// The expected origin is computed from the pool's mappings and the data file's current content, so
/// it is known for an origin of any byte count and after a test changed the data. For the
/// kernel-made scenarios, `CommandHarnessTests` compares it with the data that the kernel read.
final class MergeCase {
  let folder: TemporaryFolder
  let blockByteCount: Int
  let mappings: [ThinMapping]
  /// The origin and the data file before any merge.
  let before: Data
  let dataBefore: Data

  /// The arguments of a merge; tests replace these paths.
  var metadata: String
  var data: String
  var origin: String
  var journal: String
  let deviceID: Int

  /// The files themselves, regardless of the arguments above.
  var metadataFile: String { folder.path("metadata.img") }
  var dataFile: String { folder.path("data.img") }
  var originFile: String { folder.path("origin.img") }

  /// Unpacks a kernel-made scenario.
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

  /// Writes a pool that the test describes; its device 0 is merged.
  ///
  /// Every sector contains its source and place, so that no sector of the pool equals one of the
  /// origin.
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

  /// Creates a built pool of `blockCount` mapped blocks with holes between them.
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

  /// Returns the expected origin after the merge, from the data file's current content; bytes that
  /// a test cut from that file count with their old content.
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

  /// The merged byte count if nothing is past the origin's end.
  var mappedByteCount: Int { mappings.count * blockByteCount }

  // MARK: Running

  /// `--metadata … --data … --dev-id …`.
  var sourceArguments: [String] {
    ["--metadata", metadata, "--data", data, "--dev-id", "\(deviceID)"]
  }

  /// The command line of a merge, after the binary's name.
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

  /// Options that make a merge take seconds and pass many checkpoints.
  static let slowly = [
    "--rate-limit", "1M", "--checkpoint-interval", "0.2", "--io-size", "16k",
    "--queue-depth", "4",
  ]

  /// Starts a merge and stops it by SIGINT once its journal has shown `checkpointCount` different
  /// byte counts.
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

  /// Returns the byte offsets of the first sectors in which the origin differs from the expected
  /// one.
  func wrongSectors(thinByteCount: Int? = nil, limit: Int = 8) throws -> [Int] {
    try differingSectors(
      content(of: originFile), expectedOrigin(thinByteCount: thinByteCount), limit: limit)
  }

  /// Returns the byte offsets of the first sectors in which the origin differs from its old
  /// content.
  func changedSectors() throws -> [Int] {
    try differingSectors(content(of: originFile), before)
  }

  /// Returns the files in the folder that were not there at the start.
  func newFiles() throws -> [String] {
    try folder.names().filter { !["metadata.img", "data.img", "origin.img"].contains($0) }
  }

  /// Restores the origin's old content in the same file.
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
