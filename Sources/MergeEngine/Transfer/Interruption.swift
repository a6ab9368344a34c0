internal import Synchronization

/// A request to stop, which may be made at any time, from a signal handler too.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)

  /// Makes one that has not been requested.
  public init() {}

  /// Asks the verb that is running to drain, checkpoint and return.
  public func request() { requested.store(true, ordering: .relaxed) }

  /// Whether it has been asked to stop.
  public var isRequested: Bool { requested.load(ordering: .relaxed) }
}
