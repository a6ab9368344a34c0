/// The time since some fixed moment, handed in so that the engine has no clock of its own.
public struct Clock: Sendable {
  /// Tells the time that has passed since that moment; never goes back.
  public let now: @Sendable () -> Duration

  /// Makes a clock of a function.
  public init(now: @escaping @Sendable () -> Duration) { self.now = now }
}
