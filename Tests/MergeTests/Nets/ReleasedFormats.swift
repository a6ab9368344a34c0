import Fixtures
import Foundation
import MergeEngine

/// Generates the files under Tests/Released, once for each version, with that version's program.
enum ReleasedFormats {
  static let folder = "Tests/Released/0.1.0/"

  /// The result of generating the files, which requires root and happens only if the environment
  /// contains THIN_MERGE_RECORD=formats.
  ///
  /// Generation fails if the folder already exists, because its files were written by another
  /// version.
  static let made: Result<Void, any Error> = Result {
    guard ProcessInfo.processInfo.environment["THIN_MERGE_RECORD"] == "formats" else { return }
    let path = PackageFolder.path(folder)
    guard !FileManager.default.fileExists(atPath: path) else {
      throw SupportError("\(folder) is there; name the folder of another version")
    }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try makeJournals()
    try makeRecord("snapshot.json", .snapshot, at: 12)
    try makeRecord("removal.json", .reactivated, at: 7)
  }

  /// The folder for the merge's files, whose path becomes part of the journal.
  private static let place = "/srv/thin-merge"

  private static func makeJournals() throws {
    try FileManager.default.createDirectory(
      atPath: place, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: place) }
    let builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 12))])
    let pool = try builder.build().write(to: place)
    let origin = place + "/origin.img"
    let arguments =
      [
        "merge", "--metadata", pool.metadata, "--data", pool.data, "--dev-id", "0", "--origin",
        origin,
      ] + MergeCase.steadily
    let journal = origin + ".thin-merge"
    let content = SectorContent(source: .origin, seed: 7).bytes(in: 0..<33 * 65_536 + 40_001)

    try content.write(to: URL(filePath: origin))
    try run(arguments + ["--verify"], exitStatus: 0)
    try keep(journal, as: "finished.journal")
    try Program.remove(journal)

    try content.write(to: URL(filePath: origin))
    try run(arguments, under: ["prlimit", "--fsize=1048576"], exitStatus: 3)
    // Everything past the tenth block of the data file becomes unreadable after the merge is
    // planned.
    let outcome = try EngineInProcess.merge(
      MergeSource(metadataPath: pool.metadata, dataPath: pool.data, deviceID: 0), onto: origin,
      options: MergeOptions(
        transfer: TransferOptions(queueDepth: 1, ioByteCount: 65_536),
        checkpointInterval: .seconds(86_400))
    ) { (try? Program.mustRun("truncate", "--size", "655360", pool.data)) != nil }
    guard outcome.exitStatus == 3 else { throw SupportError(outcome.message) }
    try keep(journal, as: "unfinished.journal")
  }

  private static func run(
    _ arguments: [String], under wrapper: [String] = [], exitStatus: Int32
  ) throws {
    let result = try ThinMergeCommand.run(arguments, under: wrapper)
    guard result.exitStatus == exitStatus else {
      throw SupportError("exit \(result.exitStatus): \(result.standardError)")
    }
  }

  /// Kills a run at the given step, and saves the pool record that the run leaves behind.
  private static func makeRecord(_ name: String, _ way: PoolCrashTests.Way, at step: Int) throws {
    let pool = try ActivePool()
    try way.prepare(pool)
    guard try PoolCrashTests.killed(pool, way, at: step) else {
      throw SupportError("step \(step) is not reached")
    }
    guard let record = try pool.recordFiles().first else { throw SupportError("no record") }
    try keep(pool.state + "/pools/" + record, as: name)
  }

  private static func keep(_ path: String, as name: String) throws {
    try Data(contentsOf: URL(filePath: path))
      .write(to: URL(filePath: PackageFolder.path(folder + name)))
  }
}
