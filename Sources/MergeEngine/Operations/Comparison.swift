/// What comparing the origin with something came to.
package struct Comparison: Sendable {
  package var comparedByteCount: UInt64
  package var differences: Differences
  package var unreadable: RangeSet
  package var end: PipelineEnd

  /// Compares the whole plan, source against origin.
  package static func ofPlan<IO: BlockIO & ~Copyable>(
    _ stream: SegmentStream<IO>, total: UInt64, shape: PipelineShape, targetPath: String,
    _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> Comparison {
    var pipeline = Pipeline<CompareStep>(shape, targetPath: targetPath)
    try stream.restart(from: 0)
    var feed = PlannedTransfers(stream)
    var work = CompareStep()
    var record = NoLedger()
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record, control: control, progress: verifying(total))
    return Comparison(
      comparedByteCount: work.comparedByteCount, differences: work.differences,
      unreadable: pipeline.unreadable, end: end)
  }

  /// Compares the origin with the checksums that a journal recorded.
  package static func ofJournal<IO: BlockIO & ~Copyable>(
    _ reader: consuming JournalReader<IO>, _ state: JournalState, shape: PipelineShape,
    targetPath: String, _ io: inout IO, _ control: RunControl
  ) -> Comparison {
    var pipeline = Pipeline<CompareChecksumStep>(shape, targetPath: targetPath)
    var feed = TargetOnlyTransfers(JournaledPieces(reader, state))
    var work = CompareChecksumStep()
    var record = NoLedger()
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record, control: control,
      progress: verifying(state.doneByteCount))
    return Comparison(
      comparedByteCount: work.comparedByteCount, differences: work.differences,
      unreadable: pipeline.unreadable, end: end)
  }

  fileprivate static func verifying(_ total: UInt64) -> MergeProgress {
    MergeProgress(
      phase: .verifying, doneByteCount: 0, totalByteCount: total, earlierByteCount: 0,
      elapsed: .zero, readsInFlight: 0, writesInFlight: 0)
  }
}

/// Differences of source and origin from what a journal recorded of both.
package struct RecordedComparison: Sendable {
  package var comparedByteCount: UInt64
  package var sourceDifferences: Differences
  package var targetDifferences: Differences
  /// Transfers whose source is as recorded, and how many of them are not on the origin.
  package var unchangedSourceCount: Int
  package var missingOnTargetCount: Int
  package var unreadable: RangeSet
  package var end: PipelineEnd

  /// Compares the given pieces of the plan; writes nothing.
  package static func of<IO: BlockIO & ~Copyable, Pieces: PieceSource & ~Copyable>(
    _ pieces: consuming Pieces, _ stream: SegmentStream<IO>, total: UInt64, shape: PipelineShape,
    targetPath: String, _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> RecordedComparison {
    var pipeline = Pipeline<CompareRecordedStep>(shape, targetPath: targetPath)
    try stream.restart(from: 0)
    var feed = PieceTransfers(stream, pieces: pieces)
    var work = CompareRecordedStep()
    var record = NoLedger()
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record, control: control,
      progress: Comparison.verifying(total))
    return RecordedComparison(
      comparedByteCount: work.comparedByteCount, sourceDifferences: work.sourceDifferences,
      targetDifferences: work.targetDifferences, unchangedSourceCount: work.unchangedSourceCount,
      missingOnTargetCount: work.missingOnTargetCount, unreadable: pipeline.unreadable, end: end)
  }
}
