internal import Synchronization

/// A request to stop, which may be made at any time, from any thread and from a signal handler.
///
/// It cannot be taken back: verbs that begin afterwards in the same environment stop at once.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)
  private let endsWaiting = Atomic<Bool>(false)
  /// When waiting ends, in nanoseconds on the clock of those who wait; 0 until one of them has asked.
  private let waitEnd = Atomic<Int64>(0)

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

  /// Returns whether nobody waits any longer for what is in flight; the first who asks sets the end.
  package func isWaitOver(now: Duration) -> Bool {
    guard isWithoutDraining else { return false }
    let end = (now + Self.waitMax).nanoseconds
    let first = waitEnd.compareExchange(expected: 0, desired: end, ordering: .relaxed)
    return !first.exchanged && now.nanoseconds >= first.original
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
