import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite(
  "Pool: deletion of a thin device while it is merged without a snapshot", .needsLoopDevices,
  .waitsForPrograms)
struct KeptHoldTests {
  private static let byNumber = ThinDeviceReference.member(pool: "pool", deviceID: 5)

  /// Runs a merge that stops midway at unreadable blocks.
  ///
  /// - `meanwhile`: an action that runs after the metadata snapshot is taken and merging has begun.
  private static func stopped(
    _ pool: ActivePool, _ options: PoolOptions = PoolOptions(mergesThinDeviceItself: true),
    _ meanwhile: @escaping () -> Void
  ) throws -> ActivePool.Outcome {
    try pool.cutData()
    pool.whenMerging = meanwhile
    let outcome = pool.merge(byNumber, options)
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    try pool.restoreData()
    return outcome
  }

  private static func expectKept(_ pool: ActivePool, _ notes: [String]) {
    #expect(pool.mapper.isHolding)
    #expect(
      notes.contains {
        $0.contains("is the only copy and stays held") && $0.contains("thin-merge resume")
      }, "\(notes)")
  }

  private static func expectFinished(_ pool: ActivePool, _ outcome: ActivePool.Outcome) throws {
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(!pool.mapper.isHolding)
    #expect(try pool.recordFiles() == [])
  }

  enum NextRun: CaseIterable, Sendable { case resume, merge, mergeFromTheBeginning }

  @Test(
    "if a thin device is deleted mid-merge, the next run finishes from the held metadata snapshot",
    arguments: NextRun.allCases)
  func deleted(next: NextRun) throws {
    let pool = try ActivePool()
    let outcome = try Self.stopped(pool) { try? pool.mapper.replaceBySomebodyElse(5) }
    Self.expectKept(pool, outcome.notes)
    let last =
      switch next {
      case .resume: try pool.resume()
      case .merge: pool.merge(Self.byNumber)
      case .mergeFromTheBeginning: pool.merge(Self.byNumber, restarts: true)
      }
    try Self.expectFinished(pool, last)
    #expect(pool.mapper.thinDevices.isEmpty)
  }

  @Test(
    "if an open device's snapshot is deleted, resume merges from the held metadata snapshot")
  func deletedSnapshot() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    try pool.cutData()
    let options = PoolOptions(allowsOpenThinDevice: true)
    pool.whenMerging = { [unowned mapper = pool.mapper] in
      try? mapper.replaceBySomebodyElse(16_777_215)
    }
    let outcome = pool.merge(.device("vm"), options)
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    Self.expectKept(pool, outcome.notes)
    try pool.restoreData()
    let declined = try pool.resume(agrees: false)
    #expect(declined.exitStatus == 2)
    Self.expectKept(pool, declined.notes)
    try Self.expectFinished(pool, pool.resume())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(pool.mapper.mapped.contains(thin))
  }

  @Test(
    "resume merges a deleted thin device whose ID was reused, and leaves the new device alone")
  func replaced() throws {
    let pool = try ActivePool()
    // The new device was created without a snapshot, so its times equal those of the deleted one.
    let new = Fixtures.ThinDevice(5, [ThinMapping(0, 70), ThinMapping(4, 71)])
    let outcome = try Self.stopped(pool) { try? pool.mapper.replaceBySomebodyElse(5, with: new) }
    Self.expectKept(pool, outcome.notes)
    #expect(outcome.notes.contains { $0.contains("another thin device now has its number") })
    var active = try pool.thin("new", hasOrigin: false)
    active.openCount = 1
    pool.mapper.mapped.append(active)
    let before = try pool.originContent()
    let refused = pool.mergeByHand(.ownMetadataSnapshot)
    #expect(refused.exitStatus == 5)
    #expect(refused.message.contains("it is the only copy of dev 5"), "\(refused.message)")
    #expect(refused.hint.contains("thin-merge resume"))
    #expect(pool.mapper.isHolding)
    #expect(try pool.originContent() == before)
    try Self.expectFinished(pool, pool.resume())
    #expect(pool.mapper.mapped.contains(active))
  }

  @Test(
    "a thin device counts as still present only if its held and live trees share a mapping",
    arguments: [
      // In order: the device's last mapping remains; that mapping has moved to another thin block;
      // the device was recreated with a later creation time, or in another transaction; no mapping
      // remains.
      (Fixtures.ThinDevice(5, [ThinMapping(0, 70), ThinMapping(23, 35)]), true),
      (Fixtures.ThinDevice(5, [ThinMapping(0, 70), ThinMapping(22, 35)]), false),
      (Fixtures.ThinDevice(5, [ThinMapping(23, 35)], creationTime: 1), false),
      (Fixtures.ThinDevice(5, [ThinMapping(23, 35)], transactionID: 3), false),
      (Fixtures.ThinDevice(5), false),
    ])
  func toldApart(device: Fixtures.ThinDevice, isThere: Bool) throws {
    let pool = try ActivePool()
    let outcome = try Self.stopped(pool) { try? pool.mapper.replaceBySomebodyElse(5, with: device) }
    #expect(pool.mapper.isHolding != isThere)
    #expect(try pool.recordFiles().isEmpty == isThere)
    if !isThere { Self.expectKept(pool, outcome.notes) }
  }

  @Test("a stopped merge keeps its metadata snapshot if the pool's live trees are unreadable")
  func unknown() throws {
    let pool = try ActivePool()
    let outcome = try Self.stopped(pool) {
      pool.mapper.damagesLiveTrees = true
      try? pool.mapper.changeBySomebodyElse()
    }
    #expect(pool.mapper.isHolding)
    #expect(
      outcome.notes.contains {
        $0.contains("it may be the only copy of dev 5") && $0.contains("the next run retries")
      }, "\(outcome.notes)")
    let refused = pool.merge(Self.byNumber)
    #expect(refused.exitStatus == 5, "\(refused.message)")
    #expect(pool.mapper.isHolding)
    pool.mapper.damagesLiveTrees = false
    try pool.mapper.changeBySomebodyElse()
    try Self.expectFinished(pool, pool.merge(Self.byNumber))
  }

  @Test(
    "after a kill, plan, devices and merge leave a deleted device's metadata snapshot for resume"
  )
  func killed() throws {
    let pool = try ActivePool(otherIDs: [6])
    let options = PoolOptions(mergesThinDeviceItself: true, allowsOtherUsers: true)
    pool.mapper.diesAt = 2
    _ = try Self.stopped(pool, options) {}
    #expect(pool.mapper.isDead)
    pool.mapper.revive()
    try pool.mapper.replaceBySomebodyElse(5)
    let planned = pool.run { merger throws(MergeError) in
      let found = try merger.resolve(Self.byNumber)
      let plan = try merger.plan(found.source, onto: nil)
      #expect(plan.mappedBlockCount == UInt64(ActivePool.mappings.count))
    }
    #expect(planned.exitStatus == 0, "\(planned.message)")
    Self.expectKept(pool, planned.notes)
    let listed = pool.run { merger throws(MergeError) in _ = try merger.devices(pool: "pool") }
    #expect(listed.exitStatus == 0, "\(listed.message)")
    Self.expectKept(pool, listed.notes)
    let other = pool.merge(.member(pool: "pool", deviceID: 6), options)
    #expect(other.exitStatus == 5)
    #expect(other.message.contains("the only copy of dev 5"), "\(other.message)")
    #expect(pool.mapper.isHolding)
    try Self.expectFinished(pool, pool.resume())
  }

  @Test(
    "resuming a deleted thin device's merge completes all cleanup and leaves the origin read-only"
  )
  func readOnlyOrigin() throws {
    let pool = try ActivePool()
    try pool.addBase(isReadOnly: true)
    let mapped = pool.mapper.mapped
    // Steps 0 to 2 take the metadata snapshot, load the origin's new table, and resume the origin.
    pool.mapper.happensAfter[2] = { [unowned mapper = pool.mapper] in
      try? mapper.replaceBySomebodyElse(5)
    }
    let outcome = try Self.stopped(
      pool, PoolOptions(mergesThinDeviceItself: true, makesOriginWritable: true)
    ) {}
    pool.mapper.happensAfter = [:]
    Self.expectKept(pool, outcome.notes)
    #expect(!pool.cleanupFailures.isEmpty)
    #expect(pool.mapper.mapped == mapped)
    try Self.expectFinished(pool, pool.resume())
    #expect(pool.cleanupFailures == [])
    #expect(pool.mapper.mapped == mapped)
  }

  @Test(
    "a merge of a deleted thin device is abandoned if its metadata snapshot is released manually")
  func givenUp() throws {
    let pool = try ActivePool()
    _ = try Self.stopped(pool) { try? pool.mapper.replaceBySomebodyElse(5) }
    try pool.mapper.releaseBySomebodyElse()
    #expect(pool.merge(Self.byNumber).exitStatus == 2)
    #expect(!pool.mapper.isHolding)
    #expect(try pool.recordFiles() == [])
  }

  @Test("a stopped merge releases its metadata snapshot if the thin device still exists")
  func stillThere() throws {
    let pool = try ActivePool()
    let outcome = try Self.stopped(pool) {
      try? pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    }
    #expect(!pool.mapper.isHolding)
    #expect(!outcome.notes.contains { $0.contains("only copy") }, "\(outcome.notes)")
    #expect(try pool.recordFiles() == [])
  }
}

