import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Pool: thin devices removed by a killed run", .needsLoopDevices, .waitsForPrograms)
struct RemovedDeviceTests {
  private static let base = DeviceNumber(major: 253, minor: 400)

  /// Returns a thin device whose origin can be identified only by the origin's table.
  private static func thin(_ pool: ActivePool) throws -> MappedDevice {
    var thin = try pool.thin()
    thin.liveTable[0].arguments = "\(SimulatedDeviceMapper.poolNumber) 5 \(base)"
    return thin
  }

  private static func origin(_ pool: ActivePool, startSector: Int = 0) throws -> MappedDevice {
    MappedDevice(
      name: "base", number: base,
      liveTable: [
        TableLine(
          sectorCount: 3072, kind: "linear",
          arguments: "\(try pool.number(pool.origin.path)) \(startSector)")
      ])
  }

  /// Returns a description of the origin's parts, in the form in which a merge records it.
  private static func parts(_ pool: ActivePool) throws -> String {
    let disk = try pool.number(pool.origin.path)
    return "(0 3072 linear \(disk) 0, \(DeviceIdentity.name(disk)))"
  }

  /// Writes a pool record as a run would leave it if killed after removing a thin device.
  private static func leave(
    _ thin: MappedDevice, _ pool: ActivePool, originName: String = "", originParts: String? = nil,
    isPutBack: Bool = true
  ) throws {
    var state = PoolState()
    state.removals = [
      PoolState.Removal(
        device: thin, bootID: pool.bootID, originName: originName, originParts: originParts,
        isPutBack: isPutBack)
    ]
    try pool.writeRecord(String(decoding: try JSONEncoder().encode(state), as: UTF8.self))
  }

  /// Cleans up what killed runs left behind in the pool.
  private static func settle(_ pool: ActivePool) -> ActivePool.Outcome {
    pool.run { merger throws(MergeError) in
      if let error = try merger.settle(pool: "pool").pools.first?.error { throw error }
    }
  }

