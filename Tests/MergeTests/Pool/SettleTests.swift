import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Pool: settling what a killed run left", .needsLoopDevices, .waitsForPrograms)
struct SettleTests {
  /// What a call of the engine returned, and how the command would end.
  private struct Answer {
    var outcome: ActivePool.Outcome
    var pools: [PoolLeftovers]

    var failure: Failure? { Failure(settling: pools) }
  }

  private static func settle(_ pool: ActivePool, name: String? = nil) -> Answer {
    var pools: [PoolLeftovers] = []
    var outcome = ActivePool.Outcome(exitStatus: -1, message: "not run", hint: "", notes: [])
    _ = poll {
      outcome = pool.run { merger throws(MergeError) in pools = try merger.settle(pool: name) }
      // As in `run`: a program that another test starts has our locks for a moment.
      return !pools.contains { $0.error?.code == .poolInUse }
    }
    return Answer(outcome: outcome, pools: pools)
  }

  private static func list(_ pool: ActivePool, name: String? = nil) -> Answer {
    var pools: [PoolLeftovers] = []
    let outcome = pool.run { merger throws(MergeError) in
      pools = try merger.leftovers(pool: name)
    }
    return Answer(outcome: outcome, pools: pools)
  }

  /// Every file of the state folder, with what is in it.
  private static func files(_ pool: ActivePool) throws -> [String: Data] {
    let names =
      FileManager.default.enumerator(atPath: pool.state)?.compactMap { $0 as? String } ?? []
    var files: [String: Data] = [:]
    for name in names {
      files[name] = try? Data(contentsOf: URL(filePath: "\(pool.state)/\(name)"))
    }
    return files
  }

