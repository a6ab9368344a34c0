/// Compares an origin with its source, or with the checksums in a journal.
struct VerifyOperation {
  let environment: Environment

  /// Implements ``Merger/verify(_:against:extent:transfer:)``.
  func verify(
    _ source: MergeSource, against originPath: String,
    extent: ExtentOptions,
    transfer: TransferOptions
  ) throws(MergeError) -> VerifyReport {
    try ActivePools(environment: environment).withMetadataSnapshot(source) {
      (source, session) throws(MergeError) in
      if try session?.observed().isWritable(source.deviceID) == true {
        environment.noteThatSourceMayChange()
      }
      return try verify(source, originPath, extent, transfer, session)
    }
  }

  /// Compares the origin with a source whose metadata is held.
  ///
  /// - `session`: the session with the active pool; nil if no pool is active.
  func verify(
    _ source: MergeSource, _ originPath: String, _ extent: ExtentOptions,
    _ transfer: TransferOptions, _ session: PoolSession?
  ) throws(MergeError) -> VerifyReport {
    let begin = environment.clock.now()
    let devices = try OpenDevices(source)
    let origin = try devices.origin(originPath)
    let place = OriginPlace(compared: origin)
    let unfinishedMerge = unfinishedMerge(onto: origin)
    if let unfinishedMerge {
      environment.observer.note(
        .mergeUnfinished(originPath, deviceID: unfinishedMerge.deviceID))
    }
    let ioByteCount = devices.ioByteCount(transfer, onto: origin)
    let planned = try devices.plan(
      source, onto: origin, extent: extent, ioByteCount: ioByteCount, in: environment)
    let (plan, mappingRoot) = (planned.plan, planned.mappingRoot)
    guard plan.endByteOffset <= origin.byteCount else {
      throw .originNotExtended(
        originPath, byteCount: origin.byteCount, endByteOffset: plan.endByteOffset)
    }
    let cuts = TransferCuts(
      ioByteCount: ioByteCount, endByteOffset: plan.endByteOffset,
      alignmentByteCount: origin.alignmentByteCount)
    var transfer = transfer
    transfer.ioByteCount = ioByteCount
    var queue = try ComparisonQueue(
      transfer, largest: plan.transferByteCountMax, dataBlockByteCount: plan.dataBlockByteCount,
      data: devices.data, target: origin, cuts: cuts, in: environment)
    let comparison = try Comparison.ofPlan(
      planned.segments(cuts: cuts), total: plan.byteCount, shape: queue.shape,
      targetPath: originPath,
      &queue.io, environment.control())
    var report = VerifyReport(
      comparison, .sector, place: originPath, duration: environment.clock.now() - begin)
    report.check(place)
    report.unfinishedMerge = unfinishedMerge
    report.otherMerge = FinishedMergeComparison(environment: environment)
      .findOther(than: source.deviceID, devices.data, onto: origin)
    if let path = unfinishedMerge?.journalPath,
      let journal = try? environment.journals.look(at: path),
      session?.earlierSnapshotID(
        of: plan.deviceID, in: PoolState.MergeKey(of: origin, journalID: journal.id)) == nil
    {
      report.isWrittenSinceMergeStopped = journal.header.isOfEarlierMappings(
        than: plan, of: source, data: DeviceIdentity(devices.data))
    }
    report.remnants = remnants(onto: origin, besides: plan.fingerprint.description)
    report.thinDevice = ThinDeviceState(
      of: source.deviceID, since: mappingRoot, session, environment.reader(devices.metadata))
    return report
  }

  /// Returns the blocks that abandoned merges left on the origin, according to the journal at the
  /// default path and the marks on the origin.
  private func remnants(onto origin: OpenFile, besides fingerprint: String) -> [MergeRemnant] {
    var remnants = environment.marks(of: origin).remnants
    if let usualPath = try? environment.journals.usualPath(of: origin),
      FileSystem.exists(usualPath), let file = try? environment.journals.file(usualPath),
      let header = try? environment.journals.header(of: file)
    {
      remnants = header.remnants + remnants
    }
    return remnants.besides(fingerprint)
  }

