internal import Glibc
package import SystemPackage

extension Errno {
  /// That of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// The hint where the system refuses asynchronous I/O.
  static let asynchronousHint =
    "the kernel has to be one with CONFIG_AIO, and a sandbox, such as a container's seccomp profile, has to "
    + "allow io_setup, io_submit, io_getevents, io_pgetevents and io_destroy"

  /// What helps where a file or device may not be used; nil for any other number.
  package var permissionHint: String? {
    guard self == .permissionDenied || self == .notPermitted else { return nil }
    return geteuid() == 0
      ? "'lsattr' shows whether it is immutable, 'findmnt -T' how its file system is mounted"
      : "root may use it, as a rule; 'ls -l' shows who else"
  }
}

/// An open file descriptor that is closed exactly once, when its owner goes.
package struct OwnedDescriptor: ~Copyable {
  package let rawValue: CInt

  /// Takes ownership of `rawValue`, an open descriptor that nobody else closes.
  package init(takingOwnershipOf rawValue: CInt) { self.rawValue = rawValue }

  deinit { close(rawValue) }
}
