import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Pool: settling the leftovers of a killed run", .needsLoopDevices, .waitsForPrograms)
struct SettleTests {
  @Test(
    "settle undoes a killed run's leftovers, no matter at which step the run was killed",
    arguments: PoolCrashTests.Way.allCases)
  func settled(way: PoolCrashTests.Way) throws {
    var step = 0
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      let mapped = pool.mapper.mapped
      guard try PoolCrashTests.killed(pool, way, at: step) else { break }
      let answer = Settling.settle(pool)
      #expect(answer.outcome.exitStatus == 0, "step \(step): \(answer.outcome.message)")
      #expect(answer.failure == nil, "step \(step)")
      #expect(!pool.mapper.isHolding, "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      let left = Settling.list(pool).pools
      #expect(left.allSatisfy { $0.snapshots.allSatisfy { $0.use == .unfinishedMerge } })
      #expect(left.allSatisfy { $0.metadataSnapshot == nil && $0.removedDevices.isEmpty })
      step += 1
    }
    #expect(step >= 4)
  }

  @Test(
    "listing a killed run's leftovers changes nothing, no matter at which step the run was killed",
    arguments: PoolCrashTests.Way.allCases)
  func listed(way: PoolCrashTests.Way) throws {
    var step = 0
    var isFound = false
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      guard try PoolCrashTests.killed(pool, way, at: step) else { break }
      let (mapped, files) = (pool.mapper.mapped, try Settling.files(pool))
      let answer = Settling.list(pool)
      #expect(answer.outcome.exitStatus == 0, "step \(step): \(answer.outcome.message)")
      #expect(answer.outcome.notes == [], "step \(step)")
      #expect(pool.mapper.steps == [], "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      #expect(try Settling.files(pool) == files, "step \(step)")
      isFound = isFound || !answer.pools.isEmpty
      step += 1
    }
    #expect(isFound)
  }

  @Test("settle and settle --list report that nothing is left, and create no files")
  func nothingLeft() throws {
    let pool = try ActivePool()
    for answer in [Settling.settle(pool), Settling.list(pool)] {
      #expect(answer.outcome.exitStatus == 0)
      #expect(answer.pools == [])
    }
    for answer in [Settling.settle(pool, name: "pool"), Settling.list(pool, name: "pool")] {
      #expect(answer.pools.map(\.poolName) == ["pool"])
      #expect(answer.pools.allSatisfy { $0.isEmpty })
    }
    #expect(pool.mapper.steps == [])
    #expect(try Settling.files(pool) == [:])
    let text = SettleText(
      left: Leftovers(pools: [], origins: []), isList: true, poolName: nil
    ).text
    #expect(text == "Earlier runs left nothing behind in any pool or at any origin.\n")
  }

  @Test("settle and settle --list refuse the name of a pool that is not active")
  func noSuchPool() throws {
    let pool = try ActivePool()
    #expect(Settling.settle(pool, name: "other").outcome.exitStatus == 2)
    #expect(Settling.list(pool, name: "other").outcome.exitStatus == 2)
  }

  /// Returns a pool on which a merge stopped at unreadable blocks and kept its snapshot.
  private static func stopped() throws -> ActivePool {
    let pool = try ActivePool()
    try pool.cutData()
    #expect(pool.merge().exitStatus == 3)
    try pool.restoreData()
    return pool
  }

  @Test(
    "settle keeps an unfinished merge's snapshot, and lists its size, origin and journal")
  func unfinished() throws {
    let pool = try Self.stopped()
    let answer = Settling.settle(pool)
    #expect(answer.failure == nil)
    for listed in [answer.left, Settling.list(pool).left] {
      let left = listed.pools
      let kept = try #require(left.first?.snapshots.first)
      #expect(kept.originalID == 5)
      #expect(kept.use == .unfinishedMerge)
      #expect(kept.isThere == true)
      #expect(kept.byteCount == UInt64(ActivePool.mappings.count * ActivePool.blockByteCount))
      #expect(kept.originName?.isEmpty == false)
      #expect(left.first?.journals.map(\.deviceID) == [5])
      #expect(left.first?.journals.map(\.originPath) == [pool.origin.path])
    }
    let text = SettleText(left: Settling.list(pool).left, isList: true, poolName: nil).text
    #expect(
      text.contains("dev 16777215, a snapshot of dev 5, holds up to 384 KiB of pool space"))
    #expect(text.contains("dmsetup message pool 0 'delete 16777215'"))
    #expect(pool.mapper.thinDevices.count == 2)
  }

  @Test(
    "settle keeps a deleted device's snapshot, lists it as the only copy, and exits with status 3")
  func onlyCopy() throws {
    let pool = try ActivePool()
    // The run is killed just after it created the snapshot.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
    try pool.mapper.replaceBySomebodyElse(5)
    for _ in 0..<2 {
      let answer = Settling.settle(pool)
      #expect(answer.failure?.exitStatus == .stopped)
      #expect(answer.pools.first?.notUndone.map(\.code) == [.snapshotOnlyCopy])
      let left = Settling.list(pool).pools
      #expect(left.first?.snapshots.map(\.use) == [.onlyCopy])
      let text = SettleText(
        left: Leftovers(pools: left, origins: []), isList: true, poolName: nil
      ).text
      #expect(
        text.contains("its thin device is gone, and this snapshot is the only copy"))
      #expect(text.contains("--pool pool --dev-id 16777215"))
      #expect(text.contains("dmsetup message pool 0 'delete 16777215'"))
    }
    #expect(pool.mapper.thinDevices.map(\.devID) == [16_777_215])
    pool.mapper.mapped = []
    #expect(Settling.list(pool).pools.first?.snapshots.map(\.use) == [.maybeOnlyCopy])
  }

  @Test(
    "without a recorded creation time, a thin device older than a snapshot counts as its original",
    arguments: [false, true])
  func recordWithoutCreation(isReplaced: Bool) throws {
    let pool = try ActivePool()
    // The run is killed just after it created the snapshot.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
    let record = try Data(contentsOf: URL(filePath: pool.recordPath))
    var fields = try #require(try JSONSerialization.jsonObject(with: record) as? [String: Any])
    var snapshots = try #require(fields["snapshots"] as? [[String: Any]])
    #expect(snapshots[0].removeValue(forKey: "originalMade") != nil)
    fields["snapshots"] = snapshots
    let text = try JSONSerialization.data(withJSONObject: fields)
    try pool.writeRecord(String(decoding: text, as: UTF8.self))
    if isReplaced {
      let new = Fixtures.ThinDevice(5, [ThinMapping(2, 70)], creationTime: 2)
      try pool.mapper.replaceBySomebodyElse(5, with: new)
    }
    #expect(Settling.settle(pool).failure?.exitStatus == (isReplaced ? .stopped : nil))
    #expect(pool.mapper.thinDevices.count == (isReplaced ? 2 : 1))
  }

  @Test("while another run is using a pool, settle exits with status 5, and settle --list says so")
  func inUse() throws {
    let pool = try Self.stopped()
    let lock = try OpenFile(
      pool.recordPath + ".lock", role: "lock", access: .readWrite, direct: false)
    #expect(try lock.lock())
    #expect(Settling.list(pool, isInUse: true).pools.map(\.state) == [.inUse])
    var left = Leftovers(pools: [], origins: [])
    _ = pool.run(waits: false) { merger throws(MergeError) in left = try merger.settle() }
    #expect(Failure(settling: left)?.exitStatus == .busy)
    #expect(left.pools.first?.error?.code == .poolInUse)
  }

  @Test("settle lists and keeps the record of an inactive pool, and exits with status 0")
  func notActive() throws {
    let pool = try Self.stopped()
    pool.mapper.mapped = []
    let files = try Settling.files(pool)
    for answer in [Settling.settle(pool), Settling.list(pool)] {
      #expect(answer.outcome.exitStatus == 0)
      #expect(answer.failure == nil)
      #expect(answer.pools.map(\.state) == [.notActive])
      #expect(answer.pools.first?.recordPath == pool.recordPath)
      #expect(answer.pools.first?.snapshots.first?.isThere == nil)
    }
    #expect(try Settling.files(pool) == files)
  }

  /// Retries `resume` for a while, until it fails with the given error code.
  ///
  /// While another test starts a program, the child process may briefly keep the locks of this
  /// process held, which makes the pool appear to be in use.
  private static func resumed(
    _ pool: ActivePool, until code: MergeError.Code
  ) throws -> ActivePool.Outcome {
    var outcome = try pool.resume()
    _ = poll {
      guard outcome.error?.code != code else { return true }
      if let again = try? pool.resume() { outcome = again }
      return outcome.error?.code == code
    }
    return outcome
  }

  @Test(
    "resuming a finished merge exits with status 5 until a killed run's leftovers are undone",
    arguments: [(.inactive, 4), (.itself, 2)] as [(PoolCrashTests.Way, Int)])
  func finishedAndLeft(way: PoolCrashTests.Way, step: Int) throws {
    let pool = try ActivePool()
    // The run is killed just before it releases the metadata snapshot. Then the pool is
    // deactivated.
    #expect(try PoolCrashTests.killed(pool, way, at: step))
    let mapped = pool.mapper.mapped
    pool.mapper.mapped = []
    #expect(Settling.settle(pool).failure == nil)
    let unsettled = try Self.resumed(pool, until: .mergeNotSettled)
    #expect(unsettled.error?.code == .mergeNotSettled, "\(unsettled.message)")
    #expect(unsettled.exitStatus == ExitStatus.busy.rawValue)
    #expect(unsettled.message.contains("an inactive pool still has the metadata snapshot"))
    #expect(unsettled.message.contains("according to \(pool.recordPath)"))
    #expect(unsettled.hint.contains("rm \(pool.recordPath)"))
    // The metadata snapshot is released only if settle runs while the pool is active.
    pool.mapper.mapped = mapped
    let active = try Self.resumed(pool, until: .mergeNotSettled)
    #expect(active.hint == "undo it with:\n  thin-merge settle --pool pool")
    #expect(pool.mapper.isHolding)
    #expect(Settling.settle(pool).failure == nil)
    #expect(!pool.mapper.isHolding)
    #expect(try pool.resume().error?.code == .mergeFinished)
  }

  @Test("resume reports a merge as finished despite leftovers of other pools or merges")
  func leftByOthers() throws {
    let pool = try ActivePool(otherIDs: [6])
    let options = PoolOptions(allowsOtherUsers: true)
    #expect(pool.merge(.member(pool: "pool", deviceID: 5), options).exitStatus == 0)
    try pool.writeRecord(
      """
      {"format":1,"metadataPath":"/dev/another","removals":[],"madeWritable":[],"hold":{"timeBefore":1,
      "transactionBefore":1,"mappingRootBefore":1,"detailsRootBefore":1}}
      """)
    try Program.mustRun("mv", pool.recordPath, pool.state + "/pools/POOL-2.json")
    #expect(try pool.resume().error?.code == .mergeFinished)
    try pool.writeRecord(
      """
      {"format":1,"removals":[],"madeWritable":[],"snapshots":[
      {"deviceID":16777215,"originalID":5,"timeBefore":1,"isMade":true,"mayBeSuspended":false,
      "hasBegun":false,"isMerged":false},{"deviceID":16777214,"originalID":6,"timeBefore":1,
      "originName":"another disk","isMade":true,"mayBeSuspended":false,"hasBegun":true,"isMerged":false}]}
      """)
    #expect(try pool.resume().error?.code == .mergeFinished)
  }

  @Test(
    "settle --list reports an unreadable record; settle is refused and keeps the record",
    arguments: ["{}", ActivePool.recordOfANewerVersion])
  func unreadable(text: String) throws {
    let pool = try ActivePool()
    try pool.writeRecord(text)
    #expect(Settling.list(pool).pools.first?.error != nil)
    let answer = Settling.settle(pool)
    #expect(answer.failure?.exitStatus == .refused)
    #expect(pool.mapper.steps == [])
    #expect(try String(contentsOfFile: pool.recordPath, encoding: .utf8) == text)
  }

  @Test(
    "settle exits with status 3, and keeps the record, if a metadata snapshot cannot be released")
  func notReleased() throws {
    let pool = try ActivePool()
    // The run is killed just after it took the metadata snapshot.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 1))
    pool.mapper.fails["release_metadata_snap"] = .resourceBusy
    let answer = Settling.settle(pool)
    #expect(answer.failure?.exitStatus == .stopped)
    #expect(answer.pools.first?.notUndone.map(\.code) == [.metadataSnapshotHeld])
    pool.mapper.fails = [:]
    #expect(Settling.settle(pool).pools.first?.metadataSnapshot?.isUndone == true)
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "settle explains how to release a metadata snapshot that a killed run may or may not have taken"
  )
  func maybeOurs() throws {
    let pool = try ActivePool()
    // The run is killed just before it takes a metadata snapshot. Then another program changes the
    // pool and takes a metadata snapshot.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 0))
    try pool.mapper.holdForSomebodyElse()
    #expect(Settling.list(pool).pools.first?.metadataSnapshot?.owner == .maybe)
    let answer = Settling.settle(pool)
    #expect(answer.failure == nil)
    let release = "dmsetup message pool 0 release_metadata_snap"
    #expect(
      answer.outcome.notes.contains {
        $0.contains("was killed while taking one") && $0.hasSuffix(release)
      })
    #expect(pool.mapper.isHolding)
    #expect(pool.mapper.steps == [])
    let left = Settling.list(pool).left
    #expect(left.pools.first?.metadataSnapshot?.owner == .unrecorded)
    let text = SettleText(left: left, isList: true, poolName: nil).text
    #expect(text.contains("Pool pool: no thin-merge run recorded any changes"))
    #expect(text.contains(release))
  }

  @Test("settle's report lists the leftovers that were undone")
  func reportOfUndone() throws {
    let pool = try ActivePool()
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 1))
    let text = SettleText(left: Settling.settle(pool).left, isList: false, poolName: nil).text
    #expect(text.hasPrefix("Pool pool: cleanup after earlier runs\n"))
    #expect(text.contains(", no longer held"))
  }
}
