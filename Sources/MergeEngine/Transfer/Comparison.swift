/// What comparing the origin with something came to.
package struct Comparison: Sendable {
  package var comparedByteCount: UInt64
  package var differences: Differences
  package var unreadable: RangeSet
  package var end: PipelineEnd

  /// Compares the whole plan, source against origin.
  package static func ofPlan<IO: BlockIO & ~Copyable>(
    _ stream: SegmentStream<IO>, total: UInt64, shape: PipelineShape, originPath: String,
    _ io: inout IO, _ control: RunControl
  ) throws(MergeError) -> Comparison {
    var pipeline = Pipeline<CompareWork>(shape, originPath: originPath)
    try stream.restart(from: 0)
    var feed = PlanFeed(stream)
    var work = CompareWork()
    var record = NoRecord()
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record, control: control, progress: verifying(total))
    return Comparison(
      comparedByteCount: work.comparedByteCount, differences: work.differences,
      unreadable: pipeline.unreadable, end: end)
  }

  /// Compares the origin with the checksums that a journal recorded.
  package static func ofJournal<IO: BlockIO & ~Copyable>(
    _ reader: consuming JournalReader<IO>, _ state: JournalState, shape: PipelineShape,
    originPath: String, _ io: inout IO, _ control: RunControl
  ) -> Comparison {
    var pipeline = Pipeline<ChecksumWork>(shape, originPath: originPath)
    var feed = OriginFeed(RecordedPieces(reader, state))
    var work = ChecksumWork()
    var record = NoRecord()
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record, control: control,
      progress: verifying(state.doneByteCount))
    return Comparison(
      comparedByteCount: work.comparedByteCount, differences: work.differences,
      unreadable: pipeline.unreadable, end: end)
  }

  private static func verifying(_ total: UInt64) -> MergeProgress {
    MergeProgress(
      phase: .verifying, doneByteCount: 0, totalByteCount: total, earlierByteCount: 0,
      elapsed: .zero, readsInFlight: 0, writesInFlight: 0)
  }
}
