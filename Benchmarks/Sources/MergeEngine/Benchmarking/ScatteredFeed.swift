/// Transfers of blocks that lie in no order on the data device, rising on the origin with gaps between.
package struct ScatteredFeed: TransferFeed, ~Copyable {
  /// The size of a data block.
  package static let blockByteCount: UInt64 = 64 << 10

  private let order: Permutation
  private let transferCount: UInt64
  private let segmentCount: UInt64
  private let gapByteCount: UInt64
  private var number: UInt64 = 0
  private var targetByteOffset: UInt64 = 0

  /// Every transfer has `segmentCount` blocks, followed by a gap of `gapBlockCount`.
  package init(transferCount: UInt64, segmentCount: UInt64, gapBlockCount: UInt64, seed: UInt64) {
    order = Permutation(count: transferCount * segmentCount, seed: seed)
    self.transferCount = transferCount
    self.segmentCount = segmentCount
    gapByteCount = gapBlockCount * Self.blockByteCount
  }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard number < transferCount else { return false }
    transfer.begin(at: targetByteOffset)
    for segment in 0..<segmentCount {
      transfer.append(
        Segment(
          dataByteOffset: order(number * segmentCount + segment) * Self.blockByteCount,
          targetByteOffset: transfer.end, byteCount: Self.blockByteCount))
    }
    targetByteOffset = transfer.end + gapByteCount
    number += 1
    return true
  }
}
