import Fixtures
@testable import MergeEngine

/// Runs a merge on a ``SimulatedDisk``, with the same steps as a merge on real devices.
///
/// The steps are the plan, the journal, the sweeps, and the final record.
struct MergeHarness {
  let merge: SimulatedMerge
  let disk: SimulatedDisk
  /// The content of the origin before the first run.
  let before: SparseContent

  /// The settings of one run.
  struct RunOptions {
    var transfer: TransferOptions?
    /// The reap at which the run is asked to stop.
    ///
    /// Counted from 1, and only for queues with requests in flight.
    var interruptedAtReap: Int?
    /// The reap at which the run is asked to stop without draining.
    var stopsWaitingAtReap: Int?
    /// True if the run is asked to stop without draining before it plans.
    var stopsWaitingBeforePlanning = false
    var trustsEarlierRuns = false
    /// True if the source is declared to be a copy of the earlier runs' source.
    var sourceIsCopy = false
    /// True if the data device has the identity recorded in the journal.
    var sourceIsIdentified = true
    /// True to skip checking the first recorded transfers, for an origin that may have lost writes.
    var skipsOriginCheck = true
    /// The operation in this run, counted from 1, just before which the power fails.
    var powerCutAtOperation: Int?
    /// A callback invoked after planning, before the first write.
    var afterPlanning: (() -> Void)?
    /// A callback invoked with progress reports during the run.
    var progress: (MergeProgress) -> Void = { _ in }
  }

  /// The outcome of a run.
  struct RunResult {
    var end: PipelineEnd
    var unreadable: RangeSet
    var writtenByteCount: UInt64
    var recheckedByteCount: UInt64
    var rewrittenByteCount: UInt64
    var checkpointCount: UInt64
    /// The maximum number of bytes that were written but not yet recorded at any moment of the run.
    var unrecordedByteCountMax: UInt64
    var reapCount: Int
    var state: JournalState

    var isFinished: Bool { end == .finished && unreadable.isEmpty }
  }

  init(_ merge: SimulatedMerge, seed: UInt64) {
    self.merge = merge
    disk = merge.makeDisk(seed: seed)
    before = disk[.target]
  }

  /// Creates a harness for the same merge on a disk that earlier runs or faults have changed.
  init(_ harness: MergeHarness, on disk: SimulatedDisk) {
    merge = harness.merge
    before = harness.before
    self.disk = disk
  }

  private final class Counter {
    var count = 0
  }

  /// Starts the merge, or resumes it from the journal.
  ///
  /// - Throws: `MergeError` if the run ends before the first write. A later error is returned as
  ///   the `end` of the result.
  func run(_ options: RunOptions = RunOptions()) throws(MergeError) -> RunResult {
    let interruption = Interruption()
    let reaps = Counter()
    disk.beginRun()
    disk.cutsPowerAt = options.powerCutAtOperation
    let control = RunControl(
      clock: disk.time.clock(interrupting: interruption), interruption: interruption,
      report: options.progress)
    let transfer = options.transfer ?? merge.transfer
    if options.stopsWaitingBeforePlanning { interruption.requestWithoutDraining() }
    let planned = try plan(transfer, control)
    let plan = planned.plan
    options.afterPlanning?()
    let isNew = disk[.journal].byteCount == 0
    if isNew { putHeader(planned, transfer) }
    for device in [SimulatedDisk.Device.journal, .target] { disk.reopen(device) }
    var reader = try disk.journalReader()
    let state = try JournalState(reading: &reader)
    if state.hasTornEnd { disk.setByteCount(state.cutByteOffset, of: .journal) }
    let stream = planned.segments(cuts: cuts(plan, transfer))
    let configuration = MergeConfiguration(
      plan: plan, cuts: stream.cuts, transfer: transfer,
      dataAlignmentByteCount: merge.dataAlignment, targetAlignmentByteCount: merge.originAlignment,
      targetPath: "origin", journalPath: "journal", state: state,
      trustsEarlierRuns: options.trustsEarlierRuns, sourceIsCopy: options.sourceIsCopy,
      sourceIsIdentified: options.sourceIsIdentified,
      checksTarget: !options.skipsOriginCheck)
    var io = try queue(
      transfer,
      MergeConfiguration.slabByteCount(
        transfer, largest: max(plan.transferByteCountMax, state.entryByteCountMax)), control)
    let audit = try CheckpointAudit(disk, planned: merge.plannedRanges)
    disk.journalIsWritten = { audit.append($0, at: $1) }
    disk.reaped = {
      reaps.count += 1
      if reaps.count == options.interruptedAtReap { interruption.request() }
      if reaps.count == options.stopsWaitingAtReap { interruption.requestWithoutDraining() }
    }
    defer {
      disk.journalIsWritten = nil
      disk.reaped = nil
    }
    if !isNew {
      try configuration.checkTarget(recorded: try disk.journalReader(), stream, &io, control)
    }
    var run = MergeSweeps(
      configuration, stream, io: io,
      journal: JournalEncoder(
        endByteOffset: state.endByteOffset, nextSequence: state.nextSequence,
        headerChecksum: reader.headerChecksum, dataBlockByteCount: plan.dataBlockByteCount),
      checkpointInterval: merge.checkpointInterval, control: control,
      secondsSince1970: { [time = disk.time] in time.secondsSince1970 })
    let end = finish(&run)
    if disk.time.isStuck { disk.stop("the run waited for ever, with nothing in flight") }
    if let violation = disk.violation {
      throw MergeError(.bug, .bug, "a rule was broken", at: "disk", because: violation)
    }
    return RunResult(
      end: end, unreadable: run.unreadable, writtenByteCount: run.writtenByteCount,
      recheckedByteCount: run.recheckedByteCount, rewrittenByteCount: run.rewrittenByteCount,
      checkpointCount: run.checkpointCount, unrecordedByteCountMax: audit.unrecordedByteCountMax,
      reapCount: reaps.count, state: try disk.journalState())
  }

