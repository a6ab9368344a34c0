internal import Glibc

extension RawSpan {
  /// Whether both have the same bytes.
  ///
  /// Precondition: the same count.
  package func hasSameBytes(as other: RawSpan) -> Bool {
    precondition(byteCount == other.byteCount)
    // SAFETY: both pointers are used only inside the closures, for exactly the spans' bytes.
    return unsafe withUnsafeBytes { left in
      unsafe other.withUnsafeBytes { right in
        guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else {
          return true
        }
        return unsafe memcmp(leftBase, rightBase, left.count) == 0
      }
    }
  }
}
