import MergeEngine
import Synchronization

/// Time that passes only when something waits for it.
final class VirtualClock: Sendable {
  private let nanoseconds = Atomic<Int64>(0)
  private let sleeps = Atomic<Int>(0)

  var now: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }

  /// Whether the engine has slept so often, with nothing in flight in between, that it would for ever.
  var isStuck: Bool { sleeps.load(ordering: .relaxed) > 2000 }

  /// Something happens.
  func advance(by duration: Duration) {
    sleeps.store(0, ordering: .relaxed)
    pass(duration)
  }

  /// Nothing happens.
  private func sleep(_ duration: Duration) {
    sleeps.add(1, ordering: .relaxed)
    pass(duration)
  }

  private func pass(_ duration: Duration) {
    let parts = duration.components
    nanoseconds.add(
      parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000, ordering: .relaxed)
  }

  /// As the engine wants it.
  var clock: Clock { Clock(now: { self.now }, sleep: { self.sleep($0) }) }

  /// The same, that interrupts what is stuck.
  func clock(interrupting interruption: Interruption) -> Clock {
    Clock(
      now: { self.now },
      sleep: {
        self.sleep($0)
        if self.isStuck { interruption.request() }
      })
  }

  /// Seconds since 1970, for what is recorded for people.
  var secondsSince1970: Int64 { 1_700_000_000 + now.components.seconds }
}
