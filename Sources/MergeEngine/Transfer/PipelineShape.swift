/// How a pipeline uses its queue and slab.
package struct PipelineShape: Sendable {
  /// Requests that a pipeline's ledger has in flight at most, besides `depth`.
  package static let ledgerRequestCount = 4

  /// A slot is read or written: with two for each request no more could be of use, and fewer buffers
  /// stay in the processor's cache.
  private static let slotsPerRequest = 2

  /// Large transfers keep the devices busy with few under way, and more would leave the processor's
  /// cache: so many bytes for each request, or so many transfers if that is more.
  private static let byteCountPerRequest: UInt64 = 128 << 10
  private static let transferCountMin: UInt64 = 8

  /// Reads and writes in flight.
  package let depth: Int
  /// No transfer is begun while those under way have as many bytes.
  package let byteCountMax: UInt64
  package let slotCount: Int
  /// Bytes of one buffer; a slot that reads both sides has two.
  package let bufferByteCount: Int
  package let buffersPerSlot: Int
  package let segmentCountMax: Int
  package let dataAlignmentByteCount: Int
  package let targetAlignmentByteCount: Int
  /// Where what cannot be written directly begins.
  package let tailByteOffset: UInt64
  package let rateLimit: UInt64?

  /// - `slabByteCount`: what of the slab, from its beginning, is the pipeline's.
  /// - `transferByteCountMax`: bytes of the largest transfer.
  package init(
    depth: Int, slabByteCount: Int, transferByteCountMax: UInt64, readsBothSides: Bool,
    dataBlockByteCount: UInt64, dataAlignmentByteCount: Int, targetAlignmentByteCount: Int,
    tailByteOffset: UInt64, rateLimit: UInt64?
  ) {
    self.depth = depth
    byteCountMax = max(
      UInt64(depth) * Self.byteCountPerRequest,
      min(UInt64(depth), Self.transferCountMin) * transferByteCountMax)
    // Whole blocks, so that every buffer is aligned and a read rounded up at the end has room.
    bufferByteCount = Int(
      transferByteCountMax.roundedUp(
        toMultipleOf: UInt64(max(4096, dataAlignmentByteCount, targetAlignmentByteCount))))
    buffersPerSlot = readsBothSides ? 2 : 1
    slotCount = max(
      1,
      min(slabByteCount / (bufferByteCount * buffersPerSlot), Self.slotsPerRequest * depth))
    segmentCountMax = bufferByteCount / Int(dataBlockByteCount) + 2
    self.dataAlignmentByteCount = dataAlignmentByteCount
    self.targetAlignmentByteCount = targetAlignmentByteCount
    self.tailByteOffset = tailByteOffset
    self.rateLimit = rateLimit
  }

  /// What a slab needs, besides the ledger's part, for transfers of that size.
  package static func slabByteCount(depth: Int, ioByteCount: UInt64, largest: UInt64) -> Int {
    let bothSides = 2 * largest.roundedUp(toMultipleOf: 4096)
    let usable = UInt64(slotsPerRequest * depth) * bothSides
    return Int(max(min(UInt64(depth) * ioByteCount, usable), bothSides))
  }

  /// The unit in which a bad spot is looked for.
  var salvageByteCount: Int { max(dataAlignmentByteCount, targetAlignmentByteCount, 512) }

  func sourceBuffer(_ slot: Int) -> Int { slot * bufferByteCount * buffersPerSlot }
  func targetBuffer(_ slot: Int) -> Int {
    sourceBuffer(slot) + (buffersPerSlot - 1) * bufferByteCount
  }
}
