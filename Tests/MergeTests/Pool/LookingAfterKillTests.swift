import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Pool: what a verb that only looks does where a run was killed", .needsLoopDevices,
  .waitsForPrograms)
struct LookingAfterKillTests {
  /// The verbs that look at a pool's mappings.
  enum Look: CaseIterable, Sendable {
    case plan, planAgain, devices, verify

    /// Looks, and returns what a merge would be refused for, where that is asked.
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

  /// What a look came to.
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

  /// Whether anything is left that is neither suspended nor a metadata snapshot.
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
    "it undoes what is suspended or in its way, and names what stays, whatever the step of the kill",
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
      let names = looked.outcome.notes.filter { $0.contains("'thin-merge settle' undoes it") }
      #expect(names.count == (isAnythingLeft ? 1 : 0), "step \(step): \(looked.outcome.notes)")

      // All is recorded still: who settles it undoes it.
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
    "a metadata snapshot that a killed run left, and that is named by its block, is read and stays")
  func namedBlock() throws {
    let pool = try ActivePool()
    // Just before the snapshot is made, when the metadata snapshot is recorded.
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

  @Test("a plan has the size of a thin device that a killed run removed and a merge puts back")
  func sizeOfRemoved() throws {
    let pool = try ActivePool()
    try PoolCrashTests.Way.reactivated.prepare(pool)
    // Just after the thin device was removed.
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
