import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: progress reports")
struct ProgressTests {
  private final class Observer {
    var moments: [MergeProgress] = []
  }

  private static let transfer = TransferOptions(queueDepth: 4, ioByteCount: 16_384)

  /// Runs a merge, and returns the progress reports and the result.
  private func run(
    _ harness: MergeHarness
  ) throws -> (moments: [MergeProgress], result: MergeHarness.RunResult) {
    let observer = Observer()
    let result = try harness.run(.init(progress: { observer.moments.append($0) }))
    return (observer.moments, result)
  }

  @Test("the count of done bytes rises to the total, and requests in flight stay within the limit")
  func figures() throws {
    let seed = Seed.current
    let harness = MergeHarness(InterruptedMergeTests.merge(Self.transfer), seed: seed.value)
    let planned = harness.merge.plannedRanges.byteCount
    for phases in [[.merging], [.merging, .rechecking]] as [[MergeProgress.Phase]] {
      let moments = try run(harness).moments
      for phase in phases {
        let done = moments.filter { $0.phase == phase }.map(\.doneByteCount)
        #expect(done == done.sorted() && done.last == planned, "\(phase): \(done); \(seed)")
      }
      for moment in moments {
        #expect(phases.contains(moment.phase) && moment.totalByteCount == planned)
        #expect(
          (0...Self.transfer.queueDepth).contains(moment.readsInFlight + moment.writesInFlight))
        #expect(!moment.isSalvaging && moment.unreadableByteCount == 0)
      }
      // The time since a checkpoint is nil until the first one, and never after it.
      let hasCheckpoint = moments.map { $0.sinceCheckpoint != nil }
      #expect(hasCheckpoint.first == false, "\(seed)")
      // If everything is already recorded and correct, the run records nothing.
      #expect(hasCheckpoint.last == (phases == [.merging]), "\(seed)")
      #expect(hasCheckpoint.drop { !$0 }.allSatisfy { $0 }, "\(seed)")
      #expect(moments.contains { $0.readsInFlight + $0.writesInFlight > 0 }, "\(seed)")
    }
  }

  @Test("progress reports the salvage of a bad range and the bytes that remain unreadable")
  func salvage() throws {
    let seed = Seed.current
    let harness = MergeHarness(InterruptedMergeTests.merge(Self.transfer), seed: seed.value)
    harness.disk.faults.addBadRange(
      .read, .data, ByteRange(start: 65_536, end: 6 * 65_536 - 32_768))
    let (moments, result) = try run(harness)
    #expect(moments.contains { $0.isSalvaging && $0.phase == .merging }, "\(seed)")
    let last = try #require(moments.last)
    #expect(!last.isSalvaging && last.doneByteCount == last.totalByteCount, "\(seed)")
    #expect(result.unreadable.byteCount > 0, "\(seed)")
    #expect(last.unreadableByteCount == result.unreadable.byteCount, "\(seed)")
  }
}
