import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Pool: device names and other users of the origin", .needsLoopDevices, .waitsForPrograms)
struct OriginUsersTests {
  @Test(
    "unless the user consents, an error names the other active thin devices on the origin")
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

  @Test("unless the user consents, an error lists the IDs of thin devices whose origin is unknown")
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

  @Test("a refusal lists inactive thin devices that share blocks with the merged one before others")
  func kin() throws {
    let pool = try ActivePool(otherIDs: [2])
    try pool.mapper.send("create_snap 9 5", to: SimulatedDeviceMapper.poolNumber)
    #expect(pool.merge().message.contains("dev 9 (shares blocks), 2"))
  }

  @Test("a merge fails at the end if another device was stacked on the origin during the merge")
  func originHeldMeanwhile() throws {
    let pool = try ActivePool()
    let number = try pool.number(pool.origin.path)
    pool.whenMerging = {
      pool.mapper.holders[number] = [DeviceNumber(major: 253, minor: 400)]
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    #expect(outcome.message.contains("253:400 is on top of it"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
  }

  @Test("a thin device without an external origin provides no origin path to merge onto")
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

  @Test("an active pool's data device is refused in combination with a copy of the pool's metadata")
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

  @Test(
    "the backing file of an active pool's metadata device is recognized as the pool's metadata")
  func fileUnderPool() throws {
    let pool = try ActivePool()
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: pool.folder.path("metadata.img"))
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("the pool may be active on it"))
    #expect(try pool.isUntouched())
  }

  @Test("a merge onto the pool's own data device is refused before any change")
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

  @Test("a merge is refused if two mapped devices of the same thin device have different origins")
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

  @Test(
    "a volume group is accepted if its system ID is empty or matches this system",
    arguments: ["", "here"])
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
