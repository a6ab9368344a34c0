import Fixtures
import Foundation
import MergeEngine
import Testing

@testable import thin_merge

@Suite(
  "Pool: consent to changing other thin devices on the origin", .needsLoopDevices,
  .waitsForPrograms)
struct OriginConsentTests {
  private static let agrees = PoolOptions(allowsOtherUsers: true)

  private static func resumeOptions(_ pool: PoolOptions) -> ResumeOptions {
    var options = ResumeOptions()
    options.pool = pool
    return options
  }

  /// Runs a merge that stops midway, by default with consent to changing the thin devices that
  /// exist then.
  private static func stopped(_ pool: ActivePool, _ options: PoolOptions = agrees) throws {
    try pool.cutData()
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), options)
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    try pool.restoreData()
  }

  private static func journalPath(of pool: ActivePool) throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: pool.state)
    let name = try #require(names.first { $0.hasSuffix(".journal") }, "\(names)")
    return "\(pool.state)/\(name)"
  }

  private static func expectMerged(_ pool: ActivePool, _ outcome: ActivePool.Outcome) throws {
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test(
    "resume needs no new consent for thin devices that the user agreed to, whether active or not")
  func agreedTo() throws {
    for isActiveLater in [true, false] {
      let pool = try ActivePool(otherIDs: [6, 7])
      let sibling = try pool.thin("sibling", id: 6, minor: 302)
      if !isActiveLater { pool.mapper.mapped.append(sibling) }
      try Self.stopped(pool)
      pool.mapper.mapped.removeAll { $0.name == "sibling" }
      if isActiveLater { pool.mapper.mapped.append(sibling) }
      try Self.expectMerged(pool, pool.resume())
    }
  }

  @Test(
    "if a thin device was activated after a merge stopped, resume refuses, naming only that device")
  func activatedSince() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    try Self.stopped(pool)
    pool.mapper.mapped.append(try pool.thin("newcomer", id: 8, minor: 303))
    let before = try pool.originContent()
    let refused = try pool.resume()
    #expect(refused.exitStatus == 2)
    #expect(refused.error?.code == .originShared)
    #expect(refused.message.hasSuffix("a merge would change their content: newcomer"))
    #expect(refused.hint.contains("--other-users-ok"))
    #expect(
      !refused.notes.contains { $0.contains("consent without the names") }, "\(refused.notes)")
    #expect(try pool.originContent() == before)
    // The journal keeps the consent that was given in an earlier run.
    try pool.cutData()
    #expect(try pool.resume(Self.resumeOptions(Self.agrees)).exitStatus == 3)
    try pool.restoreData()
    try Self.expectMerged(pool, pool.resume())
  }

  @Test(
    "if thin devices were created after a merge stopped, resume refuses, naming only those devices")
  func madeSince() throws {
    let pool = try ActivePool(otherIDs: [6])
    try Self.stopped(pool)
    for id in [7, 9] as [UInt64] {
      try pool.mapper.replaceBySomebodyElse(
        id, with: Fixtures.ThinDevice(id, [ThinMapping(1, 60 + id)], creationTime: 4))
    }
    let before = try pool.originContent()
    let refused = try pool.resume()
    #expect(refused.exitStatus == 2)
    #expect(refused.error?.code == .originMaybeShared)
    #expect(refused.message.hasSuffix("origin: dev 7, 9"), "\(refused.message)")
    #expect(try pool.originContent() == before)
    let resumed = try pool.resume(Self.resumeOptions(Self.agrees))
    #expect(resumed.notes.contains { $0.hasSuffix("dev 6, 7, 9") }, "\(resumed.notes)")
    try Self.expectMerged(pool, resumed)
  }

  @Test(
    "resume does not apply consent for a deleted thin device to a new one with the same ID",
    arguments: [true, false])
  func madeAnew(isActive: Bool) throws {
    let pool = try ActivePool(otherIDs: [6])
    if isActive { pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302)) }
    try Self.stopped(pool)
    try pool.mapper.replaceBySomebodyElse(
      6, with: Fixtures.ThinDevice(6, [ThinMapping(1, 66)], creationTime: 4))
    let refused = try pool.resume()
    #expect(refused.exitStatus == 2)
    #expect(refused.error?.code == (isActive ? .originShared : .originMaybeShared))
    #expect(refused.message.hasSuffix(isActive ? "sibling" : "dev 6"), "\(refused.message)")
    #expect(pool.mapper.isHolding == false)
  }

  @Test(
    "resume requires new consent for another pool's thin device unless the device has a UUID",
    arguments: ["", "THIN-stranger"])
  func ofAnotherPool(uuid: String) throws {
    let pool = try ActivePool()
    let other = DeviceNumber(major: 253, minor: 320)
    var stranger = try pool.thin("stranger", id: 7, minor: 321)
    stranger.uuid = uuid
    stranger.liveTable[0].arguments = "\(other) 7 \(try pool.number(pool.origin.path))"
    pool.mapper.mapped += [
      MappedDevice(name: "other", uuid: "POOL-2", number: other, liveTable: []), stranger,
    ]
    // Consent is always valid within the run in which it was given.
    try Self.stopped(pool)
    let before = try pool.originContent()
    let resumed = try pool.resume()
    if uuid.isEmpty {
      #expect(resumed.error?.code == .originShared, "\(resumed.message)")
      #expect(resumed.message.hasSuffix("stranger"), "\(resumed.message)")
      #expect(try pool.originContent() == before)
      try Self.expectMerged(pool, pool.resume(Self.resumeOptions(Self.agrees)))
    } else {
      try Self.expectMerged(pool, resumed)
    }
  }

  @Test(
    "a merge is refused if a thin device is activated on the origin during the confirmation prompt")
  func activatedDuringQuestion() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    let newcomer = try pool.thin("newcomer", id: 8, minor: 303)
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), Self.agrees) {
      pool.mapper.mapped.append(newcomer)
    }
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.hasSuffix("a merge would change their content: newcomer"))
    #expect(try pool.isUntouched())
    #expect(!pool.mapper.isHolding)
  }

  /// Returns an action that creates a thin device with the given ID, and replaces any existing one.
  private static func make(_ id: UInt64, in pool: ActivePool) -> () -> Void {
    {
      #expect(throws: Never.self) {
        try pool.mapper.replaceBySomebodyElse(
          id, with: Fixtures.ThinDevice(id, [ThinMapping(1, 60 + id)], creationTime: 4))
      }
    }
  }

  /// Checks that a run was refused, before any change, because of the given inactive thin devices.
  private static func expectRefused(
    _ outcome: ActivePool.Outcome, _ devices: String, _ pool: ActivePool
  ) {
    #expect(outcome.exitStatus == 2)
    #expect(outcome.error?.code == .originMaybeShared)
    #expect(outcome.message.hasSuffix("origin: \(devices)"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
    let steps = pool.mapper.steps.filter { !$0.contains("metadata_snap") }
    #expect(steps == [], "\(steps)")
  }

  @Test(
    "the refusal names only the thin device that was created during the confirmation prompt",
    arguments: [
      PoolOptions(), PoolOptions(allowsOtherUsers: true),
      PoolOptions(mergesThinDeviceItself: true, allowsOtherUsers: true),
    ])
  func madeDuringQuestion(options: PoolOptions) throws {
    let pool = try ActivePool(otherIDs: options.allowsOtherUsers ? [6] : [])
    let outcome = pool.merge(
      .member(pool: "pool", deviceID: 5), options, whenAsked: Self.make(9, in: pool))
    Self.expectRefused(outcome, "dev 9", pool)
    #expect(try pool.isUntouched())
  }

  @Test("consent does not cover a thin device that is recreated during the confirmation prompt")
  func madeAnewDuringQuestion() throws {
    let pool = try ActivePool(otherIDs: [6, 7])
    let outcome = pool.merge(
      .member(pool: "pool", deviceID: 5), Self.agrees, whenAsked: Self.make(6, in: pool))
    Self.expectRefused(outcome, "dev 6", pool)
    #expect(try pool.isUntouched())
  }

  @Test("a thin device that is deleted during the confirmation prompt needs no consent")
  func goneDuringQuestion() throws {
    let pool = try ActivePool(otherIDs: [6, 7])
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), Self.agrees) {
      #expect(throws: Never.self) { try pool.mapper.replaceBySomebodyElse(6) }
    }
    try Self.expectMerged(pool, outcome)
  }

  @Test(
    "continuing a merge is refused if a thin device is created during the confirmation prompt",
    arguments: [true, false])
  func madeDuringQuestionOfLaterRun(resumes: Bool) throws {
    let pool = try ActivePool(otherIDs: [6])
    try Self.stopped(pool)
    let before = try pool.originContent()
    pool.mapper.revive()
    let newcomer = Self.make(9, in: pool)
    let refused =
      resumes
      ? try pool.resume(whenAsked: newcomer)
      : pool.merge(.member(pool: "pool", deviceID: 5), Self.agrees, whenAsked: newcomer)
    Self.expectRefused(refused, "dev 9", pool)
    #expect(try pool.originContent() == before)
    try Self.expectMerged(pool, pool.resume(Self.resumeOptions(Self.agrees)))
  }

  @Test(
    "the refusal names an active thin device that was recreated during the confirmation prompt")
  func activeMadeAnew() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    let outcome = pool.merge(
      .member(pool: "pool", deviceID: 5), Self.agrees, whenAsked: Self.make(6, in: pool))
    #expect(outcome.exitStatus == 2)
    #expect(outcome.error?.code == .originShared)
    #expect(outcome.message.hasSuffix("sibling"), "\(outcome.message)")
    #expect(try pool.isUntouched())
  }

  @Test("a thin device created after another program took a metadata snapshot needs consent")
  func youngerThanMetadataSnapshot() throws {
    let pool = try ActivePool(otherIDs: [6])
    try pool.mapper.holdForSomebodyElse()
    Self.make(9, in: pool)()
    let refused = pool.mergeByHand(.metadataSnapshot(block: nil))
    #expect(refused.error?.code == .originMaybeShared, "\(refused.message)")
    #expect(refused.message.hasSuffix("origin: dev 6, 9"), "\(refused.message)")
    let merged = pool.mergeByHand(.metadataSnapshot(block: nil), Self.agrees)
    try Self.expectMerged(pool, merged)
  }

  @Test("a merge is refused if live mappings become unreadable during the confirmation prompt")
  func unreadableAfterQuestion() throws {
    let pool = try ActivePool()
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5)) {
      pool.mapper.damagesLiveTrees = true
      Self.make(9, in: pool)()
    }
    #expect(outcome.exitStatus != 0)
    #expect(try pool.isUntouched())
  }

  @Test("resume rejects a journaled consent that names no thin devices, and says so")
  func consentWithoutNames() throws {
    let pool = try ActivePool(otherIDs: [6])
    try Self.stopped(pool)
    let path = try Self.journalPath(of: pool)
    var header = try JournalOnDisk.reader(of: path).header
    header.pool.allowsOtherUsers = true
    let records = try JournalOnDisk.records(of: path).map { record in
      guard case .attempt(var attempt) = record else { return record }
      attempt.agreedSharers = []
      return .attempt(attempt)
    }
    try Data(JournalSample(header: header, records: records).bytes).write(to: URL(filePath: path))
    let refused = try pool.resume()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.hasSuffix("dev 6"), "\(refused.message)")
    #expect(refused.notes.contains { $0.contains("consent without the names") }, "\(refused.notes)")
  }

  @Test("a journal's header does not store consent to changing other thin devices")
  func headerWithoutConsent() throws {
    let pool = try ActivePool(otherIDs: [6])
    try Self.stopped(pool, PoolOptions(reactivates: true, allowsOtherUsers: true))
    let reader = try JournalOnDisk.reader(of: Self.journalPath(of: pool))
    #expect(reader.header.pool == PoolOptions(reactivates: true))
  }
}
