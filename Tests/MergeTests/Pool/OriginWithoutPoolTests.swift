import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite(
  "Pool: the origin's layers when no pool is active", .needsLoopDevices, .waitsForPrograms)
struct OriginWithoutPoolTests {
  private static let writable = PoolOptions(makesOriginWritable: true)

  @Test(
    "a merge makes a read-only origin writable, lower layer first, and restores it afterward")
  func madeWritable() throws {
    let pool = try ActivePool.withoutPool()
    let mapped = pool.mapper.mapped
    let outcome = pool.mergeInactive(Self.writable)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.mapped == mapped)
    #expect(
      pool.mapper.steps == [
        "load base-real rw", "resume base-real", "load base rw", "resume base",
        "load base ro", "resume base", "load base-real ro", "resume base-real",
      ])
    #expect(pool.originRecords() == [])
    #expect(!outcome.notes.contains { $0.contains("not those of an active pool") })
  }

  @Test(
    "merge and plan refuse a read-only origin, and merge suggests --make-origin-writable"
  )
  func refused() throws {
    let pool = try ActivePool.withoutPool()
    let refused = pool.mergeInactive(PoolOptions())
    #expect(refused.error?.code == .originReadOnly)
    #expect(refused.hint.contains("--make-origin-writable"))
    #expect(try pool.planInactive(PoolOptions())?.code == .originReadOnly)
    #expect(try pool.planInactive(Self.writable) == nil)
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
  }

  @Test("a merge that the user declines never makes the origin writable")
  func notAgreedTo() throws {
    let pool = try ActivePool.withoutPool()
    #expect(pool.mergeInactive(Self.writable, agrees: false).exitStatus == 2)
    #expect(pool.mapper.steps == [])
  }

  @Test("a stopped merge makes the origin read-only again, and resume merges the rest")
  func stopped() throws {
    let pool = try ActivePool.withoutPool()
    let mapped = pool.mapper.mapped
    try pool.cutData()
    #expect(pool.mergeInactive(Self.writable).exitStatus == 3)
    #expect(pool.mapper.mapped == mapped)
    try pool.restoreData()
    let resumed = try pool.resume()
    #expect(resumed.exitStatus == 0, "\(resumed.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.mapped == mapped)
  }

  @Test(
    "a merge is refused if an origin layer cannot be made writable, and the next run cleans up")
  func notMadeWritable() throws {
    let pool = try ActivePool.withoutPool()
    let mapped = pool.mapper.mapped
    pool.mapper.happensAfter[1] = { [unowned mapper = pool.mapper] in
      mapper.fails["reload"] = .resourceBusy
    }
    let outcome = pool.mergeInactive(Self.writable)
    #expect(outcome.error?.code == .cannotMakeOriginWritable)
    #expect(try pool.isUntouched())
    // The lower layer was already made writable and cannot be restored either. The next run
    // restores it.
    #expect(
      outcome.notes.contains { $0.contains("could not make /dev/mapper/base-real read-only") })
    pool.mapper.fails = [:]
    pool.mapper.happensAfter = [:]
    #expect(pool.mergeInactive(PoolOptions()).error?.code == .originReadOnly)
    #expect(pool.mapper.mapped == mapped)
  }

  /// The kind of run that follows a killed run.
  enum NextRun: CaseIterable, Sendable { case sameMerge, otherOrigin, activePool }

  @Test(
    "after a kill at any step, the next run makes the origin read-only again",
    arguments: NextRun.allCases)
  func killed(next: NextRun) throws {
    var step = 0
    while true {
      let pool = try ActivePool.withoutPool()
      let mapped = pool.mapper.mapped
      guard try pool.isKilled(at: step, { _ = pool.mergeInactive(Self.writable) }) else { break }
      switch next {
      case .sameMerge:
        let writable = pool.mapper.mapped.filter { !$0.isReadOnly }
        let outcome = pool.mergeInactive(Self.writable)
        #expect(outcome.exitStatus == 0, "step \(step): \(outcome.message)")
        #expect(
          outcome.notes.filter { $0.contains("left /dev/mapper/base") }.count == writable.count,
          "step \(step): \(outcome.notes)")
        #expect(try pool.isMerged(), "step \(step)")
        #expect(pool.mapper.mapped == mapped, "step \(step)")
      case .otherOrigin:
        let other = pool.folder.path("other.img")
        try Data(count: ActivePool.blockCount * ActivePool.blockByteCount)
          .write(to: URL(filePath: other))
        let outcome = pool.mergeInactive(PoolOptions(), onto: other)
        #expect(outcome.exitStatus == 0, "step \(step): \(outcome.message)")
        #expect(pool.mapper.mapped == mapped, "step \(step)")
      case .activePool:
        pool.mapper.mapped.append(try #require(pool.inactive))
        // If everything is already merged, a run only compares the origin, which need not become
        // writable.
        let outcome = pool.merge()
        #expect(
          try outcome.error?.code == (pool.isMerged() ? nil : .originReadOnly), "step \(step)")
        #expect(Array(pool.mapper.mapped.dropLast()) == mapped, "step \(step)")
      }
      #expect(pool.originRecords() == [], "step \(step)")
      step += 1
    }
    #expect(step >= 16)
  }

  @Test("after a kill at any step, plan changes nothing and predicts whether a merge is refused")
  func plannedAfterKill() throws {
    var step = 0
    while true {
      let pool = try ActivePool.withoutPool()
      guard try pool.isKilled(at: step, { _ = pool.mergeInactive(Self.writable) }) else { break }
      let (mapped, records) = (pool.mapper.mapped, pool.originRecords())
      // If everything is already merged, a run only compares the origin, which need not become
      // writable.
      let refusal: MergeError.Code? = try pool.isMerged() ? nil : .originReadOnly
      #expect(try pool.planInactive(PoolOptions())?.code == refusal, "step \(step)")
      #expect(try pool.planInactive(Self.writable) == nil, "step \(step)")
      #expect(pool.mapper.steps == [], "step \(step)")
      // A plan from the active pool takes and releases a metadata snapshot, but changes nothing
      // else.
      pool.mapper.mapped.append(try #require(pool.inactive))
      #expect(try pool.planActive(PoolOptions())?.code == refusal, "step \(step)")
      #expect(try pool.planActive(Self.writable) == nil, "step \(step)")
      #expect(!pool.mapper.steps.contains { $0.contains("base") }, "step \(step)")
      pool.mapper.mapped.removeLast()
      #expect(pool.mapper.mapped == mapped, "step \(step)")
      #expect(pool.originRecords() == records, "step \(step)")
      step += 1
    }
    #expect(step >= 16)
  }

  /// The difference between a device and the layer that a killed run made writable.
  enum Difference: CaseIterable, Sendable { case uuid, number, table, boot }

  @Test(
    "a device is not changed merely because it has the name of a layer that was made writable",
    arguments: Difference.allCases)
  func otherDevice(difference: Difference) throws {
    let pool = try ActivePool.withoutPool()
    // The run is killed just after it made the lower layer writable.
    #expect(try pool.isKilled(at: 3) { _ = pool.mergeInactive(Self.writable) })
    let index = try #require(pool.mapper.mapped.firstIndex { $0.name == "base-real" })
    #expect(!pool.mapper.mapped[index].isReadOnly)
    switch difference {
    case .uuid: pool.mapper.mapped[index].uuid = "another"
    case .number: pool.mapper.mapped[index].number.minor += 50
    case .table: pool.mapper.mapped[index].liveTable[0].arguments = "8:2 0"
    case .boot: pool.bootID = "the next boot"
    }
    let mapped = pool.mapper.mapped
    let other = pool.folder.path("other.img")
    try Data(count: ActivePool.blockCount * ActivePool.blockByteCount)
      .write(to: URL(filePath: other))
    #expect(pool.mergeInactive(PoolOptions(), onto: other).exitStatus == 0)
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.mapped == mapped)
    #expect(pool.originRecords() == [])
  }

  @Test("a run does not make the origin of another running merge read-only")
  func otherRun() throws {
    let pool = try ActivePool.withoutPool()
    let other = pool.folder.path("other.img")
    try Data(count: ActivePool.blockCount * ActivePool.blockByteCount)
      .write(to: URL(filePath: other))
    // The inner run reads a copy, because only one of the two runs can open the metadata device.
    let copy = pool.folder.path("copy.img")
    try Program.mustRun("cp", pool.folder.path("metadata.img"), copy)
    var isWritable = false
    pool.whenMerging = {
      let outcome = pool.mergeInactive(
        PoolOptions(), onto: other, metadataPath: copy, waits: false)
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      isWritable = pool.mapper.mapped.allSatisfy { !$0.isReadOnly }
    }
    #expect(pool.mergeInactive(Self.writable).exitStatus == 0)
    #expect(isWritable)
  }

  @Test(
    "a merge is refused if another pool's thin devices use the origin, unless the user consents")
  func otherUsers() throws {
    let pool = try ActivePool.withoutPool()
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    let refused = pool.mergeInactive(Self.writable)
    #expect(refused.error?.code == .originShared)
    #expect(try pool.planInactive(Self.writable)?.code == .originShared)
    #expect(pool.mapper.steps == [])
    let outcome = pool.mergeInactive(
      PoolOptions(makesOriginWritable: true, allowsOtherUsers: true))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test("a merge is refused or stopped if a device is stacked on a lower layer of the origin")
  func heldBelow() throws {
    for isEarly in [true, false] {
      let pool = try ActivePool.withoutPool()
      let lower = try #require(pool.mapper.mapped.first { $0.name == "base-real" }).number
      let hold = {
        pool.mapper.holders[lower] = [DeviceNumber(major: 253, minor: 420)]
      }
      if isEarly { hold() } else { pool.whenMerging = hold }
      let outcome = pool.mergeInactive(Self.writable)
      #expect(outcome.exitStatus == (isEarly ? 5 : 3), "\(outcome.message)")
      #expect(outcome.error?.code == .originInUse)
      #expect(pool.mapper.mapped.allSatisfy { $0.isReadOnly })
      #expect(try pool.isUntouched() == isEarly)
    }
  }

  @Test(
    "an origin that is suspended, or has a target type that cannot be made writable, is refused")
  func unsuitable() throws {
    let pool = try ActivePool.withoutPool()
    pool.mapper.mapped[0].isSuspended = true
    #expect(pool.mergeInactive(Self.writable).error?.code == .originSuspended)
    pool.mapper.mapped[0].isSuspended = false
    pool.mapper.mapped[0].liveTable[0].kind = "crypt"
    #expect(pool.mergeInactive(Self.writable).error?.code == .originReadOnlyForGood)
    #expect(pool.mapper.steps == [])
  }

  @Test("an origin record with an unknown required feature is refused and left unchanged")
  func newerRecord() throws {
    let pool = try ActivePool.withoutPool()
    let text = #"{"format":1,"requiredFeatures":2,"madeWritable":[]}"#
    try pool.writeOriginRecord(text)
    let outcome = pool.mergeInactive(Self.writable)
    #expect(outcome.error?.code == .cannotReadOriginRecord)
    #expect(try String(contentsOfFile: pool.originRecordPath, encoding: .utf8) == text)
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
  }
}

