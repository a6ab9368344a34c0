/// A pipeline's use of its queue and slab.
package struct PipelineShape: Sendable {
  /// Maximum number of the ledger's requests in flight, in addition to `depth`.
  package static let ledgerRequestCount = 4

  /// Two slots per request are enough, one to read and one to write; fewer buffers stay in the
  /// processor's cache.
  private static let slotsPerRequest = 2

  /// The limit on data in flight: bytes per request, or a number of transfers if that is more.
  ///
  /// A few large transfers keep the devices busy; more would not fit in the processor's cache.
  private static let byteCountPerRequest: UInt64 = 128 << 10
  private static let transferCountMin: UInt64 = 8

  /// Maximum number of reads and writes in flight.
  package let depth: Int
  /// No transfer begins while those in slots have this many bytes.
  package let byteCountMax: UInt64
  package let slotCount: Int
  /// Bytes of one buffer; a slot has two if both sides are read.
  package let bufferByteCount: Int
  package let buffersPerSlot: Int
  package let segmentCountMax: Int
  package let dataAlignmentByteCount: Int
  package let targetAlignmentByteCount: Int
  /// Start of the unaligned tail, which cannot be written directly.
  package let tailByteOffset: UInt64
  package let rateLimit: UInt64?

  /// - `slabByteCount`: bytes reserved for the pipeline at the start of the slab.
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
    // A multiple of every alignment: each buffer is aligned and has room for a read that is rounded
    // up.
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

  /// Returns the slab bytes needed for transfers of up to `largest` bytes, without the ledger's
  /// part.
  package static func slabByteCount(depth: Int, ioByteCount: UInt64, largest: UInt64) -> Int {
    let bothSides = 2 * largest.roundedUp(toMultipleOf: 4096)
    let usable = UInt64(slotsPerRequest * depth) * bothSides
    return Int(max(min(UInt64(depth) * ioByteCount, usable), bothSides))
  }

  /// The unit of reading in search of bad spots.
  var salvageByteCount: Int { max(dataAlignmentByteCount, targetAlignmentByteCount, 512) }

  func sourceBuffer(_ slot: Int) -> Int { slot * bufferByteCount * buffersPerSlot }
  func targetBuffer(_ slot: Int) -> Int {
    sourceBuffer(slot) + (buffersPerSlot - 1) * bufferByteCount
  }
}
