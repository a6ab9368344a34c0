/// An I/O queue for a comparison, and the shape of the pipeline that uses it.
struct ComparisonQueue: ~Copyable {
  var io: LinuxAIO
  let shape: PipelineShape

  /// Creates a queue for comparing a target with a source or with a journal.
  ///
  /// - `largest`: the size of the largest transfer in bytes.
  /// - `data`: the data device; nil if only the target is read.
  /// - Throws: `MergeError` if the system has no memory or no I/O requests left.
  init(
    _ transfer: TransferOptions, largest: UInt64, dataBlockByteCount: UInt64, data: OpenFile?,
    target: OpenFile, cuts: TransferCuts, in environment: Environment
  ) throws(MergeError) {
    let slabByteCount = PipelineShape.slabByteCount(
      depth: transfer.queueDepth, ioByteCount: transfer.ioByteCount, largest: largest)
    var files = [IOFile.target: target]
    files[.data] = data
    let io = try environment.transferQueue(
      depth: transfer.queueDepth, slabByteCount: slabByteCount, files: files)
    shape = PipelineShape(
      depth: min(transfer.queueDepth, io.requestCountMax - PipelineShape.ledgerRequestCount),
      slabByteCount: slabByteCount, transferByteCountMax: largest, readsBothSides: data != nil,
      dataBlockByteCount: dataBlockByteCount,
      dataAlignmentByteCount: data?.alignmentByteCount ?? 1,
      targetAlignmentByteCount: target.alignmentByteCount, tailByteOffset: cuts.tailByteOffset,
      rateLimit: nil)
    self.io = io
  }
}

/// The result of comparing an origin with its source or with a journal.
package struct Comparison: Sendable {
  package var comparedByteCount: UInt64
  package var differences: Differences
  package var unreadable: RangeSet
  package var end: PipelineEnd

  /// Compares the source with the origin, covering all data of the plan.
  package static func ofPlan<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable>(
    _ stream: SegmentStream<Source>, total: UInt64, shape: PipelineShape, targetPath: String,
    _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> Comparison {
    try stream.restart(from: 0)
    var ledger = NoLedger()
    let pass = ComparePipeline.pass(
      shape, &io, feed: PlannedTransfers(stream), step: CompareStep(), ledger: &ledger,
      targetPath: targetPath, control: control, progress: verifying(total))
    return Comparison(
      comparedByteCount: pass.step.comparedByteCount, differences: pass.step.differences,
      unreadable: pass.unreadable, end: pass.end)
  }

  /// Compares the origin with the checksums that are recorded in a journal.
  package static func ofJournal<IO: BlockIO & ~Copyable>(
    _ reader: consuming JournalReader<IO>, _ state: JournalState, shape: PipelineShape,
    targetPath: String, _ io: inout IO, _ control: RunControl
  ) -> Comparison {
    var ledger = NoLedger()
    let pass = CompareChecksumPipeline.pass(
      shape, &io, feed: TargetOnlyTransfers(JournaledPieces(reader, state)),
      step: CompareChecksumStep(), ledger: &ledger, targetPath: targetPath, control: control,
      progress: verifying(state.doneByteCount))
    return Comparison(
      comparedByteCount: pass.step.comparedByteCount, differences: pass.step.differences,
      unreadable: pass.unreadable, end: pass.end)
  }

  fileprivate static func verifying(_ total: UInt64) -> MergeProgress {
    MergeProgress(
      phase: .verifying, doneByteCount: 0, totalByteCount: total, earlierByteCount: 0,
      elapsed: .zero, readsInFlight: 0, writesInFlight: 0)
  }
}

/// The result of comparing both the source and the origin with what a journal recorded for them.
package struct RecordedComparison: Sendable {
  package var comparedByteCount: UInt64
  package var sourceDifferences: Differences
  package var targetDifferences: Differences
  /// The number of transfers that were compared with a recorded checksum.
  package var recordedCount: Int
  /// The number of transfers, among those in `recordedCount`, whose source data differs from the
  /// record.
  package var changedSourceCount: Int
  /// The number of transfers, among those in `recordedCount`, for which the origin contains neither
  /// the recorded data nor the source's current data.
  package var missingOnTargetCount: Int
  package var unreadable: RangeSet
  package var end: PipelineEnd

  /// Compares the source and the origin with all data that a journal recorded, without writing
  /// anything.
  package static func of<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable>(
    _ pieces: consuming JournaledPieces<IO>, _ stream: SegmentStream<Source>, total: UInt64,
    shape: PipelineShape, targetPath: String, _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> RecordedComparison {
    try stream.restart(from: 0)
    var ledger = NoLedger()
    return RecordedComparison(
      CompareRecordedPipeline.pass(
        shape, &io, feed: PieceTransfers(stream, pieces: pieces), step: CompareRecordedStep(),
        ledger: &ledger, targetPath: targetPath, control: control,
        progress: Comparison.verifying(total)))
  }

  /// Compares the source and the origin with the first pieces that a journal recorded, without
  /// writing anything or reporting progress.
  package static func of<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable>(
    first pieces: consuming FirstPieces<JournaledPieces<IO>>, _ stream: SegmentStream<Source>,
    shape: PipelineShape, targetPath: String, _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> RecordedComparison {
    try stream.restart(from: 0)
    var ledger = NoLedger()
    return RecordedComparison(
      CheckTargetPipeline.pass(
        shape, &io, feed: PieceTransfers(stream, pieces: pieces), step: CompareRecordedStep(),
        ledger: &ledger, targetPath: targetPath,
        control: RunControl(clock: control.clock, interruption: control.interruption) { _ in },
        progress: Comparison.verifying(0)))
  }

  private init(_ pass: consuming PassResult<CompareRecordedStep>) {
    comparedByteCount = pass.step.comparedByteCount
    sourceDifferences = pass.step.sourceDifferences
    targetDifferences = pass.step.targetDifferences
    recordedCount = pass.step.recordedCount
    changedSourceCount = pass.step.changedSourceCount
    missingOnTargetCount = pass.step.missingOnTargetCount
    unreadable = pass.unreadable
    end = pass.end
  }
}
