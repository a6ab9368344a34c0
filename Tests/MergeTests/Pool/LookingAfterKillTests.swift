import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Pool: plan, devices and verify after a killed run", .needsLoopDevices,
  .waitsForPrograms)
struct LookingAfterKillTests {
  /// A verb that only reads a pool's mappings.
  enum Look: CaseIterable, Sendable {
    case plan, planAgain, devices, verify

    /// Runs the verb, and returns the refusal if the verb is a plan that reports one.
    func run(
      _ merger: Merger, _ pool: ActivePool, _ options: PoolOptions
    ) throws(MergeError) -> MergeError? {
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      switch self {
      case .plan, .planAgain:
        return try merger.plan(
          found.source, onto: pool.origin.path,
          options: MergeOptions(mergesAgain: self == .planAgain, pool: options)
        ).refusal
      case .devices:
        _ = try merger.devices(pool: "pool")
      case .verify:
        _ = try merger.verify(found.source, against: pool.origin.path)
      }
      return nil
    }
  }

  /// The result of running a verb that only reads a pool.
  private struct Looked {
    var outcome: ActivePool.Outcome
    var refusal: MergeError?
  }

  private static func look(
    _ look: Look, at pool: ActivePool, _ options: PoolOptions = PoolOptions()
  ) -> Looked {
    var refusal: MergeError?
    let outcome = pool.run { merger throws(MergeError) in
      refusal = try look.run(merger, pool, options)
    }
    return Looked(outcome: outcome, refusal: refusal)
  }

  /// Returns true if a killed run left anything behind besides a suspended device or a metadata
  /// snapshot.
  private static func isAnythingLeft(in pool: ActivePool) throws -> Bool {
    var pools: [PoolLeftovers] = []
    _ = pool.run { merger throws(MergeError) in pools = try merger.leftovers(pool: "pool").pools }
    let left = try #require(pools.first)
    return left.snapshots.contains { $0.use == .none && $0.isThere == true }
      || left.removedDevices.contains { !$0.isActive }
      || left.writableLayers.contains { $0.isWritable == true }
      || pool.mapper.mapped.contains { $0.inactiveTable != [] }
  }

  @Test(
    "after a kill at any step, a read-only verb undoes only what blocks it, and reports the rest",
    arguments: PoolCrashTests.Way.allCases, Look.allCases)
  func looked(way: PoolCrashTests.Way, look: Look) throws {
    var step = 0
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      let before = pool.mapper.mapped
      guard try PoolCrashTests.killed(pool, way, at: step) else { break }
      let ids = pool.mapper.thinDevices.map(\.devID)
      var expected = pool.mapper.mapped
      for index in expected.indices { expected[index].isSuspended = false }
      let isAnythingLeft = try Self.isAnythingLeft(in: pool)

      let looked = Self.look(look, at: pool, way.options)
      #expect(looked.outcome.exitStatus == 0, "step \(step): \(looked.outcome.message)")
      #expect(looked.refusal == nil, "step \(step): \(looked.refusal?.message ?? "")")
      #expect(pool.mapper.mapped == expected, "step \(step)")
      #expect(pool.mapper.thinDevices.map(\.devID) == ids, "step \(step)")
      #expect(!pool.mapper.isHolding, "step \(step)")
      let names = looked.outcome.notes.filter { $0.contains("undo them with 'thin-merge settle'") }
      #expect(names.count == (isAnythingLeft ? 1 : 0), "step \(step): \(looked.outcome.notes)")

      // The remaining leftovers are still recorded, so settle undoes them.
      _ = poll {
        _ = pool.run { merger throws(MergeError) in _ = try merger.settle() }
        return pool.mapper.mapped == before
      }
      #expect(pool.mapper.mapped == before, "step \(step)")
      step += 1
    }
    #expect(step >= 4)
  }

  @Test(
    "plan can read a killed run's metadata snapshot by its block number, without releasing it")
  func namedBlock() throws {
    let pool = try ActivePool()
    // The run is killed after it recorded the metadata snapshot, just before it creates the
    // snapshot.
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 2))
    let block = try #require(pool.mapper.heldBlock)
    let outcome = pool.run { merger throws(MergeError) in
      var source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
      source.mappings = .metadataSnapshot(block: UInt64(block))
      _ = try merger.plan(source, onto: nil)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.heldBlock == block)
    #expect(try pool.recordFiles() == ["POOL-1.json"])
  }

  @Test(
    "plan finds the size of a thin device that a killed run removed, without restoring the device"
  )
  func sizeOfRemoved() throws {
    let pool = try ActivePool()
    try PoolCrashTests.Way.reactivated.prepare(pool)
    // The run is killed just after it removed the thin device.
    #expect(try PoolCrashTests.killed(pool, .reactivated, at: 3))
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
    var isAssumed = true
    let outcome = pool.run { merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      isAssumed = try merger.plan(found.source, onto: pool.origin.path).thinByteCountIsAssumed
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(!isAssumed)
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
  }
}