@Suite("Pool: the fate of a thin device, as determined from the metadata")
struct ThinDeviceFateTests {
  /// Returns the fate of thin device 5, given its mappings in the held and the live metadata.
  ///
  /// The trees have several levels and also contain other devices. If `live` is nil, the device has
  /// been deleted.
  private static func fate(
    _ held: [ThinMapping], _ live: [ThinMapping]?, leafEntryCount: Int = 3
  ) throws -> ThinDeviceFate? {
    func devices(_ mappings: [ThinMapping]?) -> [Fixtures.ThinDevice] {
      [Fixtures.ThinDevice(2, [ThinMapping(1, 3000)])]
        + (mappings.map { [Fixtures.ThinDevice(5, $0)] } ?? [])
        + [Fixtures.ThinDevice(9, [ThinMapping(1, 3001)])]
    }
    var builder = PoolImageBuilder(devices: devices(held))
    builder.liveDevices = devices(live)
    builder.dataBlockCount = 4096
    builder.leafEntryCount = leafEntryCount
    builder.internalEntryCount = 4
    let folder = try TemporaryFolder()
    let path = try builder.build().write(to: folder.path, fillingData: false).metadata
    let reader = MetadataReader(
      try OpenFile(path, role: "metadata device", access: .readOnly),
      clock: ThisSystem.clock)
    let pool = try reader.superblocks(.metadataSnapshot(block: nil), ignoresNeedsCheck: false)
    return try withExtendedLifetime(folder) { try reader.fate(of: 5, as: 5, since: pool) }
  }

