import Fixtures
import MergeEngine
import Testing

@testable import thin_merge

@Suite("Pool: volumes that use an origin, according to LVM", .needsLoopDevices, .waitsForPrograms)
struct VolumesOnOriginTests {
  private typealias Volume = SimulatedLVM.Volume

  /// Returns an LVM pool that contains the given volumes, all inactive, in addition to the one to
  /// merge.
  private static func pool(
    _ otherIDs: [UInt64], _ volumes: [Volume], transactionID: UInt64 = 7, answers: Bool = true
  ) throws -> ActivePool {
    let pool = try ActivePool(otherIDs: otherIDs)
    var lvm = SimulatedLVM(volumes, transactionID: transactionID)
    lvm.answers = answers
    try pool.become(lvm)
    return pool
  }

  private static let merged = ThinDeviceReference.member(pool: "vg-pool-tpool", deviceID: 5)

  @Test("other thin volumes do not prevent a merge if they have a different origin or none")
  func elsewhere() throws {
    let pool = try Self.pool(
      [6, 7],
      [
        Volume(name: "data", pool: "pool", thinID: "6"),
        Volume(name: "vm2", pool: "pool", origin: "base2", thinID: "7"), Volume(name: "base2"),
      ])
    let outcome = pool.merge(Self.merged)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(!outcome.notes.contains { $0.contains("other thin devices") }, "\(outcome.notes)")
    #expect(try pool.isMerged())
  }

  @Test(
    "a merge is refused if another volume uses the origin, even as a snapshot or from another pool",
    arguments: [
      Volume(name: "vm2", pool: "pool", origin: "base", thinID: "6"),
      Volume(name: "vm2", pool: "pool", origin: "vm", thinID: "6"),
      Volume(name: "vm2", pool: "pool2", origin: "base", thinID: "1"),
    ])
  private func onOrigin(volume: Volume) throws {
    let isHere = volume.pool == "pool"
    let others =
      [volume] + (isHere ? [] : [Volume(name: "pool2", transactionID: "3")])
    let pool = try Self.pool(isHere ? [6] : [], others)
    let refused = pool.merge(Self.merged)
    #expect(refused.exitStatus == 2)
    #expect(refused.error?.code == .originShared && refused.message.contains("vg/vm2"))
    #expect(!refused.message.contains("dev 6"), "\(refused.message)")
    #expect(try pool.isUntouched())
    let agreed = pool.merge(Self.merged, PoolOptions(allowsOtherUsers: true))
    #expect(agreed.exitStatus == 0, "\(agreed.message)")
    #expect(agreed.notes.contains { $0.contains("vg/vm2") }, "\(agreed.notes)")
  }

  @Test(
    "an origin with a classic snapshot is refused even if other users of the origin are allowed")
  func classicSnapshot() throws {
    let pool = try Self.pool([], [Volume(name: "snap", origin: "base")])
    let outcome = pool.merge(Self.merged, PoolOptions(allowsOtherUsers: true))
    #expect(outcome.error?.code == .originHasSnapshots && outcome.exitStatus == 2)
    #expect(outcome.message.contains("vg/snap"), "\(outcome.message)")
    #expect(try pool.isUntouched())
  }

  @Test(
    "a merge is refused if LVM does not know a thin device, and the error names only that device")
  func unknown() throws {
    let pool = try Self.pool([6, 9], [Volume(name: "data", pool: "pool", thinID: "6")])
    let refused = pool.merge(Self.merged)
    #expect(refused.error?.code == .originMaybeShared)
    #expect(refused.message.contains("dev 9"), "\(refused.message)")
    #expect(!refused.message.contains("6"), "\(refused.message)")
  }

  @Test("LVM's list of volumes is ignored if LVM and the pool disagree on the transaction ID")
  func otherTransaction() throws {
    let pool = try Self.pool(
      [6], [Volume(name: "data", pool: "pool", thinID: "6")], transactionID: 6)
    #expect(pool.merge(Self.merged).error?.code == .originMaybeShared)
  }

  @Test("a merge exits with the busy status if LVM does not answer")
  func silent() throws {
    let pool = try Self.pool([6], [], answers: false)
    let outcome = pool.merge(Self.merged)
    #expect(outcome.error?.code == .lvmSilent && outcome.exitStatus == 5)
    #expect(try pool.isUntouched())
  }

  @Test("an origin given by its LVM volume name is found even if only its lower layer is active")
  func originNamed() throws {
    let pool = try Self.pool([], [])
    let outcome = pool.run { merger throws(MergeError) in
      for name in ["vg/base", "/dev/vg/base"] {
        #expect(try merger.originPath(named: name) == "/dev/mapper/vg-base-real")
      }
      for path in ["vg/other", "images/base.img", "./vg/base", "base", "/etc/passwd"] {
        #expect(try merger.originPath(named: path) == path)
      }
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }

  /// Returns an inactive LVM pool whose hidden volumes were activated manually.
  private static func hiddenVolumes(
    _ volumes: [Volume], transactionID: UInt64 = 7
  ) throws -> ActivePool {
    let pool = try ActivePool.withoutPool()
    let lvm = SimulatedLVM([Volume(name: "[pool_tdata]")] + volumes, transactionID: transactionID)
    for (index, layer) in ["", "-real"].enumerated() {
      pool.mapper.mapped[index].name = "vg-base" + layer
      pool.mapper.mapped[index].uuid = SimulatedLVM.mappedUUID("base", layer: layer)
    }
    pool.mapper.mapped.append(
      MappedDevice(
        name: "vg-pool_tdata", uuid: SimulatedLVM.mappedUUID("pool_tdata"),
        number: try pool.number(pool.data.path), liveTable: []))
    pool.runProgram = { lvm.run($0) }
    return pool
  }

  @Test(
    "if hidden volumes were activated manually, LVM's origin is made writable without an option")
  func activatedByHand() throws {
    let pool = try Self.hiddenVolumes([])
    let outcome = pool.mergeInactive(PoolOptions())
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test("if LVM and the pool disagree on the transaction ID, --make-origin-writable is required")
  func otherTransactionByHand() throws {
    let pool = try Self.hiddenVolumes([], transactionID: 6)
    #expect(pool.mergeInactive(PoolOptions()).error?.code == .originReadOnly)
    let outcome = pool.mergeInactive(PoolOptions(makesOriginWritable: true))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }

  @Test(
    "after manual activation of hidden volumes, other volumes on the origin still block a merge",
    arguments: [UInt64(6), 7])
  func othersByHand(transactionID: UInt64) throws {
    let options = PoolOptions(makesOriginWritable: true)
    let pool = try Self.hiddenVolumes(
      [Volume(name: "vm2", pool: "pool", origin: "base", thinID: "6")],
      transactionID: transactionID)
    let refused = pool.mergeInactive(options)
    #expect(refused.error?.code == .originShared)
    #expect(refused.message.contains("vg/vm2"), "\(refused.message)")
    var agreed = options
    agreed.allowsOtherUsers = true
    let outcome = pool.mergeInactive(agreed)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains { $0.contains("vg/vm2") }, "\(outcome.notes)")
  }
}
