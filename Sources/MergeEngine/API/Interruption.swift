internal import Synchronization
internal import SystemPackage

/// A request to stop, which may be made at any time, from any thread and from a signal handler.
///
/// The request cannot be withdrawn: verbs that begin later in the same environment stop at once.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)
  private let endsWaiting = Atomic<Bool>(false)

  /// The maximum time that a verb waits for requests in flight after it is told not to drain.
  package static let waitMax = Duration.seconds(5)

  /// Creates an interruption that has not been requested.
  public init() {}

  /// Tells running verbs to drain, checkpoint and return; a merge's report is then `stopped`.
  public func request() { requested.store(true, ordering: .relaxed) }

  /// Tells running verbs to return without draining: they wait at most 5 s for requests in flight.
  package func requestWithoutDraining() {
    endsWaiting.store(true, ordering: .relaxed)
    request()
  }

  /// Returns a closure that tells one queue when to stop waiting: `waitMax` after the queue's first
  /// call since the request not to drain.
  ///
  /// Each queue has its own limit, so reads needed to undo changes to a pool also get their full
  /// wait.
  package func waitLimit(clock: Clock) -> @Sendable () -> Bool {
    let end = WaitEnd()
    return { [self] in isWithoutDraining && end.isOver(now: clock.now()) }
  }

  private final class WaitEnd: Sendable {
    /// The end of the wait in nanoseconds on the queue's clock; 0 before the first call.
    private let nanoseconds = Atomic<Int64>(0)

    func isOver(now: Duration) -> Bool {
      let end = (now + Interruption.waitMax).nanoseconds
      let first = nanoseconds.compareExchange(expected: 0, desired: end, ordering: .relaxed)
      return !first.exchanged && now.nanoseconds >= first.original
    }
  }

  /// True if a stop without draining was requested.
  package var isWithoutDraining: Bool { endsWaiting.load(ordering: .relaxed) }

  /// True if a stop was requested.
  package var isRequested: Bool { requested.load(ordering: .relaxed) }
}

extension Duration {
  fileprivate var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}

/// The clock, stop flag and progress callback shared by every pass.
package struct RunControl {
  package let clock: Clock
  package let interruption: Interruption
  package let report: (MergeProgress) -> Void
  private let makeWritableAgain: () -> Bool

  /// - `makeWritableAgain`: makes a target writable again after something made it read-only;
  ///   returns false if the target was already writable or stays read-only.
  package init(
    clock: Clock, interruption: Interruption, makeWritableAgain: @escaping () -> Bool = { false },
    report: @escaping (MergeProgress) -> Void
  ) {
    self.clock = clock
    self.interruption = interruption
    self.makeWritableAgain = makeWritableAgain
    self.report = report
  }

  /// Returns true if a write that failed with `result` may be retried because its target is
  /// writable again.
  ///
  /// LVM makes an external origin read-only whenever it loads the table of a thin device on it.
  package func isWritableAgain(after result: Int64) -> Bool {
    result == -Int64(Errno.notPermitted.rawValue) && makeWritableAgain()
  }
}
