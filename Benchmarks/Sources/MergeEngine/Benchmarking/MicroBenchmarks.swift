// The work that the micro-benchmarks measure. A measurement starts after its own copy is made.

/// A full leaf, decoded over and over.
package struct LeafDecoding: Sendable {
  private let leaf: BlockCopy
  private let block = MetadataBlock(1)

  package init(seed: UInt64) {
    let image = MappingImage(.shuffled, leafCount: 1, seed: seed)
    let start = Int(block.rawValue) * BlockKind.blockByteCount
    leaf = BlockCopy(
      RawSpan(_elements: image.bytes.span)
        .extracting(start..<start + BlockKind.blockByteCount))
  }

  /// Checks the node and its keys, and looks at every mapping.
  ///
  /// - Returns: Something that depends on all of them.
  package func decode() throws -> UInt64 {
    let bytes = leaf.span
    let node = try BtreeNode(bytes, at: block, leafValueByteCount: MappingLeaf.valueByteCount)
    try node.checkKeys(in: bytes, of: block, within: 0...UInt64.max)
    let mappings = MappingLeaf(node, in: bytes, of: block)
    var sum: UInt64 = 0
    for index in mappings.indices {
      sum &+= mappings.thinBlock(index).rawValue ^ mappings.dataBlock(index).rawValue
    }
    return sum
  }
}

/// A mapping tree in memory, streamed as runs.
package struct RunReading: ~Copyable {
  private var reader: WholeDevice<InstantQueue>
  private var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)

  package init(_ image: MappingImage) throws(MergeError) {
    reader = try WholeDevice(
      image.tree,
      io: InstantQueue(
        requestCount: TreeWalker.requestCount, slabByteCount: TreeWalker.slabByteCount,
        touchesSlab: true, metadata: image.bytes),
      ledger: NodeLedger(metadataBlockCount: image.tree.bounds.blockCount))
  }

  /// Begins another pass, as the one that merges.
  package mutating func restart() throws(MergeError) { try reader.restart(from: ThinBlock(0)) }

  fileprivate mutating func read(into batch: inout RunBatch) throws(MergeError) {
    _ = try reader.next(&batch, atMost: .max)
  }

  /// - Returns: How many mappings there were.
  package mutating func readAll() throws(MergeError) -> UInt64 {
    while try reader.next(&batch, atMost: .max) { batch.removeAll() }
    return reader.mappedBlockCount
  }
}

/// The runs of leaves that were read, added up to a plan.
package struct PlanAdding: ~Copyable {
  private var batch: RunBatch
  private var dataBlocks: DataBlockLedger
  private var builder: PlanBuilder

  package init(_ image: MappingImage) throws(MergeError) {
    batch = RunBatch(leafCount: image.leafCount)
    var reading = try RunReading(image)
    try reading.read(into: &batch)
    dataBlocks = try DataBlockLedger(dataBlockCount: image.tree.dataBlockCount)
    builder = PlanBuilder(
      MergeExtent(originByteCount: nil, options: ExtentOptions()),
      dataBlockByteCount: ScatteredFeed.blockByteCount, ioByteCount: TransferOptions().ioByteCount)
  }

  /// Precondition: it was not run before.
  package mutating func run() throws { try Self.add(batch, &dataBlocks, &builder) }

  private static func add(
    _ batch: borrowing RunBatch, _ dataBlocks: inout DataBlockLedger, _ builder: inout PlanBuilder
  ) throws {
    try dataBlocks.enter(batch.runs)
    builder.append(batch)
  }
}

/// A full record of a journal, read as a merge that is resumed reads it.
package struct RecordDecoding: Sendable {
  private let kindCode: UInt32
  private let payload: [UInt8]

  package init() {
    let byteCount = ScatteredFeed.blockByteCount
    let record = JournalRecord.checkpoint(
      JournalRecord.Checkpoint(
        seconds: 0, kind: .merge, sweep: 0, watermark: 0,
        entries: (0..<UInt64(JournalRecord.entryCountMax)).map {
          JournalEntry(
            start: 2 * $0 * byteCount, byteCount: byteCount,
            checksum: UInt32(truncatingIfNeeded: $0 &* 0x9E37_79B9))
        }))
    var writer = ByteWriter()
    record.encodePayload(into: &writer, dataBlockByteCount: byteCount)
    kindCode = record.kindCode
    payload = writer.bytes
  }

  /// - Returns: True if it could be read.
  package func decode() -> Bool {
    JournalRecord(
      kindCode: kindCode, payload: RawSpan(_elements: payload.span),
      dataBlockByteCount: ScatteredFeed.blockByteCount)
      != nil
  }
}

