import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite(
  "Pool: refusals before a thin device is suspended or snapshotted", .needsLoopDevices,
  .waitsForPrograms)
struct RefusedBeforeSuspendTests {
  /// A pool whose thin device is active, with a record of every device-mapper step.
  private final class Watched {
    let pool: ActivePool
    private(set) var told: [String] = []

    init() throws {
      pool = try ActivePool()
      pool.mapper.mapped.append(try pool.thin())
      pool.mapper.told = { [unowned self] in told.append($0) }
    }

    func forget() { told = [] }

    func expectRefused(
      _ outcome: ActivePool.Outcome, _ code: MergeError.Code,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      #expect(
        outcome.error?.code == code, "\(outcome.message)", sourceLocation: sourceLocation)
      #expect(
        told.filter { !$0.hasSuffix("_metadata_snap") } == [], sourceLocation: sourceLocation)
      #expect(pool.mapper.thinDevices.map(\.devID) == [5], sourceLocation: sourceLocation)
      #expect(try pool.recordFiles() == [], sourceLocation: sourceLocation)
    }
  }

  private static func merge(
    _ pool: ActivePool, onto origin: String? = nil, _ options: MergeOptions,
    whenAsked: @escaping () -> Void = {}
  ) -> ActivePool.Outcome {
    pool.run(waits: false, whenAsked: whenAsked) { merger throws(MergeError) in
      let found = try merger.resolve(.device("vm"))
      var options = options
      options.extent.thinByteCount = found.thinByteCount
      let report = try merger.merge(
        found.source, onto: origin ?? found.originPath ?? pool.origin.path, options: options)
      if case .stopped(let error) = report.state { throw error }
    }
  }

  @Test(
    "a merge without space for the origin's holes is refused before the thin device is touched",
    .needsTmpfs
  )
  func noRoomForHoles() throws {
    let watched = try Watched()
    let place = try TemporaryFolder(onTmpfsOf: 200 << 10)
    let origin = place.path("origin.img")
    try Program.mustRun(
      "truncate", "--size", "\(ActivePool.blockCount * ActivePool.blockByteCount)", origin)
    let options = MergeOptions(journalPath: watched.pool.folder.path("journal"))
    try watched.expectRefused(
      Self.merge(watched.pool, onto: origin, options), .noRoomForHoles)
  }

  @Test(
    "a merge without enough memory for its buffers is refused before the thin device is touched")
  func noMemory() throws {
    let watched = try Watched()
    var options = MergeOptions()
    // 64 buffers of this size exceed the address space.
    options.transfer.ioByteCount = 1 << 42
    try watched.expectRefused(Self.merge(watched.pool, options), .noMemory)
    #expect(try watched.pool.isUntouched())
  }

  @Test(
    "a merge without space for its journal is refused before the thin device is touched",
    .needsTmpfs
  )
  func noRoomForJournal() throws {
    let watched = try Watched()
    let place = try TemporaryFolder(onTmpfsOf: 64 << 10)
    let options = MergeOptions(journalPath: place.path("journal"))
    try watched.expectRefused(Self.merge(watched.pool, options), .noRoomForJournal)
    #expect(try watched.pool.isUntouched())
  }

  @Test(
    "repeating a merge without space for its journal is refused before the thin device is touched",
    .needsTmpfs)
  func noRoomForJournalAgain() throws {
    let watched = try Watched()
    let place = try TemporaryFolder(onTmpfsOf: 2 << 20)
    var options = MergeOptions(journalPath: place.path("journal"))
    #expect(Self.merge(watched.pool, options).exitStatus == 0)
    try place.resize(to: 48 << 10)
    watched.forget()
    options.mergesAgain = true
    try watched.expectRefused(Self.merge(watched.pool, options), .noRoomForJournal)
  }

  @Test(
    "an origin locked during the confirmation prompt is refused before the thin device is touched")
  func lockedMeanwhile() throws {
    let watched = try Watched()
    var lock: FileHandle?
    let outcome = Self.merge(watched.pool, MergeOptions()) { [origin = watched.pool.origin] in
      lock = try? HeldFile.withFileLock(origin.path)
    }
    #expect(lock != nil)
    try watched.expectRefused(outcome, .originLocked)
    #expect(try watched.pool.isUntouched())
  }

  @Test(
    "if another merge begins on the origin during the confirmation prompt, the merge is refused"
  )
  func begunMeanwhile() throws {
    let other = try ActivePool()
    try other.cutData()
    #expect(other.merge().exitStatus == 3)
    let unfinished = try #require(try other.journalPath())
    let watched = try Watched()
    let pool = watched.pool
    let origin = try OpenFile(pool.origin.path, role: "origin", access: .readOnly)
    let usual = try JournalFile.place(
      of: origin, identity: DeviceIdentity(origin), stateFolder: pool.state)
    let outcome = Self.merge(pool, MergeOptions(journalPath: pool.folder.path("journal"))) {
      try? FileManager.default.copyItem(atPath: unfinished, toPath: usual)
    }
    #expect(FileManager.default.fileExists(atPath: usual))
    try watched.expectRefused(outcome, .otherMergeUnfinished)
  }

  @Test("resume refuses an origin that has lost its merged data, without removing any device first")
  func originLost() throws {
    let watched = try Watched()
    let pool = watched.pool
    let thin = pool.mapper.mapped.remove(at: 1)
    let before = try pool.originContent()
    try pool.cutData()
    let stopped = pool.merge(
      .member(pool: "pool", deviceID: 5), PoolOptions(mergesThinDeviceItself: true))
    #expect(stopped.exitStatus == 3)
    try pool.restoreData()
    try before.write(to: URL(filePath: pool.folder.path("origin.img")))
    pool.mapper.mapped.append(thin)
    watched.forget()
    try watched.expectRefused(try pool.resume(), .originLost)
    #expect(try pool.isUntouched())
  }
}