  private static func mappings(_ count: Int, by step: Int = 2, at dataBlock: Int) -> [ThinMapping] {
    (0..<count).map { ThinMapping(UInt64($0 * step), UInt64(dataBlock + $0)) }
  }

  private static let held = mappings(200, at: 1000)

  @Test(
    "one shared mapping, at any position, proves that a thin device still exists"
  )
  func there() throws {
    #expect(try Self.fate(Self.held, Self.held) == .there)
    for index in [0, 1, 77, 198, 199] {
      let kept = Self.held[index]
      #expect(try Self.fate(Self.held, [kept]) == .there)
      #expect(try Self.fate([kept], Self.held) == .there)
      var changed = Self.mappings(300, by: 1, at: 2000)
      changed.removeAll { $0.thinBlock == kept.thinBlock }
      changed = (changed + [kept]).sorted { $0.thinBlock < $1.thinBlock }
      #expect(try Self.fate(Self.held, changed) == .there)
      #expect(try Self.fate(Self.held, changed, leafEntryCount: 252) == .there)
    }
  }

  @Test("a thin device with the same ID but no shared mapping counts as a different device")
  func replaced() throws {
    #expect(try Self.fate(Self.held, Self.mappings(200, at: 1001)) == .replaced)
    #expect(try Self.fate(Self.held, Self.mappings(50, by: 5, at: 2000)) == .replaced)
    #expect(try Self.fate(Self.held, Self.mappings(900, by: 1, at: 2000)) == .replaced)
    #expect(try Self.fate(Self.held, []) == .replaced)
  }

  @Test("a missing thin device counts as deleted unless it had no mappings")
  func deleted() throws {
    #expect(try Self.fate(Self.held, nil) == .deleted)
    #expect(try Self.fate([], nil) == .there)
    #expect(try Self.fate([], Self.held) == .there)
  }
}
