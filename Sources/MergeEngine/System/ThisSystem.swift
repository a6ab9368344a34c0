internal import CAIO
internal import Glibc

/// The defaults from the running system, where a caller passes none.
package enum ThisSystem {
  /// A clock that starts at its first use and stops while the system sleeps.
  package static let clock: Clock = {
    let start = SuspendingClock.now
    return Clock(now: { start.duration(to: .now) }, sleep: sleep)
  }()

  /// The identifier of this boot; if the kernel reports none, an identifier of this process, which
  /// only causes more checks.
  package static let bootID: String =
    FileSystem.text(of: "/proc/sys/kernel/random/boot_id")
    ?? "process \(processID) at \(secondsSince1970())"

  /// The ID of this process.
  package static let processID: Int32 = getpid()

  /// True if this process acts for root.
  package static var isRoot: Bool { geteuid() == 0 }

  /// Returns the time of day.
  package static func secondsSince1970() -> Int64 { Int64(time(nil)) }

  private static func sleep(_ duration: Duration) {
    let parts = duration.components
    var time = timespec(
      tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
    // SAFETY: the call only reads the value given.
    _ = unsafe nanosleep(&time, nil)
  }
}
