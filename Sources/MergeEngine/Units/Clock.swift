/// The time since some fixed moment, and waiting for it to pass; handed in so that the engine has no clock of its own.
public struct Clock: Sendable {
  /// Tells the time that has passed since that moment; never goes back.
  public let now: @Sendable () -> Duration

  /// Waits about that long; returns earlier when a signal comes.
  public let sleep: @Sendable (Duration) -> Void

  /// Makes a clock of two functions.
  public init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) -> Void
  ) {
    self.now = now
    self.sleep = sleep
  }
}