  /// Returns the status of an unfinished merge that has written to the origin, from the journal at
  /// the default path or from one that a mark on the origin names; nil if there is none.
  private func unfinishedMerge(onto origin: OpenFile) -> StatusReport? {
    let usualPath = try? environment.journals.usualPath(of: origin)
    for path in (usualPath.map { [$0] } ?? []) + environment.marks(of: origin).unfinishedJournals()
    {
      // An unreadable journal does not prevent the comparison.
      guard FileSystem.exists(path),
        let status = try? StatusOperation(environment: environment).status(journalPath: path),
        // During the handover of a finished merge, the merge's journal is locked, so the merge
        // appears to be running.
        status.runCount > 0, status.finishedSeconds == nil,
        [.running, .stopped, .givenUp].contains(status.state)
      else { continue }
      return status
    }
    return nil
  }

  /// Implements ``Merger/verify(journalPath:originPath:transfer:)``.
  func verify(
    journalPath: String, originPath: String?, transfer: TransferOptions
  ) throws(MergeError) -> VerifyReport {
    let begin = environment.clock.now()
    let file = try environment.journals.file(journalPath)
    // A separate reader is used because Swift 6.3.1 frees the arrays in a reader's header once the
    // reader is consumed, as it is below, even though they are still used afterward.
    let journal = try environment.journals.read(file)
    let (header, state) = (journal.header, journal.state)
    if let taker = state.givenUp { throw .journalGivenUp(journalPath, for: taker) }
    let path = try ThinDeviceLookup(environment: environment).originPath(
      of: header, given: originPath, recorded: state.lastAttempt?.originPath ?? header.originPath)
    let origin = try OpenFile(path, role: "origin", access: .readOnly)
    try OpenDevices.check(origin, "origin")
    let place = OriginPlace(compared: origin)
    let cuts = TransferCuts(
      ioByteCount: header.ioByteCount, endByteOffset: header.endByteOffset,
      alignmentByteCount: origin.alignmentByteCount)
    var queue = try ComparisonQueue(
      transfer, largest: max(state.entryByteCountMax, 4096),
      dataBlockByteCount: header.dataBlockByteCount, data: nil, target: origin, cuts: cuts,
      in: environment)
    let comparison = Comparison.ofJournal(
      try environment.journals.reader(file), state, shape: queue.shape, targetPath: path, &queue.io,
      environment.control())
    var report = VerifyReport(
      comparison, .entry, place: path, duration: environment.clock.now() - begin)
    report.remnants = (header.remnants + environment.marks(of: origin).remnants)
      .besides(header.fingerprint.description)
    if let other = unfinishedMerge(onto: origin),
      let found = try? environment.journals.look(at: other.journalPath), found.id != journal.id
    {
      environment.observer.note(.mergeUnfinished(path, deviceID: other.deviceID))
      report.unfinishedMerge = other
    }
    report.check(place)
    guard report.incomplete == nil else { return report }
    if state.isFinished, report.comparedByteCount < header.plannedByteCount {
      report.incomplete = .checksumsMissing(
        journalPath, byteCount: report.comparedByteCount, of: header.plannedByteCount)
    }
    if !state.isFinished {
      report.incomplete = .mergeNotFinished(
        journalPath, byteCount: state.doneByteCount, of: header.plannedByteCount)
    }
    return report
  }
}

extension JournalHeader {
  /// Returns whether the journal was written for the same thin device as `plan` but for different
  /// mappings, which means that its merge cannot be resumed.
  ///
  /// - `source`: the source that `plan` was read from.
  fileprivate func isOfEarlierMappings(
    than plan: MergePlan, of source: MergeSource, data: DeviceIdentity
  ) -> Bool {
    if case .metadataSnapshot = mappings {
      // The merge uses the mappings in the metadata snapshot, regardless of the thin device's
      // current state.
      guard case .metadataSnapshot = source.mappings else { return false }
    }
    return deviceID == plan.deviceID && endByteOffset == plan.endByteOffset
      && hasIdentifiedData(data) && fingerprint != plan.fingerprint
  }
}

extension VerifyReport {
  init(
    _ comparison: Comparison, _ granularity: Granularity, place: String, duration: Duration
  ) {
    self.granularity = granularity
    comparedByteCount = comparison.comparedByteCount
    differingByteCount = comparison.differences.byteCount
    differences = comparison.differences.first
    unreadable = comparison.unreadable.ranges
    self.duration = duration
    incomplete =
      switch comparison.end {
      case .failed(let error): error
      case .interrupted:
        .interruptedComparing(place)
      case .finished where !comparison.unreadable.isEmpty:
        .notAllCompared(place, byteCount: comparison.unreadable.byteCount)
      case .finished: nil
      }
  }
}
