internal import Glibc
package import SystemPackage

extension Errno {
  /// The error of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// The error of a wait that timed out.
  package static let timerExpired = Errno(rawValue: Glibc.ETIME)

  /// True if a file system, kernel or sandbox cannot allocate disk space in advance.
  ///
  /// The file was opened for writing, so `notPermitted` does not mean that the permission to write
  /// is missing.
  var meansNoAllocation: Bool {
    [.notSupported, .noFunction, .notPermitted].contains(self)
  }

  /// True if a file system, kernel or sandbox lacks the call.
  var meansNoSuchCall: Bool {
    [.notPermitted, .notSupported, .noFunction, .invalidArgument].contains(self)
  }

  /// The error of a request that ended with its negative number.
  init(result: Int64) { self.init(rawValue: CInt(clamping: -result)) }

  /// The error of a write that failed or was short.
  init(ofWrite result: Int64) { self = result < 0 ? Errno(result: result) : .noSpace }
}

/// Repeats a call while a signal interrupts it.
///
/// - Throws: `Errno` if the call returns anything but 0 for another reason.
func uninterrupted(_ call: () -> CInt) throws(Errno) {
  while call() != 0 {
    let errno = Errno.current
    guard errno == .interrupted else { throw errno }
  }
}

/// An open file descriptor that its owner closes exactly once.
package struct OwnedDescriptor: ~Copyable {
  package let rawValue: CInt

  /// Takes ownership of `rawValue`, an open descriptor that no other owner closes.
  package init(takingOwnershipOf rawValue: CInt) { self.rawValue = rawValue }

  deinit { close(rawValue) }
}
