import Foundation
import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite(
  "Command: listing thin devices that have an external origin", .needsLoopDevices,
  .waitsForPrograms)
struct ListTests {
  private typealias Volume = SimulatedLVM.Volume

  private static func list(_ volumes: InactiveVolumes) throws -> [ThinDeviceListing] {
    var listed: [ThinDeviceListing] = []
    let outcome = volumes.pool.run { merger throws(MergeError) in
      listed = try merger.thinDevices()
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    return listed
  }

  @Test("an inactive thin volume is listed with its origin and pool, and nothing is activated")
  func inactive() throws {
    let volumes = try InactiveVolumes([Volume(name: "data", pool: "pool", thinID: "6")])
    let listed = try Self.list(volumes)
    #expect(listed.map(\.name) == ["vg/vm"])
    let device = try #require(listed.first)
    #expect(device.originName == "vg/base" && device.poolName == "vg/pool")
    #expect(!device.isActive && device.ownByteCount == nil && device.merge == nil)
    #expect(device.obstacles == [])
    #expect(volumes.changes == [])
  }

  @Test(
    "the list shows obstacles to a merge, such as an open device or other volumes on the origin")
  func obstacles() throws {
    let volumes = try InactiveVolumes([
      Volume(name: "vm2", pool: "pool", origin: "base", thinID: "6")
    ])
    volumes.activate("vm")
    volumes.pool.mapper.mapped[0].openCount = 1
    let device = try #require(try Self.list(volumes).first { $0.name == "vg/vm" })
    #expect(device.isActive && device.openCount == 1)
    #expect(device.obstacles.map(\.code) == [.thinDeviceInUse, .originShared])
    let text = ListText(devices: [device]).text
    #expect(text.contains("vg/vm: vg/vm2 is also on vg/base."), "\(text)")
  }

  @Test("thin devices are listed in a text table, followed by the obstacles to merging them")
  func table() {
    #expect(
      ListText(devices: [.full, .bare]).text == """
        thin device  origin    pool        size    own  state            merge
        vg/vm        vg/base   vg/pool    1 TiB  1 GiB  mounted at /srv  unfinished, 75%
        thin1        /dev/sdb  pool     0 bytes      ?  inactive         none

        Obstacles to a merge:
          vg/vm: it is open.

        """)
    #expect(ListText(devices: []).text.hasPrefix("No thin device on this system has"))
  }
}

extension ThinDeviceListing {
  static var full: ThinDeviceListing {
    ThinDeviceListing(
      name: "vg/vm", poolName: "vg/pool", originName: "vg/base", deviceID: .max >> 8,
      byteCount: 1 << 40, ownByteCount: 1 << 30, isActive: true, openCount: 2, mountPath: "/srv",
      merge: SampleReport.status,
      obstacles: [Obstacle(code: .thinDeviceInUse, text: "it is open")])
  }

  static var bare: ThinDeviceListing {
    ThinDeviceListing(
      name: "thin1", poolName: "pool", originName: "/dev/sdb", deviceID: 0, byteCount: 0,
      ownByteCount: nil, isActive: false, openCount: 0, mountPath: nil, merge: nil, obstacles: [])
  }
}

extension JournalListing {
  static var samples: [JournalListing] {
    [
      JournalListing(path: "/j", status: SampleReport.status),
      JournalListing(path: "/\u{FFFD}", error: .noJournal("/j")),
    ]
  }
}

@Suite("Command: lines written to the systemd journal")
struct JournalLinesTests {
  @Test(
    "in the systemd journal, each error, hint, note and progress line starts with its priority")
  func priorities() {
    let lines = Mutex("")
    let messages = Messages(format: .text, isForJournal: true) { text, _ in
      lines.withLock { $0 += text }
    }
    messages.failure(.usage("no such option", hint: "see the manual"))
    messages.note(.stopping)
    messages.progress(
      ProgressSample.line(.merging, done: 1, of: 2, after: .seconds(1)), as: .text)
    let starts = lines.withLock { $0 }.split(separator: "\n").map { $0.prefix(9) }
    #expect(starts == ["<3>thin-m", "<3>hint: ", "<5>thin-m", "<6>thin-m"])
  }

  @Test("standard error counts as the systemd journal only if JOURNAL_STREAM matches it")
  func elsewhere() {
    #expect(!StandardStream.errorIsJournal(variables: [:]))
    #expect(!StandardStream.errorIsJournal(variables: ["JOURNAL_STREAM": "1:2"]))
  }

  @Test("progress is printed every minute to the systemd journal, and every 5 seconds to a file")
  func interval() {
    let style = ProgressDisplay.style(
      .auto, format: .text, canMoveCursor: false, isForJournal: true)
    #expect(style.interval == .seconds(60))
    #expect(
      ProgressDisplay.style(.auto, format: .text, canMoveCursor: false).interval == .seconds(5))
  }
}
