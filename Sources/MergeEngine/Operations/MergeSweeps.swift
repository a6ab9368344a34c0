internal import SystemPackage

/// The parameters of a merge run, other than its queue and source.
package struct MergeConfiguration: Sendable {
  package var plan: MergePlan
  package var cuts: TransferCuts
  package var transfer: TransferOptions
  package var dataAlignmentByteCount: Int
  package var targetAlignmentByteCount: Int
  package var dataPath = ""
  package var targetPath: String
  package var journalPath: String
  /// The state of the merge as recorded by earlier runs.
  package var state: JournalState
  package var trustsEarlierRuns: Bool
  /// True if the source is a copy, possibly incomplete, of the one that earlier runs merged from.
  package var sourceIsCopy = false
  /// True if the source is known to be the one that earlier runs merged from, even if it has been
  /// written to since.
  package var sourceIsIdentified = true
  /// True to check, before anything is written, that the origin contains the first transfers that
  /// earlier runs recorded.
  package var checksTarget = true

  /// Returns the size of the queue's slab, in bytes.
  ///
  /// - `largest`: the size of the largest transfer in bytes, including transfers recorded by
  ///   earlier runs.
  package static func slabByteCount(_ transfer: TransferOptions, largest: UInt64) -> Int {
    transferSlabByteCount(transfer, largest) + Checkpointer.slabByteCount
  }

  private static func transferSlabByteCount(
    _ transfer: TransferOptions, _ largest: UInt64
  ) -> Int {
    PipelineShape.slabByteCount(
      depth: transfer.queueDepth, ioByteCount: transfer.ioByteCount, largest: largest)
  }

  /// The number of bytes of the slab that the pipelines use; the checkpointer uses the rest.
  var transferSlabByteCount: Int {
    Self.transferSlabByteCount(transfer, max(plan.transferByteCountMax, state.entryByteCountMax))
  }
}

/// One run of a merge, from the first transfer to the `finished` record.
///
/// It performs the sweeps over the plan, in order, on open devices and an open journal.
package struct MergeSweeps<
  IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable
