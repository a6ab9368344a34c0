import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Errors: thin devices and origins in use", .waitsForPrograms, .needsLoopDevices)
struct ThinDeviceErrorTests {
  @Test(
    "every thin device or origin in use causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = thinDevices + snapshots + restarted + origins

  private static let thinDevices: [ErrorSituation] = [
    row("the thin device is open", "thin-device-in-use", .busy) { try $0.addThin() },
    row("the thin device is open and read-only", "thin-device-in-use", .busy) { pool in
      try pool.addThin()
      pool.mapper.mapped[1].isReadOnly = true
    },
    row("a table of the thin device is loaded and not live", "thin-device-changing", .busy) {
      pool in
      var thin = try pool.thin("alias")
      thin.inactiveTable = thin.liveTable
      thin.liveTable = []
      pool.mapper.mapped.append(thin)
    },
    row("the thin device is suspended", "thin-device-suspended", .busy) { pool in
      try pool.addThin()
      pool.mapper.mapped[1].isSuspended = true
    },
    row("the thin device cannot be removed", "cannot-remove-thin-device", .busy, itself) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.fails["remove"] = .resourceBusy
    },
    ErrorSituation(
      "the thin device is activated during the merge", "thin-device-activated", .stopped
    ) {
      let pool = try ActivePool()
      let thin = try pool.thin()
      pool.whenMerging = { pool.mapper.mapped.append(thin) }
      return pool.reportedByMerge(.member(pool: "pool", deviceID: 5), itself)
    },
    ErrorSituation(
      "a mapped device is made and removed during the merge of a thin device itself",
      "thin-device-maybe-activated", .stopped
    ) {
      let pool = try ActivePool()
      let thin = try pool.thin()
      pool.whenMerging = {
        pool.mapper.mapped.append(thin)
        pool.mapper.mapped.removeLast()
      }
      return pool.reportedByMerge(.member(pool: "pool", deviceID: 5), itself)
    },
    row(
      "the thin device cannot be put back", "not-put-back", .stopped,
      PoolOptions(mergesThinDeviceItself: true, reactivates: true)
    ) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.fails["make"] = .ioError
    },
  ]

  private static let snapshots: [ErrorSituation] = [
    row(
      "the thin device to be snapshotted is shown twice", "thin-device-in-use-twice", .busy,
      snapshot
    ) { pool in
      try pool.addThin()
      try pool.addThin("alias", minor: 302)
    },
    row(
      "the pool of the thin device to be snapshotted is full", "pool-takes-no-snapshot", .refused,
      snapshot
    ) {
      pool in
      try pool.addThin()
      pool.mapper.mode = "out_of_data_space"
    },
    row("the kernel does not make the snapshot", "cannot-make-snapshot", .refused, snapshot) {
      pool in
      try pool.addThin()
      pool.mapper.fails["create_snap"] = .ioError
    },
    row(
      "a signal comes while the thin device is being suspended", "interrupted", .stopped, snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.fails["suspend"] = .interrupted
    },
    row("no number for a snapshot is left", "snapshot-ids-used-up", .refused, snapshot) { pool in
      try pool.addThin()
      pool.mapper.fails["create_snap"] = .fileExists
    },
    row(
      "the snapshotted thin device cannot be resumed", "cannot-resume-thin-device", .stopped,
      snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.resumeFails = .ioError
    },
    row(
      "the thin device that an earlier run suspended cannot be resumed",
      "cannot-resume-thin-device", .busy, snapshot
    ) { pool in
      try pool.addThin()
      pool.mapper.resumeFails = .ioError
      _ = pool.merge(.device("vm"), snapshot)
      pool.mapper.fails["resume"] = .ioError
    },
    row(
      "the thin device is resumed by others while its snapshot is made", "thin-device-resumed",
      .busy
    ) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.resumedByOthers = 2
    },
    row("the thin device cannot be suspended in time", "suspend-too-long", .busy) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.fails["suspend"] = .timerExpired
    },
    row(
      "the thin device is activated while its snapshot is made", "thin-device-just-activated", .busy
    ) {
      pool in
      let thin = try pool.thin("started")
      pool.mapper.told = { [unowned mapper = pool.mapper] step in
        if step.hasPrefix("create_snap") { mapper.mapped.append(thin) }
      }
    },
    row(
      "a snapshot is merged in part, and the thin device is wanted", "snapshot-unfinished",
      .refused, itself
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.mapped[1].openCount = 0
    },
    row(
      "a snapshot is merged in part, and another thin device has the number",
      "snapshot-of-another", .refused, snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      try pool.mapper.replaceBySomebodyElse(
        5, with: Fixtures.ThinDevice(5, [ThinMapping(2, 70)], creationTime: 9))
    },
    row("a snapshot that is merged in part is in use", "snapshot-in-use", .busy, snapshot) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.mapped.append(
        try pool.thin("looked-at", id: 16_777_215, minor: 305, hasOrigin: false))
    },
    row("a snapshot that is merged in part is gone", "snapshot-gone", .refused, snapshot) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      try pool.mapper.send("delete 16777215", to: SimulatedDeviceMapper.poolNumber)
    },
    row(
      "another thin device has the number of a snapshot that is merged in part", "snapshot-gone",
      .refused, snapshot
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      try pool.mapper.send("delete 16777215", to: SimulatedDeviceMapper.poolNumber)
      try pool.mapper.send("create_snap 1 5", to: SimulatedDeviceMapper.poolNumber)
      try pool.mapper.send("create_snap 16777215 5", to: SimulatedDeviceMapper.poolNumber)
    },
    row("a snapshot that is merged cannot be deleted", "not-put-back", .stopped, snapshot) { pool in
      try pool.addThin()
      pool.mapper.fails["delete"] = .resourceBusy
    },
    ErrorSituation(
      "a snapshot that an earlier run merged is still there", "snapshot-left", .busy
    ) {
      let pool = try ActivePool()
      try pool.addThin()
      pool.mapper.fails["delete"] = .resourceBusy
      _ = pool.merge(.device("vm"), snapshot)
      return pool.reportedByMerge(.device("vm"), snapshot, again: true)
    },
  ]

  private static let restarted: [ErrorSituation] = [
    ErrorSituation(
      "a snapshot that is given up cannot be deleted", "not-put-back", .stopped,
      pool: .device("vm"), options: snapshot, restarts: true
    ) { pool in
      try pool.addThin()
      try pool.leaveSnapshot()
      pool.mapper.fails["delete"] = .resourceBusy
    },
    row(
      "a snapshot of a thin device that others resumed cannot be deleted", "cannot-delete-snapshot",
      .busy
    ) { pool in
      try pool.addThin(openCount: 0)
      pool.mapper.resumedByOthers = 1
      pool.mapper.fails["delete"] = .resourceBusy
    },
    ErrorSituation(
      "LVM has numbers as high as those of snapshots", "numbers-of-lvm-too-high", .refused,
      pool: ofLVM, options: others
    ) { pool in
      try pool.addNumberOfLVM()
      pool.runProgram = {
        SimulatedLVM([.init(name: "high", pool: "pool", thinID: "16777000")], transactionID: 1)
          .run($0)
      }
    },
    ErrorSituation(
      "LVM does not tell its numbers", "lvm-silent", .busy, pool: ofLVM, options: others
    ) { pool in
      try pool.addNumberOfLVM()
      pool.runProgram = { _ in .noAnswer }
    },
    ErrorSituation("the pool fills up while the question stands", "pool-changed", .busy) {
      let pool = try ActivePool()
      return pool.reportedByMerge(whenAsked: { pool.mapper.usedDataBlockCount = 250 })
    },
    row("device-mapper stops answering", "no-device-mapper", .refused, snapshot) { pool in
      try pool.addThin()
      pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in
        mapper.fails["devices"] = .permissionDenied
      }
    },
  ]

  private static let origins: [ErrorSituation] = [
    row("another thin device shows the origin", "origin-shared", .refused) { pool in
      pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    },
    ErrorSituation(
      "thin devices that are not active may show the origin", "origin-maybe-shared", .refused
    ) {
      let pool = try ActivePool(otherIDs: [6, 7])
      try pool.mapper.send("create_snap 9 5", to: SimulatedDeviceMapper.poolNumber)
      return pool.reportedByMerge()
    },
    ErrorSituation(
      "very many thin devices that are not active may show the origin", "origin-maybe-shared",
      .refused
    ) {
      try ActivePool(otherIDs: Array(10...22)).reportedByMerge()
    },
    row("the origin is suspended", "origin-suspended", .busy) { pool in
      try pool.addBase()
      pool.mapper.mapped[1].isSuspended = true
    },
    row("device-mapper has the origin read-only", "origin-read-only", .refused) {
      try $0.addBase(isReadOnly: true)
    },
    row(
      "the read-only origin is of a target that is not made writable", "origin-read-only-for-good",
      .refused
    ) {
      try $0.addBase(isReadOnly: true, kind: "crypt")
    },
    row(
      "the origin cannot be made writable", "cannot-make-origin-writable", .refused,
      PoolOptions(makesOriginWritable: true)
    ) { pool in
      try pool.addBase(isReadOnly: true)
      pool.mapper.fails["reload"] = .resourceBusy
    },
    row("another mapped device lies on the origin", "origin-in-use", .busy) { pool in
      try pool.addBase()
      let number = DeviceNumber(major: 253, minor: 401)
      pool.mapper.mapped.append(MappedDevice(name: "crypt", number: number, liveTable: []))
      pool.mapper.holders[pool.mapper.mapped[1].number] = [number]
    },
  ]

  // MARK: Preparation

  private static let ofLVM = ThinDeviceReference.member(pool: "vg-pool-tpool", deviceID: 5)
  private static let others = PoolOptions(allowsOtherUsers: true)
  private static let itself = PoolOptions(mergesThinDeviceItself: true)
  private static let snapshot = PoolOptions(allowsOpenThinDevice: true)

  /// Returns a situation in which the device `vm` is merged, or device 5 if there is no `vm`.
  private static func row(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    _ options: PoolOptions = PoolOptions(),
    prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, exitStatus) {
      let pool = try ActivePool()
      try prepare(pool)
      let isActive = pool.mapper.mapped.contains { $0.name == "vm" }
      return pool.reportedByMerge(
        isActive ? .device("vm") : .member(pool: "pool", deviceID: 5), options)
    }
  }
}

