import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite(
  "Pool: changes to a thin device that is merged without a snapshot", .needsLoopDevices,
  .waitsForPrograms)
struct MergedItselfTests {
  private static let itself = PoolOptions(mergesThinDeviceItself: true)

  @Test("a merge without a snapshot stops if the thin device is activated during the merge")
  func activatedMeanwhile() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    pool.whenMerging = { pool.mapper.mapped.append(thin) }
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), Self.itself)
    #expect(outcome.exitStatus == 3)
    #expect(outcome.message.contains("activated or changed during the merge"))
    #expect(!pool.mapper.isHolding)
  }

  @Test(
    "a merge without a snapshot fails if the thin device is activated after the last checkpoint")
  func activatedAtTheEnd() throws {
    let pool = try ActivePool()
    let thin = try pool.thin()
    var lookCount = 0
    pool.whenMerging = {
      pool.mapper.whenLookedAt = {
        lookCount += 1
        if lookCount == 2 { pool.mapper.mapped.append(thin) }
      }
    }
    let outcome = pool.merge(.member(pool: "pool", deviceID: 5), Self.itself)
    pool.mapper.whenLookedAt = {}
    #expect(outcome.error?.code == .thinDeviceActivated, "\(outcome.message)")
    let journal = try #require(try pool.journalPath())
    #expect(try JournalOnDisk.state(of: journal).doneByteCount > 0)
  }

  @Test(
    "if a thin device was briefly active after its merge, its state is reported as unknown")
  func activatedForAMoment() throws {
    for isActivated in [false, true] {
      let pool = try ActivePool()
      let thin = try pool.thin()
      pool.whenVerifying = {
        guard isActivated else { return }
        pool.mapper.mapped.append(thin)
        pool.mapper.mapped.removeLast()
      }
      let outcome = pool.merge(
        .member(pool: "pool", deviceID: 5), Self.itself, verifies: true)
      #expect(outcome.exitStatus == 0, "\(outcome.message)")
      #expect(pool.thinDeviceState == (isActivated ? .unknown : .asMerged))
    }
  }

  @Test(
    "a merge of a read-only thin device without a snapshot stops if the device becomes writable")
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
      let outcome = pool.merge(.device("vm"), Self.itself)
      #expect(outcome.exitStatus == 3, "\(outcome.message)")
      #expect(outcome.message.contains("activated or changed during the merge"))
    }
  }

  @Test("the journal records no progress for blocks read while the thin device was writable")
  func writableAtCheckpoint() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    pool.mapper.mapped.append(thin)
    pool.whenMerging = { pool.mapper.mapped[1].isReadOnly = false }
    #expect(pool.merge(.device("vm"), Self.itself).exitStatus == 3)
    let journal = try #require(try pool.journalPath())
    #expect(try JournalOnDisk.state(of: journal).doneByteCount == 0)
    pool.mapper.mapped[1].isReadOnly = true
    let outcome = try pool.resume()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test(
    "opening a thin device or loading a table for it does not stop a merge without a snapshot"
  )
  func openedAtCheckpoint() throws {
    let pool = try ActivePool()
    var thin = try pool.thin()
    thin.isReadOnly = true
    pool.mapper.mapped.append(thin)
    var lookCount = 0
    pool.whenMerging = {
      pool.mapper.mapped[1].openCount = 1
      pool.mapper.mapped[1].inactiveTable = thin.liveTable
      pool.mapper.whenLookedAt = {
        lookCount += 1
        if lookCount > 1 { pool.mapper.mapped[1].inactiveTable = [] }
      }
    }
    let outcome = pool.merge(.device("vm"), Self.itself)
    pool.mapper.whenLookedAt = {}
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(lookCount > 1)
  }
}
