import Foundation
import Testing

/// Runs the tests of a suite on threads kept for tests that wait for programs.
///
/// The runner has one thread for each core; tests that wait there keep others from running.
struct WaitsForPrograms: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(WaitingThreads.shared) { try await function() }
  }
}

extension Trait where Self == WaitsForPrograms {
  /// The tests mostly wait for other programs, and one more of them than there are cores runs at once.
  static var waitsForPrograms: Self { WaitsForPrograms() }
}

/// One thread more than there are cores, that take one job after the other.
///
/// A test keeps its thread to its end, so this bounds the tests that have programs running, and not
/// these programs: a test with several of them waits for none of its own threads.
final class WaitingThreads: TaskExecutor {
  static let shared = WaitingThreads(
    threadCount: 1 + ProcessInfo.processInfo.activeProcessorCount)

  private let jobs = JobQueue()

  private init(threadCount: Int) {
    for _ in 0..<threadCount {
      let thread = Thread { [jobs] in
        while true { unsafe jobs.next().runSynchronously(on: Self.shared.asUnownedTaskExecutor()) }
      }
      // What a thread has by default is not enough for debug builds of deep calls.
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

  func asUnownedTaskExecutor() -> UnownedTaskExecutor {
    unsafe UnownedTaskExecutor(ordinary: self)
  }
}

/// Jobs, of which the newest is taken first.
///
/// All tests are added at the start. A suite that runs its tests one after the other adds each when the
/// last has ended, and would wait behind all others each time.
private final class JobQueue: @unchecked Sendable {
  // Everything below is guarded by the condition.
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []

  func append(_ job: UnownedJob) {
    condition.lock()
    jobs.append(job)
    condition.signal()
    condition.unlock()
  }

  func next() -> UnownedJob {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty { condition.wait() }
    return jobs.removeLast()
  }
}