  /// Creates the journal if it does not exist, without starting the merge.
  func makeJournal() throws(MergeError) {
    guard disk[.journal].byteCount == 0 else { return }
    let control = RunControl(clock: disk.time.clock, interruption: Interruption()) { _ in }
    putHeader(try plan(merge.transfer, control), merge.transfer)
  }

  private func putHeader(
    _ planned: borrowing CheckedPlan<WholeDevice<SimulatedQueue>>, _ transfer: TransferOptions
  ) {
    disk.put(header(planned, transfer).encoded, on: .journal, at: 0)
  }

  private func finish(
    _ run: inout MergeSweeps<SimulatedQueue, WholeDevice<SimulatedQueue>>
  ) -> PipelineEnd {
    do throws(MergeError) {
      let now = disk.time.secondsSince1970
      try run.append(
        .attempt(
          JournalRecord.Attempt(
            seconds: now, bootID: "boot", metadataPath: "metadata", dataPath: "data",
            originPath: "origin")))
      if let grown = run.configuration.plan.grownOriginByteCount {
        disk.setByteCount(max(grown, disk[.target].byteCount), of: .target)
      }
      let end = run.run { () throws(MergeError) in try disk.journalReader() }
      // An early end and any unreadable ranges are part of the result.
      guard end == .finished, run.unreadable.isEmpty else { return end }
      try run.finish(end, dataPath: "data") {}
      return end
    } catch {
      return .failed(error)
    }
  }

  // MARK: Comparing

  /// Compares the source and the origin sector by sector, optionally with other transfer options.
  func compare(
    _ transfer: TransferOptions? = nil, interruptedAtReap: Int? = nil
  ) throws(MergeError) -> Comparison {
    let interruption = Interruption()
    let control = RunControl(clock: disk.time.clock, interruption: interruption) { _ in }
    let transfer = transfer ?? merge.transfer
    let planned = try plan(transfer, control)
    let plan = planned.plan
    let slabByteCount = PipelineShape.slabByteCount(
      depth: transfer.queueDepth, ioByteCount: transfer.ioByteCount,
      largest: plan.transferByteCountMax)
    let stream = planned.segments(cuts: cuts(plan, transfer))
    var io = try queue(transfer, slabByteCount, control)
    let reaps = Counter()
    disk.reaped = {
      reaps.count += 1
      if reaps.count == interruptedAtReap { interruption.request() }
    }
    defer { disk.reaped = nil }
    return try Comparison.ofPlan(
      stream, total: plan.byteCount,
      shape: shape(
        transfer, slabByteCount, largest: plan.transferByteCountMax, readsBothSides: true,
        tailByteOffset: stream.cuts.tailByteOffset),
      targetPath: "origin", &io, control)
  }

  /// Compares the origin with the checksums in the journal.
  func compareWithJournal(_ transfer: TransferOptions? = nil) throws(MergeError) -> Comparison {
    let control = RunControl(clock: disk.time.clock, interruption: Interruption()) { _ in }
    let transfer = transfer ?? merge.transfer
    let state = try disk.journalState()
    let largest = max(state.entryByteCountMax, 4096)
    let slabByteCount = PipelineShape.slabByteCount(
      depth: transfer.queueDepth, ioByteCount: transfer.ioByteCount, largest: largest)
    var io = try queue(transfer, slabByteCount, control)
    return Comparison.ofJournal(
      try disk.journalReader(), state,
      shape: shape(
        transfer, slabByteCount, largest: largest, readsBothSides: false,
        tailByteOffset: UInt64(merge.model.effectiveEnd)),
      targetPath: "origin", &io, control)
  }