/// Writes what was read and looks at none of it, so that the loop alone is measured.
private struct WriteStep: TransferStep, ~Copyable {
  static var readsSource: Bool { true }
  static var readsTarget: Bool { false }
  static var isOrdered: Bool { false }

  mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    .write(checksum: 0)
  }
}

/// The pipeline's loop, moving nothing: no device, no checksums, no record.
package struct PipelineTurns: ~Copyable {
  private var io: InstantQueue
  private let shape: PipelineShape
  private let transferCount: Int
  private let segmentCount: Int
  private let control: RunControl

  package init(transferCount: Int, segmentCount: Int, clock: Clock) throws(MergeError) {
    let options = TransferOptions()
    let largest = UInt64(segmentCount) * ScatteredFeed.blockByteCount
    let slabByteCount = PipelineShape.slabByteCount(
      depth: options.queueDepth, ioByteCount: options.ioByteCount, largest: largest)
    shape = PipelineShape(
      depth: options.queueDepth, slabByteCount: slabByteCount, transferByteCountMax: largest,
      readsBothSides: false,
      dataBlockByteCount: ScatteredFeed.blockByteCount, dataAlignmentByteCount: 4096,
      targetAlignmentByteCount: 4096, tailByteOffset: .max, rateLimit: nil)
    // Nobody looks at the bytes.
    io = try InstantQueue(
      requestCount: options.queueDepth + PipelineShape.ledgerRequestCount,
      slabByteCount: slabByteCount, touchesSlab: false)
    self.transferCount = transferCount
    self.segmentCount = segmentCount
    control = RunControl(clock: clock, interruption: Interruption(), report: { _ in })
  }

  /// - Returns: How many bytes would have been written.
  package mutating func run() -> UInt64 {
    let feed = ScatteredFeed(
      transferCount: UInt64(transferCount), segmentCount: UInt64(segmentCount), gapBlockCount: 1,
      seed: 1)
    var ledger = NoLedger()
    let pass = Pipeline.pass(
      shape, &io, feed: feed, step: WriteStep(), ledger: &ledger, targetPath: "memory",
      control: control,
      progress: .init(
        phase: .merging, doneByteCount: 0, totalByteCount: 0, earlierByteCount: 0, elapsed: .zero,
        readsInFlight: 0, writesInFlight: 0))
    return pass.writtenByteCount
  }
}

/// One checkpoint, from transfers that have ended to a journal that is durable.
package struct CheckpointAppending: ~Copyable {
  private let entryCount: Int
  private var io: InstantQueue
  private var record: Checkpointer
  private var batch = CompletionBatch()

  package init(entryCount: Int) throws(MergeError) {
    self.entryCount = entryCount
    io = try InstantQueue(
      requestCount: PipelineShape.ledgerRequestCount, slabByteCount: Checkpointer.slabByteCount,
      touchesSlab: true)
    record = Checkpointer(
      journal: JournalEncoder(
        endByteOffset: 0, nextSequence: 1, headerChecksum: 0,
        dataBlockByteCount: ScatteredFeed.blockByteCount),
      watermark: 0, nextSweep: 1, interval: .seconds(5), slabByteOffset: 0, targetPath: "memory",
      journalPath: "memory", now: .zero, secondsSince1970: { 0 })
    record.beginSweep(.merge)
  }

  /// - Returns: Bytes of the journal.
  package mutating func run() -> UInt64 {
    let byteCount = ScatteredFeed.blockByteCount
    for number in 0..<UInt64(entryCount) {
      let start = 2 * number * byteCount
      let ticket = record.began(ByteRange(start: start, end: start + byteCount))
      record.ended(ticket, .merged(checksum: UInt32(truncatingIfNeeded: number)))
    }
    while !record.isSettled {
      record.advance(&io, now: .zero, isLast: true)
      io.reap(atLeast: 1, timeout: nil, into: &batch)
      for index in 0..<batch.count { record.completed(batch[index], &io, now: .zero) }
    }
    return record.journal.endByteOffset
  }
}

/// Bytes that are checksummed.
package struct Checksumming: Sendable {
  private let bytes: [UInt8]

  package init(byteCount: Int) { bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) } }

  package func checksum() -> UInt32 { CRC32C.checksum(of: RawSpan(_elements: bytes.span)) }
}
