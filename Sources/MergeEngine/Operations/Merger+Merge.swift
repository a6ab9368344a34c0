internal import SystemPackage

extension Merger {
  /// Writes the device's blocks onto the origin, going on where an earlier run stopped.
  ///
  /// Where the journal of the same merge is there, what it records is not written again, unless it is
  /// found to differ. Where that merge is finished, source and origin are compared with what it recorded, and
  /// nothing is written: ``MergeReport/earlier-swift.property``. An origin that is a block device is opened
  /// exclusively, one that is a file is locked.
  ///
  /// - Parameters:
  ///   - source: What is merged; it must not change meanwhile, and is never written to.
  ///   - originPath: A block device or a regular file, written in place.
  ///   - options: Everything else.
  /// - Returns: What was done. A merge that has begun and stops is no error but a report whose state is
  ///   ``MergeReport/State-swift.enum/stopped(_:)``.
  /// - Throws: `MergeError`: `refused`, `busy` or `journalConflict`, where this run has written nothing, also
  ///   where source or origin changed since the merge was finished; `stopped` where it was interrupted, or a
  ///   device failed, before it wrote.
  public func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions = MergeOptions()
  ) throws(MergeError) -> MergeReport {
    if !options.restarts, !options.mergesAgain,
      finishedMerge(of: source, onto: originPath, journalPath: options.journalPath) != nil
    {
      return try compareFinished(source, originPath, options)
    }
    return try carryOut(source, originPath, options, given: options.pool)
  }

  /// Goes on with the merge that a journal tells of; everything that is not given is as it says.
  ///
  /// - Throws: `MergeError` as ``merge(_:onto:options:)`` does; `refused` where the merge is finished, unless
  ///   ``ResumeOptions/mergesAgain`` is set; `journalConflict` also where the journal is of another merge than
  ///   the devices are; `busy` also where a device or the pool is not there (yet).
  public func resume(
    journalPath: String, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    try resume(recordedMerge(journalPath: journalPath), options: options)
  }

  /// Reads a journal whose merge is to be gone on with.
  ///
  /// - Throws: `MergeError`: `busy` while a merge has it; `journalConflict` for what is no journal or is
  ///   damaged, `refused` where it cannot be opened or read.
  public func recordedMerge(journalPath: String) throws(MergeError) -> RecordedMerge {
    RecordedMerge(try openJournal(FileSystem.absolute(journalPath)))
  }

  /// Goes on with a merge as ``resume(journalPath:options:)`` does, without reading its journal again.
  public func resume(
    _ recorded: RecordedMerge, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    let journal = recorded.journal
    let status = recorded.status
    let header = journal.header
    try checkNotFinished(journal, mergesAgain: options.mergesAgain)
    let source = MergeSource(
      metadataPath: options.metadataPath ?? status.metadataPath,
      dataPath: options.dataPath ?? status.dataPath, deviceID: status.deviceID,
      mappings: header.mappings.retaken, ignoresNeedsCheck: header.ignoresNeedsCheck)
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
      originIsTheSame: options.originIsTheSame, pool: header.pool.union(options.pool))
    let originPath = options.originPath ?? status.originPath
    for (path, option) in [
      (source.metadataPath, "--metadata"), (source.dataPath, "--data"), (originPath, "--origin"),
    ] where !FileSystem.exists(path) {
      // It was there, and after a reboot it may not have come up yet.
      throw MergeError(
        .busy, "cannot go on", at: path, because: "it is not there, or not there yet",
        hint: "\(option) says where it is now")
    }
    return try carryOut(source, originPath, merge, given: options.pool, resuming: journal)
  }

  /// Merges; of an active pool with the thin device at rest and its metadata snapshot held.
  ///
  /// - `given`: what this run was told of the pool; the journal's options are in `options` too.
  /// - `journal`: the one that is to be gone on with.
  private func carryOut(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions, given: PoolOptions,
    resuming journal: OpenJournal? = nil
  ) throws(MergeError) -> MergeReport {
    guard let session = try poolSession(source) else {
      try checkNeedsNoPool(source, isResumed: journal != nil)
      noteIfUnused(given)
      return try carryOut(
        QuietSource(source: source, originPath: originPath), options, resuming: journal)
    }
    do throws(MergeError) {
      var (report, end) = try carryOut(source, originPath, options, journal, session)
      session.end(end)
      report.leftUndone = session.leftUndone
      return report
    } catch {
      session.end(.nothingWritten)
      throw error
    }
  }

  private func carryOut(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions,
    _ journal: OpenJournal?, _ session: PoolSession
  ) throws(MergeError) -> (MergeReport, PoolSession.End) {
    var source = source
    var options = options
    let header = journal?.header
    // Only the one that the user named by --metadata-snap serves although blocks were mapped since.
    if let header, case .metadataSnapshot(let named?) = header.mappings,
      try session.heldRoot() == named
    {
      source.mappings = header.mappings
    }
    if options.extent.thinByteCount == nil, !session.isLost(source.deviceID) {
      let target = try thinTarget(of: source.deviceID, in: session.pool, mappedDevices())
      options.extent.thinByteCount = target.map { $0.sectorCount * 512 }
    }
    var quiet = try quiet(source, originPath, options, header, session)
    quiet.source.mappings = try session.hold(
      source.mappings, of: quiet.source.deviceID, ignoresNeedsCheck: source.ignoresNeedsCheck,
      isResumed: header != nil)
    let report = try carryOut(quiet, options, resuming: journal)
    guard report.state == .finished, report.verification?.isClean != false else {
      return (report, .stopped)
    }
    session.mergeIsFinished()
    return (report, .finished)
  }

  private func carryOut(
    _ quiet: QuietSource, _ options: MergeOptions, resuming resumed: OpenJournal?
  ) throws(MergeError) -> MergeReport {
    var begin = environment.clock.now()
    let source = quiet.source
    let originPath = quiet.originPath
    let devices = try Devices(source, originPath: originPath, writing: quiet.originUse)
    guard let origin = devices.origin, let originBuffered = devices.originBuffered else {
      throw MergeError(.bug, "the origin is not open", at: originPath, because: "it should be")
    }
    let identity = DeviceIdentity(origin)
    let usualPath = JournalFile.place(
      of: origin, identity: identity, stateFolder: environment.stateFolder)
    let journalPath = options.journalPath.map(FileSystem.absolute) ?? usualPath
    try checkJournalPlace(journalPath, devices)
    if resumed == nil, !options.restarts { try checkUsualPlace(usualPath, chosen: journalPath) }
    if identity.name.isEmpty {
      environment.observer.note(
        "\(originPath) has no identity of its own: resuming after a reboot needs --same-origin")
    }

    var transfer = options.transfer
    transfer.ioByteCount = ioByteCount(transfer, devices)
    let planned = try plan(
      source, on: devices, extent: options.extent, ioByteCount: transfer.ioByteCount)
    let plan = planned.plan
    let pool = planned.pool
    try quiet.session?.checkOtherDevices(
      pool, besides: source.deviceID, options: options.pool)
    var report = planned.report(
      originByteCount: origin.byteCount, journalPath: journalPath, ioByteCount: transfer.ioByteCount
    )
    let header = JournalHeader(
      planned: planned, source: quiet, options: options, transfer: transfer,
      dataIdentity: DeviceIdentity(devices.data), originIdentity: identity, environment: environment
    )
    let match = JournalMatch(
      wanted: header, source: source, devices, bootID: environment.bootID,
      originIsTheSame: options.originIsTheSame)
    let place = try findJournal(
      journalPath, match: match, restarts: options.restarts, mergesAgain: options.mergesAgain,
      resuming: resumed)

    let found: OpenJournal? = if case .sameMerge(let journal) = place { journal } else { nil }
    if let state = found?.state, state.runCount > 0, !state.isFinished {
      try quiet.session?.holdIsNeeded(for: source.deviceID)
    }
    report.isOwnMetadataSnapshot = quiet.session?.holdsMetadataSnapshot == true
    report.add(found?.state)
    // A run that merged a snapshot may have been killed before the snapshot was deleted.
    if let found, found.state.isFinished, !options.mergesAgain {
      return try compare(
        found, source, devices, planned, report, transfer, originPath,
        isRead: options.comparesFinished, verifies: options.verifies)
    }
    let asked = environment.clock.now()
    guard quiet.isAgreedTo || environment.observer.mayWrite(report) else {
      throw notAgreedTo(originPath)
    }
    // The time that somebody took to answer is not the merge's.
    begin += environment.clock.now() - asked
    // What earlier runs wrote is looked at again, and must be what is on the disk.
    if found != nil {
      do throws(Errno) {
        try origin.forgetCache()
      } catch {
        throw MergeError(
          .stopped, "cannot make durable what earlier runs wrote", at: originPath,
          because: "\(error)",
          hint: "nothing is lost; once the device is well, the same command goes on")
      }
    }
    let stream = planned.segments(
      cuts: TransferCuts(
        ioByteCount: transfer.ioByteCount, endByteOffset: plan.endByteOffset,
        alignmentByteCount: origin.alignmentByteCount))
    try allocateHoles(of: origin, stream, from: found?.state.watermark ?? 0)
    // Everything that may fail for want of memory or requests comes before the journal is made.
    var io = try transferQueue(
      depth: transfer.queueDepth,
      slabByteCount: MergeRun<LinuxAIO>.slabByteCount(
        transfer, largest: max(plan.transferByteCountMax, found?.state.entryByteCountMax ?? 0)),
      files: [.data: devices.data, .origin: origin, .originBuffered: originBuffered])
    let journal: OpenJournal
    if let found {
      journal = found
    } else {
      try clear(journalPath, found: place)
      journal = try makeJournal(
        journalPath, header: header, byteCountMax: report.journalByteCountMax)
    }
    io.open(journal.file, as: .journal)
    let places = MergePlaces(
      journal: journal.file, origin: origin, note: environment.observer.note)
    let setting = MergeRun<LinuxAIO>.Setting(
      plan: plan, cuts: stream.cuts, transfer: transfer,
      dataAlignmentByteCount: devices.data.alignmentByteCount,
      originAlignmentByteCount: origin.alignmentByteCount, originPath: originPath,
      journalPath: journalPath, state: journal.state, trustsEarlierRuns: options.trustsEarlierRuns)
    try prepare(journal, byteCountMax: report.journalByteCountMax)
    var run = MergeRun(
      setting, io: io, journal: journal.encoder,
      checkpointInterval: options.checkpointIntervalInRange,
      control: control, secondsSince1970: environment.secondsSince1970)

    if !journal.isNew {
      try run.checkOrigin(stream, recorded: try journalReader(journal.file))
    }
    var result = MergeReport(
      plan: report, state: .finished, writtenByteCount: 0,
      resumedFromByteCount: journal.state.doneByteCount, recheckedByteCount: 0,
      rewrittenByteCount: 0, duration: .zero, submitDuration: .zero, checkpointCount: 0,
      verification: nil, journalPath: journalPath, unreadable: [])
    do throws(MergeError) {
      try quiet.session?.writingBegins()
      try run.append(
        .run(
          JournalRecord.Run(
            seconds: environment.secondsSince1970(), bootID: environment.bootID,
            metadataPath: header.metadataPath, dataPath: header.dataPath,
            originPath: header.originPath, dataPlace: match.dataPlace,
            originPlace: match.originPlace)))
      try grow(origin, to: plan.grownOriginByteCount)
      let end = run.carryOut(stream) { () throws(MergeError) in try journalReader(journal.file) }
      try finish(&run, end, pool, devices.metadata, quiet, places)
      if !options.verifies { quiet.session?.holdIsNotNeeded(for: source.deviceID) }
      if options.verifies { result.verification = try readBack(&run, stream, originPath) }
      try places.check()
    } catch {
      result.state = .stopped(places.stopped(by: error.afterFirstWrite()))
      result.canBeResumed = places.hasJournal && !run.isJournalRefuted
    }
    if result.state == .finished {
      // Space that was taken and not needed goes back; a journal that keeps it is as good.
      try? journal.file.setByteCount(run.journalByteCount)
    }
    result.writtenByteCount = run.writtenByteCount
    result.recheckedByteCount = run.recheckedByteCount
    result.rewrittenByteCount = run.rewrittenByteCount
    result.submitDuration = run.submitDuration
    result.checkpointCount = run.checkpointCount
    result.unreadable = run.unreadable.ranges
    result.duration = environment.clock.now() - begin
    return result
  }

  /// Compares all of the merged origin with the source, and records that it is right if it is.
  private func readBack(
    _ run: inout MergeRun<LinuxAIO>, _ stream: SegmentStream<LinuxAIO>, _ originPath: String
  ) throws(MergeError) -> VerifyReport {
    let begin = environment.clock.now()
    let comparison = try run.compare(stream)
    let report = VerifyReport(
      comparison, .sector, place: originPath, duration: environment.clock.now() - begin)
    if report.incomplete == nil, report.differingByteCount == 0 {
      try run.append(.verified(seconds: environment.secondsSince1970()))
    }
    return report
  }

  /// Says that the merge is finished, if it is.
  ///
  /// - Throws: `MergeError` (`stopped`) where something is left to be done.
  private func finish(
    _ run: inout MergeRun<LinuxAIO>, _ end: PipelineEnd, _ pool: PoolMetadata,
    _ metadata: OpenFile, _ quiet: QuietSource, _ places: MergePlaces
  ) throws(MergeError) {
    let source = quiet.source
    switch end {
    case .finished: break
    case .interrupted:
      throw MergeError(
        .stopped, "interrupted", at: run.setting.originPath,
        because: "a signal came; what is recorded is durable")
    case .failed(let error):
      throw error
    }
    guard run.unreadable.isEmpty else {
      throw MergeError(
        .stopped, "some blocks cannot be read", at: source.dataPath,
        because: "\(run.unreadable.byteCount) bytes in \(run.unreadable.ranges.count) ranges; "
          + "everything else is merged",
        hint: "once the cause is gone, this tries only those: thin-merge resume "
          + ShellWord.quoted(run.setting.journalPath))
    }
    let now = try reader(metadata).superblocks(
      source.mappings, ignoresNeedsCheck: source.ignoresNeedsCheck)
    guard now.heldRoot == pool.heldRoot, now.superblock == pool.superblock else {
      throw MergeError(
        .stopped, "the metadata changed during the merge", at: source.metadataPath,
        because: pool.heldRoot == nil
          ? "the superblock is another one: the pool was active"
          : "the metadata snapshot was released, so blocks may have been used again",
        hint: "hold a metadata snapshot until the merge has finished, and resume")
    }
    try quiet.session?.checkStillQuiet()
    try places.check()
    try run.append(.finished(seconds: environment.secondsSince1970()))
  }
}

