import Foundation
import Testing

/// Runs the tests of a suite on threads kept for tests that wait for programs.
///
/// The runner has one thread per core, and tests that wait on it would keep others from running.
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
  /// A trait of tests that mostly wait for programs; one more of them than cores runs at once.
  static var waitsForPrograms: Self { WaitsForPrograms() }
}

/// One thread more than there are cores, each running one job after another.
///
/// A test keeps its thread to its end.
///
/// The threads therefore limit the tests that have programs running, not the programs: a test with
/// several of them never waits for a thread of its own.
final class WaitingThreads: TaskExecutor {
  static let shared = WaitingThreads(
    threadCount: 1 + ProcessInfo.processInfo.activeProcessorCount)

  private let jobs = JobQueue()

  private init(threadCount: Int) {
    for _ in 0..<threadCount {
      let thread = Thread { [jobs] in
        while true { unsafe jobs.next().runSynchronously(on: Self.shared.asUnownedTaskExecutor()) }
      }
      // The default stack of a thread is too small for deep calls in debug builds.
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

  func asUnownedTaskExecutor() -> UnownedTaskExecutor {
    unsafe UnownedTaskExecutor(ordinary: self)
  }
}

/// A stack of jobs, of which the newest is taken first.
///
/// All tests are added at the start. A serialized suite adds each test after the previous one has
/// ended, and would otherwise wait behind all other tests each time.
private final class JobQueue: @unchecked Sendable {
  // The condition guards all properties below.
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
