import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@Suite(
  "Pool: changes to a thin device while its snapshot is merged", .needsLoopDevices,
  .waitsForPrograms)
struct OwnSnapshotTests {
  @Test(
    "a merge from a snapshot succeeds if the thin device is activated, but not written, meanwhile")
  func activated() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.whenMerging = { pool.mapper.mapped.append(thin) }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .asMerged)
    #expect(pool.mapper.mapped.contains(thin))
  }

  @Test("if the thin device is still open after a merge, the report says so")
  func open() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    #expect(pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)).exitStatus == 0)
    #expect(pool.thinDeviceState == .open)
  }

  @Test("writes to a thin device during its merge are not merged, but are mentioned in the report")
  func written() throws {
    let pool = try ActivePool()
    pool.whenMerging = {
      #expect(throws: Never.self) {
        try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
      }
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .writtenSince)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a merge finishes from its snapshot even if the thin device is deleted meanwhile")
  func deleted() throws {
    let pool = try ActivePool()
    pool.whenMerging = {
      #expect(throws: Never.self) { try pool.mapper.replaceBySomebodyElse(5) }
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.mapper.thinDevices.isEmpty)
    #expect(try pool.recordFiles() == [])
  }

  @Test("resume does not merge writes made to the thin device after the merge stopped")
  func writtenInBetween() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
    let outcome = try pool.resume()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .writtenSince)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "resume finishes from the snapshot even if the thin device was deleted after the merge stopped")
  func deletedInBetween() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try pool.mapper.replaceBySomebodyElse(5)
    #expect(try pool.resume().exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.mapper.thinDevices.isEmpty)
  }

  @Test("merge refuses to continue from a snapshot if the thin device's ID was reused")
  func replacedInBetween() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    let other = Fixtures.ThinDevice(5, [ThinMapping(2, 70)], transactionID: 9)
    try pool.mapper.replaceBySomebodyElse(5, with: other)
    let before = try pool.originContent()
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("another thin device has that number now"))
    // The new device may use the same origin.
    let unasked = try pool.resume()
    #expect(unasked.error?.code == .originMaybeShared)
    #expect(unasked.message.hasSuffix("origin: dev 5"), "\(unasked.message)")
    #expect(try pool.originContent() == before)
    var options = ResumeOptions()
    options.pool.allowsOtherUsers = true
    #expect(try pool.resume(options).exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  /// Stops a merge early and deletes its thin device, which leaves a snapshot as the only copy.
  ///
  /// - `isKilled`: true to kill the run before it records that the snapshot was created; false to
  ///   have the run refused before it writes anything from the snapshot.
  private static func onlyCopyIsLeft(
    _ pool: ActivePool, isKilled: Bool, replacement: Fixtures.ThinDevice? = nil
  ) throws {
    if isKilled {
      // The run is killed just after it created the snapshot.
      #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
      try pool.mapper.replaceBySomebodyElse(5, with: replacement)
    } else {
      pool.mapper.happensAfter[1] = { [unowned mapper = pool.mapper] in
        try? mapper.replaceBySomebodyElse(5, with: replacement)
        mapper.fails["reserve_metadata_snap"] = .noMemory
      }
      // This write makes the run plan the merge again after it created the snapshot.
      let refused = pool.merge(whenAsked: { [mapper = pool.mapper] in
        #expect(throws: Never.self) { try mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5) }
      })
      #expect(refused.error?.code == .cannotTakeMetadataSnapshot, "\(refused.message)")
      expectNamed(refused)
      pool.mapper.happensAfter = [:]
      pool.mapper.fails = [:]
    }
    #expect(pool.mapper.thinDevices.map(\.devID).contains(16_777_215))
  }

  private static func expectNamed(_ outcome: ActivePool.Outcome) {
    let sentence = "its snapshot, dev 16777215, is the only copy and is kept"
    #expect(outcome.notes.contains { $0.contains(sentence) }, "\(outcome.notes)")
  }

  @Test(
    "a deleted device's snapshot is kept until merged, and can be merged by either device ID",
    arguments: [true, false], [5, 16_777_215] as [UInt32])
  func onlyCopy(isKilled: Bool, deviceID: UInt32) throws {
    let pool = try ActivePool()
    try Self.onlyCopyIsLeft(pool, isKilled: isKilled)
    let listed = pool.run { merger throws(MergeError) in _ = try merger.devices(pool: "pool") }
    #expect(listed.exitStatus == 0, "\(listed.message)")
    Self.expectNamed(listed)
    let selection = ThinDeviceReference.member(pool: "pool", deviceID: deviceID)
    #expect(pool.merge(selection, agrees: false).exitStatus == 2)
    #expect(pool.mapper.thinDevices.map(\.devID) == [16_777_215])
    let outcome = pool.merge(selection, restarts: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    // If the run was refused, the snapshot also contains the write made during the prompt.
    #expect(try pool.isMerged() == isKilled)
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.cleanupFailures == [])
    #expect(pool.mapper.thinDevices.isEmpty)
    #expect(try pool.recordFiles() == [])
  }

  @Test("a merge from a snapshot that is a deleted device's only copy can be stopped and resumed")
  func onlyCopyStopped() throws {
    let pool = try ActivePool()
    try Self.onlyCopyIsLeft(pool, isKilled: true)
    try pool.cutData()
    #expect(pool.merge().exitStatus == 3)
    try pool.restoreData()
    #expect(pool.mapper.thinDevices.map(\.devID) == [16_777_215])
    #expect(try pool.resume().exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.isEmpty)
  }

  @Test("the snapshot of a deleted thin device is not used to merge a new device with the same ID")
  func onlyCopyOfReplaced() throws {
    let pool = try ActivePool()
    let other = Fixtures.ThinDevice(5, [ThinMapping(2, 70)], transactionID: 9)
    try Self.onlyCopyIsLeft(pool, isKilled: true, replacement: other)
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try !pool.isMerged())
    #expect(pool.mapper.steps.contains("create_snap 16777214 5"), "\(pool.mapper.steps)")
    #expect(pool.cleanupFailures.map(\.code) == [.snapshotOnlyCopy])
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
  }

  @Test("settle deletes a snapshot if nothing was merged from it and the thin device still exists")
  func notTheOnlyCopy() throws {
    let pool = try ActivePool()
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
    try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
    let settled = pool.run { merger throws(MergeError) in _ = try merger.settle(pool: "pool") }
    #expect(settled.exitStatus == 0, "\(settled.message)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "if another program deletes the snapshot, the next merge is refused and the one after succeeds")
  func snapshotDeleted() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try pool.mapper.replaceBySomebodyElse(16_777_215)
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.notes.contains { $0.contains("no longer exists or was never created") })
    #expect(pool.merge().exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(try pool.recordFiles() == [])
  }

  @Test("the pool record marks the snapshot as merged before the snapshot is deleted")
  func killedAtTheEnd() throws {
    let pool = try ActivePool()
    var record: Data?
    // Near its end, the run examines the pool twice: to decide whether to delete the snapshot, and
    // again just before it does so.
    pool.mapper.told = { [unowned pool] step in
      if step == "release_metadata_snap", pool.mapper.thinDevices.count == 2 {
        record = FileManager.default.contents(atPath: pool.recordPath)
      }
    }
    #expect(pool.merge(verifies: true).exitStatus == 0)
    let text = String(decoding: try #require(record), as: UTF8.self)
    #expect(text.contains(#""isMerged" : true"#), "\(text)")
  }

  @Test(
    "a --no-snapshot merge stops if its device may have been active; resume rechecks all blocks",
    arguments: [false, true])
  func itselfActivated(verifies: Bool) throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    let options = PoolOptions(mergesThinDeviceItself: true)
    pool.whenMerging = {
      pool.mapper.mapped.append(thin)
      pool.mapper.mapped.removeLast()
    }
    let outcome = pool.merge(ActivePool.byNumber, options, verifies: verifies)
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    #expect(outcome.error?.code == .thinDeviceMaybeActivated)
    #expect(outcome.hint.contains("--trust-earlier-runs"))
    #expect(!pool.mapper.isHolding)
    // A write to an already mapped block changes only the data device, not the pool's metadata.
    let written = Data(repeating: 7, count: ActivePool.blockByteCount)
    let data = try FileHandle(forWritingTo: URL(filePath: pool.folder.path("data.img")))
    try data.seek(toOffset: UInt64(40 * ActivePool.blockByteCount))
    try data.write(contentsOf: written)
    try data.close()
    #expect(try pool.resume().exitStatus == 0)
    #expect(pool.thinDeviceState == .asMerged)
    #expect(try pool.originContent().prefix(ActivePool.blockByteCount) == written)
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "if a thin device is activated during its snapshot, the merge is refused and cleans up")
  func activatedJustThen() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.mapper.told = { [unowned mapper = pool.mapper] step in
      if step.hasPrefix("create_snap") { mapper.mapped.append(thin) }
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5, "\(outcome.message)")
    #expect(outcome.message.contains("activated while a snapshot of it was being created"))
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isUntouched())
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "if another program resumes the suspended device, snapshot creation is retried only once")
  func resumedByOthers() throws {
    for (times, exitStatus) in [(1, 0), (2, 5)] as [(Int, Int32)] {
      let pool = try ActivePool()
      pool.mapper.mapped.append(try pool.thin())
      pool.mapper.resumedByOthers = times
      let outcome = pool.merge(.device("vm"))
      #expect(outcome.exitStatus == exitStatus, "\(outcome.message)")
      #expect(pool.mapper.thinDevices.map(\.devID) == [5])
      #expect(try exitStatus == 0 ? pool.isMerged() : pool.isUntouched())
      #expect(try pool.recordFiles() == [])
    }
  }

  @Test("a snapshot contains writes made to the thin device during the confirmation prompt")
  func writtenWhileAsked() throws {
    let pool = try ActivePool()
    let outcome = pool.merge(whenAsked: {
      #expect(throws: Never.self) {
        try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
      }
    })
    #expect(outcome.exitStatus == 0, "\(outcome.message) \(pool.mapper.steps)")
    #expect(try !pool.isMerged())
    #expect(pool.thinDeviceState == .asMerged)
    let difference = try pool.originContent()[12 * 65_536..<13 * 65_536]
    #expect(difference != pool.merged[12 * 65_536..<13 * 65_536])
  }

  @Test(
    "without room for a snapshot, a merge reads the thin device itself, and a note says so"
  )
  func noRoom() throws {
    let pool = try ActivePool()
    pool.mapper.usedDataBlockCount = 231
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == ["reserve_metadata_snap", "release_metadata_snap"])
    #expect(
      outcome.notes.contains { $0.contains("only 25 of the pool's 256 blocks are free") },
      "\(outcome.notes)")
  }

  @Test("--snapshot creates a snapshot even if the pool is nearly full")
  func littleRoom() throws {
    let pool = try ActivePool()
    pool.mapper.usedDataBlockCount = 231
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let refused = pool.merge(.device("vm"))
    #expect(refused.exitStatus == 5)
    #expect(!refused.hint.contains("--snapshot"), "\(refused.hint)")
    #expect(pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)).exitStatus == 0)
    #expect(try pool.isMerged())
  }

  @Test("a merge from a metadata snapshot that the user specified creates no snapshot of its own")
  func metadataSnapshotNamed() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse(afterChange: false)
    let block = try #require(pool.mapper.heldBlock)
    let outcome = pool.mergeByHand(.metadataSnapshot(block: UInt64(block)))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(outcome.notes.contains { $0.contains("because you named a metadata snapshot") })
  }
}
