/// A merge whose mappings have been read and checked.
struct PlannedMerge {
  let journalPath: String
  let plan: MergePlan
  let pool: PoolMetadata
  let mappingRoot: MetadataBlock
  /// The segments to read, split to match the origin's alignment.
  let segments: SegmentStream<WholeDevice<LinuxAIO>>
  /// The header to write if a new journal is created for this merge.
  private(set) var header: JournalHeader
  let match: JournalMatch
  private(set) var report: PlanReport

  init(
    _ request: MergeRequest, _ devices: OpenDevices, _ origin: OpenFile, journalPath: String,
    _ session: PoolSession?, in environment: Environment
  ) throws(MergeError) {
    let (source, options) = (request.source, request.options)
    self.journalPath = journalPath
    let planned = try devices.plan(
      source, onto: origin, extent: options.extent, ioByteCount: options.transfer.ioByteCount,
      in: environment)
    plan = planned.plan
    pool = planned.pool
    mappingRoot = planned.mappingRoot
    var report = planned.report(
      originByteCount: origin.byteCount, journalPath: journalPath,
      ioByteCount: options.transfer.ioByteCount)
    let holdsOwn = session?.hold.isOwn == true
    report.isOwnMetadataSnapshot = holdsOwn
    report.snapshotID = source.snapshotID
    self.report = report
    header = JournalHeader(
      planned, request, mappings: holdsOwn ? .ownMetadataSnapshot : source.mappings,
      dataIdentity: DeviceIdentity(devices.data), originIdentity: DeviceIdentity(origin),
      in: environment)
    match = JournalMatch(
      wanted: header, bootID: environment.bootID, originIsTheSame: options.originIsTheSame,
      dataIsTheSame: options.dataIsTheSame,
      dataPlace: DeviceIdentity.place(of: devices.data),
      originPlace: DeviceIdentity.place(of: origin), sourceName: source.nameInMessages)
    segments = planned.segments(
      cuts: TransferCuts(
        ioByteCount: options.transfer.ioByteCount, endByteOffset: plan.endByteOffset,
        alignmentByteCount: origin.alignmentByteCount))
  }

  /// Reserves space in the journal for the record of the thin devices that the merge may change.
  mutating func add(_ sharers: [OriginSharer]) {
    report.journalByteCountMax += UInt64(RecordedSharers.encoded(sharers).count)
      .roundedUp(toMultipleOf: JournalEncoder.appendAlignmentByteCount)
  }

  /// Adds the blocks that abandoned merges left on the origin.
  ///
  /// For a resumed merge, those blocks are taken from the journal's header. Otherwise, they include
  /// the blocks of merges that this merge abandons.
  mutating func addRemnants(
    of slot: JournalSlot, givenUp: [OpenFile], _ marks: OriginMarks, _ journals: JournalStore
  ) {
    if let journal = slot.journalOfSameMerge {
      report.remnants = journal.header.remnants
      return
    }
    var files = givenUp
    switch slot {
    case .superseded(let file, _), .neverStarted(let file): files.append(file)
    case .empty, .sameMerge: break
    }
    report.remnants = (journals.remnants(of: files) + marks.remnants)
      .besides(header.fingerprint.description)
    header.remnants = report.remnants
  }

  /// Finds the merge's journal or, if there is none, checks that the merge can start.
  ///
  /// - Throws: `MergeError`: `journalConflict` if the journal path belongs to another unfinished
  ///   merge, `refused` if no journal can be created or the origin has a format that a merge would
  ///   destroy.
  func findJournal(
    _ request: MergeRequest, _ devices: OpenDevices, _ origin: OpenFile, _ session: PoolSession?,
    for purpose: MergePreparation.Purpose,
    in environment: Environment
  ) throws(MergeError) -> JournalSlot {
    let options = request.options
    let slot = try environment.journals.find(
      journalPath, match: match, restarts: options.restarts, mergesAgain: options.mergesAgain,
      resuming: request.resumed, locking: purpose == .merging)
    switch slot {
    case .sameMerge(let journal):
      if purpose == .merging, journal.state.attemptCount > 0, !journal.state.isFinished {
        try session?.hold.isNeeded(for: request.source.readID)
      }
    case .empty, .neverStarted, .superseded:
      if case .superseded = slot { try JournalFile.checkCanBePutAside(journalPath) }
      try environment.journals.checkCanBeMade(
        journalPath, byteCountMax: report.journalByteCountMax)
      try devices.checkFormat(
        of: origin, plan, isForced: options.forcesFormat, in: environment)
    }
    return slot
  }
}

extension JournalHeader {
  fileprivate init(
    _ planned: borrowing CheckedPlan<WholeDevice<LinuxAIO>>, _ request: MergeRequest,
    mappings: MergeSource.Mappings, dataIdentity: DeviceIdentity, originIdentity: DeviceIdentity,
    in environment: Environment
  ) {
    let plan = planned.plan
    let (source, options) = (request.source, request.options)
    let interval = options.checkpointIntervalInRange.components
    self.init(
      fingerprint: plan.fingerprint, deviceID: plan.deviceID,
      dataBlockByteCount: plan.dataBlockByteCount, endByteOffset: plan.endByteOffset,
      pastEnd: options.extent.pastEnd, dataIdentity: dataIdentity, originIdentity: originIdentity,
      grownOriginByteCount: plan.grownOriginByteCount,
      thinByteCount: options.extent.thinByteCount, plannedByteCount: plan.byteCount,
      thinDeviceName: source.deviceName, thinVolume: source.volume,
      metadataPath: FileSystem.absolute(source.metadataPath),
      dataPath: FileSystem.absolute(source.dataPath),
      originPath: FileSystem.absolute(request.originPath),
      mappings: mappings, ignoresNeedsCheck: source.ignoresNeedsCheck,
      ignoresMappingCount: source.ignoresMappingCount,
      transactionID: planned.pool.superblock.transactionID,
      heldRoot: planned.pool.heldRoot?.rawValue ?? 0, mappingRoot: planned.mappingRoot.rawValue,
      queueDepth: UInt64(options.transfer.queueDepth), ioByteCount: options.transfer.ioByteCount,
      rateLimit: options.transfer.rateLimit ?? 0,
      checkpointMilliseconds: UInt64(
        clamping: interval.seconds * 1000 + interval.attoseconds / 1_000_000_000_000_000),
      verifies: options.verifies, pool: options.pool.withoutConsentToOthers,
      bootID: environment.bootID,
      madeSeconds: environment.secondsSince1970())
  }
}
