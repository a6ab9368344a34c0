import MergeEngine
import Synchronization

/// A clock whose time advances only when something waits.
final class VirtualClock: Sendable {
  private let nanoseconds = Atomic<Int64>(0)
  private let sleeps = Atomic<Int>(0)

  var now: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }

  /// True if the engine has slept more than 2000 times in a row with nothing in flight.
  var isStuck: Bool { sleeps.load(ordering: .relaxed) > 2000 }

  /// Advances the time because of an event, and resets the count of consecutive sleeps.
  func advance(by duration: Duration) {
    sleeps.store(0, ordering: .relaxed)
    pass(duration)
  }

  /// Advances the time for a sleep, without an event.
  private func sleep(_ duration: Duration) {
    sleeps.add(1, ordering: .relaxed)
    pass(duration)
  }

  private func pass(_ duration: Duration) {
    let parts = duration.components
    nanoseconds.add(
      parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000, ordering: .relaxed)
  }

  /// This clock, in the form that the engine uses.
  var clock: Clock { Clock(now: { self.now }, sleep: { self.sleep($0) }) }

  /// Returns this clock for the engine, and requests an interruption if the engine gets stuck.
  func clock(interrupting interruption: Interruption) -> Clock {
    Clock(
      now: { self.now },
      sleep: {
        self.sleep($0)
        if self.isStuck { interruption.request() }
      })
  }

  /// The current time in seconds since 1970, for timestamps in records.
  var secondsSince1970: Int64 { 1_700_000_000 + now.components.seconds }
}
