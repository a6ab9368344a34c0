/// Prevents a merge from resuming on an origin other than the one that earlier runs wrote to.
extension MergeConfiguration {
  /// The number of transfers to read in order to distinguish a different origin from one that has
  /// only changed in places.
  private static var targetCheckTransferCount: Int { 64 }

  /// Checks, before anything is written, that the origin contains the first transfers that earlier
  /// runs recorded.
  ///
  /// - `recorded`: the reader of the journal in its state at the start of the run.
  /// - Throws: `MergeError` (`journalConflict`) if, for at least nine in ten of these transfers,
  ///   the origin contains neither the recorded data nor the source's current data, or if the
  ///   source differs from the record and nothing else shows that it is the recorded source.
  package func checkTarget<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable>(
    recorded: consuming JournalReader<IO>, _ stream: SegmentStream<Source>, _ io: inout IO,
    _ control: RunControl
  ) throws(MergeError) {
    // The user asked to merge a finished merge again, so any difference is expected.
    guard checksTarget, state.finishedSeconds == nil,
      !state.chains.isEmpty
    else { return }
    let found = try RecordedComparison.of(
      first: FirstPieces(
        JournaledPieces(recorded, state), count: Self.targetCheckTransferCount),
      stream, shape: shape(readsBothSides: true, requestCountMax: io.requestCountMax),
      targetPath: targetPath, &io, control)
    switch found.end {
    case .finished: break
    case .failed(let error): throw error
    case .interrupted:
      throw .interruptedChecking(targetPath)
    }
    let (count, changed) = (found.recordedCount, found.changedSourceCount)
    if sourceIsCopy, count == changed, found.comparedByteCount > 0 {
      throw .noCopyOfData(journalPath, byteCount: found.comparedByteCount)
    }
    if changed > 0, !sourceIsIdentified, !sourceIsCopy {
      throw .dataNotAsRecorded(dataPath, journalPath: journalPath, changed: changed, of: count)
    }
    let missing = found.missingOnTargetCount
    guard count > 0, missing * 10 >= count * 9 else { return }
    throw .originLost(targetPath, missing: missing, of: count)
  }

  /// Returns the shape of one of the merge's pipelines, given a queue of `requestCountMax`
  /// requests.
  func shape(readsBothSides: Bool, requestCountMax: Int) -> PipelineShape {
    PipelineShape(
      depth: min(
        transfer.queueDepth, requestCountMax - PipelineShape.ledgerRequestCount),
      slabByteCount: transferSlabByteCount,
      transferByteCountMax: readsBothSides
        ? max(plan.transferByteCountMax, state.entryByteCountMax)
        : plan.transferByteCountMax,
      readsBothSides: readsBothSides, dataBlockByteCount: plan.dataBlockByteCount,
      dataAlignmentByteCount: dataAlignmentByteCount,
      targetAlignmentByteCount: targetAlignmentByteCount,
      tailByteOffset: cuts.tailByteOffset, rateLimit: transfer.rateLimit
    )
  }
}
