import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Pool: names of devices, and who else is on the origin", .needsLoopDevices, .waitsForPrograms)
struct OriginUsersTests {
  @Test("other thin devices on the origin are named and refused, unless they are agreed to")
  func otherUsers() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("sibling"))
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
    #expect(
      pool.merge(.member(pool: "pool", deviceID: 5), PoolOptions(allowsOtherUsers: true)).exitStatus
        == 0)
    #expect(try pool.isMerged())
  }

  @Test("thin devices that no table names are listed and refused, unless they are agreed to")
  func unknownUsers() throws {
    let pool = try ActivePool(otherIDs: [6, 7])
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("dev 6, 7"))
    #expect(!pool.mapper.isHolding)
    #expect(try pool.isUntouched())
    #expect(
      pool.merge(.member(pool: "pool", deviceID: 5), PoolOptions(allowsOtherUsers: true)).exitStatus
        == 0)
    #expect(try pool.isMerged())
  }

  @Test("of those, the ones that share blocks come first")
  func kin() throws {
    let pool = try ActivePool(otherIDs: [2])
    try pool.mapper.send("create_snap 9 5", to: SimulatedDeviceMapper.poolNumber)
    #expect(pool.merge().message.contains("dev 9 (shares blocks), 2"))
  }

  @Test("an origin that something else lies on at the end is found out before it is finished")
  func originHeldMeanwhile() throws {
    let pool = try ActivePool()
    let number = try pool.number(pool.origin.path)
    pool.whenMerging = {
      pool.mapper.holders[number] = [DeviceNumber(major: 253, minor: 400)]
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    #expect(outcome.message.contains("253:400 lies on it"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
  }

  @Test("a thin device without an external origin says so, whoever asks")
  func noOrigin() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try pool.thin(hasOrigin: false))
    let outcome = pool.run { merger throws(MergeError) in
      let found = try merger.resolve(.device("vm"))
      #expect(throws: Failure.self) { try found.originPath(typed: nil, by: merger) }
      #expect(found.thinByteCount == UInt64(ActivePool.blockCount * ActivePool.blockByteCount))
    }
    #expect(outcome.exitStatus == 0)
  }

  @Test("a data device of an active pool is refused with metadata from elsewhere")
  func dataOfActivePool() throws {
    let pool = try ActivePool()
    try Program.mustRun(
      "cp", pool.folder.path("metadata.img"), pool.folder.path("copy.img"))
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: pool.folder.path("copy.img"))
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("a pool is active on the data device"))
    #expect(try pool.isUntouched())
  }

  @Test("a file that an active pool lies on by way of a loop device is known to be that pool's")
  func fileUnderPool() throws {
    let pool = try ActivePool()
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: pool.folder.path("metadata.img"))
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("the pool may be active on it"))
    #expect(try pool.isUntouched())
  }

  @Test("a thin device that is its own origin is refused before anything is done")
  func ownOrigin() throws {
    let pool = try ActivePool()
    let outcome = pool.run { merger throws(MergeError) in
      let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
      _ = try merger.merge(source, onto: source.dataPath, options: MergeOptions())
    }
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("it is the pool's data device"))
    #expect(pool.mapper.steps == [])
  }

  @Test("aliases that do not agree on origin or length are refused")
  func aliases() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    var alias = try pool.thin("other", minor: 303, hasOrigin: false)
    alias.isReadOnly = true
    pool.mapper.mapped += [thin, alias]
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("vm, other"))
  }

  @Test("a volume group that is this system's own, or nobody's, is used", arguments: ["", "here"])
  func ownGroup(systemID: String) throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try pool.thin("vg-vm"))
    pool.runProgram = { words in
      guard words[0] == "vgs" else { return .succeeded(output: "  system ID: here\n") }
      return .succeeded(
        output: #"{"report":[{"vg":[{"vg_lock_type":"none","vg_systemid":"\#(systemID)","#
          + #""vg_exported":"","vg_partial":""}]}]}"#)
    }
    let outcome = pool.merge(.device("vg/vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }
}
