import MergeEngine
import Synchronization

/// Time that passes only when something waits for it.
final class VirtualClock: Sendable {
  private let nanoseconds = Atomic<Int64>(0)

  var now: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }

  func advance(by duration: Duration) {
    let parts = duration.components
    nanoseconds.add(
      parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000, ordering: .relaxed)
  }

  /// As the engine wants it.
  var clock: Clock { Clock(now: { self.now }, sleep: { self.advance(by: $0) }) }

  /// Seconds since 1970, for what is recorded for people.
  var secondsSince1970: Int64 { 1_700_000_000 + now.components.seconds }
}
