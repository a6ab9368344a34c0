/// A merge that an earlier run finished: it is compared, and nothing is written.
struct FinishedMergeComparison {
  let environment: Environment

  /// Finds it as ``Merger/finishedMerge(of:onto:journalPath:)`` does.
  func find(
    _ source: MergeSource, onto originPath: String, journalPath: String?
  ) -> StatusReport? {
    // Whatever is wrong is said by those who need the device or the journal.
    guard let origin = try? OpenFile(originPath, role: "origin", access: .readOnly),
      let data = try? OpenFile(source.dataPath, role: "data device", access: .readOnly)
    else { return nil }
    let identity = DeviceIdentity(origin)
    let path =
      journalPath.map(FileSystem.absolute)
      ?? JournalFile.place(of: origin, identity: identity, stateFolder: environment.stateFolder)
    guard FileSystem.exists(path), let journal = try? environment.journals.open(path),
      journal.state.isFinished, journal.header.deviceID == source.deviceID,
      journal.header.originIdentity.name == identity.name,
      journal.header.dataIdentity.name == DeviceIdentity(data).name
    else { return nil }
    return StatusReport(journal.state, journal.header, isRunning: false, journalPath: path)
  }

  /// Compares source and origin, each with what the finished merge recorded.
  ///
  /// Devices are as they are: the thin device may be active, and the origin read-only or in use.
  func compare(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions
  ) throws(MergeError) -> MergeReport {
    try ActivePools(environment: environment).withMetadataSnapshot(source) {
      (source, session) throws(MergeError) in
      var options = options
      if let session, options.extent.thinByteCount == nil {
        let target = try environment.mappedDevices().thinTarget(
          of: source.deviceID, in: session.pool)
        options.extent.thinByteCount = target.map { $0.sectorCount * 512 }
      }
      let mayChange = try session?.isWritable(source.deviceID) == true
      if mayChange { environment.noteThatSourceMayChange() }
      var report = try compare(source, originPath, options, session)
      if report.earlier?.isCompared == true {
        session?.holdIsNotNeeded(for: source.deviceID)
        report.earlier?.sourceMayChange = mayChange
      }
      return report
    }
  }

  private func compare(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions, _ session: PoolSession?
  ) throws(MergeError) -> MergeReport {
    let devices = try OpenDevices(source, originPath: originPath, writing: nil)
    guard let origin = devices.origin else {
      throw .originNotOpen(originPath)
    }
    let identity = DeviceIdentity(origin)
    let usualPath = JournalFile.place(
      of: origin, identity: identity, stateFolder: environment.stateFolder)
    let journalPath = options.journalPath.map(FileSystem.absolute) ?? usualPath
    try environment.journals.checkUsualPlace(usualPath, chosen: journalPath)
    var transfer = options.transfer
    transfer.ioByteCount = devices.ioByteCount(transfer)
    let planned = try devices.plan(
      source, extent: options.extent, ioByteCount: transfer.ioByteCount, in: environment)
    var report = planned.report(
      originByteCount: origin.byteCount, journalPath: journalPath, ioByteCount: transfer.ioByteCount
    )
    report.isOwnMetadataSnapshot = session?.holdsMetadataSnapshot == true
    let header = JournalHeader(
      planned: planned, source: QuiescedSource(source: source, originPath: originPath),
      options: options, transfer: transfer, dataIdentity: DeviceIdentity(devices.data),
      originIdentity: identity, environment: environment)
    let match = JournalMatch(
      wanted: header, source: source, devices, bootID: environment.bootID,
      originIsTheSame: options.originIsTheSame)
    guard
      case .sameMerge(let journal) = try environment.journals.find(
        journalPath, match: match, restarts: false, locking: false),
      journal.state.isFinished, journal.file.lockAgainstWriters()
    else { throw .journalLocked(journalPath) }
    let marks = environment.marks(of: origin)
    try marks.check(for: journal)
    // Killed between recording that it is finished and removing its mark.
    marks.removeSettled(journal)
    report.add(journal.state)
    return try compare(
      journal, source, devices, planned, report, transfer, originPath,
      isRead: options.comparesFinished, verifies: options.verifies)
  }

