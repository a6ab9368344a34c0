import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite(
  "Pool: devices given by path", .needsLoopDevices, .waitsForPrograms)
struct PoolDevicesTests {
  @Test(
    "VG/LV refers to the volume, even if a relative path with that name links to another device")
  func volumeBesideLink() throws {
    let pool = try ActivePool()
    let folder = ".build"
    let link = "\(folder)/thin-merge-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: pool.origin.path)
    defer { try? FileManager.default.removeItem(atPath: link) }
    var other = try pool.thin("other")
    other.number = try pool.number(pool.origin.path)
    let devices = MappedDevices([other])
    #expect(ThinDeviceName(link).device(in: devices) == nil)
    #expect(ThinDeviceName("./" + link).device(in: devices) == other)
  }

  @Test(
    "a linear device overlaps the range of the disk that it maps, unless LVM created the device")
  func linear() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("disk.img")
    try Data(count: 2 << 20).write(to: URL(filePath: path))
    let disk = try MergeTests.LoopDevice(backing: path)
    let file = try OpenFile(path, role: "disk", access: .readOnly)
    let below = try OpenFile(disk.path, role: "disk", access: .readOnly).deviceNumber
    let number = DeviceNumber(major: 253, minor: 500)
    func extent(uuid: String) -> StorageExtent {
      let device = MappedDevice(
        name: "base", uuid: uuid, number: number,
        liveTable: [TableLine(sectorCount: 2048, kind: "linear", arguments: "\(below) 2048")])
      return StorageExtent(device: number, linearParts: MappedDevices([device]).linearParts)
    }
    let part = extent(uuid: "part1-x")
    #expect(part.overlaps(StorageExtent(file)))
    #expect(part.range.start == 1 << 20)
    #expect(!extent(uuid: "LVM-x").overlaps(StorageExtent(file)))
    withExtendedLifetime(disk) {}
  }

  /// The data device's size in sectors.
  private static let dataSectorCount: UInt64 = 32768

  /// Inserts a linear device between the pool and its data device.
  ///
  /// The linear device exists only in the list of mapped devices.
  private static func putLinear(
    under pool: ActivePool, sectorCount: UInt64, startSector: UInt64
  ) throws {
    let linear = DeviceNumber(major: 253, minor: 500)
    let data = try pool.number(pool.data.path)
    pool.mapper.mapped[0].liveTable[0].arguments.replace(" \(data) ", with: " \(linear) ")
    pool.mapper.mapped.append(
      MappedDevice(
        name: "tdata", number: linear,
        liveTable: [
          TableLine(
            sectorCount: sectorCount, kind: "linear", arguments: "\(data) \(startSector)")
        ]))
  }

  private static func expectRefusal(
    _ outcome: ActivePool.Outcome, _ pool: ActivePool, naming path: String
  ) throws {
    #expect(outcome.exitStatus == 2, "\(outcome.message)")
    #expect(outcome.message.contains("not the pool's"), "\(outcome.message)")
    #expect(outcome.message.contains(path), "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
  }

  @Test(
    "the disk under a linear data device is refused if the device maps only part of that disk",
    arguments: [(30720, 2048), (30720, 0)] as [(UInt64, UInt64)])
  func diskUnderData(sectorCount: UInt64, startSector: UInt64) throws {
    let pool = try ActivePool()
    try Self.putLinear(under: pool, sectorCount: sectorCount, startSector: startSector)
    let outcome = pool.mergeByHand(.ownMetadataSnapshot, dataPath: pool.data.path)
    try Self.expectRefusal(outcome, pool, naming: pool.data.path)
  }

  @Test("the disk under a linear data device is accepted if the device maps all of that disk")
  func wholeDiskUnderData() throws {
    let pool = try ActivePool()
    try Self.putLinear(under: pool, sectorCount: Self.dataSectorCount, startSector: 0)
    let outcome = pool.mergeByHand(.ownMetadataSnapshot, dataPath: pool.data.path)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test(
    "a loop device over only part of the data device's backing file is refused",
    arguments: [1 << 20..<16 << 20, 0..<15 << 20])
  func loopOverPart(range: Range<Int>) throws {
    let pool = try ActivePool()
    let part = try LoopDevice(backing: pool.folder.path("data.img"), range: range)
    let outcome = pool.mergeByHand(.ownMetadataSnapshot, dataPath: part.path)
    try Self.expectRefusal(outcome, pool, naming: part.path)
    withExtendedLifetime(part) {}
  }

  @Test(
    "the data device's backing file, or another loop device over that whole file, is accepted"
  )
  func wholeFile() throws {
    let pool = try ActivePool()
    let file = pool.mergeByHand(.ownMetadataSnapshot, dataPath: pool.folder.path("data.img"))
    #expect(file.exitStatus == 0, "\(file.message)")
    #expect(try pool.isMerged())
    let other = try LoopDevice(backing: pool.folder.path("data.img"), readOnly: true)
    let loop = pool.mergeByHand(.ownMetadataSnapshot, dataPath: other.path)
    #expect(loop.exitStatus == 0, "\(loop.message)")
    withExtendedLifetime(other) {}
  }

  @Test("a thin device of the pool is refused as the pool's data device")
  func thinDeviceAsData() throws {
    let pool = try ActivePool()
    // The device is listed as a thin device, but is really a loop device over the pool's data
    // device.
    let upper = try LoopDevice(backing: pool.data.path, readOnly: true)
    var thin = try pool.thin("other", id: 6, hasOrigin: false)
    thin.number = try pool.number(upper.path)
    pool.mapper.mapped.append(thin)
    let outcome = pool.mergeByHand(.ownMetadataSnapshot, dataPath: upper.path)
    try Self.expectRefusal(outcome, pool, naming: upper.path)
    withExtendedLifetime(upper) {}
  }

  @Test(
    "a loop device over only part of the metadata device's backing file is refused",
    arguments: [0..<256 << 10, 4096..<1 << 20])
  func loopOverPartOfMetadata(range: Range<Int>) throws {
    let pool = try ActivePool()
    let part = try LoopDevice(backing: pool.folder.path("metadata.img"), range: range)
    let outcome = pool.mergeByHand(.ownMetadataSnapshot, metadataPath: part.path)
    try Self.expectRefusal(outcome, pool, naming: part.path)
    withExtendedLifetime(part) {}
  }

  @Test(
    "a pool stacked on another active pool can be merged from as an inactive pool")
  func poolInAPool() throws {
    let pool = try ActivePool()
    let folder = pool.folder
    for name in ["metadata", "data"] {
      try Program.mustRun("cp", folder.path("\(name).img"), folder.path("inner-\(name).img"))
    }
    // According to the kernel, the inner data device is stacked on `outer`, and `outer` on its own
    // data device.
    let lower = try LoopDevice(backing: folder.path("inner-data.img"))
    let outer = try LoopDevice(backing: lower.path)
    let inner = try LoopDevice(backing: outer.path, readOnly: true)
    let lowerNumber = try pool.number(lower.path)
    pool.mapper.mapped.append(
      MappedDevice(
        name: "outer", number: try pool.number(outer.path),
        liveTable: [
          TableLine(
            sectorCount: Self.dataSectorCount, kind: "thin-pool",
            arguments: "253:600 \(lowerNumber) 128 0 0 ")
        ]))
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: folder.path("inner-metadata.img"), dataPath: inner.path)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    withExtendedLifetime((lower, outer, inner)) {}
  }
}
