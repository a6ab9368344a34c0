/// Reports what a merge would do, without performing it.
struct PlanOperation {
  let environment: Environment

  /// Implements ``Merger/plan(_:onto:options:)``.
  func plan(
    _ source: MergeSource, onto originPath: String?, options: MergeOptions
  ) throws(MergeError) -> PlanReport {
    if let originPath {
      return try plan(
        MergeRequest(source: source, originPath: originPath, options: options),
        given: options.pool)
    }
    let pools = ActivePools(environment: environment)
    return try pools.withMetadataSnapshot(source) { (source, session) throws(MergeError) in
      if session == nil { pools.noteIfUnused(options.pool) }
      return try plan(source, session, options)
    }
  }

  /// Plans the work that ``MergeOperation`` performs for a request.
  ///
  /// - `given`: the pool options specified for this run. Pool options that were recorded in a
  ///   journal appear only in `request`.
  func plan(_ request: MergeRequest, given: PoolOptions) throws(MergeError) -> PlanReport {
    let pools = ActivePools(environment: environment)
    let onlyCompares = FinishedMergeComparison(environment: environment).isAllOf(request)
    var report = try pools.withSession(for: request.source, isResumed: request.resumed != nil) {
      session throws(MergeError) -> PlanReport in
      if session == nil, !onlyCompares { pools.noteIfUnused(given) }
      let preparation = try MergePreparation(request, session, for: .looking, in: environment)
      var report = preparation.report
      if onlyCompares {
        // A comparison requires neither an idle pool nor an unused origin.
        report.journalPath = preparation.planned.journalPath
        report.refusal = preparation.refusalOfComparing
      } else if report.refusal == nil {
        do throws(MergeError) {
          // A merge would open the journal for writing.
          if let journal = preparation.slot.journalOfSameMerge {
            try JournalFile.checkCanBeAppended(journal.file)
          }
          if preparation.finishedJournal == nil { _ = try preparation.readyQueue() }
        } catch {
          guard !environment.interruption.isRequested else { throw error }
          report.refusal = error
        }
      }
      return report
    }
    guard onlyCompares, report.refusal == nil, request.options.handsOver,
      let journalPath = report.journalPath
    else { return report }
    do throws(MergeError) {
      report.handover = try HandoverOperation(environment: environment)
        .rehearse(journalPath, takesName: request.options.takesName).handover
    } catch {
      report.refusal = error
    }
    return report
  }

  /// Plans a merge for which no origin was given.
  private func plan(
    _ source: MergeSource, _ session: PoolSession?, _ options: MergeOptions
  ) throws(MergeError) -> PlanReport {
    let devices = try OpenDevices(source)
    let ioByteCount = devices.ioByteCount(options.transfer, onto: nil)
    let planned = try devices.plan(
      source, onto: nil, extent: options.extent, ioByteCount: ioByteCount, in: environment)
    var report = planned.report(
      originByteCount: nil, journalPath: nil, ioByteCount: ioByteCount)
    report.isOwnMetadataSnapshot = session?.hold.isOwn == true
    return report
  }
}

extension PlanReport {
  /// Adds what earlier runs of the same merge recorded, and what a run with these options would do
  /// with those records.
  mutating func add(_ earlierRuns: JournalState, _ options: MergeOptions) {
    recordedByteCount = earlierRuns.doneByteCount
    isFinished = earlierRuns.isFinished
    isMergedAgain = isFinished && options.mergesAgain
    comparedByteCount =
      if isFinished, !isMergedAgain {
        options.comparesFinished ? byteCount : 0
      } else {
        earlierRuns.isReadAgain(
          trusted: options.trustsEarlierRuns, byCopy: options.dataIsTheSame)
          ? recordedByteCount : 0
      }
  }
}

extension CheckedPlan where Source: ~Copyable {
  /// Returns the plan as a report for people and programs.
  package func report(originByteCount: UInt64?, journalPath: String?, ioByteCount: UInt64)
    -> PlanReport
  {
    PlanReport(
      deviceID: plan.deviceID, blockByteCount: plan.dataBlockByteCount,
      mappedBlockCount: plan.mappedBlockCount, runCount: plan.runCount, byteCount: plan.byteCount,
      pastEndBlockCount: plan.pastEndBlockCount, clippedByteCount: plan.clippedByteCount,
      thinByteCount: thinByteCount ?? plan.endByteOffset,
      thinByteCountIsAssumed: thinByteCount == nil, originByteCount: originByteCount,
      grownOriginByteCount: plan.grownOriginByteCount,
      journalByteCountMax: JournalSize.byteCountMax(
        transferCount: plan.transferCount, endByteOffset: plan.endByteOffset,
        ioByteCount: ioByteCount),
      journalPath: journalPath, fingerprint: plan.fingerprint.description,
      transactionID: pool.superblock.transactionID, heldRoot: pool.heldRoot?.rawValue,
      otherDeviceCount: deviceCount - 1, layout: plan.layout)
  }
}
