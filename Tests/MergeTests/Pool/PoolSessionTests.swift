import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Pool: merging from an active pool", .needsLoopDevices, .waitsForPrograms)
struct PoolSessionTests {
  /// What the pool sees of a metadata snapshot that is taken and given back.
  private static let lookedAt = ["reserve_metadata_snap", "release_metadata_snap"]

  @Test("an inactive thin device is merged under a metadata snapshot of the tool's own")
  func inactive() throws {
    let pool = try ActivePool()
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == ["reserve_metadata_snap", "release_metadata_snap"])
    #expect(try pool.recordFiles() == [])
  }

  @Test("a read-only thin device is merged while it is active, by its name alone")
  func readOnly() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == ["reserve_metadata_snap", "release_metadata_snap"])
  }

  @Test("a read-only thin device that is open is refused, and --snapshot merges a snapshot of it")
  func readOnlyAndOpen() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    thin.openCount = 1
    // A device that nobody has open shows the same thin device.
    var alias = try pool.thin("alias", minor: 302)
    alias.isReadOnly = true
    pool.mapper.mapped += [alias, thin]
    let refused = pool.merge(.device("vm"))
    #expect(refused.exitStatus == 5)
    #expect(refused.message.contains("/dev/mapper/vm"), "\(refused.message)")
    #expect(refused.hint.contains("--snapshot"))
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
    let outcome = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps.contains("create_snap 16777215 5"))
    #expect(pool.mapper.mapped.contains(thin))
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isMerged())
  }

  @Test("an open device beside a writable one that nobody has open keeps the latter from removal")
  func readOnlyAndOpenBesideWritable() throws {
    let pool = try ActivePool()
    var open = try pool.thin("open", minor: 302)
    open.isReadOnly = true
    open.openCount = 1
    pool.mapper.mapped += [try pool.thin(), open]
    #expect(pool.merge(.device("vm")).exitStatus == 5)
    #expect(pool.mapper.steps == [])
  }

  @Test("a thin device that nobody has open is removed for the merge; --reactivate puts it back")
  func removed() throws {
    for reactivates in [false, true] {
      let pool = try ActivePool()
      let thin = try pool.thin()
      pool.mapper.mapped.append(thin)
      let outcome = pool.merge(.device("vm"), PoolOptions(reactivates: reactivates))
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      #expect(try pool.isMerged())
      #expect(pool.mapper.mapped.contains(thin) == reactivates)
      #expect(
        outcome.notes.contains { $0.contains("dmsetup create vm --uuid THIN-vm") } != reactivates)
      // The name of one that stays removed is remembered.
      #expect(try pool.recordFiles().isEmpty == reactivates)
      #expect(pool.merge(.device("vm"), PoolOptions(reactivates: reactivates)).exitStatus == 0)
    }
  }

  @Test(
    "nothing is changed before the merge is agreed to",
    arguments: [PoolOptions(), PoolOptions(reactivates: true), PoolOptions(takesSnapshot: true)])
  func notAgreed(options: PoolOptions) throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = options.takesSnapshot ? 1 : 0
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"), options, agrees: false)
    #expect(outcome.exitStatus == 2)
    #expect(pool.mapper.steps == Self.lookedAt)
    #expect(try pool.isUntouched())
    #expect(try pool.recordFiles() == [])
  }

  @Test("a thin device in use is refused, and --snapshot merges a snapshot of it")
  func snapshot() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let refused = pool.merge(.device("vm"))
    #expect(refused.exitStatus == 5)
    #expect(refused.hint.contains("--snapshot"))
    #expect(pool.mapper.steps == [])
    let outcome = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.snapshotID == 16_777_215)
    #expect(try pool.isMerged())
    #expect(
      pool.mapper.steps == [
        "reserve_metadata_snap", "suspend", "create_snap 16777215 5", "resume",
        "release_metadata_snap", "delete 16777215",
      ])
    #expect(try pool.recordFiles() == [])
  }

  @Test("a thin device that gets another number while the question stands is snapshotted by that")
  func renumbered() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(
      .device("vm"), PoolOptions(takesSnapshot: true),
      whenAsked: { pool.mapper.mapped[1].number.minor += 7 })
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a snapshot takes the next lower id where one is taken")
  func takenID() throws {
    let pool = try ActivePool(otherIDs: [16_777_215])
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let options = PoolOptions(takesSnapshot: true, allowsOtherUsers: true)
    #expect(pool.merge(.device("vm"), options).exitStatus == 0)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(try pool.isMerged())
  }

  @Test("a metadata snapshot that somebody else holds is told of and left alone")
  func heldByAnother() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5)
    #expect(outcome.hint.contains("dmsetup message pool 0 release_metadata_snap"))
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.isHolding)
    #expect(try pool.isUntouched())
  }

  @Test("by hand, a metadata snapshot that is held serves if nothing was mapped since")
  func heldAndFresh() throws {
    let fresh = try ActivePool()
    try fresh.mapper.holdForSomebodyElse()
    let merged = fresh.mergeByHand(.metadataSnapshot(block: nil))
    #expect(merged.exitStatus == 0, "\(merged.message)")
    #expect(try fresh.isMerged())
    #expect(fresh.mapper.isHolding)

    let old = try ActivePool()
    try old.mapper.holdForSomebodyElse()
    try old.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    let outcome = old.mergeByHand(.metadataSnapshot(block: nil))
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("older than the pool's last changes"))
    #expect(old.mapper.steps == [])
    #expect(try old.isUntouched())
  }

  @Test("a metadata snapshot that is held and too old by now is refused by resume as by merge")
  func heldAndOldByResume() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    try pool.cutData()
    #expect(pool.mergeByHand(.metadataSnapshot(block: nil)).exitStatus == 3)
    try pool.restoreData()
    try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    for outcome in [pool.mergeByHand(.metadataSnapshot(block: nil)), try pool.resume()] {
      #expect(outcome.exitStatus == 5, "\(outcome.message)")
      #expect(outcome.message.contains("older than the pool's last changes"), "\(outcome.message)")
    }
    #expect(try !pool.isMerged())
  }

  @Test("a metadata snapshot that was named by --metadata-snap is resumed from, however old it is")
  func namedAndResumed() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let block = pool.mapper.heldBlock.map(UInt64.init)
    try pool.cutData()
    #expect(pool.mergeByHand(.metadataSnapshot(block: block)).exitStatus == 3)
    try pool.restoreData()
    try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
    let outcome = try pool.resume()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.isHolding)
  }

  @Test("--metadata-snap merges from a metadata snapshot that is held, and does not release it")
  func givenSnapshot() throws {
    let pool = try ActivePool()
    try pool.mapper.holdForSomebodyElse()
    let outcome = pool.mergeByHand(.metadataSnapshot(block: pool.mapper.heldBlock.map(UInt64.init)))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.isHolding)
    #expect(try pool.isMerged())
  }

  @Test("plan and verify hold a metadata snapshot only while they read")
  func reading() throws {
    let pool = try ActivePool()
    let planned = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      let plan = try merger.plan(found.source, onto: origin, extent: ExtentOptions())
      #expect(plan.mappedBlockCount == UInt64(ActivePool.mappings.count))
    }
    #expect(planned.exitStatus == 0, "\(planned.message)")
    let verified = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.member(pool: "pool", deviceID: 5))
      let report = try merger.verify(
        found.source, against: origin, extent: ExtentOptions(), transfer: TransferOptions())
      #expect(report.differingByteCount > 0)
    }
    #expect(verified.exitStatus == 0, "\(verified.message)")
    #expect(pool.mapper.steps == Self.lookedAt + Self.lookedAt)
    #expect(try pool.recordFiles() == [])
  }

  @Test("other thin devices on the origin are named and refused, unless they are agreed to")
  func otherUsers() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin("sibling", id: 6, minor: 302))
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("sibling"))
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
    #expect(
      pool.merge(.member(pool: "pool", deviceID: 5), PoolOptions(allowsOtherUsers: true)).exitStatus
        == 0)
    #expect(try pool.isMerged())
  }

  @Test("thin devices that no table names are listed and refused, unless they are agreed to")
  func unknownUsers() throws {
    let pool = try ActivePool(otherIDs: [6, 7])
    let refused = pool.merge()
    #expect(refused.exitStatus == 2)
    #expect(refused.message.contains("dev 6, 7"))
    #expect(!pool.mapper.isHolding)
    #expect(try pool.isUntouched())
    #expect(
      pool.merge(.member(pool: "pool", deviceID: 5), PoolOptions(allowsOtherUsers: true)).exitStatus
        == 0)
    #expect(try pool.isMerged())
  }

  @Test("of those, the ones that share blocks come first")
  func kin() throws {
    let pool = try ActivePool(otherIDs: [2])
    try pool.mapper.send("create_snap 9 5", to: SimulatedDeviceMapper.poolNumber)
    #expect(pool.merge().message.contains("dev 9 (shares blocks), 2"))
  }

  @Test("a pool that is not well is refused")
  func health() throws {
    for (needsCheck, mode, words) in [(true, "ro", "needs_check"), (false, "ro", "read-only")] {
      let pool = try ActivePool()
      pool.mapper.needsCheck = needsCheck
      pool.mapper.mode = mode
      let outcome = pool.merge()
      #expect(outcome.exitStatus == 2)
      #expect(outcome.message.contains(words), "\(outcome.message)")
      #expect(pool.mapper.steps == [])
      #expect(try pool.isUntouched())
    }
  }

  @Test("metadata that is not the pool's as device-mapper knows it is refused")
  func otherMetadata() throws {
    let pool = try ActivePool()
    pool.mapper.dataBlockCount = 255
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("255 of 65536 are expected"))
    #expect(pool.mapper.steps == [])
  }

  @Test("plan says why a merge would be refused")
  func planSaysWhy() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let outcome = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.device("vm"))
      let plan = try merger.plan(found.source, onto: origin, extent: ExtentOptions())
      #expect(plan.refusal?.code == .thinDeviceInUse)
    }
    #expect(outcome.exitStatus == 0)
    #expect(pool.mapper.mapped.contains(thin))
  }

  @Test("the devices of an active pool are listed by its name")
  func devices() throws {
    let pool = try ActivePool(otherIDs: [8])
    let outcome = pool.run { merger throws(MergeError) in
      #expect(try merger.devices(pool: "pool").map(\.deviceID) == [5, 8])
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
  }

  @Test("a table with the thin device that was loaded and is not live yet is in the way")
  func pendingTable() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    var alias = thin
    alias.name = "alias"
    alias.liveTable = []
    alias.inactiveTable = thin.liveTable
    pool.mapper.mapped.append(alias)
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("/dev/mapper/alias"))
    #expect(outcome.hint.contains("dmsetup clear alias"))
    #expect(try pool.isUntouched())
  }

  @Test("a thin device that is activated during the merge is found out before it is finished")
  func activatedMeanwhile() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.whenMerging = { pool.mapper.mapped.append(thin) }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 3)
    #expect(outcome.message.contains("activated during the merge"))
    #expect(!pool.mapper.isHolding)
  }

  @Test("a read-only thin device that is writable at the end is found out before it is finished")
  func writableMeanwhile() throws {
    for isLoaded in [false, true] {
      let pool = try ActivePool()
      var thin = try pool.thin()
      thin.isReadOnly = true
      pool.mapper.mapped.append(thin)
      pool.whenMerging = {
        if isLoaded {
          pool.mapper.mapped[1].inactiveTable = thin.liveTable
        } else {
          pool.mapper.mapped[1].isReadOnly = false
        }
      }
      let outcome = pool.merge(.device("vm"))
      #expect(outcome.exitStatus == 3, "\(outcome.message)")
      #expect(outcome.message.contains("activated during the merge"))
    }
  }

  @Test("an origin that something else lies on at the end is found out before it is finished")
  func originHeldMeanwhile() throws {
    let pool = try ActivePool()
    let number = try pool.number(pool.origin.path)
    pool.whenMerging = {
      pool.mapper.holders[number] = [DeviceNumber(major: 253, minor: 400)]
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    #expect(outcome.message.contains("253:400 lies on it"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
  }

  @Test("a metadata snapshot is not believed where status and superblock name different blocks")
  func blocksDiffer() throws {
    let pool = try ActivePool()
    pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in
      mapper.reportedHeldBlock = 99
    }
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("the pool did not commit it"), "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
    #expect(try pool.isUntouched())
  }

  @Test("a snapshot is kept where --verify finds that the origin differs")
  func differsInTheEnd() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let path = pool.folder.path("origin.img")
    // The last look at all devices is the one after everything is written.
    pool.mapper.whenLookedAt = {
      let file = FileHandle(forWritingAtPath: path)
      file?.write(Data(repeating: 0xFF, count: 4096))
      try? file?.close()
    }
    _ = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true), verifies: true)
    pool.mapper.whenLookedAt = {}
    #expect(try !pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(try pool.recordFiles() == ["POOL-1.json"])
    // The merge is finished, so the next one compares.
    let compared = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true), verifies: true)
    #expect(compared.exitStatus == 4, "\(compared.message)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    let outcome = pool.merge(
      .device("vm"), PoolOptions(takesSnapshot: true), again: true, verifies: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a thin device without an external origin says so, whoever asks")
  func noOrigin() throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try pool.thin(hasOrigin: false))
    let outcome = pool.run { merger throws(MergeError) in
      let found = try merger.resolve(.device("vm"))
      #expect(throws: Failure.self) { try found.originPath(typed: nil) }
      #expect(found.thinByteCount == UInt64(ActivePool.blockCount * ActivePool.blockByteCount))
    }
    #expect(outcome.exitStatus == 0)
  }

  @Test("paths of an active pool given by hand get the same checks and a metadata snapshot")
  func byHand() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    #expect(pool.mergeByHand(.metadataSnapshot(block: nil)).exitStatus == 5)
    pool.mapper.mapped.removeLast()
    let merged = pool.mergeByHand(.metadataSnapshot(block: nil))
    #expect(merged.exitStatus == 0, "\(merged.message)")
    #expect(pool.mapper.steps == Self.lookedAt)
    #expect(try pool.isMerged())
  }

  @Test("a data device of an active pool is refused with metadata from elsewhere")
  func dataOfActivePool() throws {
    let pool = try ActivePool()
    try Program.mustRun(
      "cp", pool.folder.path("metadata.img"), pool.folder.path("copy.img"))
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: pool.folder.path("copy.img"))
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("a pool is active on the data device"))
    #expect(try pool.isUntouched())
  }

  @Test("a file that an active pool lies on by way of a loop device is known to be that pool's")
  func fileUnderPool() throws {
    let pool = try ActivePool()
    let outcome = pool.mergeByHand(
      .inactivePool, metadataPath: pool.folder.path("metadata.img"))
    #expect(outcome.exitStatus == 5)
    #expect(outcome.message.contains("the pool may be active on it"))
    #expect(try pool.isUntouched())
  }

  @Test("a thin device that is its own origin is refused before anything is done")
  func ownOrigin() throws {
    let pool = try ActivePool()
    let outcome = pool.run { merger throws(MergeError) in
      let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
      _ = try merger.merge(source, onto: source.dataPath, options: MergeOptions())
    }
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("it is the pool's data device"))
    #expect(pool.mapper.steps == [])
  }

  @Test("aliases that do not agree on origin or length are refused")
  func aliases() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    var alias = try pool.thin("other", minor: 303, hasOrigin: false)
    alias.isReadOnly = true
    pool.mapper.mapped += [thin, alias]
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("vm, other"))
  }

  @Test("a thin device that somebody has suspended is left alone")
  func suspended() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    thin.isSuspended = true
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true))
    #expect(outcome.exitStatus == 5)
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.mapped.last?.isSuspended == true)
  }

  @Test("a snapshot is not made of a pool that has no room, or while somebody holds its metadata")
  func noSnapshot() throws {
    for isFull in [true, false] {
      let pool = try ActivePool()
      var thin = try pool.thin()
      thin.openCount = 1
      pool.mapper.mapped.append(thin)
      if isFull {
        pool.mapper.mode = "out_of_data_space"
      } else {
        try pool.mapper.holdForSomebodyElse()
      }
      let outcome = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true))
      #expect(outcome.exitStatus == (isFull ? 2 : 5))
      #expect(pool.mapper.steps == [])
    }
  }

  @Test("no verb takes a metadata snapshot where the pool's metadata is nearly used up")
  func metadataUsedUp() throws {
    let pool = try ActivePool()
    pool.mapper.metadataUsage = "241/256"
    let origin = pool.origin.path
    let outcomes = [
      pool.run { merger throws(MergeError) in _ = try merger.devices(pool: "pool") },
      pool.run { merger throws(MergeError) in
        let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
        _ = try merger.plan(source, onto: origin)
      },
      pool.run { merger throws(MergeError) in
        let source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
        _ = try merger.verify(source, against: origin)
      },
    ]
    for outcome in outcomes {
      #expect(outcome.error?.code == .poolMetadataUsedUp, "\(outcome.message)")
    }
    #expect(pool.merge().exitStatus == 2)
    #expect(pool.mapper.steps == [])
    pool.mapper.metadataUsage = "240/256"
    #expect(pool.merge().exitStatus == 0)
  }

  @Test(
    "of an active pool that needs a check, a held metadata snapshot is offered where there is one")
  func needsCheckHint() throws {
    let pool = try ActivePool()
    pool.mapper.needsCheck = true
    let nothingHeld = pool.merge()
    #expect(nothingHeld.hint.contains("thin_check --clear-needs-check-flag \(pool.metadata.path)"))
    #expect(!nothingHeld.hint.contains("--ignore-needs-check"))
    try pool.mapper.holdForSomebodyElse(afterChange: false)
    #expect(pool.merge().hint.contains("--ignore-needs-check"))
    let listed = pool.run { merger throws(MergeError) in
      _ = try merger.devices(
        pool: "pool", mappings: .metadataSnapshot(block: nil), ignoresNeedsCheck: true)
    }
    #expect(listed.exitStatus == 0, "\(listed.message)")
    #expect(pool.mapper.steps == [])
  }

  @Test("a volume group that is this system's own, or nobody's, is used", arguments: ["", "here"])
  func ownGroup(systemID: String) throws {
    let pool = try ActivePool()
    pool.mapper.mapped.append(try pool.thin("vg-vm"))
    pool.runProgram = { words in
      guard words[0] == "vgs" else { return .succeeded(output: "  system ID: here\n") }
      return .succeeded(
        output: #"{"report":[{"vg":[{"vg_lock_type":"none","vg_systemid":"\#(systemID)","#
          + #""vg_exported":"","vg_partial":""}]}]}"#)
    }
    let outcome = pool.merge(.device("vg/vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }

  @Test("a thin device that cannot be resumed is told of, and the next run resumes it")
  func resumeFails() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    pool.mapper.resumeFails = .ioError
    let outcome = pool.merge(.device("vm"), PoolOptions(takesSnapshot: true))
    #expect(outcome.exitStatus == 3)
    #expect(outcome.hint.contains("dmsetup resume vm"))
    #expect(pool.mapper.mapped.last?.isSuspended == true)
    pool.mapper.resumeFails = nil
    #expect(pool.merge(.device("vm"), PoolOptions(takesSnapshot: true)).exitStatus == 0)
    #expect(pool.mapper.mapped.last?.isSuspended == false)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isMerged())
  }

  @Test("two runs do not work on one pool")
  func oneRun() throws {
    let pool = try ActivePool()
    var inner: ActivePool.Outcome?
    let outer = pool.merge(whenAsked: { inner = pool.merge(waits: false) })
    #expect(outer.exitStatus == 0)
    #expect(inner?.exitStatus == 5)
    #expect(inner?.message.contains(ActivePool.isLocked) == true)
  }
}