  /// Compares the source and the origin, each with the checksums in the journal.
  func compareWithRecorded() throws(MergeError) -> RecordedComparison {
    let control = RunControl(clock: disk.time.clock, interruption: Interruption()) { _ in }
    let planned = try plan(merge.transfer, control)
    let plan = planned.plan
    let state = try disk.journalState()
    let largest = max(plan.transferByteCountMax, state.entryByteCountMax)
    let slabByteCount = PipelineShape.slabByteCount(
      depth: merge.transfer.queueDepth, ioByteCount: merge.transfer.ioByteCount, largest: largest)
    let stream = planned.segments(cuts: cuts(plan, merge.transfer))
    var io = try queue(merge.transfer, slabByteCount, control)
    return try RecordedComparison.of(
      JournaledPieces(try disk.journalReader(), state), stream, total: plan.byteCount,
      shape: shape(
        merge.transfer, slabByteCount, largest: largest, readsBothSides: true,
        tailByteOffset: stream.cuts.tailByteOffset),
      targetPath: "origin", &io, control)
  }

  private func plan(
    _ transfer: TransferOptions, _ control: RunControl
  ) throws(MergeError) -> CheckedPlan<WholeDevice<SimulatedQueue>> {
    let originByteCount = UInt64(merge.model.originByteCount)
    return try CheckedPlan(
      PlanRequest(
        source: MergeSource(
          metadataPath: "metadata", dataPath: "data", deviceID: SimulatedMerge.deviceID),
        metadataByteCount: { [disk] in disk[.metadata].byteCount },
        dataByteCount: disk[.data].byteCount,
        originPath: "origin",
        extent: MergeExtent(originByteCount: originByteCount, options: merge.extent),
        ioByteCount: transfer.ioByteCount),
      metadata: try SimulatedQueue(
        disk, requestCount: TreeWalker.requestCount, slabByteCount: TreeWalker.slabByteCount,
        isWaitOver: Self.isWaitOver(control)),
      control: control)
  }

  private func cuts(_ plan: MergePlan, _ transfer: TransferOptions) -> TransferCuts {
    TransferCuts(
      ioByteCount: transfer.ioByteCount, endByteOffset: plan.endByteOffset,
      alignmentByteCount: merge.originAlignment)
  }

  private func queue(
    _ transfer: TransferOptions, _ slabByteCount: Int, _ control: RunControl
  ) throws(MergeError) -> SimulatedQueue {
    try SimulatedQueue(
      disk, requestCount: transfer.queueDepth + PipelineShape.ledgerRequestCount,
      slabByteCount: slabByteCount, isWaitOver: Self.isWaitOver(control))
  }

  private static func isWaitOver(_ control: RunControl) -> @Sendable () -> Bool {
    control.interruption.waitLimit(clock: control.clock)
  }

  private func shape(
    _ transfer: TransferOptions, _ slabByteCount: Int, largest: UInt64, readsBothSides: Bool,
    tailByteOffset: UInt64
  ) -> PipelineShape {
    PipelineShape(
      depth: transfer.queueDepth, slabByteCount: slabByteCount, transferByteCountMax: largest,
      readsBothSides: readsBothSides, dataBlockByteCount: UInt64(merge.model.blockByteCount),
      dataAlignmentByteCount: merge.dataAlignment, targetAlignmentByteCount: merge.originAlignment,
      tailByteOffset: tailByteOffset, rateLimit: nil)
  }

  private func header(
    _ planned: borrowing CheckedPlan<WholeDevice<SimulatedQueue>>, _ transfer: TransferOptions
  ) -> JournalHeader {
    let plan = planned.plan
    return JournalHeader(
      fingerprint: plan.fingerprint, deviceID: plan.deviceID,
      dataBlockByteCount: plan.dataBlockByteCount, endByteOffset: plan.endByteOffset,
      pastEnd: merge.extent.pastEnd,
      dataIdentity: DeviceIdentity(name: "data", byteCount: disk[.data].byteCount),
      originIdentity: DeviceIdentity(name: "origin", byteCount: before.byteCount),
      grownOriginByteCount: plan.grownOriginByteCount, thinByteCount: merge.extent.thinByteCount,
      plannedByteCount: plan.byteCount, metadataPath: "metadata", dataPath: "data",
      originPath: "origin", mappings: .metadataSnapshot(block: nil), ignoresNeedsCheck: false,
      transactionID: 0, heldRoot: 0, mappingRoot: planned.mappingRoot.rawValue,
      queueDepth: UInt64(transfer.queueDepth), ioByteCount: transfer.ioByteCount, rateLimit: 0,
      checkpointMilliseconds: 5, verifies: false, bootID: "boot", madeSeconds: 0)
  }
}