  @Test(
    "settle undoes what a killed run left, whatever its step",
    arguments: PoolCrashTests.Way.allCases)
  func settled(way: PoolCrashTests.Way) throws {
    var step = 0
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      let mapped = pool.mapper.mapped
      guard try PoolCrashTests.killed(pool, way, at: step) else { break }
      let answer = Self.settle(pool)
      #expect(answer.outcome.exitStatus == 0, "step \(step): \(answer.outcome.message)")
      #expect(answer.failure == nil, "step \(step)")
      #expect(!pool.mapper.isHolding, "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      let left = Self.list(pool).pools
      #expect(left.allSatisfy { $0.snapshots.allSatisfy { $0.use == .unfinishedMerge } })
      #expect(left.allSatisfy { $0.metadataSnapshot == nil && $0.removedDevices.isEmpty })
      step += 1
    }
    #expect(step >= 4)
  }

  @Test(
    "listing what a killed run left changes nothing, whatever its step",
    arguments: PoolCrashTests.Way.allCases)
  func listed(way: PoolCrashTests.Way) throws {
    var step = 0
    var isFound = false
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      guard try PoolCrashTests.killed(pool, way, at: step) else { break }
      let (mapped, files) = (pool.mapper.mapped, try Self.files(pool))
      let answer = Self.list(pool)
      #expect(answer.outcome.exitStatus == 0, "step \(step): \(answer.outcome.message)")
      #expect(answer.outcome.notes == [], "step \(step)")
      #expect(pool.mapper.steps == [], "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      #expect(try Self.files(pool) == files, "step \(step)")
      isFound = isFound || !answer.pools.isEmpty
      step += 1
    }
    #expect(isFound)
  }

  @Test("where no run has left anything, settle and its list say so and make no file")
  func nothingLeft() throws {
    let pool = try ActivePool()
    for answer in [Self.settle(pool), Self.list(pool)] {
      #expect(answer.outcome.exitStatus == 0)
      #expect(answer.pools == [])
    }
    for answer in [Self.settle(pool, name: "pool"), Self.list(pool, name: "pool")] {
      #expect(answer.pools.map(\.poolName) == ["pool"])
      #expect(answer.pools.allSatisfy { $0.isEmpty })
    }
    #expect(pool.mapper.steps == [])
    #expect(try Self.files(pool) == [:])
    let text = SettleText(pools: [], isList: true, poolName: nil).text
    #expect(text == "Earlier runs left nothing in any pool.\n")
  }

  @Test("a pool of that name that is not active is refused")
  func noSuchPool() throws {
    let pool = try ActivePool()
    #expect(Self.settle(pool, name: "other").outcome.exitStatus == 2)
    #expect(Self.list(pool, name: "other").outcome.exitStatus == 2)
  }

  /// Leaves a merge that was stopped at blocks that cannot be read, with its snapshot.
  private static func stopped() throws -> ActivePool {
    let pool = try ActivePool()
    try pool.cutData()
    #expect(pool.merge().exitStatus == 3)
    try pool.restoreData()
    return pool
  }

  @Test(
    "the snapshot of an unfinished merge is kept and listed, with what it keeps and its journal")
  func unfinished() throws {
    let pool = try Self.stopped()
    let answer = Self.settle(pool)
    #expect(answer.failure == nil)
    for left in [answer.pools, Self.list(pool).pools] {
      let kept = try #require(left.first?.snapshots.first)
      #expect(kept.originalID == 5)
      #expect(kept.use == .unfinishedMerge)
      #expect(kept.isThere == true)
      #expect(kept.byteCount == UInt64(ActivePool.mappings.count * ActivePool.blockByteCount))
      #expect(kept.originName?.isEmpty == false)
      #expect(left.first?.journals.map(\.deviceID) == [5])
      #expect(left.first?.journals.map(\.originPath) == [pool.origin.path])
      let text = SettleText(pools: left, isList: true, poolName: nil).text
      #expect(
        text.contains(
          "dev \(kept.deviceID), a snapshot of dev 5, keeps up to 384 KiB from being freed"))
      #expect(text.contains("dmsetup message pool 0 'delete \(kept.deviceID)'"))
    }
    #expect(pool.mapper.thinDevices.count == 2)
  }

  @Test("while another run works on a pool, settle ends with 5 and the list says so")
  func inUse() throws {
    let pool = try Self.stopped()
    let lock = try OpenFile(
      pool.recordPath + ".lock", role: "lock", access: .readWrite, direct: false)
    #expect(try lock.lock())
    #expect(Self.list(pool).pools.map(\.state) == [.inUse])
    var pools: [PoolLeftovers] = []
    _ = pool.run(waits: false) { merger throws(MergeError) in pools = try merger.settle() }
    #expect(Failure(settling: pools)?.exitStatus == .busy)
    #expect(pools.first?.error?.code == .poolInUse)
  }

  @Test("the record of a pool that is not active is listed and stays, with status 0")
  func notActive() throws {
    let pool = try Self.stopped()
    pool.mapper.mapped = []
    let files = try Self.files(pool)
    for answer in [Self.settle(pool), Self.list(pool)] {
      #expect(answer.outcome.exitStatus == 0)
      #expect(answer.failure == nil)
      #expect(answer.pools.map(\.state) == [.notActive])
      #expect(answer.pools.first?.recordPath == pool.recordPath)
      #expect(answer.pools.first?.snapshots.first?.isThere == nil)
    }
    #expect(try Self.files(pool) == files)
  }

  @Test(
    "a record that cannot be read is named, and settle is refused",
    arguments: ["{}", ActivePool.recordOfANewerVersion])
  func unreadable(text: String) throws {
    let pool = try ActivePool()
    try pool.writeRecord(text)
    #expect(Self.list(pool).pools.first?.error != nil)
    let answer = Self.settle(pool)
    #expect(answer.failure?.exitStatus == .refused)
    #expect(pool.mapper.steps == [])
    #expect(try String(contentsOfFile: pool.recordPath, encoding: .utf8) == text)
  }

  @Test("a metadata snapshot that cannot be released ends settle with 3, and stays recorded")
  func notReleased() throws {
    let pool = try ActivePool()
    // Just after the metadata snapshot was taken.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 1))
    pool.mapper.fails["release_metadata_snap"] = .resourceBusy
    let answer = Self.settle(pool)
    #expect(answer.failure?.exitStatus == .stopped)
    #expect(answer.pools.first?.notUndone.map(\.code) == [.metadataSnapshotHeld])
    pool.mapper.fails = [:]
    #expect(Self.settle(pool).pools.first?.metadataSnapshot?.isUndone == true)
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "a metadata snapshot taken just before the kill is named with its release where the pool has changed"
  )
  func maybeOurs() throws {
    let pool = try ActivePool()
    // Just before the metadata snapshot is taken; the pool commits something, and then it is.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 0))
    try pool.mapper.holdForSomebodyElse()
    #expect(Self.list(pool).pools.first?.metadataSnapshot?.owner == .maybe)
    let answer = Self.settle(pool)
    #expect(answer.failure == nil)
    let release = "dmsetup message pool 0 release_metadata_snap"
    #expect(
      answer.outcome.notes.contains {
        $0.contains("was about to take one") && $0.hasSuffix(release)
      })
    #expect(pool.mapper.isHolding)
    #expect(pool.mapper.steps == [])
    let left = Self.list(pool).pools
    #expect(left.first?.metadataSnapshot?.owner == .unrecorded)
    let text = SettleText(pools: left, isList: true, poolName: nil).text
    #expect(text.contains("Pool pool: no run has recorded anything of it."))
    #expect(text.contains(release))
  }

  @Test("the report says what was undone")
  func reportOfUndone() throws {
    let pool = try ActivePool()
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 1))
    let text = SettleText(pools: Self.settle(pool).pools, isList: false, poolName: nil).text
    #expect(text.hasPrefix("Pool pool: earlier runs had left this.\n"))
    #expect(text.contains(", not held any more"))
  }
}
