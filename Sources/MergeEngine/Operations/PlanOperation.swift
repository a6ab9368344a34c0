/// Says what a merge would do.
struct PlanOperation {
  let environment: Environment

  /// Plans as ``Merger/plan(_:onto:extent:transfer:journalPath:forcesFormat:pool:)`` does.
  func plan(
    _ source: MergeSource, onto originPath: String?, extent: ExtentOptions,
    transfer: TransferOptions, journalPath: String?, forcesFormat: Bool, pool: PoolOptions
  ) throws(MergeError) -> PlanReport {
    let pools = ActivePools(environment: environment)
    var options = MergeOptions(
      extent: extent, transfer: transfer, journalPath: journalPath, pool: pool)
    options.forcesFormat = forcesFormat
    guard let originPath else {
      return try pools.withMetadataSnapshot(source) { (source, session) throws(MergeError) in
        if session == nil { pools.noteIfUnused(pool) }
        return try plan(source, session, options)
      }
    }
    let request = MergeRequest(source: source, originPath: originPath, options: options)
    return try pools.withSession(for: source) { session throws(MergeError) in
      if session == nil { pools.noteIfUnused(pool) }
      return try MergePreparation(request, session, for: .looking, in: environment).report
    }
  }

  /// Plans without an origin.
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
