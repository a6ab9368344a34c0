import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@Suite(
  "Pool: what happens to a thin device while its snapshot is merged", .needsLoopDevices,
  .waitsForPrograms)
struct OwnSnapshotTests {
  @Test("a thin device that is activated during the merge, and not written to, is not needed")
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

  @Test("a thin device that somebody has open at the end is said to be open")
  func open() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    #expect(pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)).exitStatus == 0)
    #expect(pool.thinDeviceState == .open)
  }

  @Test("what is written to the thin device during the merge is not merged, and the report says so")
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

  @Test("a thin device that is deleted during the merge is merged to the end")
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

  @Test("a thin device that is written to between stop and resume is merged as it was")
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

  @Test("a thin device that is deleted between stop and resume is merged from its snapshot")
  func deletedInBetween() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try pool.mapper.replaceBySomebodyElse(5)
    #expect(try pool.resume().exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.mapper.thinDevices.isEmpty)
  }

  @Test("a snapshot is not merged in the name of another thin device that has the number now")
  func replacedInBetween() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    let other = Fixtures.ThinDevice(5, [ThinMapping(2, 70)], transactionID: 9)
    try pool.mapper.replaceBySomebodyElse(5, with: other)
    let before = try pool.originContent()
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("another thin device has that number now"))
    // The other one may be on the same origin.
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

  /// Leaves a snapshot of a thin device that was deleted before anything was written from it, or before its making
  /// was recorded.
  private static func onlyCopyIsLeft(
    _ pool: ActivePool, isKilled: Bool, replacement: Fixtures.ThinDevice? = nil
  ) throws {
    if isKilled {
      // Just after the snapshot was made.
      #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
      try pool.mapper.replaceBySomebodyElse(5, with: replacement)
    } else {
      pool.mapper.happensAfter[1] = { [unowned mapper = pool.mapper] in
        try? mapper.replaceBySomebodyElse(5, with: replacement)
        mapper.fails["reserve_metadata_snap"] = .noMemory
      }
      // By that the merge is planned once more behind the snapshot.
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
    let sentence = "its snapshot, dev 16777215, is the only copy of it, and is kept"
    #expect(outcome.notes.contains { $0.contains(sentence) }, "\(outcome.notes)")
  }

  @Test(
    "a snapshot of a deleted thin device is kept by every verb, and a merge by either number finishes from it",
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
    // What was written while the question stood is in the snapshot too.
    #expect(try pool.isMerged() == isKilled)
    #expect(pool.thinDeviceState == .gone)
    #expect(pool.cleanupFailures == [])
    #expect(pool.mapper.thinDevices.isEmpty)
    #expect(try pool.recordFiles() == [])
  }

  @Test("a merge of a snapshot that is the only copy stops and goes on like any other")
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

  @Test("a snapshot that is the only copy is not merged for a new device that has the number")
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

  @Test("a snapshot from which nothing was written goes while the thin device is there")
  func notTheOnlyCopy() throws {
    let pool = try ActivePool()
    #expect(try PoolCrashTests.killed(pool, .inactive, at: 3))
    try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
    let settled = pool.run { merger throws(MergeError) in _ = try merger.settle(pool: "pool") }
    #expect(settled.exitStatus == 0, "\(settled.message)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.recordFiles() == [])
  }

  @Test("a snapshot that somebody deleted is forgotten, and the next merge goes on without it")
  func snapshotDeleted() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try pool.mapper.replaceBySomebodyElse(16_777_215)
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.notes.contains { $0.contains("is not there (any more)") })
    #expect(pool.merge().exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(try pool.recordFiles() == [])
  }

  @Test("a snapshot goes although a run is killed while it reads back what it has merged")
  func killedAtTheEnd() throws {
    let pool = try ActivePool()
    var record: Data?
    // Looked at twice before the end: when it is decided, and once more before it is done.
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
    "a merge of a thin device itself that may have been active meanwhile stops, and resume compares all again",
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
    // What was written to it in its place is in the data device alone.
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
    "a thin device that is activated while its snapshot is made is refused, and the snapshot goes")
  func activatedJustThen() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.mapper.told = { [unowned mapper = pool.mapper] step in
      if step.hasPrefix("create_snap") { mapper.mapped.append(thin) }
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5, "\(outcome.message)")
    #expect(outcome.message.contains("activated while a snapshot of it was made"))
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isUntouched())
    #expect(try pool.recordFiles() == [])
  }

  @Test("a snapshot is made anew where somebody resumed the thin device meanwhile, once")
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

  @Test("a snapshot is made of what the thin device has when the answer is yes")
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
    "where a pool has no room for a snapshot, the thin device itself is merged, and that is said")
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

  @Test("--snapshot is a snapshot also where little of the pool is free")
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

  @Test("a metadata snapshot that is named is read, and no snapshot is made")
  func metadataSnapshotNamed() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse(afterChange: false)
    let block = try #require(pool.mapper.heldBlock)
    let outcome = pool.mergeByHand(.metadataSnapshot(block: UInt64(block)))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(outcome.notes.contains { $0.contains("the metadata snapshot that was named is read") })
  }
}
