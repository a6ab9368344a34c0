/// Merges a thin device onto its origin.
struct MergeOperation {
  let environment: Environment

  /// Implements ``Merger/merge(_:onto:options:)``.
  func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions
  ) throws(MergeError) -> MergeReport {
    environment.originSession().settle()
    environment.makeActivatedVolumes().settle()
    let finished = FinishedMergeComparison(environment: environment)
    let request = MergeRequest(source: source, originPath: originPath, options: options)
    return try handedOver(request) { () throws(MergeError) in
      try finished.isAllOf(request)
        ? finished.compare(request) : run(request, given: options.pool)
    }
  }

  /// Performs the merge and, if it finishes and a handover was requested, the handover.
  ///
  /// - Returns: The merge's report, even if the handover was refused or stopped.
  func handedOver(
    _ request: MergeRequest, merge: () throws(MergeError) -> MergeReport
  ) throws(MergeError) -> MergeReport {
    var report = try merge()
    // All devices are closed by now. LVM would leave a pool's hidden volumes active while they are
    // open.
    report.cleanupFailures += environment.activatedVolumes?.end() ?? []
    guard report.state == .finished else { return report }
    let operation = HandoverOperation(environment: environment)
    guard request.options.handsOver else {
      report.handover = operation.proposal(report.journalPath).map { .proposed($0) }
      return report
    }
    do throws(MergeError) {
      // A merge asks for approval itself, but a comparison does not.
      if report.earlier != nil {
        // The LVM volumes have not been looked up yet, because no write to the origin was planned.
        let planned = try operation.plan(
          report.journalPath, takesName: request.options.takesName)
        report.plan.handover = planned.handover
        guard environment.observer.approve(report.plan) else {
          throw .handoverNotApproved(planned.handover.originFullName)
        }
      }
      report.handover = .done(
        try operation.run(report.journalPath, takesName: request.options.takesName))
    } catch {
      report.handover = .stopped(error)
    }
    report.cleanupFailures += environment.activatedVolumes?.end() ?? []
    return report
  }

  /// Performs a merge.
  ///
  /// If a pool is active, the thin device is kept unchanged and a metadata snapshot is held in the
  /// meantime.
  ///
  /// - `given`: the pool options specified for this run. Pool options that were recorded in a
  ///   journal appear only in `request`.
  func run(_ request: MergeRequest, given: PoolOptions) throws(MergeError) -> MergeReport {
    let begin = environment.clock.now()
    let origin = environment.originSession()
    let pools = ActivePools(environment: environment)
    guard let session = try pools.session(for: request.source) else {
      try pools.checkNeedsNoPool(
        request.source.mappings, of: request.source.metadataPath,
        isResumed: request.resumed != nil)
      pools.noteIfUnused(given)
      do throws(MergeError) {
        var report = try run(request, nil, origin, begin: begin)
        origin.end()
        report.cleanupFailures = origin.cleanupFailures
        return report
      } catch {
        origin.end()
        throw error
      }
    }
    do throws(MergeError) {
      var report = try run(request, session, origin, begin: begin)
      session.end(hasWritten: true)
      report.cleanupFailures = session.cleanupFailures
      return report
    } catch {
      session.end(hasWritten: false)
      throw error
    }
  }

  private func run(
    _ request: MergeRequest, _ session: PoolSession?, _ originSession: OriginSession,
    begin: Duration
  ) throws(MergeError) -> MergeReport {
    let preparation = try MergePreparation(
      request, session, originSession, for: .merging, in: environment)
    if DeviceIdentity(preparation.origin).name.isEmpty {
      environment.observer.note(.originWithoutIdentity(preparation.request.originPath))
    }
    // An earlier run that merged a snapshot may have been killed before it deleted the snapshot.
    if let finished = preparation.finishedJournal {
      return try FinishedMergeComparison(environment: environment).compare(
        preparation, with: finished)
    }
    return try preparation.approved(begin: begin).begun().run()
  }
}
