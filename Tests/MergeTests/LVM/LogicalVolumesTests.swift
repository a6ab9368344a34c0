import MergeEngine
import Testing

@Suite("LVM: parsing the volumes of a group as listed by lvs")
struct LogicalVolumesTests {
  private typealias Volume = SimulatedLVM.Volume

  /// Returns the volumes that lvm2 2.03.16 lists for a cached external origin and its thin volumes,
  /// and for an external origin that is in another pool.
  private static func volumes() throws -> LogicalVolumes {
    let lvm = SimulatedLVM([
      Volume(name: "base", pool: "[c_cpool]", origin: "[base_corig]"),
      Volume(name: "[base_corig]"),
      Volume(name: "pool", transactionID: "7", data: "[pool_tdata]"),
      Volume(name: "[pool_tdata]"),
      Volume(name: "vm1", pool: "pool", origin: "base", thinID: "3", byteCount: 32 << 20),
      Volume(name: "snap", pool: "pool", origin: "vm1", thinID: "4"),
      Volume(name: "pool2", transactionID: "2", data: "[pool2_tdata]"),
      Volume(name: "image", pool: "pool2", thinID: "1"),
      Volume(name: "vm2", pool: "pool", origin: "image", thinID: "5"),
      Volume(name: "alone", pool: "pool", thinID: "6"),
      Volume(name: "clone", pool: "pool", origin: "alone", thinID: "7"),
      Volume(name: "classic", origin: "base"),
    ])
    return try #require(try LogicalVolumes(.name("vg"), run: lvm.run))
  }

  @Test(
    "a thin volume's external origin is the volume underneath it that is not in the same pool",
    arguments: [
      ("vm1", "base"), ("snap", "base"), ("vm2", "image"), ("alone", nil), ("clone", nil),
      ("image", nil),
    ])
  func externalOrigin(name: String, origin: String?) throws {
    let volumes = try Self.volumes()
    let volume = try #require(volumes[name])
    #expect(volumes.externalOrigin(of: volume)?.name == origin)
  }

  @Test("a thin volume has a device ID, size and pool, while a cached volume has no thin pool")
  func fields() throws {
    let volumes = try Self.volumes()
    let vm1 = try #require(volumes["vm1"])
    #expect(vm1.deviceID == 3)
    #expect(vm1.byteCount == 32 << 20)
    #expect(volumes.pool(of: vm1)?.transactionID == 7)
    #expect(volumes.pool(of: vm1)?.data == "pool_tdata")
    #expect(volumes["base"]?.pool == nil)
    #expect(volumes.name(of: vm1) == "vg/vm1")
  }

  @Test(
    "an origin's thin volumes are distinguished from its classic snapshots and hidden volumes")
  func users() throws {
    let volumes = try Self.volumes()
    let base = try #require(volumes["base"])
    #expect(volumes.thinVolumes(on: base).map(\.name) == ["vm1", "snap"])
    #expect(volumes.classicSnapshots(of: base).map(\.name) == ["classic"])
  }

  @Test("a volume's device-mapper name and UUID match LVM's scheme, with dashes in names doubled")
  func mappedDevice() {
    let volume = KnownVolume(
      group: "v-g", name: "vm-1", groupUUID: "abcdef-ghij", uuid: "klmnop-qrst")
    #expect(volume.mappedName(layer: "-real") == "v--g-vm--1-real")
    #expect(volume.mappedUUID(layer: "-real") == "LVM-abcdefghijklmnopqrst-real")
    #expect(volume.fullName == "v-g/vm-1")
  }

  @Test(
    "an lvs report without volumes, or no report at all, yields no volume group",
    arguments: [nil, "", "{}", #"{"report":[]}"#, #"{"report":[{"lv":[]}]}"#])
  func noGroup(text: String?) throws {
    let end: MergeEngine.Program.End =
      text.map { .succeeded(output: $0) } ?? .failed(words: "")
    #expect(try LogicalVolumes(.name("vg"), run: { _ in end }) == nil)
  }
}
