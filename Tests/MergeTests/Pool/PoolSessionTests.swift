import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Pool: merging from an active pool", .needsLoopDevices, .waitsForPrograms)
struct PoolSessionTests {
  /// The messages sent to the pool to take and then release a metadata snapshot.
  private static let lookedAt = ["reserve_metadata_snap", "release_metadata_snap"]

  /// The messages sent to the pool to merge a thin device that is inactive or read-only.
  private static let snapshotMerged = [
    "reserve_metadata_snap", "create_snap 16777215 5", "release_metadata_snap", "delete 16777215",
  ]
  private static let itself = PoolOptions(mergesThinDeviceItself: true)

  @Test("merging an inactive thin device creates a snapshot, merges from it, and deletes it")
  func inactive() throws {
    let pool = try ActivePool()
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == Self.snapshotMerged)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(pool.thinDeviceState == .asMerged)
    #expect(try pool.recordFiles() == [])
  }

  @Test("with --no-snapshot, an inactive thin device is merged without creating a snapshot")
  func inactiveItself() throws {
    let pool = try ActivePool()
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), Self.itself)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == Self.lookedAt)
    #expect(pool.thinDeviceState == .asMerged)
    #expect(try pool.recordFiles() == [])
  }

  @Test("an active read-only thin device can be merged by specifying only its name")
  func readOnly() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.steps == Self.snapshotMerged)
  }

  @Test(
    "an active thin device that is not open is suspended only for its snapshot, and stays active")
  func active() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(
      pool.mapper.steps == [
        "reserve_metadata_snap", "suspend", "create_snap 16777215 5", "resume",
        "release_metadata_snap", "delete 16777215",
      ])
    #expect(pool.mapper.mapped.contains(thin))
    #expect(pool.thinDeviceState == .asMerged)
    #expect(try pool.recordFiles() == [])
  }

  @Test("a merge waits until a briefly opened thin device is closed")
  func openForAMoment() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    var looks = 0
    pool.mapper.whenLookedAt = {
      looks += 1
      if looks == 10 { pool.mapper.mapped[1].openCount = 0 }
    }
    let outcome = pool.merge(.device("vm"))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test("an open read-only thin device is refused, but can be merged with --snapshot")
  func readOnlyAndOpen() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    thin.openCount = 1
    // The alias is a second mapped device for the same thin device, and is not open.
    var alias = try pool.thin("alias", minor: 302)
    alias.isReadOnly = true
    pool.mapper.mapped += [alias, thin]
    let refused = pool.merge(.device("vm"))
    #expect(refused.exitStatus == 5)
    #expect(refused.message.contains("/dev/mapper/vm"), "\(refused.message)")
    #expect(refused.hint.contains("--snapshot"))
    #expect(pool.mapper.steps == [])
    #expect(try pool.isUntouched())
    let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true))
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps.contains("create_snap 16777215 5"))
    #expect(pool.mapper.mapped.contains(thin))
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isMerged())
  }

  @Test("a merge is refused if one of a thin device's two mapped devices is open")
  func readOnlyAndOpenBesideWritable() throws {
    let pool = try ActivePool()
    var open = try pool.thin("open", minor: 302)
    open.isReadOnly = true
    open.openCount = 1
    pool.mapper.mapped += [try pool.thin(), open]
    #expect(pool.merge(.device("vm")).exitStatus == 5)
    #expect(pool.mapper.steps == [])
  }

  @Test(
    "with --no-snapshot, a merge removes an active thin device; --reactivate restores the device")
  func removed() throws {
    for reactivates in [false, true] {
      let options = PoolOptions(mergesThinDeviceItself: true, reactivates: reactivates)
      let pool = try ActivePool()
      let thin = try pool.thin()
      pool.mapper.mapped.append(thin)
      let outcome = pool.merge(.device("vm"), options)
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      #expect(try pool.isMerged())
      #expect(pool.mapper.mapped.contains(thin) == reactivates)
      #expect(
        outcome.notes.contains { $0.contains("dmsetup create vm --uuid THIN-vm") } != reactivates)
      // The pool record keeps the name of a device that stays removed.
      #expect(try pool.recordFiles().isEmpty == reactivates)
      #expect(pool.merge(.device("vm"), options).exitStatus == 0)
    }
  }

  @Test(
    "a merge that the user declines changes nothing",
    arguments: [
      PoolOptions(), PoolOptions(mergesThinDeviceItself: true, reactivates: true),
      PoolOptions(allowsOpenThinDevice: true),
    ])
  func notAgreed(options: PoolOptions) throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = options.allowsOpenThinDevice ? 1 : 0
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"), options, agrees: false)
    #expect(outcome.exitStatus == 2)
    #expect(pool.mapper.steps == Self.lookedAt)
    #expect(try pool.isUntouched())
    #expect(try pool.recordFiles() == [])
  }

  @Test("an open thin device is refused, but can be merged with --snapshot")
  func snapshot() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let refused = pool.merge(.device("vm"))
    #expect(refused.exitStatus == 5)
    #expect(refused.hint.contains("--snapshot"))
    #expect(pool.mapper.steps == [])
    let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true))
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

  @Test(
    "a snapshot succeeds even if the device number changes during the confirmation prompt"
  )
  func renumbered() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(
      .device("vm"), PoolOptions(allowsOpenThinDevice: true),
      whenAsked: { pool.mapper.mapped[1].number.minor += 7 })
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a snapshot gets another ID if the first random choice is already taken")
  func takenID() throws {
    let pool = try ActivePool(otherIDs: [16_777_215])
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let options = PoolOptions(allowsOpenThinDevice: true, allowsOtherUsers: true)
    #expect(pool.merge(.device("vm"), options).exitStatus == 0)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(try pool.isMerged())
  }

  @Test(
    "if a write during the confirmation prompt forces a second plan, no note is repeated")
  func notedOnce() throws {
    let pool = try ActivePool(otherIDs: [6])
    pool.mapper.mapped.append(try pool.thin())
    let outcome = pool.merge(
      .device("vm"), PoolOptions(allowsOtherUsers: true),
      whenAsked: { try? pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5) })
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(pool.mapper.steps.filter { $0 == "reserve_metadata_snap" }.count == 2)
    #expect(outcome.notes.contains { $0.contains("dev 6") })
    #expect(Set(outcome.notes).count == outcome.notes.count, "\(outcome.notes)")
  }

  @Test("a pool that needs a check or is read-only is refused")
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

  @Test("metadata is refused if it disagrees with the pool's status about the data device's size")
  func otherMetadata() throws {
    let pool = try ActivePool()
    pool.mapper.dataBlockCount = 255
    let outcome = pool.merge()
    #expect(outcome.exitStatus == 2)
    #expect(outcome.message.contains("device-mapper 255 of 64 KiB"))
    #expect(pool.mapper.steps == [])
  }

  @Test("plan reports why a merge would be refused")
  func planSaysWhy() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let outcome = pool.run { [origin = pool.origin.path] merger throws(MergeError) in
      let found = try merger.resolve(.device("vm"))
      let plan = try merger.plan(found.source, onto: origin)
      #expect(plan.refusal?.code == .thinDeviceInUse)
    }
    #expect(outcome.exitStatus == 0)
    #expect(pool.mapper.mapped.contains(thin))
  }

  @Test("the thin devices of an active pool can be listed by specifying the pool's name")
  func devices() throws {
    let pool = try ActivePool(otherIDs: [8])
    let outcome = pool.run { merger throws(MergeError) in
      #expect(try merger.devices(pool: "pool").map(\.deviceID) == [5, 8])
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(!pool.mapper.isHolding)
  }

  @Test("a merge is refused if a table that is loaded but not yet live contains the thin device")
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

  @Test("a merge keeps its snapshot if --verify finds a difference on the origin")
  func differsInTheEnd() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    let path = pool.folder.path("origin.img")
    // The devices are listed for the last time after everything was written.
    pool.mapper.whenLookedAt = {
      let file = FileHandle(forWritingAtPath: path)
      file?.write(Data(repeating: 0xFF, count: 4096))
      try? file?.close()
    }
    _ = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true), verifies: true)
    pool.mapper.whenLookedAt = {}
    #expect(try !pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    #expect(try pool.recordFiles() == ["POOL-1.json"])
    // The merge is finished, so the next run only compares.
    let compared = pool.merge(
      .device("vm"), PoolOptions(allowsOpenThinDevice: true), verifies: true)
    #expect(compared.exitStatus == 4, "\(compared.message)")
    #expect(pool.mapper.thinDevices.map(\.devID) == [5, 16_777_215])
    let outcome = pool.merge(
      .device("vm"), PoolOptions(allowsOpenThinDevice: true), again: true, verifies: true)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a merge refuses a thin device that another program suspended, and leaves it suspended")
  func suspended() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    thin.isSuspended = true
    pool.mapper.mapped.append(thin)
    let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true))
    #expect(outcome.exitStatus == 5)
    #expect(pool.mapper.steps == [])
    #expect(pool.mapper.mapped.last?.isSuspended == true)
  }

  @Test("no snapshot is created in a full pool, or while another program holds a metadata snapshot")
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
      let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true))
      #expect(outcome.exitStatus == (isFull ? 2 : 5))
      #expect(pool.mapper.steps == [])
    }
  }

  @Test(
    "the hint for a pool that needs a check suggests a held metadata snapshot only if one exists")
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

  @Test(
    "if a suspended thin device cannot be resumed, the merge says so, and the next run resumes it")
  func resumeFails() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.openCount = 1
    pool.mapper.mapped.append(thin)
    pool.mapper.resumeFails = .ioError
    let outcome = pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true))
    #expect(outcome.exitStatus == 3)
    #expect(outcome.hint.contains("dmsetup resume vm"))
    #expect(pool.mapper.mapped.last?.isSuspended == true)
    pool.mapper.resumeFails = nil
    #expect(pool.merge(.device("vm"), PoolOptions(allowsOpenThinDevice: true)).exitStatus == 0)
    #expect(pool.mapper.mapped.last?.isSuspended == false)
    #expect(pool.mapper.thinDevices.map(\.devID) == [5])
    #expect(try pool.isMerged())
  }

  @Test("a second concurrent run on the same pool is refused as busy")
  func oneRun() throws {
    let pool = try ActivePool()
    var inner: ActivePool.Outcome?
    let outer = pool.merge(whenAsked: { inner = pool.merge(waits: false) })
    #expect(outer.exitStatus == 0)
    #expect(inner?.exitStatus == 5)
    #expect(inner?.message.contains(ActivePool.isLocked) == true)
  }
}