>: ~Copyable {
  package let configuration: MergeConfiguration
  private let stream: SegmentStream<Source>
  private var io: IO
  private var checkpointer: Checkpointer
  private let control: RunControl
  private let secondsSince1970: @Sendable () -> Int64
  package private(set) var writtenByteCount: UInt64 = 0
  package private(set) var recheckedByteCount: UInt64 = 0
  package private(set) var rewrittenByteCount: UInt64 = 0
  /// The ranges that were not merged because their source could not be read.
  package private(set) var unreadable: RangeSet
  /// True if the journal turned out not to match the plan, which no later run can repair.
  package private(set) var isJournalRefuted = false
  /// The number of bytes of the plan that this run and earlier runs have recorded.
  package var recordedByteCount: UInt64 {
    configuration.state.doneByteCount + checkpointer.recordedByteCount
  }
  /// The byte offset of the end of the journal's last record.
  package var journalByteCount: UInt64 { checkpointer.journal.endByteOffset }
  package var checkpointCount: UInt64 { checkpointer.checkpointCount }
  package var submitDuration: Duration { io.submitDuration }

  /// Creates the sweeps of one run of a merge.
  ///
  /// - `stream`: the runs of the source, which have been read once already.
  /// - `io`: the queue for the data device, the origin, and the journal, with nothing enqueued.
  /// - `checkpointInterval`: the time between checkpoints.
  /// - `look`: called at each checkpoint to verify the conditions that must not change during the
  ///   merge.
  package init(
    _ configuration: MergeConfiguration, _ stream: SegmentStream<Source>, io: consuming IO,
    journal: JournalEncoder, checkpointInterval: Duration, control: RunControl,
    secondsSince1970: @escaping @Sendable () -> Int64,
    look: @escaping () throws(MergeError) -> Void = {}
  ) {
    self.configuration = configuration
    self.stream = stream
    self.io = io
    self.control = control
    self.secondsSince1970 = secondsSince1970
    var unreadable = configuration.state.unreadable
    // Ranges past the watermark are merged as if they had never been attempted.
    unreadable.remove(
      ByteRange(
        start: configuration.state.watermark, end: max(configuration.state.watermark, .max >> 1)))
    self.unreadable = unreadable
    checkpointer = Checkpointer(
      journal: journal, watermark: configuration.state.watermark,
      nextSweep: configuration.state.nextSweep,
      interval: checkpointInterval, slabByteOffset: configuration.transferSlabByteCount,
      targetPath: configuration.targetPath, journalPath: configuration.journalPath,
      now: control.clock.now(),
      secondsSince1970: secondsSince1970, look: look)
  }

  /// Merges the remaining data, rechecks the data that earlier runs recorded, and proves that the
  /// whole plan is recorded.
  ///
  /// - `journal`: opens the journal for reading, in its state at the time of the call.
  package mutating func run(
    journal: () throws(MergeError) -> JournalReader<IO>
  ) -> PipelineEnd {
    do throws(MergeError) {
      if !unreadable.isEmpty {
        let end = try retry()
        guard end == .finished else { return end }
      }
      let end = try merge()
      guard end == .finished else { return end }
      if !configuration.state.chains.isEmpty,
        configuration.state.isReadAgain(
          trusted: configuration.trustsEarlierRuns, byCopy: configuration.sourceIsCopy)
      {
        let end = try recheck(JournaledPieces(try journal(), configuration.state))
        guard end == .finished else { return end }
      }
      return unreadable.isEmpty ? try prove(try journal()) : .finished
    } catch {
      return .failed(error.afterFirstWrite())
    }
  }

  private mutating func merge() throws(MergeError) -> PipelineEnd {
    checkpointer.beginSweep(.merge)
    try stream.restart(from: configuration.state.watermark)
    let pass = CopyPipeline.pass(
      shape(readsBothSides: false), &io, feed: PlannedTransfers(stream), step: CopyStep(),
      ledger: &checkpointer, targetPath: configuration.targetPath, control: control,
      progress: progress(
        .merging, earlier: recordedByteCount, total: configuration.plan.byteCount))
    account(pass)
    return pass.end
  }

  private mutating func retry() throws(MergeError) -> PipelineEnd {
    let ranges = unreadable
    unreadable = RangeSet()
    checkpointer.beginSweep(.retry)
    try stream.restart(from: 0)
    let pieces = GivenPieces(
      ranges, cuts: configuration.cuts, byteCountMax: configuration.plan.transferByteCountMax)
    let pass = RetryPipeline.pass(
      shape(readsBothSides: false), &io, feed: PieceTransfers(stream, pieces: pieces),
      step: CopyStep(), ledger: &checkpointer, targetPath: configuration.targetPath,
      control: control, progress: progress(.retrying, earlier: 0, total: ranges.byteCount))
    if pass.end != .finished { for range in ranges.ranges { unreadable.insert(range) } }
    account(pass)
    return pass.end
  }

  private mutating func recheck(
    _ pieces: consuming JournaledPieces<IO>
  ) throws(MergeError) -> PipelineEnd {
    checkpointer.beginSweep(.recheck)
    try stream.restart(from: 0)
    let pass = RecheckPipeline.pass(
      shape(readsBothSides: true), &io, feed: PieceTransfers(stream, pieces: pieces),
      step: RecheckStep(keepsRecorded: configuration.sourceIsCopy), ledger: &checkpointer,
      targetPath: configuration.targetPath,
      control: control,
      progress: progress(.rechecking, earlier: 0, total: configuration.state.doneByteCount))
    recheckedByteCount += pass.step.checkedByteCount
    rewrittenByteCount += pass.step.rewrittenByteCount
    account(pass)
    guard pass.end == .finished, let lowest = pass.step.lowestLostByteOffset else {
      return pass.end
    }
    throw .mergedBytesLost(
      configuration.targetPath, journalPath: configuration.journalPath,
      byteCount: pass.step.lostByteCount, firstByteOffset: lowest)
  }

  /// Proves, using only the journal and the mappings, that every byte of the plan is recorded
  /// exactly once, and that nothing else is recorded.
  ///
  /// The byte counts kept by this run and earlier ones are not used. Instead, the records are read
  /// from the file and compared with the mappings, piece by piece.
  private mutating func prove(
    _ reader: consuming JournalReader<IO>
  ) throws(MergeError) -> PipelineEnd {
    var reader = reader
    // The last record is followed by preallocated space.
    let state = try JournalState(reading: &reader, isBeingWritten: true)
    var pieces = JournaledPieces(reader, state)
    try stream.restart(from: 0)
    while let piece = try pieces.next() {
      if control.interruption.isRequested { return .interrupted }
      var position = piece.range.start
      while position < piece.range.end {
        let segment = try stream.peek()
        guard let segment, segment.targetByteOffset <= position else {
          throw refuted(.recordedNotMapped(configuration.journalPath, byteOffset: position))
        }
        guard segment.targetByteOffset == position else {
          throw refuted(
            .mappedNotRecorded(configuration.journalPath, byteOffset: segment.targetByteOffset))
        }
        let byteCount = min(segment.byteCount, piece.range.end - position)
        stream.take(byteCount)
        position += byteCount
      }
    }
    if let segment = try stream.peek() {
      throw refuted(
        .mappedNotRecorded(configuration.journalPath, byteOffset: segment.targetByteOffset))
    }
    return .finished
  }

  private mutating func refuted(_ error: MergeError) -> MergeError {
    isJournalRefuted = true
    return error
  }

  /// Records in the journal that the merge has finished.
  ///
  /// - `end`: the outcome of the sweeps.
  /// - `check`: rechecks the conditions that must not have changed during the merge.
  /// - Throws: `MergeError` (`stopped`) if the merge is incomplete.
  package mutating func finish(
    _ end: PipelineEnd, dataPath: String, check: () throws(MergeError) -> Void
  ) throws(MergeError) {
    switch end {
    case .finished: break
    case .interrupted: throw .interruptedMerging(configuration.targetPath)
    case .failed(let error): throw error
    }
    guard unreadable.isEmpty else {
      throw .someUnreadable(
        dataPath, byteCount: unreadable.byteCount, rangeCount: unreadable.ranges.count,
        journalPath: configuration.journalPath)
    }
    try check()
    try append(.finished(seconds: secondsSince1970()))
  }

  /// Reads all data of the plan back from the origin and compares it with the source.
  package mutating func compare() throws(MergeError) -> Comparison {
    try Comparison.ofPlan(
      stream, total: configuration.plan.byteCount, shape: shape(readsBothSides: true),
      targetPath: configuration.targetPath, &io, control)
  }

  /// Appends a single record and makes it durable.
  ///
  /// - Precondition: No sweep is running.
  package mutating func append(_ record: JournalRecord) throws(MergeError) {
    try checkpointer.append(record, &io)
  }

  private mutating func account<Step: TransferStep & ~Copyable>(
    _ pass: borrowing PassResult<Step>
  ) {
    writtenByteCount += pass.writtenByteCount
    for range in pass.unreadable.ranges { unreadable.insert(range) }
  }

  private func shape(readsBothSides: Bool) -> PipelineShape {
    configuration.shape(readsBothSides: readsBothSides, requestCountMax: io.requestCountMax)
  }

  private func progress(
    _ phase: MergeProgress.Phase, earlier: UInt64, total: UInt64
  ) -> MergeProgress {
    MergeProgress(
      phase: phase, doneByteCount: earlier, totalByteCount: total, earlierByteCount: earlier,
      elapsed: .zero, readsInFlight: 0, writesInFlight: 0)
  }
}
