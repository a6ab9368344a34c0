/// A block's number in one of the spaces of a thin pool; numbers of two spaces cannot be mixed.
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
