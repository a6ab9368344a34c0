/// A merge that was read from its journal in order to be resumed.
public struct RecordedMerge {
  /// The progress and devices of the recorded merge.
  public let status: StatusReport
  let journal: OpenJournal

  init(_ journal: OpenJournal) {
    status = StatusReport(
      journal.state, journal.header, isRunning: false, journalPath: journal.file.path)
    self.journal = journal
  }
}

/// Resumes a merge from its journal.
struct ResumeOperation {
  let environment: Environment

  /// Implements ``Merger/resume(_:options:)``.
  func resume(
    _ recorded: RecordedMerge, options: ResumeOptions
  ) throws(MergeError) -> MergeReport {
    environment.originSession().settle()
    environment.makeActivatedVolumes().settle()
    do throws(MergeError) {
      let request = try request(recorded, options)
      return try MergeOperation(environment: environment)
        .handedOver(request) { () throws(MergeError) in
          try MergeOperation(environment: environment).run(request, given: options.pool)
        }
    } catch {
      if [.originShared, .originMaybeShared].contains(error.code),
        recorded.journal.header.pool.allowsOtherUsers
      {
        environment.observer.note(.consentWithoutNames(recorded.status.journalPath))
      }
      throw error
    }
  }

  /// Implements ``Merger/plan(_:options:)``.
  func plan(_ recorded: RecordedMerge, options: ResumeOptions) throws(MergeError) -> PlanReport {
    try PlanOperation(environment: environment).plan(
      request(recorded, options), given: options.pool)
  }

  /// Returns a request for the recorded merge, in which the given options replace the recorded
  /// ones.
  private func request(
    _ recorded: RecordedMerge, _ options: ResumeOptions
  ) throws(MergeError) -> MergeRequest {
    let journal = recorded.journal
    let status = recorded.status
    let header = journal.header
    if journal.state.isFinished, !options.mergesAgain {
      try checkSettled(recorded, metadataPath: options.metadataPath)
    }
    try checkNotFinished(journal, mergesAgain: options.mergesAgain)
    var source = MergeSource(
      metadataPath: options.metadataPath ?? status.metadataPath,
      dataPath: options.dataPath ?? status.dataPath, deviceID: status.deviceID,
      mappings: header.mappings.retaken, ignoresNeedsCheck: header.ignoresNeedsCheck)
    source.ignoresMappingCount = header.ignoresMappingCount
    var pool = header.pool.withoutConsentToOthers.union(options.pool)
    pool.agreedSharers = journal.state.agreedSharers
    // Each option that is given overrides the opposite option if that one was recorded.
    if options.pool.allowsOpenThinDevice { pool.mergesThinDeviceItself = false }
    if options.pool.mergesThinDeviceItself { pool.allowsOpenThinDevice = false }
    let merge = MergeOptions(
      extent: ExtentOptions(thinByteCount: header.thinByteCount, pastEnd: header.pastEnd),
      transfer: TransferOptions(
        queueDepth: options.queueDepth ?? Int(clamping: header.queueDepth),
        ioByteCount: options.ioByteCount ?? header.ioByteCount,
        rateLimit: options.rateLimit ?? (header.rateLimit == 0 ? nil : header.rateLimit)),
      journalPath: status.journalPath, mergesAgain: options.mergesAgain,
      trustsEarlierRuns: options.trustsEarlierRuns,
      verifies: options.verifies || header.verifies,
      checkpointInterval: options.checkpointInterval
        ?? .milliseconds(Int64(clamping: header.checkpointMilliseconds)),
      originIsTheSame: options.originIsTheSame, dataIsTheSame: options.dataIsTheSame,
      handsOver: options.handsOver, takesName: options.takesName, pool: pool)
    source.deviceName = header.thinDeviceName
    let lookup = ThinDeviceLookup(environment: environment)
    try lookup.activateDevices(of: header)
    let originPath = try lookup.originPath(
      of: header, given: options.originPath, recorded: status.originPath)
    for (path, role) in [
      (source.metadataPath, "metadata device"), (source.dataPath, "data device"),
      (originPath, "origin"),
    ] where !FileSystem.exists(path) {
      // The device existed when the merge started. After a reboot, it may not be available yet.
      throw .deviceMissing(path, role)
    }
    return MergeRequest(
      source: source, originPath: originPath, options: merge, resumed: journal)
  }

  /// Refuses a finished merge, unless merging again was requested.
  ///
  /// - Throws: `MergeError` (`refused`) if the merge has finished and merging again was not
  ///   requested.
  private func checkNotFinished(_ journal: OpenJournal, mergesAgain: Bool) throws(MergeError) {
    guard journal.state.isFinished, !mergesAgain else { return }
    throw .mergeFinished(journal.file.path)
  }

  /// Checks that no run made changes to a pool for a finished merge and left them behind.
  ///
  /// The pool may have been inactive when the leftovers of a killed run should have been undone,
  /// and no later run would undo them.
  ///
  /// - `metadataPath`: the current path of the pool's metadata device; nil to use the path recorded
  ///   in the journal.
  /// - Throws: `MergeError` (`busy`) if changes were left behind.
  func checkSettled(_ merge: RecordedMerge, metadataPath: String? = nil) throws(MergeError) {
    let folder = environment.poolStateFolder
    guard !PoolRecord.ofOthers(than: [], stateFolder: folder).isEmpty else { return }
    let devices = (try? environment.mappedDevices()) ?? MappedDevices([])
    let active = devices.all.filter { $0.poolTarget != nil }
    let records =
      active.map { PoolRecord(of: $0, stateFolder: folder) }
      + PoolRecord.ofOthers(than: active, stateFolder: folder)
    let (header, state) = (merge.journal.header, merge.journal.state)
    let name = header.originIdentity.name
    let key = PoolState.MergeKey(
      originName: name.isEmpty ? state.lastAttempt?.originPlace ?? "" : name,
      journalID: merge.journal.id)
    let path = FileSystem.absolute(metadataPath ?? merge.status.metadataPath)
    // A run that is working on the pool undoes the leftovers itself.
    for record in records
    where !record.isInUse
      && (record.isOfPool(onMetadata: path, devices)
        || record.hasSnapshot(of: header.deviceID, in: key))
    {
      let left = record.state.leftovers(ofMergeOf: header.deviceID, in: key)
      guard left.isEmpty else {
        throw .mergeNotSettled(
          merge.status.journalPath, pool: record.pool?.name, recordPath: record.path, left)
      }
    }
  }
}

extension MergeSource.Mappings {
  /// The mappings to request in a later run, when the metadata snapshot may be in a different
  /// block.
  fileprivate var retaken: Self {
    switch self {
    case .inactivePool, .ownMetadataSnapshot: self
    case .metadataSnapshot: .metadataSnapshot(block: nil)
    }
  }
}
