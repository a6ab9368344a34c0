import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Pool: recovery after killed runs", .needsLoopDevices, .waitsForPrograms)
struct PoolCrashTests {
  /// A copy of the state folder as it was when a run was killed.
  private struct State {
    private let copy: TemporaryFolder

    init(of pool: ActivePool) throws {
      copy = try TemporaryFolder()
      try Program.mustRun("cp", "-a", pool.state + "/.", copy.path)
    }

    func restore(to pool: ActivePool) throws {
      try Program.mustRun("rm", "-rf", pool.state)
      try Program.mustRun("cp", "-a", copy.path, pool.state)
    }
  }

  enum Way: CaseIterable, Sendable {
    case inactive, itself, reactivated, active, snapshot, originMadeWritable

    var options: PoolOptions {
      switch self {
      case .inactive, .active: PoolOptions()
      case .itself: PoolOptions(mergesThinDeviceItself: true)
      case .reactivated: PoolOptions(mergesThinDeviceItself: true, reactivates: true)
      case .snapshot: PoolOptions(allowsOpenThinDevice: true)
      case .originMadeWritable: PoolOptions(makesOriginWritable: true)
      }
    }

    var selection: ThinDeviceReference {
      switch self {
      case .inactive, .itself, .originMadeWritable: .member(pool: "pool", deviceID: 5)
      case .reactivated, .active, .snapshot: .device("vm")
      }
    }

    func prepare(_ pool: ActivePool) throws {
      // Committing these pending changes moves the roots of the pool's trees.
      pool.mapper.hasUncommittedChanges = true
      switch self {
      case .inactive, .itself: break
      case .originMadeWritable: try pool.addBase(isReadOnly: true)
      case .reactivated, .active, .snapshot:
        var thin = try pool.thin()
        thin.openCount = self == .snapshot ? 1 : 0
        pool.mapper.mapped.append(thin)
      }
    }
  }

  /// Runs a merge with a simulated kill at the given step, and then restores the state folder to
  /// its content at the time of the kill.
  ///
  /// - Returns: False if the merge finished without reaching that step.
  static func killed(
    _ pool: ActivePool, _ way: Way, at step: Int
  ) throws -> Bool {
    var left: State?
    pool.mapper.diesAt = step
    pool.mapper.dies = { left = try? State(of: pool) }
    // Breaks a reference cycle that would keep the pool and its loop devices alive.
    defer { pool.mapper.dies = {} }
    _ = pool.merge(way.selection, way.options)
    let wasKilled = pool.mapper.isDead
    pool.mapper.revive()
    if wasKilled { try #require(left).restore(to: pool) }
    return wasKilled
  }

  @Test(
    "after a kill at any step, the next merge finishes the work and undoes all leftovers",
    arguments: Way.allCases)
  func settled(way: Way) throws {
    var step = 0
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      let mapped = pool.mapper.mapped
      guard try Self.killed(pool, way, at: step) else { break }
      let outcome = pool.merge(way.selection, way.options)
      #expect(outcome.exitStatus == 0, "step \(step): \(outcome.message)")
      #expect(try pool.isMerged(), "step \(step)")
      #expect(!pool.mapper.isHolding, "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      #expect(pool.mapper.thinDevices.map(\.devID) == [5], "step \(step)")
      #expect(try pool.recordFiles() == [], "step \(step)")
      step += 1
    }
    #expect(step >= 4)
  }

  @Test(
    "after a kill at any step, shell completion of a device ID changes nothing in the pool",
    arguments: Way.allCases)
  func completed(way: Way) throws {
    var step = 0
    while true {
      let pool = try ActivePool()
      try way.prepare(pool)
      guard try Self.killed(pool, way, at: step) else { break }
      let (mapped, record) = (pool.mapper.mapped, try pool.recordFiles())
      let outcome = pool.run { merger throws(MergeError) in
        _ = try? merger.devicesAsTheyAre(
          metadataPath: pool.metadata.path, mappings: .metadataSnapshot(block: nil))
      }
      #expect(outcome.notes == [], "step \(step)")
      #expect(pool.mapper.steps == [], "step \(step)")
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      #expect(try pool.recordFiles() == record, "step \(step)")
      step += 1
    }
    #expect(step >= 4)
  }

