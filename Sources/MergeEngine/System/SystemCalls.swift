internal import Glibc
package import SystemPackage

extension Errno {
  /// The error code of the system call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// The error code of a wait that timed out.
  package static let timerExpired = Errno(rawValue: Glibc.ETIME)

  /// True if the error means that disk space cannot be allocated in advance, because the file
  /// system or kernel does not support it or a sandbox forbids it.
  ///
  /// Allocation is tried only on a file that is open for writing, so `notPermitted` does not mean
  /// that write permission is missing.
  var meansNoAllocation: Bool {
    [.notSupported, .noFunction, .notPermitted].contains(self)
  }

  /// True if the error means that the system call is unavailable, because the file system or kernel
  /// does not support it or a sandbox forbids it.
  var meansNoSuchCall: Bool {
    [.notPermitted, .notSupported, .noFunction, .invalidArgument].contains(self)
  }

  /// Creates the error from the negative result of a failed I/O request.
  init(result: Int64) { self.init(rawValue: CInt(clamping: -result)) }

  /// Creates the error for a write that failed or was short: a short write counts as `noSpace`.
  init(ofWrite result: Int64) { self = result < 0 ? Errno(result: result) : .noSpace }
}

/// Makes a system call, and repeats it as long as signals interrupt it.
///
/// - Throws: `Errno` if the call returns anything but 0 for a reason other than a signal.
func uninterrupted(_ call: () -> CInt) throws(Errno) {
  while call() != 0 {
    let errno = Errno.current
    guard errno == .interrupted else { throw errno }
  }
}

/// An open file descriptor that is closed exactly once, when this value is destroyed.
package struct OwnedDescriptor: ~Copyable {
  package let rawValue: CInt

  /// Takes ownership of `rawValue`, an open descriptor that nothing else closes.
  package init(takingOwnershipOf rawValue: CInt) { self.rawValue = rawValue }

  deinit { close(rawValue) }
}
