/// What a pipeline is told and tells while it runs.
package struct RunControl {
  package let clock: Clock
  package let interruption: Interruption
  package let report: (Progress) -> Void

  package init(clock: Clock, interruption: Interruption, report: @escaping (Progress) -> Void) {
    self.clock = clock
    self.interruption = interruption
    self.report = report
  }
}

/// Lets so many bytes a second pass, on average over a tenth of a second.
struct RateLimiter {
  private static let slack = Duration.milliseconds(100)
  private let bytesPerSecond: UInt64?
  private var nextAllowed: Duration?

  init(bytesPerSecond: UInt64?) { self.bytesPerSecond = bytesPerSecond }

  /// How long to wait before the next bytes may pass; nil if they may now.
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

/// A first-in first-out queue of slots, as long as there are slots.
struct SlotQueue {
  private var ring: [Int]
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { ring = Array(repeating: 0, count: max(1, capacity)) }

  var isEmpty: Bool { count == 0 }
  var first: Int? { count == 0 ? nil : ring[head] }

  mutating func append(_ slot: Int) {
    precondition(count < ring.count)
    ring[(head + count) % ring.count] = slot
    count += 1
  }

  mutating func removeFirst() {
    precondition(count > 0)
    head = (head + 1) % ring.count
    count -= 1
  }
}
