internal import SystemPackage

/// A merge that has made the planned changes to the pool and has its target open for writing, with
/// all other users kept off it.
struct RunningMerge: ~Copyable {
  private let environment: Environment
  private let session: PoolSession?
  private let originSession: OriginSession
  private let request: MergeRequest
  private let report: PlanReport
  private let begin: Duration
  private let pool: PoolMetadata
  private let mappingRoot: MetadataBlock
  private let metadata: OpenFile
  private let target: DeviceTarget
  private let journal: OpenJournal
  /// The key of this merge in the pool's record.
  private let key: PoolState.MergeKey
  /// The IDs of the journals that this merge abandons.
  private let givenUpIDs: [String]
  private let places: MergePlaces
  private let marks: OriginMarks
  private let grownTargetByteCount: UInt64?
  private let attempt: JournalRecord.Attempt
  private var sweeps: MergeSweeps<LinuxAIO, WholeDevice<LinuxAIO>>

  /// Makes the final checks and the planned changes, opens the target for writing, and prepares the
  /// journal.
  ///
  /// - Throws: `MergeError`, in which case nothing was written.
  fileprivate init(_ approved: consuming ApprovedMerge) throws(MergeError) {
    let begin = approved.begin
    var preparation = approved.preparation
    let environment = preparation.environment
    var queue = try preparation.readyQueue()
    let use = try preparation.apply()
    let target = try DeviceTarget(
      preparation.request.originPath, use: use, lookedAt: preparation.origin,
      linearParts: environment.linearParts(under: preparation.origin),
      allowsUnseenLoopDevices: environment.allowsUnseenLoopDevices, clock: environment.clock)
    let marks = environment.marks(of: target.file, backing: target.backing)
    let options = preparation.request.options
    let isUsualPlace = preparation.planned.journalPath == preparation.usualPath
    try preparation.checkNoOtherMergeCame(onto: target.file, marks)
    if let session = preparation.session {
      try session.makeSnapshot()
      if try !session.isUnchanged(since: preparation.planned.mappingRoot) {
        try preparation.planAgain(session)
        try preparation.readyAgain(&queue)
      }
    }
    let (request, planned, slot) = (
      preparation.request, preparation.planned, preparation.slot
    )
    let givenUpIDs = preparation.givenUpIDs
    var report = preparation.report
    report.snapshotID = preparation.session?.snapshotID
    report.makesSnapshot = false
    // The data that earlier runs wrote is rechecked, so it must be read from the disk, not the
    // cache.
    if slot.journalOfSameMerge != nil {
      do throws(Errno) {
        try target.file.forgetCache()
      } catch {
        throw .cannotFlushEarlierRuns(request.originPath, error)
      }
    }
    if options.verifies, options.dataIsTheSame { environment.observer.note(.copyNotCompared()) }
    try TargetHoles(target.file, interruption: environment.interruption).allocate(
      in: target, under: planned.segments, from: slot.journalOfSameMerge?.state.watermark ?? 0)
    let journal = try preparation.journal(
      clearing: marks, byteCountMax: report.journalByteCountMax)
    queue.open(target.file, as: .target)
    queue.open(target.buffered, as: .targetBuffered)
    queue.open(journal.file, as: .journal)
    let places = MergePlaces(
      journal: journal.file, origin: target, grownByteCount: planned.plan.grownOriginByteCount,
      note: environment.observer.note)
    try environment.journals.prepare(journal, byteCountMax: report.journalByteCountMax)
    let sweeps = MergeSweeps(
      MergeConfiguration(
        planned, request, data: preparation.devices.data, recorded: journal.header,
        target: target.file, state: journal.state),
      planned.segments, io: queue, journal: journal.encoder,
      checkpointInterval: options.checkpointIntervalInRange,
      control: environment.control {
        [session = preparation.session, originSession = preparation.originSession] in
        session?.makeOriginWritableAgain() ?? originSession.makeWritableAgain()
      },
      secondsSince1970: environment.secondsSince1970,
      look: { [session = preparation.session] () throws(MergeError) in
        try session?.checkNotWritable()
      })
    try marks.set(
      journal, isUsualPlace: isUsualPlace, isRestart: options.restarts && slot.isOccupied)
    let (header, match) = (planned.header, planned.match)
    let attempt = JournalRecord.Attempt(
      seconds: environment.secondsSince1970(), bootID: environment.bootID,
      metadataPath: header.metadataPath, dataPath: header.dataPath, originPath: header.originPath,
      dataPlace: match.dataPlace, originPlace: match.originPlace,
      agreedSharers: options.pool.agreedSharers.all)
    self.begin = begin
    pool = planned.pool
    mappingRoot = planned.mappingRoot
    self.places = places
    self.attempt = attempt
    grownTargetByteCount = planned.plan.grownOriginByteCount
    self.environment = environment
    session = preparation.session
    originSession = preparation.originSession
    metadata = preparation.devices.metadata
    self.request = request
    self.report = report
    self.target = target
    self.journal = journal
    key = PoolState.MergeKey(of: target.file, journalID: journal.id)
    self.givenUpIDs = givenUpIDs
    self.marks = marks
    self.sweeps = sweeps
  }

