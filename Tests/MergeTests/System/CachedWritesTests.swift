import Foundation
import Testing

@testable import MergeEngine

@Suite("System: writes cached above a device")
struct CachedWritesTests {
  @Test(
    "the caches above a device are its file systems and the devices stacked on it, top first",
    .needsExt4)
  func order() throws {
    let disk = try Disk()
    let inner = try Disk(in: disk.mount.path)
    let other = try Disk()
    #expect(
      try CachedWrites(above: disk.number).caches == [
        .fileSystem(inner.mount.path), .device(inner.device.path),
        .fileSystem(disk.mount.path), .device(disk.device.path),
      ])
    #expect(
      try CachedWrites(above: inner.number).caches == [
        .fileSystem(inner.mount.path), .device(inner.device.path),
      ])
    withExtendedLifetime(other) {}
  }

  @Test(
    "writing back the caches puts writes to the file system and the device onto the device below",
    .needsExt4
  )
  func writtenBack() throws {
    let disk = try Disk()
    let text = Data("written and not synced".utf8)
    try text.write(to: URL(filePath: disk.mount.path + "/file"))
    #expect(CachedWrites(above: try disk.number).writeBack() == [])
    #expect(try disk.image().contains(text))

    disk.mount.unmount()
    let device = try FileHandle(forUpdating: URL(filePath: disk.device.path))
    let other = Data("written to the device".utf8)
    try device.write(contentsOf: other)
    #expect(CachedWrites(above: try disk.number).writeBack() == [])
    #expect(try disk.image().prefix(other.count) == other)
    withExtendedLifetime(device) {}
  }

  @Test(
    "a cache that is not written back in time is reported together with all caches below it",
    .needsExt4)
  func noAnswer() throws {
    let disk = try Disk()
    let time = VirtualClock()
    // The clock advances by a minute each time it is read.
    let clock = Clock(
      now: {
        time.advance(by: .seconds(60))
        return time.now
      }, sleep: time.clock.sleep)
    #expect(
      CachedWrites(above: try disk.number).writeBack(clock: clock) == [
        CacheFailure(paths: [disk.mount.path, disk.device.path], hasAnswered: false)
      ])
  }

  @Test("if a file system is missing, it is the only cache reported as failed")
  func failure() throws {
    let gone = StorageAbove.Mount(
      path: "/no/such/folder", device: DeviceNumber(major: 0, minor: 77),
      blockDevices: [DeviceNumber(major: 259, minor: 1_048_575)])
    let caches = CachedWrites(
      above: DeviceNumber(major: 259, minor: 1_048_575), in: StorageAbove(mounts: [gone], loops: [])
    )
    #expect(
      caches.writeBack() == [CacheFailure(paths: ["/no/such/folder"], hasAnswered: true)])
  }

  @Test(
    "a mounted file system is found by device number, at its last mount point that is not hidden")
  func mountTable() {
    let mounts = StorageAbove.mounts(
      """
      21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
      22 21 0:5 / /proc rw - proc proc rw
      23 21 253:7 / /srv/a\\040b rw master:1 shared:2 - xfs /dev/mapper/vm rw
      24 21 253:8 / /mnt rw - ext4 /dev/mapper/hidden rw
      25 21 253:7 /sub /srv/c rw - xfs /dev/mapper/vm rw
      26 21 253:7 /sub /mnt/d rw - xfs /dev/mapper/vm rw
      27 21 0:30 / /mnt rw - nfs 10.0.0.1:/dev/share rw
      """)
    #expect(mounts.map(\.path) == ["/", "/srv/c"])
    #expect(mounts.map(\.device.description) == ["8:1", "253:7"])
    let blank = StorageAbove.mounts("1 0 253:7 / /srv/a\\040b\\134 rw - xfs /dev/mapper/vm rw")
    #expect(blank.map(\.path) == ["/srv/a b\\"])
  }

  @Test(
    "a file system without a block device number is found by its mount source", .needsLoopDevices)
  func bySource() throws {
    let folder = try TemporaryFolder()
    try Data(count: 1 << 20).write(to: URL(filePath: folder.path("image")))
    let device = try LoopDevice(backing: folder.path("image"))
    let mounts = StorageAbove.mounts("1 0 0:44 / /srv rw - btrfs \(device.path) rw")
    #expect(mounts.first?.blockDevices == [try #require(FileSystem.blockDevice(at: device.path))])
  }

  /// A mounted file system on a loop device.
  private final class Disk {
    let folder: TemporaryFolder
    let device: LoopDevice
    let mount: Mount
    private let imagePath: String

    init(in place: String? = nil) throws {
      folder = try TemporaryFolder()
      imagePath = (place ?? folder.path) + "/image"
      try Data(count: place == nil ? 32 << 20 : 4 << 20).write(to: URL(filePath: imagePath))
      device = try LoopDevice(backing: imagePath)
      try Program.mustRun("mkfs.ext4", "-q", device.path)
      let place = folder.path("mounted")
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
      mount = try Mount(device: device.path, at: place)
    }

    var number: DeviceNumber {
      get throws { try #require(FileSystem.blockDevice(at: device.path)) }
    }

    func image() throws -> Data { try Data(contentsOf: URL(filePath: imagePath)) }
  }
}
