/// A limit on bytes per second, averaged over a tenth of a second.
struct RateLimiter {
  private static let slack = Duration.milliseconds(100)
  private let bytesPerSecond: UInt64?
  private var nextAllowed: Duration?

  init(bytesPerSecond: UInt64?) { self.bytesPerSecond = bytesPerSecond }

  /// Returns the time until more bytes may be written; nil if they may be written now.
  func delay(now: Duration) -> Duration? {
    guard let nextAllowed, nextAllowed > now else { return nil }
    return nextAllowed - now
  }

  mutating func pass(_ byteCount: UInt64, now: Duration) {
    guard let bytesPerSecond else { return }
    let cost = Duration.nanoseconds(
      Int64(clamping: UInt64(Double(byteCount) / Double(bytesPerSecond) * 1_000_000_000)))
    nextAllowed = max(nextAllowed ?? now, now - Self.slack) + cost
  }
}
