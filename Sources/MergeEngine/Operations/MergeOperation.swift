internal import SystemPackage

/// Merges a thin device onto its origin.
struct MergeOperation {
  let environment: Environment

  /// Merges as ``Merger/merge(_:onto:options:)`` does.
  func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions
  ) throws(MergeError) -> MergeReport {
    let finished = FinishedMergeComparison(environment: environment)
    if !options.restarts, !options.mergesAgain,
      finished.find(source, onto: originPath, journalPath: options.journalPath) != nil
    {
      return try finished.compare(source, originPath, options)
    }
    return try run(source, originPath, options, given: options.pool)
  }

  /// Merges; of an active pool with the thin device at rest and its metadata snapshot held.
  ///
  /// - `given`: what this run was told of the pool; the journal's options are in `options` too.
  /// - `journal`: the one that is to be gone on with.
  func run(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions, given: PoolOptions,
    resuming journal: OpenJournal? = nil
  ) throws(MergeError) -> MergeReport {
    let pools = ActivePools(environment: environment)
    guard let session = try pools.session(for: source) else {
      try pools.checkNeedsNoPool(source, isResumed: journal != nil)
      pools.noteIfUnused(given)
      return try run(
        QuiescedSource(source: source, originPath: originPath), options, resuming: journal)
    }
    do throws(MergeError) {
      var (report, end) = try run(source, originPath, options, journal, session)
      session.end(end)
      report.cleanupFailures = session.cleanupFailures
      return report
    } catch {
      session.end(.nothingWritten)
      throw error
    }
  }

  private func run(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions,
    _ journal: OpenJournal?, _ session: PoolSession
  ) throws(MergeError) -> (MergeReport, PoolSession.End) {
    var source = source
    var options = options
    let header = journal?.header
    // Only one whose root the user gave serves although blocks were mapped since.
    if let header, case .metadataSnapshot(let named?) = header.mappings,
      try session.heldRoot() == named
    {
      source.mappings = header.mappings
    }
    if options.extent.thinByteCount == nil, !session.isLost(source.deviceID) {
      let target = try environment.mappedDevices().thinTarget(
        of: source.deviceID, in: session.pool)
      options.extent.thinByteCount = target.map { $0.sectorCount * 512 }
    }
    var quiesced = try SourceQuiescing(environment: environment).quiesce(
      source, originPath, options, header, session)
    quiesced.source.mappings = try session.hold(
      source.mappings, of: quiesced.source.deviceID, ignoresNeedsCheck: source.ignoresNeedsCheck,
      isResumed: header != nil)
    let report = try run(quiesced, options, resuming: journal)
    guard report.state == .finished, report.verification?.isClean != false else {
      return (report, .stopped)
    }
    session.mergeIsFinished()
    return (report, .finished)
  }

  private func run(
    _ quiesced: QuiescedSource, _ options: MergeOptions, resuming resumed: OpenJournal?
  ) throws(MergeError) -> MergeReport {
    var begin = environment.clock.now()
    let source = quiesced.source
    let originPath = quiesced.originPath
    let devices = try OpenDevices(
      source, originPath: originPath, writing: quiesced.originUse,
      allowsUnseenLoopDevices: environment.allowsUnseenLoopDevices)
    guard let target = devices.target else {
      throw .originNotOpen(originPath)
    }
    let origin = target.file
    let identity = DeviceIdentity(origin)
    let usualPath = JournalFile.place(
      of: origin, identity: identity, stateFolder: environment.stateFolder)
    let journalPath = options.journalPath.map(FileSystem.absolute) ?? usualPath
    try environment.journals.checkPlace(journalPath, of: devices.all)
    if resumed == nil, !options.restarts {
      try environment.journals.checkUsualPlace(usualPath, chosen: journalPath)
    }
    if identity.name.isEmpty {
      environment.observer.note(.originWithoutIdentity(originPath))
    }

    var transfer = options.transfer
    transfer.ioByteCount = devices.ioByteCount(transfer)
    let planned = try devices.plan(
      source, extent: options.extent, ioByteCount: transfer.ioByteCount, in: environment)
    let plan = planned.plan
    let pool = planned.pool
    try quiesced.session?.checkOtherDevices(
      pool, besides: source.deviceID, options: options.pool)
    var report = planned.report(
      originByteCount: origin.byteCount, journalPath: journalPath, ioByteCount: transfer.ioByteCount
    )
    let header = JournalHeader(
      planned: planned, source: quiesced, options: options, transfer: transfer,
      dataIdentity: DeviceIdentity(devices.data), originIdentity: identity, environment: environment
    )
    let match = JournalMatch(
      wanted: header, source: source, devices, bootID: environment.bootID,
      originIsTheSame: options.originIsTheSame)
    let place = try environment.journals.find(
      journalPath, match: match, restarts: options.restarts, mergesAgain: options.mergesAgain,
      resuming: resumed)

    let found: OpenJournal? = if case .sameMerge(let journal) = place { journal } else { nil }
    let marks = environment.marks(of: origin, backing: target.backing)
    if !options.restarts { try marks.check(for: found) }
    if let state = found?.state, state.attemptCount > 0, !state.isFinished {
      try quiesced.session?.holdIsNeeded(for: source.deviceID)
    }
    report.isOwnMetadataSnapshot = quiesced.session?.holdsMetadataSnapshot == true
    report.add(found?.state)
    // A run that merged a snapshot may have been killed before the snapshot was deleted.
    if let found, found.state.isFinished, !options.mergesAgain {
      return try FinishedMergeComparison(environment: environment).compare(
        found, source, devices, planned, report, transfer, originPath,
        isRead: options.comparesFinished, verifies: options.verifies)
    }
    let asked = environment.clock.now()
    guard quiesced.isAgreedTo || environment.observer.approve(report) else {
      throw MergeError.notApproved(originPath)
    }
    // The time that somebody took to answer is not the merge's.
    begin += environment.clock.now() - asked
    // What earlier runs wrote is looked at again, and must be what is on the disk.
    if found != nil {
      do throws(Errno) {
        try origin.forgetCache()
      } catch {
        throw .cannotFlushEarlierRuns(originPath, error)
      }
    }
    let stream = planned.segments(
      cuts: TransferCuts(
        ioByteCount: transfer.ioByteCount, endByteOffset: plan.endByteOffset,
        alignmentByteCount: origin.alignmentByteCount))
    try allocateHoles(of: target, stream, from: found?.state.watermark ?? 0)
    // Everything that may fail for want of memory or requests comes before the journal is made.
    var io = try environment.transferQueue(
      depth: transfer.queueDepth,
      slabByteCount: MergeConfiguration.slabByteCount(
        transfer, largest: max(plan.transferByteCountMax, found?.state.entryByteCountMax ?? 0)),
      files: [.data: devices.data, .target: origin, .targetBuffered: target.buffered])
    let journal: OpenJournal
    if let found {
      journal = found
    } else {
      // What clears the way may take the journal from a mark that only that journal explains.
      if !options.restarts { marks.removeSettled() }
      try environment.journals.clear(journalPath, found: place)
      journal = try environment.journals.make(
        journalPath, header: header, byteCountMax: report.journalByteCountMax)
    }
    io.open(journal.file, as: .journal)
    let places = MergePlaces(
      journal: journal.file, origin: origin, note: environment.observer.note)
    let configuration = MergeConfiguration(
      plan: plan, cuts: stream.cuts, transfer: transfer,
      dataAlignmentByteCount: devices.data.alignmentByteCount,
      targetAlignmentByteCount: origin.alignmentByteCount, targetPath: originPath,
      journalPath: journalPath, state: journal.state, trustsEarlierRuns: options.trustsEarlierRuns)
    try environment.journals.prepare(journal, byteCountMax: report.journalByteCountMax)
    var running = RunningMerge(
      configuration, stream, io: io, journal: journal.encoder,
      checkpointInterval: options.checkpointIntervalInRange,
      control: environment.control, secondsSince1970: environment.secondsSince1970)

    if !journal.isNew {
      try running.checkTarget(recorded: try environment.journals.reader(journal.file))
    }
    try marks.set(
      journal, isUsualPlace: journalPath == usualPath,
      isRestart: options.restarts && place.isOccupied)
    var result = MergeReport(
      plan: report, state: .finished, writtenByteCount: 0,
      resumedFromByteCount: journal.state.doneByteCount, recheckedByteCount: 0,
      rewrittenByteCount: 0, duration: .zero, submitDuration: .zero, checkpointCount: 0,
      verification: nil, journalPath: journalPath, unreadable: [])
    do throws(MergeError) {
      try quiesced.session?.writingBegins()
      try running.append(
        .attempt(
          JournalRecord.Attempt(
            seconds: environment.secondsSince1970(), bootID: environment.bootID,
            metadataPath: header.metadataPath, dataPath: header.dataPath,
            originPath: header.originPath, dataPlace: match.dataPlace,
            originPlace: match.originPlace)))
      try target.grow(to: plan.grownOriginByteCount)
      let end = running.run { () throws(MergeError) in
        try environment.journals.reader(journal.file)
      }
      try finish(&running, end, pool, devices.metadata, quiesced, places)
      marks.remove(journal)
      if !options.verifies { quiesced.session?.holdIsNotNeeded(for: source.deviceID) }
      if options.verifies { result.verification = try readBack(&running, originPath) }
      try places.check()
    } catch {
      result.state = .stopped(places.stopped(by: error.afterFirstWrite()))
      result.canBeResumed = places.hasJournal && !running.isJournalRefuted
    }
    if result.state == .finished {
      // Space that was taken and not needed goes back; a journal that keeps it is as good.
      try? journal.file.setByteCount(running.journalByteCount)
    }
    result.writtenByteCount = running.writtenByteCount
    result.recheckedByteCount = running.recheckedByteCount
    result.rewrittenByteCount = running.rewrittenByteCount
    result.submitDuration = running.submitDuration
    result.checkpointCount = running.checkpointCount
    result.unreadable = running.unreadable.ranges
    result.duration = environment.clock.now() - begin
    return result
  }

  /// Takes disk space for the holes of a sparse origin where blocks go, so that it cannot run out.
  private func allocateHoles(
    of target: DeviceTarget, _ stream: SegmentStream<WholeDevice<LinuxAIO>>, from byteOffset: UInt64
  ) throws(MergeError) {
    let origin = target.file
    guard origin.kind == .regularFile, origin.allocatedByteCount < origin.byteCount else { return }
    try stream.restart(from: byteOffset)
    var open: ByteRange?
    while let segment = try stream.peek(), segment.targetByteOffset < origin.byteCount {
      guard !environment.interruption.isRequested else {
        throw .interruptedAllocating(origin.path)
      }
      let start = segment.targetByteOffset
      let end = min(start + segment.byteCount, origin.byteCount)
      stream.take(segment.byteCount)
      if let range = open, range.end == start {
        open = ByteRange(start: range.start, end: end)
        continue
      }
      if let range = open, try !target.allocate(range) { return }
      open = ByteRange(start: start, end: end)
    }
    if let range = open { _ = try target.allocate(range) }
  }

  /// Compares all of the merged origin with the source, and records that it is right if it is.
  private func readBack(
    _ running: inout RunningMerge<LinuxAIO, WholeDevice<LinuxAIO>>, _ originPath: String
  ) throws(MergeError) -> VerifyReport {
    let begin = environment.clock.now()
    let comparison = try running.compare()
    let report = VerifyReport(
      comparison, .sector, place: originPath, duration: environment.clock.now() - begin)
    if report.incomplete == nil, report.differingByteCount == 0 {
      try running.append(.verified(seconds: environment.secondsSince1970()))
    }
    return report
  }

  /// Says that the merge is finished, if it is.
  ///
  /// - Throws: `MergeError` (`stopped`) where something is left to be done.
  private func finish(
    _ running: inout RunningMerge<LinuxAIO, WholeDevice<LinuxAIO>>, _ end: PipelineEnd,
    _ pool: PoolMetadata,
    _ metadata: OpenFile, _ quiesced: QuiescedSource, _ places: MergePlaces
  ) throws(MergeError) {
    let source = quiesced.source
    switch end {
    case .finished: break
    case .interrupted:
      throw .interruptedMerging(running.configuration.targetPath)
    case .failed(let error):
      throw error
    }
    guard running.unreadable.isEmpty else {
      throw .someUnreadable(
        source.dataPath, byteCount: running.unreadable.byteCount,
        rangeCount: running.unreadable.ranges.count,
        journalPath: running.configuration.journalPath)
    }
    let now = try environment.reader(metadata).superblocks(
      source.mappings, ignoresNeedsCheck: source.ignoresNeedsCheck)
    guard now.heldRoot == pool.heldRoot, now.superblock == pool.superblock else {
      throw .metadataChanged(source.metadataPath, isInactive: pool.heldRoot == nil)
    }
    try quiesced.session?.checkStillQuiesced()
    try places.check()
    try running.append(.finished(seconds: environment.secondsSince1970()))
  }
}

extension JournalHeader {
  init(
    planned: borrowing CheckedPlan<WholeDevice<LinuxAIO>>, source quiesced: QuiescedSource,
    options: MergeOptions,
    transfer: TransferOptions, dataIdentity: DeviceIdentity,
    originIdentity: DeviceIdentity, environment: Environment
  ) {
    let plan = planned.plan
    let source = quiesced.source
    let interval = options.checkpointIntervalInRange.components
    self.init(
      fingerprint: plan.fingerprint, deviceID: plan.deviceID,
      dataBlockByteCount: plan.dataBlockByteCount, endByteOffset: plan.endByteOffset,
      pastEnd: options.extent.pastEnd, dataIdentity: dataIdentity, originIdentity: originIdentity,
      grownOriginByteCount: plan.grownOriginByteCount,
      thinByteCount: options.extent.thinByteCount, plannedByteCount: plan.byteCount,
      metadataPath: FileSystem.absolute(source.metadataPath),
      dataPath: FileSystem.absolute(source.dataPath),
      originPath: FileSystem.absolute(quiesced.originPath),
      mappings: quiesced.recordedMappings, ignoresNeedsCheck: source.ignoresNeedsCheck,
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
