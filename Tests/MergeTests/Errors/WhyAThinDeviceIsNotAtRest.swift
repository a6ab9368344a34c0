import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

/// Thin devices, snapshots and origins of an active pool that somebody uses, or that could not be changed.
enum WhyAThinDeviceIsNotAtRest {
  static let rows = thinDevices + snapshots + restarted + origins

  private static let thinDevices: [ErrorRow] = [
    row(
      "open", .busy,
      """
      the thin device is in use, /dev/mapper/vm: it is writable and open: mounted, or used \
      by another program
      """,
      hints: [
        """
        unmount it, or give --snapshot to merge a snapshot of it as it is now; 'lsblk \
        /dev/mapper/vm' shows who uses it
        """
      ]
    ) { try $0.addThin() },
    row(
      "open and read-only", .busy,
      """
      the thin device is in use, /dev/mapper/vm: it is read-only and open: who opened it \
      before that may still write
      """,
      hints: [
        """
        unmount it, or give --snapshot to merge a snapshot of it as it is now; 'lsblk \
        /dev/mapper/vm' shows who uses it
        """
      ]
    ) { pool in
      try pool.addThin()
      pool.mapper.mapped[1].isReadOnly = true
    },
    row(
      "about to be changed", .busy,
      """
      the thin device is about to be changed, /dev/mapper/alias: a table with dev 5 in it \
      was loaded and is not live yet
      """, hints: ["'dmsetup clear alias' drops that table, 'dmsetup resume alias' makes it live"]
    ) { pool in
      var thin = try pool.thin("alias")
      thin.inactiveTable = thin.liveTable
      thin.liveTable = []
      pool.mapper.mapped.append(thin)
    },
    row(
      "suspended", .busy,
      """
      the thin device is suspended, /dev/mapper/vm: somebody is about to change something \
      about it
      """, hints: ["'dmsetup resume vm' if nobody is"]
    ) { pool in
      try pool.addThin()
      pool.mapper.mapped[1].isSuspended = true
    },
    row(
      "that cannot be removed", .busy,
      """
      cannot remove the thin device for the time of the merge, /dev/mapper/vm: Device or \
      resource busy
      """, hints: ["it is writable and must not change; --snapshot merges a snapshot of it"]
    ) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.fails["remove"] = .resourceBusy
    },
    ErrorRow(
      "activated in mid-merge", .stopped,
      """
      the thin device was activated during the merge, /dev/mapper/vm: what it wrote may be \
      merged in part, or not at all
      """,
      hints: [
        "deactivate it and resume: everything is compared again",
        "to go on: thin-merge resume JOURNAL",
      ]
    ) {
      let pool = try ActivePool()
      let thin = try pool.thin()
      return pool.saidOfMerge(whenAsked: { pool.mapper.mapped.append(thin) })
    },
    row(
      "that cannot be put back", .stopped,
      """
      merged, but not everything was put back as it was, the pool: could not put the thin \
      device back, /dev/mapper/vm: Input/output error; it is made by: dmsetup create vm \
      --uuid THIN-vm --table '0 3072 thin 253:300 5 NUMBER'
      """, hints: ["the next run of any verb on that pool tries again"],
      PoolOptions(reactivates: true)
    ) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.fails["make"] = .ioError
    },
  ]

  private static let snapshots: [ErrorRow] = [
    row(
      "shown twice", .busy,
      """
      the thin device is in use, /dev/mapper/vm: it can be written to through 2 devices, \
      and a snapshot needs them suspended together: vm, alias
      """, hints: ["'dmsetup remove' takes away those that are not needed"], snapshot
    ) { pool in
      try pool.addThin()
      try pool.addThin("alias", minor: 302)
    },
    row(
      "of a pool that is full", .refused,
      """
      cannot make a snapshot of the thin device, pool: the pool is full or read-only, and \
      suspending the thin device would wait for it
      """, hints: ["extend the pool; or stop what uses the thin device, and leave --snapshot out"],
      snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.mode = "out_of_data_space"
    },
    row(
      "refused by the kernel", .refused,
      "cannot make a snapshot of the thin device, /dev/mapper/vm: Input/output error",
      hints: ["see 'dmsetup status pool' and the kernel's log"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["create_snap"] = .ioError
    },
    row(
      "interrupted", .stopped,
      """
      interrupted, /dev/mapper/vm: a signal came while it was being suspended; nothing was \
      written
      """, snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["suspend"] = .interrupted
    },
    row(
      "without a number left", .refused,
      """
      cannot make a snapshot of the thin device, /dev/mapper/vm: the ids 16777200 to \
      16777215 are all in use
      """, hints: ["'thin-merge devices --pool pool' lists them; delete those that nobody needs"],
      snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["create_snap"] = .fileExists
    },
    row(
      "whose thin device cannot be resumed", .stopped,
      "cannot resume the thin device, /dev/mapper/vm: Input/output error",
      hints: ["what uses it waits until it is resumed: 'dmsetup resume vm'"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.resumeFails = .ioError
    },
    row(
      "whose thin device still cannot be resumed", .busy,
      """
      cannot resume the thin device that an earlier run suspended, /dev/mapper/vm: \
      Input/output error
      """, hints: ["what uses it waits until it is resumed: 'dmsetup resume vm'"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.resumeFails = .ioError
      _ = pool.merge(.device("vm"), snapshot)
      pool.mapper.fails["resume"] = .ioError
    },
    row(
      "of another thin device, not merged yet", .busy,
      """
      another snapshot in this pool is being merged, pool: dev 16777215, made of dev 5 by \
      an earlier run
      """, hints: ["finish that merge first, or give it up with --restart"], snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.mapped[1].liveTable[0].arguments.replace(" 5 ", with: " 6 ")
    },
    row(
      "merged in part, and not asked for", .refused,
      """
      a snapshot of the thin device is being merged, pool: an earlier run made dev \
      16777215 of dev 5 for that
      """, hints: ["--snapshot goes on with it; --restart deletes it and begins again"]
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
    },
    row(
      "merged in part, and in use", .busy,
      """
      the snapshot that is merged is in use, /dev/mapper/looked-at: dev 16777215 is for \
      this merge only
      """, hints: ["'dmsetup remove looked-at' frees it"], snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.mapped.append(
        try pool.thin("looked-at", id: 16_777_215, minor: 305, hasOrigin: false))
    },
    row(
      "merged in part, and gone", .refused,
      "the snapshot that an earlier run made is gone, pool: there is no dev 16777215",
      hints: ["--restart makes a new one; what is merged already is then merged again"], snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      try pool.mapper.send("delete 16777215", to: SimulatedDeviceMapper.poolNumber)
    },
    row(
      "merged in part, and another one since", .refused,
      """
      the snapshot that an earlier run made is gone, pool: dev 16777215 is another one
      """, hints: ["--restart makes a new one; what is merged already is then merged again"],
      snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      try pool.mapper.send("delete 16777215", to: SimulatedDeviceMapper.poolNumber)
      try pool.mapper.send("create_snap 1 5", to: SimulatedDeviceMapper.poolNumber)
      try pool.mapper.send("create_snap 16777215 5", to: SimulatedDeviceMapper.poolNumber)
    },
    row(
      "merged, and not deleted", .stopped,
      """
      merged, but not everything was put back as it was, the pool: cannot delete the \
      snapshot that was made for a merge, pool: dev 16777215: Device or resource busy; the \
      next run tries again
      """, hints: ["the next run of any verb on that pool tries again"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["delete"] = .resourceBusy
    },
    row(
      "merged, and still not deleted", .busy,
      """
      a snapshot that is merged could not be deleted yet, pool: dev 16777215, made of dev \
      5
      """, hints: ["the next run tries again"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["delete"] = .resourceBusy
      _ = pool.merge(.device("vm"), snapshot)
    },
  ]

  private static let restarted: [ErrorRow] = [
    ErrorRow(
      "of an earlier run, and not to be deleted", .busy,
      """
      cannot delete the snapshot that was made for a merge, pool: dev 16777215: Device or \
      resource busy
      """, hints: ["the next run tries again, or: dmsetup message pool 0 'delete 16777215'"],
      pool: .device("vm"),
      options: snapshot, restarts: true
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.fails["delete"] = .resourceBusy
    },
    row(
      "device-mapper that stops answering", .refused,
      "cannot look at device-mapper's devices, pool: Permission denied",
      hints: ["that takes root; the kernel's log may say more"], snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in
        mapper.fails["devices"] = .permissionDenied
      }
    },
  ]

  private static let origins: [ErrorRow] = [
    row(
      "an origin that others show", .refused,
      """
      other thin devices show this origin, ORIGIN: what they show would change: sibling
      """, hints: ["if that is wanted: --other-users-ok"]
    ) { pool in
      pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    },
    ErrorRow(
      "an origin that others may show", .refused,
      """
      other thin devices may show this origin, pool: the pool has thin devices that are \
      not active, and nothing tells whether they are on this origin: dev 9 (shares \
      blocks), 6, 7
      """,
      hints: [
        """
        what they show would change; if they have another origin, or none: --other-users-ok
        """
      ]
    ) {
      let pool = try ActivePool(otherIDs: [6, 7])
      try pool.mapper.send("create_snap 9 5", to: SimulatedDeviceMapper.poolNumber)
      return pool.saidOfMerge()
    },
    ErrorRow(
      "an origin that very many may show", .refused,
      """
      other thin devices may show this origin, pool: the pool has thin devices that are \
      not active, and nothing tells whether they are on this origin: dev 10, 11, 12, 13, \
      14, 15, 16, 17, 18, 19 and 3 more
      """,
      hints: [
        """
        what they show would change; if they have another origin, or none: --other-users-ok
        """
      ]
    ) {
      try ActivePool(otherIDs: Array(10...22)).saidOfMerge()
    },
    row(
      "an origin that is suspended", .busy,
      "the origin is suspended, /dev/mapper/base: writes to it would wait",
      hints: ["'dmsetup resume base'"]
    ) { pool in
      try pool.addBase()
      pool.mapper.mapped[1].isSuspended = true
    },
    row(
      "an origin that is read-only", .refused,
      """
      cannot write to the origin, ORIGIN: device-mapper has it read-only, as LVM does with \
      external origins
      """, hints: ["--make-origin-writable lifts that for the time of the merge"]
    ) { try $0.addBase(isReadOnly: true) },
    row(
      "an origin that is read-only for good", .refused,
      """
      cannot write to the origin, ORIGIN: device-mapper has it read-only, and only linear \
      and striped devices are made writable here
      """, hints: ["make it writable, then give the same command again"]
    ) {
      try $0.addBase(isReadOnly: true, kind: "crypt")
    },
    row(
      "an origin that cannot be made writable", .refused,
      "cannot make the origin writable, /dev/mapper/base: Device or resource busy",
      hints: ["what lies under it may be read-only: see 'lsblk -s /dev/mapper/base'"],
      PoolOptions(makesOriginWritable: true)
    ) { pool in
      try pool.addBase(isReadOnly: true)
      pool.mapper.fails["reload"] = .resourceBusy
    },
    row(
      "an origin that another device lies on", .busy,
      "the origin is in use, /dev/mapper/base: /dev/mapper/crypt lies on it",
      hints: ["see 'lsblk /dev/mapper/base'"]
    ) { pool in
      try pool.addBase()
      let number = DeviceNumber(major: 253, minor: 401)
      pool.mapper.mapped.append(MappedDevice(name: "crypt", number: number, liveTable: []))
      pool.mapper.holders[pool.mapper.mapped[1].number] = [number]
    },
  ]

  // MARK: Preparing

  private static let snapshot = PoolOptions(takesSnapshot: true)

  /// A merge of `vm` where there is such a device, or else of number 5.
  private static func row(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String,
    hints: [String] = [], _ options: PoolOptions = PoolOptions(),
    prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) -> ErrorRow {
    ErrorRow(situation, exitStatus, message, hints: hints) {
      let pool = try ActivePool()
      try prepare(pool)
      let isActive = pool.mapper.mapped.contains { $0.name == "vm" }
      return pool.saidOfMerge(
        isActive ? .device("vm") : .member(pool: "pool", deviceID: 5), options)
    }
  }
}

extension ActivePool {
  /// A thin device that somebody has open.
  fileprivate func addThin(
    _ name: String = "vm", minor: UInt32 = 301, openCount: Int = 1
  ) throws {
    var thin = try thin(name, minor: minor)
    thin.openCount = openCount
    mapper.mapped.append(thin)
  }

  /// A merge from a snapshot that began to write and did not finish.
  fileprivate func leaveSnapshot() throws {
    // The data device ends too early, so some blocks cannot be read.
    let options = PoolOptions(takesSnapshot: true)
    try Program.mustRun("truncate", "--size", "2M", folder.path("data.img"))
    _ = merge(.device("vm"), options)
    try Program.mustRun("truncate", "--size", "16M", folder.path("data.img"))
  }
}

@Suite(
  "Errors: why a thin device or an origin is not at rest", .waitsForPrograms, .needsLoopDevices)
struct RestErrorTests {
  @Test("in these words", arguments: WhyAThinDeviceIsNotAtRest.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }
}
