internal import Glibc

/// An open file descriptor that is closed exactly once, when its owner goes.
package struct OwnedDescriptor: ~Copyable {
  package let rawValue: CInt

  /// Takes ownership of `rawValue`, an open descriptor that nobody else closes.
  package init(takingOwnershipOf rawValue: CInt) { self.rawValue = rawValue }

  deinit { close(rawValue) }
}
