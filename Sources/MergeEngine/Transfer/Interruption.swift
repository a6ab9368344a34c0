internal import Synchronization

/// A request to stop, which may be made at any time, from any thread and from a signal handler.
///
/// It cannot be taken back: verbs that begin afterwards in the same environment stop at once.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)

  /// Makes one that has not been requested.
  public init() {}

  /// Asks the verbs that run to drain, checkpoint and return; a merge's report is then `stopped`.
  public func request() { requested.store(true, ordering: .relaxed) }

  /// Whether it has been asked to stop.
  package var isRequested: Bool { requested.load(ordering: .relaxed) }
}
