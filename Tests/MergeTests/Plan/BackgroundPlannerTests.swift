import Fixtures
import Synchronization
import Testing

@testable import MergeEngine

@Suite("Plan: an interruption while mappings are being read")
struct InterruptedPlanTests {
  @Test("an interruption during the first progress report stops planning before a second report")
  func interrupted() throws {
    var builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 250))])
    builder.leafEntryCount = 1
    let pool = try PoolOnDisk(builder.build(), origin: PoolImageBuilder.origin, fillingData: false)
    let interrupting = Interrupting()
    var environment = Environment(
      stateFolder: "/nonexistent", interruption: interrupting.interruption, observer: interrupting)
    environment.clock = interrupting.clock
    let merger = Merger(environment: environment)
    let error = #expect(throws: MergeError.self) {
      try merger.plan(
        MergeSource(metadataPath: pool.metadata, dataPath: pool.data, deviceID: 0), onto: nil)
    }
    #expect(error?.kind == .stopped)
    #expect(interrupting.reportCount == 1)
  }
}

@Suite("Plan: mapping leaves processed in batches")
struct BatchedPlanTests {
  @Test(
    "a run of consecutive mappings continues across leaf and batch boundaries",
    arguments: [1]
      + [1, 2].flatMap { batchCount in
        [-1, 0, 1].map { batchCount * BackgroundPlanner.batchLeafCount + $0 }
      })
  func consecutive(leafCount: Int) throws {
    var builder = PoolImageBuilder(devices: [ThinDevice(0, .consecutive(count: leafCount))])
    builder.dataBlockCount = 1024
    builder.leafEntryCount = 1
    let pool = try PoolOnDisk(builder.build(), origin: PoolImageBuilder.origin, fillingData: false)
    let report = try Merger(environment: Environment(stateFolder: "/nonexistent")).plan(
      MergeSource(metadataPath: pool.metadata, dataPath: pool.data, deviceID: 0), onto: nil)
    #expect(report.runCount == 1)
    #expect(report.mappedBlockCount == UInt64(leafCount))
  }
}

@Suite("Plan: a data block that is mapped twice")
struct MappedTwiceTests {
  @Test(
    "a data block mapped twice is detected with or without a thread, and no more runs are read",
    // Creating a thread fails if its stack size is `Int.max`.
    arguments: [256 << 10, Int.max])
  func found(stackByteCount: Int) throws {
    let builder = PlanBuilder(
      MergeExtent(originByteCount: nil, options: ExtentOptions()), dataBlockByteCount: 65_536,
      ioByteCount: 1 << 20)
    var thread = BackgroundPlanner(
      builder, try DataBlockLedger(dataBlockCount: 100), stackByteCount: stackByteCount)
    var batch = RunBatch()
    for (thinBlock, dataBlock) in [(0, 5), (10, 50), (20, 7), (30, 52)] as [(UInt64, UInt64)] {
      batch.append(
        MappingRun(
          thinBlock: ThinBlock(thinBlock), dataBlock: DataBlock(dataBlock), blockCount: 3))
      _ = thread.append(&batch)
      let leftCount = batch.runs.count
      #expect(leftCount == 0)
    }
    let wantsMore = thread.append(&batch)
    #expect(!wantsMore)
    do throws(MappedTwice) {
      _ = try thread.finish()
      Issue.record("it was not found")
    } catch {
      #expect(error == MappedTwice(thinBlock: ThinBlock(20), dataBlock: DataBlock(7)))
    }
  }
}

/// An observer that requests an interruption at the first progress report.
///
/// Its clock advances by a second at each reading, so a report is always due.
private final class Interrupting: MergeObserver {
  let interruption = Interruption()
  private let reports = Atomic<Int>(0)
  private let seconds = Atomic<Int64>(0)

  var reportCount: Int { reports.load(ordering: .relaxed) }
  var clock: Clock {
    Clock(
      now: { .seconds(self.seconds.add(1, ordering: .relaxed).newValue) }, sleep: { _ in })
  }

  func note(_ note: MergeNote) {}
  func approve(_ plan: PlanReport) -> Bool { true }
  func progress(_ progress: MergeProgress) {
    reports.add(1, ordering: .relaxed)
    interruption.request()
  }
}
