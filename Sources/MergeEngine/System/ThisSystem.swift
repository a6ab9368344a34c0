internal import CAIO
internal import Glibc

/// The system that the program runs on, for what a caller does not hand in.
package enum ThisSystem {
  /// Time since it was first asked for, without that in which the system slept.
  package static let clock: Clock = {
    let start = SuspendingClock.now
    return Clock(now: { start.duration(to: .now) }, sleep: sleep)
  }()

  /// Tells this boot from all others; where the kernel does not, this process from all others, which only
  /// ever asks for more care.
  package static let bootID: String =
    FileSystem.text(of: "/proc/sys/kernel/random/boot_id")
    ?? "process \(processID) at \(secondsSince1970())"

  /// This process.
  package static let processID: Int32 = getpid()

  /// Whether this process acts for root.
  package static var isRoot: Bool { geteuid() == 0 }

  /// The time of day.
  package static func secondsSince1970() -> Int64 { Int64(time(nil)) }

  private static func sleep(_ duration: Duration) {
    let parts = duration.components
    var time = timespec(
      tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
    // SAFETY: the call only reads the value given.
    _ = unsafe nanosleep(&time, nil)
  }
}
