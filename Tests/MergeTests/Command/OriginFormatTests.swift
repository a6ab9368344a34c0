import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: origins that contain a known disk format", .waitsForPrograms)
struct OriginFormatTests {
  private static let qcow2: [UInt8] = [0x51, 0x46, 0x49, 0xFB, 0, 0, 0, 3]

  /// Returns a LUKS header with the given UUID, containing only the parts that the format check
  /// reads.
  private static func luks(_ uuid: String) -> [UInt8] {
    Array("LUKS".utf8) + [0xBA, 0xBE, 0, 2] + [UInt8](repeating: 0, count: 160)
      + Array(uuid.utf8) + [UInt8](repeating: 0, count: 40 - uuid.utf8.count)
  }

  /// Returns a case whose origin begins with the given bytes, and whose thin block 0 is mapped only
  /// if `mapsFirst` is true.
  private static func merge(beginning bytes: [UInt8], mapsFirst: Bool = true) throws -> MergeCase {
    let mappings = [ThinMapping].everyThird(count: 8, startingAt: mapsFirst ? 0 : 1)
    let merge = try MergeCase(
      pool: PoolImageBuilder(devices: [ThinDevice(0, mappings)]).build(),
      originByteCount: 25 * 65_536)
    try put(bytes, into: merge.originFile, at: 0)
    return merge
  }

  private static func put(_ bytes: [UInt8], into path: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }

  @Test(
    "every disk image container format is recognized by its signature",
    arguments: [
      (0, [0x51, 0x46, 0x49, 0xFB], .qcow2), (0, Array("KDMV".utf8), .vmdk),
      (0, Array("# Disk DescriptorFile".utf8), .vmdk), (0, Array("conectix".utf8), .vhd),
      (0, Array("vhdxfile".utf8), .vhdx), (64, [0x7F, 0x10, 0xDA, 0xBE], .vdi),
    ] as [(Int, [UInt8], DiskFormat.Container)])
  func magic(offset: Int, bytes: [UInt8], container: DiskFormat.Container) {
    var first = [UInt8](repeating: 0x33, count: 4096)
    #expect(DiskFormat(first: first) == nil)
    first.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    #expect(DiskFormat(first: first) == .container(container))
    #expect(DiskFormat(first: Array(first.prefix(offset + bytes.count - 1))) == nil)
  }

  @Test("merge and plan refuse a disk image container file unless --force-format is given")
  func container() throws {
    let merge = try Self.merge(beginning: Self.qcow2)
    let before = try content(of: merge.originFile)
    let refused = try merge.merge()
    #expect(refused.exitStatus == 2)
    #expect(
      refused.standardError.contains("qcow2") && refused.standardError.contains("--force-format"))
    #expect(try content(of: merge.originFile) == before && merge.newFiles() == [])
    let plan = try merge.plan(["--output", "json"]).report()
    #expect(plan["refused"]?["code"]?.string == "origin-is-container")
    let forced = try merge.plan(["--output", "json", "--force-format"]).report()
    #expect(forced["refused"] == .null)
    let result = try merge.merge(["--force-format"])
    expectSuccess(result)
    #expect(result.standardError.contains("looks like a qcow2 image"))
  }

  @Test("a fixed-size VHD is recognized by its footer")
  func footer() throws {
    let merge = try Self.merge(beginning: [])
    try Self.put(
      Array("conectix".utf8), into: merge.originFile, at: UInt64(25 * 65_536 - 512))
    #expect(try merge.merge().standardError.contains("VHD"))
    try Self.put([0], into: merge.originFile, at: UInt64(25 * 65_536 - 512))
    #expect(try merge.merge().exitStatus == 0)
  }

  @Test(
    "a loop device backed by a container file is refused unless --force-format is given",
    .needsLoopDevices)
  func behindLoopDevice() throws {
    let merge = try Self.merge(beginning: Self.qcow2)
    let device = try LoopDevice(backing: merge.originFile)
    try expectRefusedUnlessForced(merge, onto: device)
  }

  private func expectRefusedUnlessForced(_ merge: MergeCase, onto device: LoopDevice) throws {
    merge.origin = device.path
    let options = ["--yes", "--journal", merge.journal]
    let refused = try merge.merge(options)
    #expect(refused.exitStatus == 2)
    #expect(refused.standardError.contains("qcow2"))
    expectSuccess(try merge.merge(options + ["--force-format"]))
  }

  @Test(
    "a loop device over part of a container file is also refused without --force-format",
    .needsLoopDevices)
  func partOfContainer() throws {
    let merge = try Self.merge(beginning: Self.qcow2)
    try Program.mustRun("truncate", "--size", "+1M", merge.originFile)
    let device = try LoopDevice(backing: merge.originFile, range: 1 << 20..<1 << 20 + 25 * 65_536)
    try expectRefusedUnlessForced(merge, onto: device)
  }

  @Test("--force-format does not have to be repeated when a merge is resumed")
  func resumed() throws {
    let merge = try Self.merge(beginning: Self.qcow2, mapsFirst: false)
    try merge.interruptEarly(["--force-format"])
    expectSuccess(try merge.resume())
  }

  @Test("a LUKS header may be replaced only by an identical one unless --force-format is given")
  func luksHeader() throws {
    let other = try Self.merge(beginning: Self.luks("one"))
    for plan in [try other.plan(["--output", "json"]).report()] {
      #expect(plan["refused"]?["code"]?.string == "origin-is-luks")
    }
    #expect(try other.merge().exitStatus == 2)
    try Self.put(Self.luks("another"), into: other.dataFile, at: 0)
    #expect(try other.merge().exitStatus == 2)
    try Self.put(Self.luks("one"), into: other.dataFile, at: 0)
    expectSuccess(try other.merge())
    let unmapped = try Self.merge(beginning: Self.luks("one"), mapsFirst: false)
    expectSuccess(try unmapped.merge())
    let forced = try Self.merge(beginning: Self.luks("one"))
    expectSuccess(try forced.merge(["--force-format"]))
  }
}
