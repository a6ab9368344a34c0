import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Pool: the metadata snapshot of an active pool", .needsLoopDevices, .waitsForPrograms)
struct MetadataSnapshotTests {
  /// The messages sent to the pool to take and then release a metadata snapshot.
  private static let lookedAt = ["reserve_metadata_snap", "release_metadata_snap"]

  @Test("a merge is refused if another program holds a metadata snapshot, which stays held")
  func heldByAnother() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5)
    #expect(outcome.hint.contains("dmsetup message pool 0 release_metadata_snap"))
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.isHolding)
    #expect(try pool.isUntouched())
  }

  @Test(
    "if pool devices are given by path, a held metadata snapshot is accepted only if it is current")
  func heldAndFresh() throws {
    let fresh = try ActivePool()
    try fresh.mapper.holdForSomebodyElse()
    let merged = fresh.mergeByHand(.metadataSnapshot(block: nil))
    #expect(merged.exitStatus == 0, "\(merged.message)")
    #expect(try fresh.isMerged())
    #expect(fresh.mapper.isHolding)

    let old = try ActivePool()
    try old.mapper.holdForSomebodyElse()
    try old.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    let outcome = old.mergeByHand(.metadataSnapshot(block: nil))
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("older than the pool's latest changes"))
    #expect(old.mapper.steps == [])
    #expect(try old.isUntouched())
  }

  @Test(
    "merge and resume refuse an outdated metadata snapshot if the thin device itself is merged"
  )
  func heldAndOldByResume() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    try pool.cutData()
    let itself = PoolOptions(mergesThinDeviceItself: true)
    #expect(pool.mergeByHand(.metadataSnapshot(block: nil), itself).exitStatus == 3)
    try pool.restoreData()
    try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    for outcome in [pool.mergeByHand(.metadataSnapshot(block: nil), itself), try pool.resume()] {
      #expect(outcome.exitStatus == 5, "\(outcome.message)")
      #expect(
        outcome.message.contains("older than the pool's latest changes"), "\(outcome.message)")
    }
    #expect(try !pool.isMerged())
  }

  @Test("resume uses the metadata snapshot specified by --metadata-snap, no matter how old it is")
  func namedAndResumed() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let block = pool.mapper.heldBlock.map(UInt64.init)
    try pool.cutData()
    #expect(pool.mergeByHand(.metadataSnapshot(block: block)).exitStatus == 3)
    try pool.restoreData()
    try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    let outcome = try pool.resume()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.isHolding)
  }

  @Test("a merge with --metadata-snap reads a held metadata snapshot and does not release it")
  func givenSnapshot() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let outcome = pool.mergeByHand(.metadataSnapshot(block: pool.mapper.heldBlock.map(UInt64.init)))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.isHolding)
    #expect(try pool.isMerged())
  }

  @Test("plan and verify hold a metadata snapshot only while reading")
  func reading() throws {
    let pool = try ActivePool()
    let planned = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      let plan = try merger.plan(found.source, onto: origin)
      #expect(plan.mappedBlockCount == UInt64(ActivePool.mappings.count))
    }
    #expect(planned.exitStatus == 0, "\(planned.message)")
    let verified = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      let report = try merger.verify(
        found.source, against: origin, extent: ExtentOptions(), transfer: TransferOptions())
      #expect(report.differingByteCount > 0)
    }
    #expect(verified.exitStatus == 0, "\(verified.message)")
    #expect(pool.mapper.steps == Self.lookedAt + Self.lookedAt)
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "a merge is refused if pool status and superblock disagree on the metadata snapshot's block")
  func blocksDiffer() throws {
    let pool = try ActivePool()
    pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in
      mapper.reportedHeldBlock = 99
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("the pool did not commit the snapshot"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
    #expect(try pool.isUntouched())
  }

  @Test(
    "merging from an active pool by device path makes the same checks and snapshots as by name")
  func byHand() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    #expect(pool.mergeByHand(.metadataSnapshot(block: nil)).exitStatus == 5)
    pool.mapper.mapped.removeLast()
    let merged = pool.mergeByHand(.metadataSnapshot(block: nil))
    #expect(merged.exitStatus == 0, "\(merged.message)")
    #expect(
      pool.mapper.steps == [
        "reserve_metadata_snap", "create_snap 16777215 5", "release_metadata_snap",
        "delete 16777215",
      ])
    #expect(try pool.isMerged())
  }

  @Test("no verb takes a metadata snapshot if the pool's metadata is nearly full")
  func metadataUsedUp() throws {
    let pool = try ActivePool()
    pool.mapper.metadataUsage = "241/256"
    let origin = pool.origin.path
    let outcomes = [
      pool.run { merger throws(MergeError) in _ = try merger.devices(pool: "pool") },
      pool.run { merger throws(MergeError) in
        let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
        _ = try merger.plan(source, onto: origin)
      },
      pool.run { merger throws(MergeError) in
        let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
        _ = try merger.verify(source, against: origin)
      },
    ]
    for outcome in outcomes {
      #expect(outcome.error?.code == .poolMetadataUsedUp, "\(outcome.message)")
    }
    #expect(pool.merge().exitStatus == 2)
    #expect(pool.mapper.steps == [])
    pool.mapper.metadataUsage = "240/256"
    #expect(pool.merge().exitStatus == 0)
  }
}