extension MergeSource.Mappings {
  /// For a later run: a metadata snapshot that was taken again is in another block.
  fileprivate var retaken: Self {
    switch self {
    case .inactivePool, .ownMetadataSnapshot: self
    case .metadataSnapshot: .metadataSnapshot(block: nil)
    }
  }
}

extension JournalHeader {
  init(
    planned: borrowing PlannedMerge<LinuxAIO>, source quiet: QuietSource, options: MergeOptions,
    transfer: TransferOptions, dataIdentity: DeviceIdentity,
    originIdentity: DeviceIdentity, environment: Environment
  ) {
    let plan = planned.plan
    let source = quiet.source
    let interval = options.checkpointIntervalInRange.components
    self.init(
      fingerprint: plan.fingerprint, deviceID: plan.deviceID,
      dataBlockByteCount: plan.dataBlockByteCount, endByteOffset: plan.endByteOffset,
      pastEnd: options.extent.pastEnd, dataIdentity: dataIdentity, originIdentity: originIdentity,
      grownOriginByteCount: plan.grownOriginByteCount,
      thinByteCount: options.extent.thinByteCount, plannedByteCount: plan.byteCount,
      metadataPath: FileSystem.absolute(source.metadataPath),
      dataPath: FileSystem.absolute(source.dataPath),
      originPath: FileSystem.absolute(quiet.originPath),
      mappings: quiet.recordedMappings, ignoresNeedsCheck: source.ignoresNeedsCheck,
      transactionID: planned.pool.superblock.transactionID,
      heldRoot: planned.pool.heldRoot?.rawValue ?? 0, mappingRoot: planned.mappingRoot.rawValue,
      queueDepth: UInt64(transfer.queueDepth), ioByteCount: transfer.ioByteCount,
      rateLimit: transfer.rateLimit ?? 0,
      checkpointMilliseconds: UInt64(
        clamping: interval.seconds * 1000 + interval.attoseconds / 1_000_000_000_000_000),
      verifies: options.verifies, pool: options.pool, bootID: environment.bootID,
      madeSeconds: environment.secondsSince1970())
  }
}
