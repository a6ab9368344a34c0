internal import CAIO
internal import Glibc

/// Properties of the running system, used as defaults where a caller does not supply its own.
package enum ThisSystem {
  /// A clock that starts at zero when first used, and does not advance while the system is
  /// suspended.
  package static let clock: Clock = {
    let start = SuspendingClock.now
    return Clock(now: { start.duration(to: .now) }, sleep: sleep)
  }()

  /// The ID of the current boot.
  ///
  /// If the kernel does not report one, this identifies the current process instead, which only
  /// causes additional checks.
  package static let bootID: String =
    FileSystem.text(of: "/proc/sys/kernel/random/boot_id")
    ?? "process \(processID) at \(secondsSince1970())"

  /// The process ID of this process.
  package static let processID: Int32 = getpid()

  /// True if this process runs with root's effective user ID.
  package static var isRoot: Bool { geteuid() == 0 }

  /// Returns the current time, in seconds since 1970 (UTC).
  package static func secondsSince1970() -> Int64 { Int64(time(nil)) }

  private static func sleep(_ duration: Duration) {
    let parts = duration.components
    var time = timespec(
      tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
    // SAFETY: the call only reads the given value.
    _ = unsafe nanosleep(&time, nil)
  }
}
