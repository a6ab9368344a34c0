internal import Glibc
package import SystemPackage

extension Errno {
  /// That of the call that just failed on this thread.
  package static var current: Errno { Errno(rawValue: errno) }
}
