/// Says what a merge would do.
struct PlanOperation {
  let environment: Environment

  /// Plans as ``Merger/plan(_:onto:extent:transfer:journalPath:pool:)`` does.
  func plan(
    _ source: MergeSource, onto originPath: String?, extent: ExtentOptions,
    transfer: TransferOptions, journalPath: String?, pool: PoolOptions
  ) throws(MergeError) -> PlanReport {
    let pools = ActivePools(environment: environment)
    return try pools.withMetadataSnapshot(source) { (source, session) throws(MergeError) in
      if session == nil { pools.noteIfUnused(pool) }
      return try plan(source, session, originPath, extent, transfer, journalPath, pool)
    }
  }

  private func plan(
    _ source: MergeSource, _ session: PoolSession?, _ originPath: String?,
    _ extent: ExtentOptions, _ transfer: TransferOptions, _ journalPath: String?,
    _ options: PoolOptions
  ) throws(MergeError) -> PlanReport {
    let devices = try OpenDevices(source, originPath: originPath, writing: nil)
    let ioByteCount = devices.ioByteCount(transfer)
    let planned = try devices.plan(
      source, extent: extent, ioByteCount: ioByteCount, in: environment)
    let usualPlace = devices.origin.map {
      JournalFile.place(
        of: $0, identity: DeviceIdentity($0), stateFolder: environment.stateFolder)
    }
    let place = usualPlace.map { journalPath.map(FileSystem.absolute) ?? $0 }
    var report = planned.report(
      originByteCount: devices.origin?.byteCount, journalPath: place, ioByteCount: ioByteCount)
    report.isOwnMetadataSnapshot = session?.holdsMetadataSnapshot == true
    guard let usualPlace, let place, let originPath else { return report }
    // A plan may be looked at while the origin is in use; merging has to wait.
    do throws(MergeError) {
      let originIdentity = try checkMayMerge(
        source, session, planned.pool, originPath, journalPath: place, options)
      try environment.journals.checkUsualPlace(usualPlace, chosen: place)
      let wanted = JournalHeader(
        planned: planned, source: QuiescedSource(source: source, originPath: originPath),
        options: MergeOptions(extent: extent, transfer: transfer, pool: options),
        transfer: transfer, dataIdentity: DeviceIdentity(devices.data),
        originIdentity: originIdentity, environment: environment)
      let journal = try journalOfEarlierRuns(wanted, source, devices, journalPath: place)
      if let origin = devices.origin { try environment.marks(of: origin).check(for: journal) }
      let earlierRuns = journal?.state
      report.add(earlierRuns)
      if earlierRuns == nil {
        try environment.journals.checkCanBeMade(place, byteCountMax: report.journalByteCountMax)
      }
    } catch {
      report.refusal = error
    }
    return report
  }

  /// The journal in the merge's place, if it is of the same merge; nil where a merge begins.
  ///
  /// - Throws: `MergeError`, `journalConflict` where another merge is unfinished there.
  private func journalOfEarlierRuns(
    _ wanted: JournalHeader, _ source: MergeSource, _ devices: OpenDevices, journalPath: String
  ) throws(MergeError) -> OpenJournal? {
    let match = JournalMatch(
      wanted: wanted, source: source, devices, bootID: environment.bootID, originIsTheSame: false)
    guard
      case .sameMerge(let journal) = try environment.journals.find(
        journalPath, match: match, restarts: false, locking: false)
    else { return nil }
    return journal
  }

  /// Looks at what a merge looks at before it reads.
  ///
  /// - Returns: The identity of what it would write to.
  private func checkMayMerge(
    _ source: MergeSource, _ session: PoolSession?, _ pool: PoolMetadata, _ originPath: String,
    journalPath: String, _ options: PoolOptions
  ) throws(MergeError) -> DeviceIdentity {
    var target = (path: originPath, isReadOnly: false)
    var isHeld = false
    if let session {
      target = try session.checkOrigin(originPath, of: source.deviceID, options: options)
      let thin = try session.checkCanQuiesce(
        source.deviceID, options: options, restarts: false)
      isHeld = thin.isActive || options.allowsOtherUsers
      try session.checkOtherDevices(pool, besides: source.deviceID, options: options)
    }
    // What shows the thin device holds the origin, and need not be in the way.
    let use = isHeld ? OriginUse.shared(holders: []) : .exclusive
    let devices = try OpenDevices(
      source, originPath: target.path, writing: target.isReadOnly ? nil : use,
      allowsUnseenLoopDevices: environment.allowsUnseenLoopDevices)
    try environment.journals.checkPlace(journalPath, of: devices.all)
    guard let origin = devices.origin else {
      throw .originNotOpen(originPath)
    }
    return DeviceIdentity(origin)
  }
}

extension PlanReport {
  /// Takes in what earlier runs of the same merge have recorded.
  mutating func add(_ earlierRuns: JournalState?) {
    recordedByteCount = earlierRuns?.doneByteCount ?? 0
    isFinished = earlierRuns?.isFinished ?? false
  }
}

extension CheckedPlan where Source: ~Copyable {
  /// The plan in words for people and programs.
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
