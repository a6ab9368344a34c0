import MergeEngine
import Testing

@Suite("Pool: device-mapper tables, status lines and names")
struct ThinTablesTests {
  @Test(
    "a thin device's table is parsed into pool, ID and origin, even with minor numbers above 255")
  func thin() throws {
    let line = TableLine(sectorCount: 2048, kind: "thin", arguments: "254:300 7 7:65536 ")
    let thin = try #require(ThinTarget(line))
    #expect(thin.pool == DeviceNumber(major: 254, minor: 300))
    #expect(thin.deviceID == 7)
    #expect(thin.origin == DeviceNumber(major: 7, minor: 65536))
    #expect(thin.sectorCount == 2048)
    #expect(
      ThinTarget(TableLine(sectorCount: 1, kind: "thin", arguments: "254:0 5"))?.origin == nil)
  }

  @Test(
    "a table line that is not a valid thin target is rejected",
    arguments: [
      ("linear", "7:0 0"), ("thin", "254:0"), ("thin", "pool 5"), ("thin", "254:0 x"), ("thin", ""),
    ])
  func noThin(kind: String, arguments: String) {
    #expect(ThinTarget(TableLine(sectorCount: 1, kind: kind, arguments: arguments)) == nil)
  }

  @Test("a pool's table is parsed into its metadata device, data device and block size")
  func pool() throws {
    let line = TableLine(
      sectorCount: 9, kind: "thin-pool", arguments: "254:1 254:2 384 0 1 skip_block_zeroing ")
    let pool = try #require(PoolTarget([line]))
    #expect(pool.metadata == DeviceNumber(major: 254, minor: 1))
    #expect(pool.data == DeviceNumber(major: 254, minor: 2))
    #expect(pool.blockByteCount == 192 << 10)
    #expect(PoolTarget([line, line]) == nil)
    #expect(PoolTarget([]) == nil)
  }

  @Test(
    "a pool's status is parsed with or without the fields that newer kernels add",
    arguments: [
      ("1 1651/16384 3/2048 38 rw discard_passdown queue_if_no_space - 1024 ", 38, false),
      ("1 1651/16384 3/2048 - ro no_discard_passdown error_if_no_space needs_check 8 ", nil, true),
      ("1 1651/16384 3/2048 - out_of_data_space ignore_discard queue_if_no_space ", nil, false),
    ] as [(String, UInt64?, Bool)])
  func status(words: String, heldRoot: UInt64?, needsCheck: Bool) throws {
    let status = try #require(
      PoolStatus([TableLine(sectorCount: 1, kind: "thin-pool", arguments: words)]))
    #expect(status.heldRoot == heldRoot)
    #expect(status.needsCheck == needsCheck)
  }

  @Test(
    "a pool must have 2% of its metadata blocks, and at least 16 blocks, free",
    arguments: [
      ("4016/4096", 80, 81), ("241/256", 15, 16), ("300/256", 0, 16),
      ("0/1000000", 1_000_000, 20_000),
    ] as [(String, UInt64, UInt64)])
  func metadataUsage(usage: String, free: UInt64, min: UInt64) throws {
    let words = "1 \(usage) 3/2048 - rw discard_passdown queue_if_no_space - 1024 "
    let status = try #require(
      PoolStatus([TableLine(sectorCount: 1, kind: "thin-pool", arguments: words)]))
    #expect(status.freeMetadataBlockCount == free)
    #expect(status.freeMetadataBlockCountMin == min)
  }

  @Test(
    "the status of a pool that has failed in the kernel is rejected",
    arguments: ["Fail", "Error", "-", ""])
  func failed(words: String) {
    #expect(PoolStatus([TableLine(sectorCount: 1, kind: "thin-pool", arguments: words)]) == nil)
  }

  @Test(
    "a logical volume is recognized by any form of its name",
    arguments: [
      ("vg/vm1", "vg", "vm1"), ("/dev/vg/vm1", "vg", "vm1"), ("/dev/mapper/vg-vm1", "vg", "vm1"),
      ("/dev/mapper/my--vg-lv--1", "my-vg", "lv-1"), ("my-vg/lv-1", "my-vg", "lv-1"),
    ])
  func logicalVolumes(text: String, group: String, volume: String) throws {
    let name = try #require(ThinDeviceName(text).logicalVolume)
    #expect(name == (group, volume))
  }

  @Test(
    "text that is not the name of a logical volume is rejected",
    arguments: [
      "vm1", "/dev/sda", "/dev/mapper/vm1", "a/b/c", "/", "", "-a/b", "vg/", "/dev/mapper/a-b-c",
    ])
  func noLogicalVolumes(text: String) {
    #expect(ThinDeviceName(text).logicalVolume == nil)
  }

  @Test("the mapped name of an LVM volume doubles the dashes in group and volume names")
  func dashes() {
    #expect(ThinDeviceName.mappedName(group: "my-vg", volume: "a--b") == "my--vg-a----b")
  }

  @Test("special characters in a device node's name are escaped the way libdevmapper escapes them")
  func nodes() {
    let device = MappedDevice(
      name: "a b/é", number: DeviceNumber(major: 1, minor: 1), liveTable: [])
    #expect(device.path == #"/dev/mapper/a\x20b\x2f\xc3\xa9"#)
  }
}
