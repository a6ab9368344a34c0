import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Pool: thin devices that a killed run removed", .needsLoopDevices, .waitsForPrograms)
struct RemovedDeviceTests {
  private static let base = DeviceNumber(major: 253, minor: 400)

  /// A thin device over an origin that is told of only: it has no identity but its table.
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

  /// What the record says of the origin's parts, as a merge writes it down.
  private static func parts(_ pool: ActivePool) throws -> String {
    let disk = try pool.number(pool.origin.path)
    return "(0 3072 linear \(disk) 0, \(DeviceIdentity.name(disk)))"
  }

  /// Leaves the record of a run that was killed after it had removed a thin device.
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

  /// Settles what a killed run left.
  private static func settle(_ pool: ActivePool) -> ActivePool.Outcome {
    pool.run { merger throws(MergeError) in
      if let error = try merger.settle(pool: "pool").pools.first?.error { throw error }
    }
  }

  @Test("a removed thin device is put back where its origin has the table that it had")
  func sameTable() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    let thin = try Self.thin(pool)
    try Self.leave(thin, pool, originParts: Self.parts(pool))
    #expect(Self.settle(pool).exitStatus == 0)
    #expect(pool.mapper.mapped.contains(thin))
    #expect(try pool.recordFiles() == [])
  }

  @Test("a removed thin device is not put back where its origin's number has another table")
  func otherTable() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool, startSector: 8))
    try Self.leave(Self.thin(pool), pool, originParts: Self.parts(pool))
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(outcome.notes.contains { $0.contains("another pool or another origin now") })
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "a thin device whose origin nothing tells from others is not put back, and the command is named"
  )
  func unknownOrigin() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.thin(pool), pool)
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    let note = outcome.notes.first { $0.contains("nothing tells whether its origin is the same") }
    #expect(note?.contains("dmsetup create vm --uuid THIN-vm --table") == true, "\(outcome.notes)")
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
  }

  @Test(
    "a thin device that is active again is not said to stay removed, and its record goes",
    arguments: [false, true])
  func activeAgain(isPutBack: Bool) throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    var thin = try Self.thin(pool)
    try Self.leave(thin, pool, originParts: Self.parts(pool), isPutBack: isPutBack)
    // LVM gives it another number, and perhaps another name.
    thin.number.minor += 7
    if isPutBack { thin.name = "renamed" }
    pool.mapper.mapped.append(thin)
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(!outcome.notes.contains { $0.contains("removed") || $0.contains("put") })
    #expect(!pool.mapper.steps.contains { $0.contains("vm") })
    #expect(try pool.recordFiles() == [])
  }

  private static func volume(_ pool: ActivePool) throws -> MappedDevice {
    var volume = try Self.thin(pool)
    volume.name = "my--vg-vm"
    volume.uuid = "LVM-" + String(repeating: "a", count: 64)
    return volume
  }

  @Test("a volume of LVM is put back by LVM", arguments: [false, true])
  func volume(activates: Bool) throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.volume(pool), pool, originParts: Self.parts(pool))
    pool.runProgram = { words in
      #expect(words == ["lvchange", "-ay", "-K", "--", "my-vg/vm"])
      return activates ? .succeeded(output: "") : .failed
    }
    let outcome = Self.settle(pool)
    #expect(outcome.exitStatus == 0)
    #expect(!pool.mapper.steps.contains { $0.hasPrefix("make") })
    #expect(outcome.notes.contains("put /dev/mapper/my--vg-vm back") == activates)
    #expect(outcome.notes.contains { $0.hasSuffix("lvchange -ay my-vg/vm") } != activates)
    #expect(try pool.recordFiles().isEmpty == activates)
  }

  @Test("a volume of LVM that stays removed is named with the command of LVM")
  func volumeStaysRemoved() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try Self.origin(pool))
    try Self.leave(Self.volume(pool), pool, originParts: Self.parts(pool), isPutBack: false)
    let outcome = Self.settle(pool)
    #expect(
      outcome.notes.contains(
        "/dev/mapper/my--vg-vm stays removed; it is activated by: lvchange -ay my-vg/vm"),
      "\(outcome.notes)")
    #expect(!pool.mapper.steps.contains { $0.hasPrefix("make") })
  }
}