  @Test("a removed thin device is restored if its origin still has the same table")
  func sameTable() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    let thin = try Self.thin(pool)
    try Self.leave(thin, pool, originParts: Self.parts(pool))
    #expect(Self.settle(pool).exitStatus == 0)
    #expect(pool.mapper.mapped.contains(thin))
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "a removed thin device is not restored if its origin's device number has a different table now")
  func otherTable() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool, startSector: 8))
    try Self.leave(Self.thin(pool), pool, originParts: Self.parts(pool))
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(outcome.notes.contains { $0.contains("belong to another pool or origin") })
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "if a thin device's origin cannot be identified, a note gives the command to restore the device"
  )
  func unknownOrigin() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.thin(pool), pool)
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    let note = outcome.notes.first { $0.contains("whether its origin is still the same device") }
    #expect(note?.contains("dmsetup create vm --uuid THIN-vm --table") == true, "\(outcome.notes)")
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
  }

  @Test(
    "a thin device that is active again is not reported as removed, and its record is deleted",
    arguments: [false, true])
  func activeAgain(isPutBack: Bool) throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    var thin = try Self.thin(pool)
    try Self.leave(thin, pool, originParts: Self.parts(pool), isPutBack: isPutBack)
    // LVM reactivates the volume with a different device number, and possibly a different name.
    thin.number.minor += 7
    if isPutBack { thin.name = "renamed" }
    pool.mapper.mapped.append(thin)
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(!outcome.notes.contains { $0.contains("removed") || $0.contains("restore") })
    #expect(!pool.mapper.steps.contains { $0.contains("vm") })
    #expect(try pool.recordFiles() == [])
  }

  private static let groupUUID = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
  private static let volumeUUID = "0123456789abcdefghijklmnopqrstuv"

  private static func volume(_ pool: ActivePool) throws -> MappedDevice {
    var volume = try Self.thin(pool)
    volume.name = "my--vg-vm"
    volume.uuid = "LVM-\(groupUUID)\(volumeUUID)"
    return volume
  }

  /// Cleans up after a killed run that had removed an LVM volume.
  private static func settleVolume(
    _ pool: ActivePool,
    _ runChange: @escaping @Sendable ([String]) -> MergeEngine.Program.End
  ) throws -> ActivePool.Outcome {
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.volume(pool), pool, originParts: Self.parts(pool))
    pool.runChange = runChange
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(!pool.mapper.steps.contains { $0.hasPrefix("make") })
    return outcome
  }

  @Test("a removed LVM volume is restored by the UUIDs of the volume and its group, not by name")
  func volume() throws {
    let pool = try ActivePool()
    var renamed = try Self.volume(pool)
    renamed.name = "my--vg-renamed"
    let outcome = try Self.settleVolume(pool) { [mapper = pool.mapper, renamed] words in
      let selection =
        "vg_uuid=\"012345-6789-ABCD-EFGH-IJKL-MNOP-QRSTUV\" "
        + "&& lv_uuid=\"012345-6789-abcd-efgh-ijkl-mnop-qrstuv\""
      #expect(words == ["lvchange", "-ay", "-K", "--select", selection, "--", "my-vg"])
      mapper.mapped.append(renamed)
      return .succeeded(output: "")
    }
    #expect(outcome.notes.contains("restored /dev/mapper/my--vg-vm"), "\(outcome.notes)")
    #expect(try pool.recordFiles() == [])
  }

  @Test("a removed volume that LVM fails to activate stays recorded, and a note gives LVM's error")
  func volumeNotActivated() throws {
    let pool = try ActivePool()
    let outcome = try Self.settleVolume(pool) { _ in .failed(words: "Check of pool failed") }
    #expect(
      outcome.notes.contains {
        $0.hasSuffix(
          "LVM says: Check of pool failed; activate it with: lvchange -ay my-vg/vm")
      }, "\(outcome.notes)")
    #expect(try pool.recordFiles().isEmpty == false)
  }

  @Test("if LVM cannot find a volume by UUID, no note claims a restore or suggests a command")
  func volumeOfThatName() throws {
    let pool = try ActivePool()
    // LVM succeeds even if the selection matches nothing.
    let outcome = try Self.settleVolume(pool) { _ in .succeeded(output: "") }
    #expect(
      outcome.notes.contains { $0.contains("finds no volume with UUID 012345-6789-abcd") },
      "\(outcome.notes)")
    #expect(!outcome.notes.contains { $0.contains("lvchange -ay") || $0.hasPrefix("restored") })
    #expect(try pool.recordFiles().isEmpty == false)
  }

  @Test("a removed volume is restored even if another volume is active under the same name")
  func nameOfAnother() throws {
    let pool = try ActivePool()
    var another = try Self.volume(pool)
    another.uuid = "LVM-\(Self.groupUUID)\(Self.groupUUID)"
    another.number.minor += 9
    another.liveTable[0].arguments = "\(SimulatedDeviceMapper.poolNumber) 8"
    pool.mapper.mapped.append(another)
    var renamed = try Self.volume(pool)
    renamed.name = "my--vg-renamed"
    let outcome = try Self.settleVolume(pool) { [mapper = pool.mapper, renamed] _ in
      mapper.mapped.append(renamed)
      return .succeeded(output: "")
    }
    #expect(outcome.notes.contains("restored /dev/mapper/my--vg-vm"), "\(outcome.notes)")
  }

  @Test(
    "a removed volume's name refers to that volume unless LVM has since reassigned the name",
    arguments: [("vm", 5), ("another", 8)] as [(String, UInt32)])
  func nameGivenAway(uuidName: String, deviceID: UInt32) throws {
    let pool = try ActivePool(otherIDs: [8])
    try pool.become(
      SimulatedLVM([
        SimulatedLVM.Volume(name: "pool", data: "[pool_tdata]"),
        SimulatedLVM.Volume(name: "vm", pool: "pool", thinID: "8", uuidName: uuidName),
      ]))
    pool.mapper.mapped.append(try Self.origin(pool))
    var removed = try Self.thin(pool)
    removed.name = "vg-vm"
    removed.uuid = SimulatedLVM.mappedUUID("vm")
    try Self.leave(removed, pool, originParts: Self.parts(pool))
    var found: UInt32?
    let outcome = pool.run { merger throws(MergeError) in
      found = try merger.resolve(.device("vg/vm")).source.deviceID
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(found == deviceID)
  }

  @Test(
    "if LVM times out while restoring a volume, a note says so and the volume stays recorded")
  func volumeTakesTooLong() throws {
    let pool = try ActivePool()
    let outcome = try Self.settleVolume(pool) { _ in .noAnswer }
    #expect(
      outcome.notes.contains { $0.contains("did not finish in 120 s, got SIGTERM") },
      "\(outcome.notes)")
    #expect(try pool.recordFiles().isEmpty == false)
    // LVM may have finished in the meantime.
    pool.mapper.mapped.append(try Self.volume(pool))
    let later = Self.settle(pool)
    #expect(!later.notes.contains { $0.contains("could not restore") }, "\(later.notes)")
    #expect(try pool.recordFiles() == [])
  }

  @Test("if an LVM volume stays removed, a note gives the lvchange command that activates it")
  func volumeStaysRemoved() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.volume(pool), pool, originParts: Self.parts(pool), isPutBack: false)
    let outcome = Self.settle(pool)
    #expect(
      outcome.notes.contains(
        "/dev/mapper/my--vg-vm stays removed; activate it with: lvchange -ay my-vg/vm"),
      "\(outcome.notes)")
    #expect(!pool.mapper.steps.contains { $0.hasPrefix("make") })
  }
}