extension ActivePool {
  /// Returns an inactive pool whose read-only origin `base` has a lower layer `base-real`, as LVM
  /// would create it.
  ///
  /// The lower layer exists only in the list of mapped devices and is never opened.
  static func withoutPool() throws -> ActivePool {
    let pool = try ActivePool()
    pool.inactive = pool.mapper.mapped.removeFirst()
    let sectorCount = UInt64(blockCount * blockByteCount / 512)
    pool.mapper.mapped = [
      MappedDevice(
        name: "base", number: try pool.number(pool.origin.path), isReadOnly: true,
        liveTable: [TableLine(sectorCount: sectorCount, kind: "linear", arguments: "253:410 0")]),
      MappedDevice(
        name: "base-real", number: DeviceNumber(major: 253, minor: 410), isReadOnly: true,
        liveTable: [TableLine(sectorCount: sectorCount, kind: "linear", arguments: "8:1 0")]),
    ]
    return pool
  }

  var inactiveSource: MergeSource {
    MergeSource(
      metadataPath: metadata.path, dataPath: data.path, deviceID: 5, mappings: .inactivePool)
  }

  /// Merges from the devices of the inactive pool.
  func mergeInactive(
    _ options: PoolOptions, onto path: String? = nil, metadataPath: String? = nil,
    agrees: Bool = true, waits: Bool = true
  ) -> Outcome {
    run(agrees: agrees, waits: waits) { [origin] merger throws(MergeError) in
      var inactiveSource = inactiveSource
      if let metadataPath { inactiveSource.metadataPath = metadataPath }
      let report = try merger.merge(
        inactiveSource, onto: path ?? origin.path, options: MergeOptions(pool: options))
      if case .stopped(let error) = report.state { throw error }
    }
  }