extension ActivePool {
  /// Adds a thin device to the mapped devices.
  ///
  /// It is open unless the open count is set to 0.
  fileprivate func addThin(
    _ name: String = "vm", minor: UInt32 = 301, openCount: Int = 1
  ) throws {
    var thin = try thin(name, minor: minor)
    thin.openCount = openCount
    mapper.mapped.append(thin)
  }

  /// Adds a thin device to an LVM pool, as if another program had created it.
  ///
  /// Its device ID is in the range used for snapshots.
  fileprivate func addNumberOfLVM() throws {
    mapper.mapped[0].name = "vg-pool-tpool"
    mapper.mapped[0].uuid = "LVM-\(String(repeating: "a", count: 64))-tpool"
    try mapper.replaceBySomebodyElse(
      16_777_000, with: Fixtures.ThinDevice(16_777_000, [ThinMapping(1, 70)]))
  }

  /// Leaves a snapshot behind by running a merge that starts to write but does not finish.
  fileprivate func leaveSnapshot() throws {
    // Truncating the data device makes some blocks unreadable.
    let options = PoolOptions(allowsOpenThinDevice: true)
    try Program.mustRun("truncate", "--size", "2M", folder.path("data.img"))
    _ = merge(.device("vm"), options)
    try Program.mustRun("truncate", "--size", "16M", folder.path("data.img"))
  }
}
