/// The parameters for a pipeline's use of its queue and slab.
package struct PipelineShape: Sendable {
  /// The maximum number of ledger requests in flight, in addition to the `depth` reads and writes.
  package static let ledgerRequestCount = 4

  /// The number of slots per request: one to read and one to write are enough, and a small number
  /// of buffers stays in the processor's cache.
  private static let slotsPerRequest = 2

  /// The limit on data in flight, in bytes per request; up to `transferCountMin` transfers are
  /// allowed even if they exceed it.
  ///
  /// A few large transfers keep the devices busy; more would not fit in the processor's cache.
  private static let byteCountPerRequest: UInt64 = 128 << 10
  private static let transferCountMin: UInt64 = 8

  /// The maximum number of reads and writes in flight.
  package let depth: Int
  /// The number of bytes in slots at which no more transfers begin.
  package let byteCountMax: UInt64
  package let slotCount: Int
  /// The size of one buffer; a slot has two buffers if both source and target are read.
  package let bufferByteCount: Int
  package let buffersPerSlot: Int
  package let segmentCountMax: Int
  package let dataAlignmentByteCount: Int
  package let targetAlignmentByteCount: Int
  /// The start of the unaligned tail, which cannot be written with direct I/O.
  package let tailByteOffset: UInt64
  package let rateLimit: UInt64?

  /// - `slabByteCount`: bytes reserved for the pipeline at the start of the slab.
  /// - `transferByteCountMax`: the maximum size of a transfer.
  package init(
    depth: Int, slabByteCount: Int, transferByteCountMax: UInt64, readsBothSides: Bool,
    dataBlockByteCount: UInt64, dataAlignmentByteCount: Int, targetAlignmentByteCount: Int,
    tailByteOffset: UInt64, rateLimit: UInt64?
  ) {
    self.depth = depth
    byteCountMax = max(
      UInt64(depth) * Self.byteCountPerRequest,
      min(UInt64(depth), Self.transferCountMin) * transferByteCountMax)
    // A multiple of every alignment, so that each buffer is aligned and has room for a read that is
    // rounded up.
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

  /// Returns the number of slab bytes needed for transfers of up to `largest` bytes, not counting
  /// the ledger's part.
  package static func slabByteCount(depth: Int, ioByteCount: UInt64, largest: UInt64) -> Int {
    let bothSides = 2 * largest.roundedUp(toMultipleOf: 4096)
    let usable = UInt64(slotsPerRequest * depth) * bothSides
    return Int(max(min(UInt64(depth) * ioByteCount, usable), bothSides))
  }

  /// The number of bytes per read when searching a transfer for bad spots.
  var salvageByteCount: Int { max(dataAlignmentByteCount, targetAlignmentByteCount, 512) }

  func sourceBuffer(_ slot: Int) -> Int { slot * bufferByteCount * buffersPerSlot }
  func targetBuffer(_ slot: Int) -> Int {
    sourceBuffer(slot) + (buffersPerSlot - 1) * bufferByteCount
  }
}
