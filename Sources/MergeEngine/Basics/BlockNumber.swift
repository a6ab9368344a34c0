/// The number of a block in one address space of a thin pool; numbers from different
/// address spaces cannot be mixed.
package struct BlockNumber<Space>: Hashable, Comparable, Sendable, BitwiseCopyable {
  package var rawValue: UInt64

  package init(_ rawValue: UInt64) { self.rawValue = rawValue }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The blocks of a thin device, counted from its first sector.
package enum ThinSpace {}
/// The blocks of the pool's data device.
package enum DataSpace {}
/// The 4096-byte blocks of the pool's metadata device.
package enum MetadataSpace {}

package typealias ThinBlock = BlockNumber<ThinSpace>
package typealias DataBlock = BlockNumber<DataSpace>
package typealias MetadataBlock = BlockNumber<MetadataSpace>

extension BlockNumber: CustomStringConvertible {
  package var description: String { String(rawValue) }
}

extension UInt64 {
  /// Returns the largest multiple of `unit` that is not above this number.
  package func roundedDown(toMultipleOf unit: UInt64) -> UInt64 { self - self % unit }

  /// Returns the smallest multiple of `unit` that is not below this number.
  ///
  /// - Precondition: The result fits in 64 bits.
  package func roundedUp(toMultipleOf unit: UInt64) -> UInt64 {
    let rest = self % unit
    return rest == 0 ? self : self + (unit - rest)
  }
}
