internal import Synchronization
internal import SystemPackage

/// A request to stop, which may be made at any time, from any thread and from a signal handler.
///
/// It cannot be taken back: verbs that begin afterwards in the same environment stop at once.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)
  private let endsWaiting = Atomic<Bool>(false)

  /// How long verbs that are asked not to drain wait for what is in flight.
  package static let waitMax = Duration.seconds(5)

  /// Makes one that has not been requested.
  public init() {}

  /// Asks the verbs that run to drain, checkpoint and return; a merge's report is then `stopped`.
  public func request() { requested.store(true, ordering: .relaxed) }

  /// Asks the verbs that run to return without draining: what is in flight is waited for 5 s at most.
  package func requestWithoutDraining() {
    endsWaiting.store(true, ordering: .relaxed)
    request()
  }

  /// Returns what tells one queue that it waits no longer: `waitMax` after it first asked since the request
  /// not to drain.
  ///
  /// Each queue has a limit of its own, so that what is read to undo changes to a pool is waited for too.
  package func waitLimit(clock: Clock) -> @Sendable () -> Bool {
    let end = WaitEnd()
    return { [self] in isWithoutDraining && end.isOver(now: clock.now()) }
  }

  private final class WaitEnd: Sendable {
    /// In nanoseconds on the clock of the queue; 0 until it has asked.
    private let nanoseconds = Atomic<Int64>(0)

    func isOver(now: Duration) -> Bool {
      let end = (now + Interruption.waitMax).nanoseconds
      let first = nanoseconds.compareExchange(expected: 0, desired: end, ordering: .relaxed)
      return !first.exchanged && now.nanoseconds >= first.original
    }
  }

  /// Whether it has been asked to stop without draining.
  package var isWithoutDraining: Bool { endsWaiting.load(ordering: .relaxed) }

  /// Whether it has been asked to stop.
  package var isRequested: Bool { requested.load(ordering: .relaxed) }
}

extension Duration {
  fileprivate var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}

/// What a pipeline is told and tells while it runs.
package struct RunControl {
  package let clock: Clock
  package let interruption: Interruption
  package let report: (MergeProgress) -> Void
  private let makeWritableAgain: () -> Bool

  /// - `makeWritableAgain`: makes a target writable again that somebody has made read-only, and returns false where it
  ///   was writable or stays read-only.
  package init(
    clock: Clock, interruption: Interruption, makeWritableAgain: @escaping () -> Bool = { false },
    report: @escaping (MergeProgress) -> Void
  ) {
    self.clock = clock
    self.interruption = interruption
    self.makeWritableAgain = makeWritableAgain
    self.report = report
  }

  /// Returns whether a write that failed with `result` may be repeated, because its target is writable again.
  ///
  /// LVM makes an external origin read-only whenever it loads the table of a thin device on it.
  package func isWritableAgain(after result: Int64) -> Bool {
    result == -Int64(Errno.notPermitted.rawValue) && makeWritableAgain()
  }
}
