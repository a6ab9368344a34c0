import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@Suite(
  "Pool: the snapshot kept for a stopped merge", .needsLoopDevices, .waitsForPrograms)
struct KeptSnapshotTests {
  @Test("if a restarted merge cannot create a snapshot, the stopped merge's snapshot is kept")
  func restarted() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    pool.mapper.fails["create_snap"] = .noMemory
    #expect(pool.merge(ActivePool.byNumber, restarts: true).exitStatus == 2)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    pool.mapper.fails = [:]
    #expect(pool.merge(ActivePool.byNumber, restarts: true).exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("if a restarted merge also stops, its own snapshot is kept and the earlier one is deleted")
  func restartedAndStopped() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try pool.cutData()
    #expect(pool.merge(ActivePool.byNumber, restarts: true).exitStatus == 3)
    try pool.restoreData()
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_214])
    #expect(pool.merge(ActivePool.byNumber).exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test(
    "a merge onto another origin creates its own snapshot and keeps the stopped merge's snapshot")
  func anotherOrigin() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    let file = pool.folder.path("another.img")
    try Data(count: ActivePool.blockCount * ActivePool.blockByteCount).write(
      to: URL(filePath: file))
    let another = try LoopDevice(backing: file)
    let outcome = pool.run { merger throws(MergeError) in
      let found = try merger.resolve(ActivePool.byNumber)
      _ = try merger.merge(found.source, onto: another.path, options: MergeOptions())
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps.contains("create_snap 16777214 5"), "\(pool.mapper.steps)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(pool.merge(ActivePool.byNumber).exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  /// Renames the origin in the pool record, as if a reboot had given a new name to an origin that
  /// has no persistent identity.
  private static func renameOrigin(of pool: ActivePool) throws {
    let name = #/"originName" : "[^"]*"/#
    let record = try String(contentsOfFile: pool.recordPath, encoding: .utf8)
    #expect(record.contains(name))
    #expect(record.contains(#""requiredFeatures" : 3"#))
    try pool.writeRecord(
      record.replacing(name, with: #""originName" : "device 8:32 at /dev/sdc""#))
  }

  @Test(
    "a stopped merge's snapshot is found by its journal ID if a reboot has renamed the origin")
  func foundByJournal() throws {
    for isResumed in [false, true] {
      let pool = try ActivePool()
      try pool.stopInMidMerge()
      try Self.renameOrigin(of: pool)
      try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
      let outcome = try isResumed ? pool.resume() : pool.merge(ActivePool.byNumber)
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      #expect(!pool.mapper.steps.suffix(4).contains { $0.hasPrefix("create_snap") })
      #expect(try pool.isMerged())
      #expect(pool.mapper.thinDevices.map(\.devID) == [5])
      #expect(try pool.recordFiles() == [])
    }
  }

  @Test(
    "a restarted merge deletes the earlier snapshot even if a reboot has renamed the origin"
  )
  func givenUpByJournal() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    try Self.renameOrigin(of: pool)
    let outcome = pool.merge(ActivePool.byNumber, restarts: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test(
    "a snapshot record written by 0.1.0, which has no journal ID, is matched by the origin alone")
  func foundByOrigin() throws {
    let pool = try ActivePool()
    try pool.stopInMidMerge()
    let journal = #/"journalID" : "[^"]*",/#
    let record = try String(contentsOfFile: pool.recordPath, encoding: .utf8)
    try pool.writeRecord(
      record.replacing(journal, with: "").replacing(
        #""requiredFeatures" : 3"#, with: #""requiredFeatures" : 1"#))
    #expect(pool.merge(ActivePool.byNumber).exitStatus == 0)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a stopped merge can be finished if its origin is the lower layer of a device stack")
  func lowerLayer() throws {
    let pool = try ActivePool()
    let top = try LoopDevice(backing: pool.origin.path)
    let name = "thin-merge-test-\(getpid())"
    let node = "/dev/mapper/\(name)"
    try FileManager.default.createDirectory(
      atPath: "/dev/mapper", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: node, withDestinationPath: top.path)
    defer { try? FileManager.default.removeItem(atPath: node) }
    try pool.addBase()
    let lower = try #require(pool.mapper.mapped.last)
    var upper = lower
    upper.name = name
    upper.uuid = "TOP"
    upper.number = try pool.number(top.path)
    upper.liveTable[0].arguments = "\(lower.number) 0"
    pool.mapper.mapped.append(upper)
    try pool.cutData()
    let stopped = pool.merge(ActivePool.byNumber)
    #expect(stopped.exitStatus == 3, "\(stopped.message)")
    try pool.restoreData()
    let outcome = pool.merge(ActivePool.byNumber)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps.filter { $0.hasPrefix("create_snap") }.count == 1)
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a merge from another program's metadata snapshot can be stopped and resumed")
  func heldBySomebodyElse() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse(afterChange: false)
    try pool.cutData()
    #expect(pool.mergeByHand(.metadataSnapshot(block: nil)).exitStatus == 3)
    try pool.restoreData()
    try pool.mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5)
    let outcome = try pool.resume()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.thinDeviceState == .writtenSince)
    #expect(pool.mapper.isHolding)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }
}