  /// Compares devices that are open with what the journal of a finished merge recorded.
  ///
  /// - `isRead`: whether anything is read and compared.
  /// - Throws: `MergeError`: `journalConflict` where source or origin changed, `stopped` where not everything
  ///   could be compared.
  func compare(
    _ journal: OpenJournal, _ source: MergeSource, _ devices: OpenDevices,
    _ planned: consuming CheckedPlan<WholeDevice<LinuxAIO>>, _ report: PlanReport,
    _ transfer: TransferOptions,
    _ originPath: String, isRead: Bool, verifies: Bool
  ) throws(MergeError) -> MergeReport {
    let begin = environment.clock.now()
    let plan = planned.plan
    let journalPath = journal.file.path
    guard let origin = devices.origin, let finishedSeconds = journal.state.finishedSeconds else {
      throw .originNotOpen(originPath)
    }
    var result = MergeReport(
      plan: report,
      earlier: MergeReport.Earlier(finishedSeconds: finishedSeconds, isCompared: false),
      state: .finished, writtenByteCount: 0, resumedFromByteCount: journal.state.doneByteCount,
      recheckedByteCount: 0, rewrittenByteCount: 0, duration: .zero, submitDuration: .zero,
      checkpointCount: 0, verification: nil, journalPath: journalPath, unreadable: [])
    guard isRead else {
      result.duration = environment.clock.now() - begin
      return result
    }

    let cuts = TransferCuts(
      ioByteCount: transfer.ioByteCount, endByteOffset: plan.endByteOffset,
      alignmentByteCount: origin.alignmentByteCount)
    var queue = try ComparisonQueue(
      transfer, largest: max(plan.transferByteCountMax, journal.state.entryByteCountMax),
      dataBlockByteCount: plan.dataBlockByteCount, data: devices.data, target: origin, cuts: cuts,
      in: environment)
    let comparison = try RecordedComparison.of(
      JournaledPieces(try environment.journals.reader(journal.file), journal.state),
      planned.segments(cuts: cuts),
      total: plan.byteCount, shape: queue.shape, targetPath: originPath, &queue.io,
      environment.control)
    if let error = comparison.error(
      sourceName: source.nameInMessages, originPath: originPath, journalPath: journalPath,
      plannedByteCount: plan.byteCount)
    {
      throw error
    }
    result.earlier?.isCompared = true
    result.recheckedByteCount = comparison.comparedByteCount
    result.submitDuration = queue.io.submitDuration
    result.duration = environment.clock.now() - begin
    if verifies {
      result.verification = VerifyReport(
        granularity: .sector, comparedByteCount: comparison.comparedByteCount,
        differingByteCount: 0, differences: [], unreadable: [], duration: result.duration)
    }
    return result
  }
}

extension RecordedComparison {
  /// Returns the error that keeps a finished merge from being called equal; nil for none.
  func error(
    sourceName: String, originPath: String, journalPath: String, plannedByteCount: UInt64
  ) -> MergeError? {
    let (source, origin) = (sourceDifferences.recorded, targetDifferences.recorded)
    switch (source.byteCount > 0, origin.byteCount > 0) {
    case (true, false):
      return .sourceChanged(journalPath, sourceName: sourceName, source)
    case (false, true):
      return .originChanged(journalPath, originPath: originPath, origin)
    case (true, true):
      return .bothChanged(
        journalPath, sourceName: sourceName, originPath: originPath, source, origin)
    case (false, false):
      break
    }
    let report = VerifyReport(
      Comparison(
        comparedByteCount: comparedByteCount, differences: targetDifferences,
        unreadable: unreadable, end: end), .entry, place: originPath, duration: .zero)
    if let incomplete = report.incomplete { return incomplete }
    guard comparedByteCount == plannedByteCount else {
      return .recordsMissing(journalPath, byteCount: comparedByteCount, of: plannedByteCount)
    }
    return nil
  }
}

extension Differences {
  fileprivate var recorded: RecordedDifference {
    RecordedDifference(byteCount: byteCount, firstByteOffset: first.first?.start ?? 0)
  }
}

extension JournalMatch {
  /// The match for a merge of `source` on devices that are open.
  init(
    wanted: JournalHeader, source: MergeSource, _ devices: OpenDevices, bootID: String,
    originIsTheSame: Bool
  ) {
    self.init(
      wanted: wanted, bootID: bootID, originIsTheSame: originIsTheSame,
      dataPlace: DeviceIdentity.place(of: devices.data),
      originPlace: devices.origin.map { DeviceIdentity.place(of: $0) } ?? "",
      sourceName: source.nameInMessages)
  }
}
