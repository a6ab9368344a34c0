import Fixtures
import Foundation
import SystemPackage
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite(
  "Pool: settling origins left by killed merges when no pool is active", .needsLoopDevices,
  .waitsForPrograms)
struct SettleOriginTests {
  @Test(
    "settle lists and restores an origin that a kill left writable, even if no pool is active"
  )
  func originWithoutPool() throws {
    var step = 0
    while true {
      let pool = try ActivePool.withoutPool()
      let before = pool.mapper.mapped
      let options = PoolOptions(makesOriginWritable: true)
      guard try pool.isKilled(at: step, { _ = pool.mergeInactive(options) }) else { break }
      let (mapped, files) = (pool.mapper.mapped, try Settling.files(pool))
      let records = pool.originRecords().map { pool.state + "/origins/" + $0 }
      let writable = mapped.filter { !$0.isReadOnly }.map(\.path).sorted()
      let listed = Settling.list(pool)
      #expect(listed.outcome.exitStatus == 0, "step \(step): \(listed.outcome.message)")
      #expect(listed.left.origins.map(\.recordPath) == records, "step \(step)")
      let layers = listed.left.origins.flatMap(\.writableLayers)
      #expect(
        layers.filter { $0.isWritable == true }.map(\.path).sorted() == writable, "step \(step)")
      #expect(pool.mapper.steps == [], "step \(step)")
      #expect(try Settling.files(pool) == files, "step \(step)")

      let answer = Settling.settle(pool)
      #expect(answer.failure == nil, "step \(step)")
      #expect(answer.left.origins.map(\.recordPath) == records, "step \(step)")
      #expect(
        answer.left.origins.flatMap(\.writableLayers).allSatisfy { $0.isUndone }, "step \(step)")
      #expect(
        answer.left.origins.flatMap(\.writableLayers).map(\.path) == layers.map(\.path),
        "step \(step)")
      #expect(pool.mapper.mapped == before, "step \(step)")
      #expect(pool.originRecords() == [], "step \(step)")
      #expect(Settling.list(pool).left.origins == [], "step \(step)")
      step += 1
    }
    #expect(step >= 16)
  }

  /// Returns an inactive pool after a merge that was killed just after making the origin's lower
  /// layer writable.
  private static func writableOrigin() throws -> ActivePool {
    let pool = try ActivePool.withoutPool()
    let options = PoolOptions(makesOriginWritable: true)
    #expect(try pool.isKilled(at: 3) { _ = pool.mergeInactive(options) })
    return pool
  }

  @Test("settle exits with status 3, and keeps the record, if an origin cannot be made read-only")
  func originNotRestored() throws {
    let pool = try Self.writableOrigin()
    pool.mapper.fails["reload"] = .resourceBusy
    let answer = Settling.settle(pool)
    #expect(answer.failure?.exitStatus == .stopped)
    #expect(answer.left.origins.first?.notUndone.map(\.code) == [.cannotRestoreReadOnly])
    #expect(answer.left.origins.first?.writableLayers.map(\.isUndone) == [false])
    let text = SettleText(left: answer.left, isList: false, poolName: nil).text
    #expect(text.contains("/dev/mapper/base-real, made writable for a merge"))
    pool.mapper.fails = [:]
    #expect(Settling.settle(pool).failure == nil)
    #expect(pool.originRecords() == [])
  }

  @Test(
    "two writable layers of the same origin volume are listed on one line under the volume's name")
  func layersOfOneVolume() {
    var left = PoolLeftovers(poolName: "pool", state: .active)
    left.writableLayers = ["/dev/mapper/vg-base-real", "/dev/mapper/vg-base"].map {
      PoolLeftovers.WritableLayer(path: $0, isWritable: true, volumeName: "vg/base")
    }
    let text = SettleText(left: Leftovers(pools: [left]), isList: true, poolName: nil).text
    #expect(text.contains("\n\n  origin  vg/base, made writable for a merge\n"), "\(text)")
    #expect(text.components(separatedBy: "made writable").count == 2)
  }

  @Test(
    "settle exits with status 2 for an unreadable origin record, and with 5 for a record in use")
  func originNotHad() throws {
    let pool = try ActivePool.withoutPool()
    try pool.writeOriginRecord("{}")
    #expect(Settling.list(pool).left.origins.map(\.error?.code) == [.cannotReadOriginRecord])
    #expect(Settling.settle(pool).failure?.exitStatus == .refused)
    let inUse = try Self.writableOrigin()
    let lock = try OpenFile(
      inUse.originRecordPath + ".lock", role: "lock", access: .readWrite, direct: false)
    #expect(try lock.lock())
    var left = Leftovers(pools: [], origins: [])
    _ = inUse.run(waits: false) { merger throws(MergeError) in left = try merger.settle() }
    #expect(Failure(settling: left)?.exitStatus == .busy)
    #expect(left.origins.map(\.isInUse) == [true])
    #expect(inUse.mapper.steps == [])
  }

  @Test("origin records are looked up in the pool records' folder, not in the journals' folder")
  func folderOfOriginRecords() throws {
    let pool = try Self.writableOrigin()
    var environment = Environment(stateFolder: pool.folder.path("journals"))
    environment.poolStateFolder = pool.state
    environment.deviceMapper = pool.mapper
    environment.bootID = pool.bootID
    let left = try Merger(environment: environment).leftovers()
    #expect(left.origins.map(\.recordPath) == [pool.originRecordPath])
  }

  @Test("settle for a single pool leaves the origins of unrelated merges alone")
  func originBesidePool() throws {
    let pool = try Self.writableOrigin()
    pool.mapper.mapped.append(try #require(pool.inactive))
    #expect(Settling.list(pool, name: "pool").left.origins == [])
    #expect(Settling.settle(pool, name: "pool").left.origins == [])
    #expect(pool.mapper.steps == [])
    #expect(pool.originRecords().count == 1)
  }
}
