import MergeEngine
import Testing

@testable import thin_merge

@Suite("LVM: volume names in human-readable text")
struct VolumeNamesTests {
  /// The names of devices that LVM creates for an external origin, a thin volume and its pool, and
  /// the name of a device that LVM did not create.
  private static let names = VolumeNames { node in
    let uuid = "LVM-" + String(repeating: "x", count: 64)
    let device: (name: String, uuid: String)? =
      switch node {
      case "/dev/mapper/v--g-base-real": ("v--g-base-real", uuid + "-real")
      case "/dev/mapper/v--g-vm1": ("v--g-vm1", uuid)
      case "/dev/mapper/v--g-pool-tpool": ("v--g-pool-tpool", uuid + "-tpool")
      case "/dev/mapper/v--g-pool_tmeta": ("v--g-pool_tmeta", uuid + "-tmeta")
      case "/dev/mapper/a-b": ("a-b", "CRYPT-1")
      default: nil
      }
    return device.flatMap { KnownVolume.fullName(mappedName: $0.name, uuid: $0.uuid) }
  }

  @Test(
    "human-readable text shows LVM devices by their LVM names and is otherwise unchanged",
    arguments: [
      ("/dev/mapper/v--g-base-real", "v-g/base"),
      (
        "the origin is in use, /dev/mapper/v--g-base-real: by /dev/mapper/v--g-vm1 (open)",
        "the origin is in use, v-g/base: by v-g/vm1 (open)"
      ),
      ("pool v--g-pool-tpool, (/dev/mapper/v--g-vm1).", "pool v-g/pool, (v-g/vm1)."),
      ("mappings in /dev/mapper/v--g-pool_tmeta", "mappings in /dev/mapper/v--g-pool_tmeta"),
      (
        "/dev/mapper/a-b, /dev/mapper/unknown, other-tpool",
        "/dev/mapper/a-b, /dev/mapper/unknown, other-tpool"
      ),
      (
        "'lsof /dev/mapper/v--g-vm1' shows who has v--g-vm1",
        "'lsof /dev/mapper/v--g-vm1' shows who has v--g-vm1"
      ),
      (
        "dev 3 of pool v--g-pool-tpool stays: dmsetup message v--g-pool-tpool 0 'delete 3'; so does v--g-pool-tpool",
        "dev 3 of pool v-g/pool stays: dmsetup message v--g-pool-tpool 0 'delete 3'; so does v-g/pool"
      ),
      (
        "by: dmsetup message v--g-pool-tpool 0 release_metadata_snap; of pool v--g-pool-tpool",
        "by: dmsetup message v--g-pool-tpool 0 release_metadata_snap; of pool v-g/pool"
      ),
      ("/srv/dev/mapper/v--g-vm1", "/srv/dev/mapper/v--g-vm1"), ("", ""),
    ])
  func text(text: String, shown: String) {
    #expect(Self.names.inText(text) == shown)
  }

  @Test(
    "a hint uses LVM names in its prose and in thin-merge commands, but not in other commands"
  )
  func hint() {
    let hint = "v--g-pool-tpool is in use; merge onto /dev/mapper/v--g-base-real".above(
      "thin-merge merge --again /dev/mapper/v--g-vm1 --origin /dev/mapper/v--g-base-real",
      "thin-merge devices --pool v--g-pool-tpool", "lsof /dev/mapper/v--g-vm1",
      "dmsetup status v--g-pool-tpool")
    #expect(
      TerminalText.lines(ofHint: hint, names: Self.names) == [
        "hint: v-g/pool is in use; merge onto v-g/base:",
        "  thin-merge merge --again v-g/vm1 --origin v-g/base",
        "  thin-merge devices --pool v-g/pool", "  lsof /dev/mapper/v--g-vm1",
        "  dmsetup status v--g-pool-tpool",
      ])
  }

  @Test(
    "an inactive origin is shown by the name that the journal records, whichever layer is named")
  func remembered() {
    var status = SampleReport.status
    status.originPath = "/dev/mapper/remembered-origin-real"
    status.originName = "remembered/origin"
    status.rememberOriginName()
    #expect(
      TerminalText.forPeople(
        "interrupted, /dev/mapper/remembered-origin: onto /dev/mapper/remembered-origin-real")
        == "interrupted, remembered/origin: onto remembered/origin")
  }

  @Test("an origin that a handover renamed is shown by its new name")
  func renamed() {
    var status = SampleReport.status
    status.originPath = "/dev/mapper/remembered-base-real"
    status.originName = "remembered/base"
    status.isHandedOver = true
    status.handover = VolumeHandover(
      groupName: "remembered", thinName: "vm", originName: "base", groupUUID: "g", thinUUID: "t",
      originUUID: "o", takesName: true, staysActive: false)
    status.rememberOriginName()
    #expect(
      TerminalText.forPeople("/dev/mapper/remembered-base-real agrees") == "remembered/vm agrees")
  }
}