  /// Runs the merge to completion.
  ///
  /// - Returns: The report, even if the merge stopped early.
  consuming func run() -> MergeReport {
    var result = MergeReport(
      plan: report, state: .finished, writtenByteCount: 0,
      resumedFromByteCount: journal.state.doneByteCount, recheckedByteCount: 0,
      rewrittenByteCount: 0, duration: .zero, submitDuration: .zero, checkpointCount: 0,
      verification: nil, journalPath: journal.file.path, unreadable: [])
    do throws(MergeError) {
      try merge()
      if request.options.comparesWithSource { result.verification = try readBack() }
      try places.check()
    } catch {
      result.state = .stopped(places.stopped(by: error.afterFirstWrite()))
      result.canBeResumed = places.hasJournal && !sweeps.isJournalRefuted
    }
    if result.state == .finished {
      // It does not matter if the journal's unused space cannot be released: a journal that keeps
      // the space is just as valid.
      try? journal.file.setByteCount(sweeps.journalByteCount)
    }
    result.writtenByteCount = sweeps.writtenByteCount
    result.recheckedByteCount = sweeps.recheckedByteCount
    result.rewrittenByteCount = sweeps.rewrittenByteCount
    result.submitDuration = sweeps.submitDuration
    result.checkpointCount = sweeps.checkpointCount
    result.unreadable = sweeps.unreadable.ranges
    if let verification = result.verification, verification.differingByteCount > 0 {
      session?.mergeIsWrong(of: request.source, in: key)
    } else if result.state == .finished {
      session?.hold.isNotNeeded(for: request.source.readID)
    }
    result.thinDevice = ThinDeviceState(
      of: request.source.deviceID, since: mappingRoot, session, environment.reader(metadata))
    result.duration = environment.clock.now() - begin
    return result
  }

  private mutating func merge() throws(MergeError) {
    try session?.writingBegins(from: request.source, in: key, insteadOf: givenUpIDs)
    try sweeps.append(.attempt(attempt))
    try target.grow(to: grownTargetByteCount)
    let (environment, file, target) = (environment, journal.file, target)
    let end = sweeps.run { () throws(MergeError) in try environment.journals.reader(file) }
    let (source, session, places) = (request.source, session, places)
    let originSession = originSession
    let (pool, metadata) = (pool, metadata)
    try sweeps.finish(end, dataPath: source.dataPath) { () throws(MergeError) in
      let now = try environment.reader(metadata).superblocks(
        source.mappings, ignoresNeedsCheck: source.ignoresNeedsCheck)
      guard now.heldRoot == pool.heldRoot, now.superblock == pool.superblock else {
        throw .metadataChanged(source.metadataPath, isInactive: pool.heldRoot == nil)
      }
      try session?.checkStillQuiesced()
      try originSession.checkStillUnused()
      try target.checkStillAlone(
        linearParts: environment.linearParts(under: target.file),
        allowsUnseenLoopDevices: environment.allowsUnseenLoopDevices, clock: environment.clock)
      try places.check()
    }
    marks.finish(journal)
    // If the run is killed after this point, it leaves behind nothing that a later run needs.
    session?.mergeIsFinished(of: request.source, in: key)
  }

  /// Compares all merged data on the target with the source and, if they match, records that in the
  /// journal.
  private mutating func readBack() throws(MergeError) -> VerifyReport {
    let begin = environment.clock.now()
    let comparison = try sweeps.compare()
    let report = VerifyReport(
      comparison, .sector, place: request.originPath, duration: environment.clock.now() - begin)
    if report.incomplete == nil, report.differingByteCount == 0 {
      try sweeps.append(.verified(seconds: environment.secondsSince1970()))
    }
    return report
  }
}

extension ApprovedMerge {
  /// Starts the merge.
  ///
  /// - Throws: `MergeError`, in which case nothing was written.
  consuming func begun() throws(MergeError) -> RunningMerge { try RunningMerge(self) }
}

extension MergeConfiguration {
  /// Creates the configuration for a run of a planned merge.
  ///
  /// - `target`: the origin, open at least for reading.
  /// - `recorded`: the header of the merge's journal.
  /// - `state`: the state of the merge as recorded by earlier runs.
  init(
    _ planned: PlannedMerge, _ request: MergeRequest, data: OpenFile, recorded: JournalHeader,
    target: OpenFile, state: JournalState
  ) {
    let options = request.options
    self.init(
      plan: planned.plan, cuts: planned.segments.cuts, transfer: options.transfer,
      dataAlignmentByteCount: data.alignmentByteCount,
      targetAlignmentByteCount: target.alignmentByteCount, dataPath: data.path,
      targetPath: request.originPath,
      journalPath: planned.journalPath, state: state, trustsEarlierRuns: options.trustsEarlierRuns,
      sourceIsCopy: options.dataIsTheSame,
      sourceIsIdentified: recorded.hasIdentifiedData(DeviceIdentity(data)))
  }
}
