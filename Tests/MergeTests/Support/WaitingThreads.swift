import Foundation
import Testing

/// Runs the tests of a suite on threads reserved for tests that wait for programs.
///
/// The test runner has one thread per core, and a test that waits on such a thread would keep other
/// tests from running.
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
  /// A trait for tests that mostly wait for programs.
  ///
  /// The number of such tests that run at once is one more than the number of cores.
  static var waitsForPrograms: Self { WaitsForPrograms() }
}

/// A pool with one more thread than there are cores, each running one job after another.
///
/// A test keeps its thread until the test ends. The pool therefore limits the number of running
/// tests, not the number of programs: a test that runs several programs needs only one thread.
final class WaitingThreads: TaskExecutor {
  static let shared = WaitingThreads(
    threadCount: 1 + ProcessInfo.processInfo.activeProcessorCount)

  private let jobs = JobQueue()

  private init(threadCount: Int) {
    for _ in 0..<threadCount {
      let thread = Thread { [jobs] in
        while true { unsafe jobs.next().runSynchronously(on: Self.shared.asUnownedTaskExecutor()) }
      }
      // The default thread stack is too small for deep call chains in debug builds.
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

  func asUnownedTaskExecutor() -> UnownedTaskExecutor {
    unsafe UnownedTaskExecutor(ordinary: self)
  }
}

/// A last-in, first-out queue of jobs.
///
/// Most tests are added at the start. A serialized suite adds each test only after the previous
/// test has ended, and in a first-in, first-out queue would wait behind all other tests each time.
private final class JobQueue: @unchecked Sendable {
  // The condition's lock guards all properties below.
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