  @Test(
    "a merge does not release a metadata snapshot that another program took after a killed run",
    arguments: 0...3)
  func takenSince(step: Int) throws {
    let pool = try ActivePool()
    #expect(try Self.killed(pool, .itself, at: step))
    if pool.mapper.isHolding { try pool.mapper.releaseBySomebodyElse() }
    try pool.mapper.holdForSomebodyElse()
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5, "\(outcome.message)")
    #expect(pool.mapper.isHolding)
    #expect(pool.mapper.steps == [])
  }

  @Test("a thin device that a killed run removed before a reboot is not restored afterward")
  func earlierBoot() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.mapper.mapped.append(thin)
    // The run is killed just after it removed the thin device.
    #expect(try Self.killed(pool, .reactivated, at: 3))
    #expect(!pool.mapper.mapped.contains(thin))
    pool.bootID = "the next boot"
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains { $0.contains("did not restore") })
    #expect(!pool.mapper.mapped.contains(thin))
    #expect(try pool.recordFiles() == [])
  }

  /// Runs a merge from a snapshot of `vm` that stops after writing some data.
  private static func stopped(_ pool: ActivePool) throws {
    try Way.snapshot.prepare(pool)
    try pool.cutData()
    let options = PoolOptions(allowsOpenThinDevice: true, allowsOtherUsers: true)
    #expect(pool.merge(.device("vm"), options).exitStatus == 3)
    try pool.restoreData()
  }

  @Test("merging another thin device keeps the snapshot of a stopped merge, and reports it")
  func secondSnapshot() throws {
    let pool = try ActivePool(otherIDs: [6])
    try Self.stopped(pool)
    var other = try pool.thin("other", id: 6, minor: 310)
    other.openCount = 1
    pool.mapper.mapped.append(other)
    let options = PoolOptions(allowsOpenThinDevice: true, allowsOtherUsers: true)
    let outcome = pool.merge(.device("other"), options, restarts: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(
      outcome.notes.filter {
        $0.contains("dev 16777215 of pool pool, a snapshot of dev 5, is kept for an unfinished")
          && $0.contains("384 KiB")
      }.count == 1, "\(outcome.notes)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 6, 16_777_215])
    #expect(pool.merge(.device("vm"), options).exitStatus == 0)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 6])
  }

  @Test(
    "a thin device that another program suspends after a stopped or killed merge stays suspended",
    arguments: [false, true])
  func suspendedSince(afterKilledRun: Bool) throws {
    let pool = try ActivePool()
    try Self.stopped(pool)
    if afterKilledRun {
      pool.mapper.revive()
      // The run is killed just after it took a metadata snapshot, so there is something to clean
      // up.
      #expect(try Self.killed(pool, .snapshot, at: 1))
    }
    let index = try #require(pool.mapper.mapped.firstIndex { $0.name == "vm" })
    pool.mapper.mapped[index].isSuspended = true
    let outcome = pool.run { merger throws(MergeError) in
      _ = try merger.devices(pool: "pool")
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.mapped[index].isSuspended)
  }

  @Test(
    "a stopped merge keeps its snapshot until --restart replaces it"
  )
  func restart() throws {
    let pool = try ActivePool()
    try Self.stopped(pool)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    pool.mapper.mapped[1].openCount = 0
    let refused = pool.merge(.device("vm"), PoolOptions(mergesThinDeviceItself: true))
    #expect(refused.exitStatus == 2)
    #expect(refused.hint.contains("--restart"))
    let declined = pool.merge(
      .device("vm"), PoolOptions(allowsOpenThinDevice: true), agrees: false, restarts: true)
    #expect(declined.exitStatus == 2)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true), restarts: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isMerged())
  }

  @Test("if a killed run made an origin writable, the next run makes it read-only again")
  func writeProtection() throws {
    // The layer over the origin is like one that LVM creates. It exists only in the list of mapped
    // devices and is never opened.
    let pool = try ActivePool()
    let record = """
      {"format":1,"removals":[],
      "madeWritable":[{"name":"base","uuid":"","number":{"major":253,"minor":400},"bootID":"tests"}]}
      """
    try pool.writeRecord(record)
    pool.mapper.mapped.append(
      MappedDevice(
        name: "base", number: DeviceNumber(major: 253, minor: 400), liveTable: []))
    #expect(pool.merge().exitStatus == 0)
    #expect(pool.mapper.steps.first == "load base ro")
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "the next run does not make a device read-only merely because it has the origin's name",
    arguments: [("UUID-2", 400), ("UUID-1", 401)] as [(String, UInt32)])
  func otherOrigin(uuid: String, minor: UInt32) throws {
    let pool = try ActivePool()
    try pool.writeRecord(
      """
      {"format":1,"removals":[],"madeWritable":[{"name":"base","uuid":"UUID-1",
      "number":{"major":253,"minor":400},"bootID":"tests"}]}
      """)
    pool.mapper.mapped.append(
      MappedDevice(
        name: "base", uuid: uuid, number: DeviceNumber(major: 253, minor: minor), liveTable: []))
    #expect(pool.merge().exitStatus == 0)
    #expect(!pool.mapper.steps.contains { $0.contains("base") })
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "the next run clears an origin's inactive table only if a killed run loaded that table")
  func loadedTable() throws {
    for isOwn in [true, false] {
      let pool = try ActivePool()
      try pool.addBase(isReadOnly: true)
      var base = pool.mapper.mapped[1]
      let number = base.number
      try pool.writeRecord(
        """
        {"format":1,"removals":[],"madeWritable":[{"name":"base","uuid":"",
        "number":{"major":\(number.major),"minor":\(number.minor)},"bootID":"tests"}]}
        """)
      base.inactiveTable = base.liveTable
      if !isOwn { base.inactiveTable[0].sectorCount += 8 }
      pool.mapper.mapped[1] = base
      let outcome = pool.run { merger throws(MergeError) in _ = try merger.settle() }
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      #expect(pool.mapper.mapped[1].inactiveTable.isEmpty == isOwn)
      #expect(pool.mapper.mapped[1].isReadOnly)
      #expect(try pool.recordFiles() == [])
    }
  }

  @Test(
    "the next run keeps another program's thin device that has the ID of a killed run's snapshot",
    arguments: [8, 9, 10])
  func snapshotNumberTaken(step: Int) throws {
    let pool = try ActivePool()
    try Way.snapshot.prepare(pool)
    #expect(try Self.killed(pool, .snapshot, at: step))
    let other = Fixtures.ThinDevice(16_777_215, [ThinMapping(1, 70)], creationTime: 3)
    try pool.mapper.replaceBySomebodyElse(16_777_215, with: other)
    let outcome = pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(
      outcome.notes.contains { $0.contains("no longer exists or was never created") },
      "\(outcome.notes)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "a thin device that a killed run removed is not restored if its origin is now another device")
  func otherOriginUnderThinDevice() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.mapper.mapped.append(thin)
    #expect(try Self.killed(pool, .reactivated, at: 3))
    #expect(!pool.mapper.mapped.contains(thin))
    let record = try String(contentsOfFile: pool.recordPath, encoding: .utf8)
    let name = #/"originName" : "[^"]*"/#
    #expect(record.contains(name))
    try pool.writeRecord(record.replacing(name, with: #""originName" : "another disk""#))
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains { $0.contains("did not restore") }, "\(outcome.notes)")
    #expect(!pool.mapper.mapped.contains { $0.name == "vm" })
  }

  @Test("a merge refuses an invalid pool record and changes nothing")
  func unreadableRecord() throws {
    let pool = try ActivePool()
    try pool.writeRecord("{}")
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("POOL-1.json"))
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
  }

  @Test(
    "a pool record with an unknown required feature or a newer format is refused and not modified",
    arguments: [
      ActivePool.recordOfANewerVersion, #"{"format":2}"#,
      #"{"format":1,"requiredFeatures":9223372036854775808,"removals":[],"madeWritable":[]}"#,
    ])
  func newerRecord(text: String) throws {
    let pool = try ActivePool()
    try pool.writeRecord(text)
    for _ in 0..<2 {
      let outcome = pool.merge()
      #expect(outcome.exitStatus == 2)
      #expect(outcome.message.contains("written by a newer thin-merge"))
      #expect(try String(contentsOfFile: pool.recordPath, encoding: .utf8) == text)
    }
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
  }

  @Test("a pool record that requires no features is accepted, and its unknown fields are ignored")
  func recordWithoutFeatures() throws {
    let pool = try ActivePool()
    try pool.writeRecord(
      #"{"format":1,"requiredFeatures":0,"removals":[],"madeWritable":[],"comment":"by hand"}"#)
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }
}
