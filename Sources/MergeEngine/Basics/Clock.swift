/// The time since some fixed moment, and waiting for it to pass; handed in so that the engine has no clock of its own.
package struct Clock: Sendable {
  /// Tells the time that has passed since that moment; never goes back.
  package let now: @Sendable () -> Duration

  /// Waits about that long; returns earlier when a signal comes.
  package let sleep: @Sendable (Duration) -> Void

  /// Makes a clock of two functions.
  package init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) -> Void
  ) {
    self.now = now
    self.sleep = sleep
  }
}
