/// A monotonic time and a way to wait, passed in so that the engine has no clock of its own.
package struct Clock: Sendable {
  /// Returns the time since a fixed moment; never decreases.
  package let now: @Sendable () -> Duration

  /// Waits for approximately the given duration; returns early on a signal.
  package let sleep: @Sendable (Duration) -> Void

  /// Creates a clock from two functions.
  package init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) -> Void
  ) {
    self.now = now
    self.sleep = sleep
  }
}
