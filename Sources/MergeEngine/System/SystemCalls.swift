internal import Glibc
package import SystemPackage

extension Errno {
  /// That of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// What was waited for did not come in time.
  package static let timerExpired = Errno(rawValue: Glibc.ETIME)

  /// True where a file system, a kernel or a sandbox has no way to take disk space in advance.
  ///
  /// The file was opened for writing, so that it is not the permission to write that is missing.
  var meansNoAllocation: Bool {
    [.notSupported, .noFunction, .notPermitted].contains(self)
  }

  /// True where a file system, the kernel or a sandbox has no such call.
  var meansNoSuchCall: Bool {
    [.notPermitted, .notSupported, .noFunction, .invalidArgument].contains(self)
  }

  /// That of a request which ended with its negative number.
  init(result: Int64) { self.init(rawValue: CInt(clamping: -result)) }

  /// That of a write which failed, or which ended before its last byte.
  init(ofWrite result: Int64) { self = result < 0 ? Errno(result: result) : .noSpace }
}

/// Makes a call again for as long as a signal interrupts it.
///
/// - Throws: `Errno` where the call answers anything but 0.
func uninterrupted(_ call: () -> CInt) throws(Errno) {
  while call() != 0 {
    let errno = Errno.current
    guard errno == .interrupted else { throw errno }
  }
}

/// An open file descriptor that is closed exactly once, when its owner goes.
package struct OwnedDescriptor: ~Copyable {
  package let rawValue: CInt

  /// Takes ownership of `rawValue`, an open descriptor that nobody else closes.
  package init(takingOwnershipOf rawValue: CInt) { self.rawValue = rawValue }

  deinit { close(rawValue) }
}