  /// Plans a merge from the inactive pool, and returns the refusal that the plan reports, if any.
  func planInactive(_ options: PoolOptions) throws -> MergeError? {
    var refusal: MergeError?
    let outcome = run { [origin, inactiveSource] merger throws(MergeError) in
      refusal = try merger.plan(
        inactiveSource, onto: origin.path, options: MergeOptions(pool: options)
      ).refusal
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    return refusal
  }

  /// Plans a merge from the active pool, and returns the refusal that the plan reports, if any.
  func planActive(_ options: PoolOptions) throws -> MergeError? {
    var refusal: MergeError?
    let outcome = run { [origin] merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      refusal = try merger.plan(
        found.source, onto: origin.path, options: MergeOptions(pool: options)
      ).refusal
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    return refusal
  }

  /// Calls `run` with a simulated kill at the given step, and then restores the state folder to its
  /// content at the time of the kill.
  ///
  /// - Returns: False if `run` finished without reaching that step.
  func isKilled(at step: Int, _ run: () -> Void) throws -> Bool {
    let copy = try TemporaryFolder()
    mapper.diesAt = step
    mapper.dies = { [state] in _ = try? Program.mustRun("cp", "-a", state + "/.", copy.path) }
    defer { mapper.dies = {} }
    run()
    let wasKilled = mapper.isDead
    mapper.revive()
    guard wasKilled else { return false }
    try Program.mustRun("rm", "-rf", state)
    try Program.mustRun("cp", "-a", copy.path, state)
    return true
  }

  var originRecordPath: String { state + "/origins/name-base-real.json" }

  func writeOriginRecord(_ text: String) throws {
    try FileManager.default.createDirectory(
      atPath: state + "/origins", withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: originRecordPath))
  }

  /// Returns the file names of the origin records.
  func originRecords() -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: state + "/origins")
    return (names ?? []).filter { !$0.hasSuffix(".lock") }
  }
}
