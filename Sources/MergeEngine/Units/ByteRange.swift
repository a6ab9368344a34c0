/// Consecutive bytes of a device or file, half open.
public struct ByteRange: Hashable, Sendable {
  /// The first byte, counted from the start of the device.
  public package(set) var start: UInt64
  /// The first byte behind the range.
  public package(set) var end: UInt64

  /// Makes the range from `start` up to, not including, `end`.
  ///
  /// Precondition: `start <= end`.
  package init(start: UInt64, end: UInt64) {
    precondition(start <= end)
    self.start = start
    self.end = end
  }

  /// How many bytes the range has.
  public var byteCount: UInt64 { end - start }

  /// Whether the range has no bytes.
  package var isEmpty: Bool { start == end }
}

extension UInt64 {
  /// The largest multiple of `unit` that is not above this number.
  package func roundedDown(toMultipleOf unit: UInt64) -> UInt64 { self - self % unit }

  /// The smallest multiple of `unit` that is not below this number.
  ///
  /// Precondition: it fits 64 bits.
  package func roundedUp(toMultipleOf unit: UInt64) -> UInt64 {
    let rest = self % unit
    return rest == 0 ? self : self + (unit - rest)
  }
}
