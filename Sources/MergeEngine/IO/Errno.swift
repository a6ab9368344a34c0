internal import Glibc
package import SystemPackage

extension Errno {
  /// That of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }

  /// What helps where a file or device may not be used; nil for any other number.
  package var permissionHint: String? {
    self == .permissionDenied || self == .notPermitted
      ? "root may use it, as a rule; 'ls -l' shows who else" : nil
  }
}
