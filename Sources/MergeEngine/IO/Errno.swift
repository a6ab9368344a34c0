internal import Glibc
package import SystemPackage

extension Errno {
  /// That of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// What helps where a file or device may not be used; nil for any other number.
  package var permissionHint: String? {
    guard self == .permissionDenied || self == .notPermitted else { return nil }
    return geteuid() == 0
      ? "'lsattr' shows whether it is immutable, 'findmnt -T' how its file system is mounted"
      : "root may use it, as a rule; 'ls -l' shows who else"
  }
}
