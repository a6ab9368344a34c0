/// Finds a merge that an earlier run finished, and compares its source and origin without writing
/// any data.
struct FinishedMergeComparison {
  let environment: Environment

  /// Implements ``Merger/finishedMerge(of:onto:journalPath:)``.
  func find(
    _ source: MergeSource, onto originPath: String, journalPath: String?
  ) -> StatusReport? {
    // Errors are reported later by the callers that need the device or the journal.
    guard let origin = try? OpenFile(originPath, role: "origin", access: .readOnly),
      let data = try? OpenFile(source.dataPath, role: "data device", access: .readOnly)
    else { return nil }
    return find(of: source.deviceID, data, onto: origin, journalPath: journalPath)
  }

  /// Finds a finished merge by the journal at the chosen path.
  ///
  /// If no merge of these devices was started with that journal, the journal at the default path is
  /// tried, and then the journals that are named by marks on the origin.
  ///
  /// A finished merge is therefore recognized even if a new journal path was chosen or the origin
  /// now has another name.
  func find(
    of deviceID: UInt32, _ data: OpenFile, onto origin: OpenFile, journalPath: String?
  ) -> StatusReport? {
    let identity = DeviceIdentity(origin)
    // If there are two journals, the error is reported by the callers that need one.
    guard let usualPath = try? environment.journals.usualPath(of: origin) else { return nil }
    let dataIdentity = DeviceIdentity(data)
    func isOfSameDevices(_ header: JournalHeader) -> Bool {
      header.deviceID == deviceID && header.originIdentity.name == identity.name
        && header.dataIdentity.name == dataIdentity.name
    }
    func finished(at path: String) -> StatusReport? {
      guard FileSystem.exists(path), let journal = try? environment.journals.open(path),
        journal.state.isFinished, isOfSameDevices(journal.header)
      else { return nil }
      return StatusReport(journal.state, journal.header, isRunning: false, journalPath: path)
    }
    if let chosen = journalPath.map(FileSystem.absolute), chosen != usualPath,
      FileSystem.exists(chosen)
    {
      // An unusable journal is refused later by the callers that need it.
      guard let journal = try? environment.journals.look(at: chosen) else { return nil }
      if journal.state.attemptCount > 0, isOfSameDevices(journal.header) {
        return finished(at: chosen)
      }
    }
    return finished(at: usualPath) ?? findByMark(of: deviceID, data, onto: origin)
  }

  /// Returns a finished merge of another thin device if the journal at the default path records
  /// one; nil otherwise.
  func findOther(than deviceID: UInt32, _ data: OpenFile, onto origin: OpenFile) -> StatusReport? {
    guard let path = try? environment.journals.usualPath(of: origin), FileSystem.exists(path),
      let journal = try? environment.journals.open(path), journal.state.isFinished,
      journal.header.originIdentity.name == DeviceIdentity(origin).name,
      journal.header.deviceID != deviceID
        || journal.header.dataIdentity.name != DeviceIdentity(data).name
    else { return nil }
    return StatusReport(journal.state, journal.header, isRunning: false, journalPath: path)
  }

  /// Finds a finished merge whose journal is not at the default path but is named by a mark on the
  /// origin.
  func findByMark(
    of deviceID: UInt32, _ data: OpenFile, onto origin: OpenFile
  ) -> StatusReport? {
    MarkedMerge.journal(
      of: deviceID, data, onto: origin,
      among: environment.marks(of: origin)
        .finishedMerges(besides: (try? environment.journals.usualPath(of: origin)) ?? "")
    ).map { StatusReport($0.state, $0.header, isRunning: false, journalPath: $0.file.path) }
  }

  /// Returns whether the requested merge has already finished, which means that it only needs to be
  /// compared.
  func isAllOf(_ request: MergeRequest) -> Bool {
    let options = request.options
    guard request.resumed == nil, !options.restarts, !options.mergesAgain else { return false }
    return find(request.source, onto: request.originPath, journalPath: options.journalPath) != nil
  }

  /// Compares both the source and the origin with the data that the finished merge recorded.
  ///
  /// The devices are not modified, so the thin device may be active, and the origin may be
  /// read-only or in use.
  func compare(_ request: MergeRequest) throws(MergeError) -> MergeReport {
    try ActivePools(environment: environment).withSession(
      for: request.source, settling: .everything
    ) {
      session throws(MergeError) in
      let preparation = try MergePreparation(request, session, for: .looking, in: environment)
      let readID = preparation.request.source.readID
      let mayChange = try session?.observed().isWritable(readID) == true
      if mayChange { environment.noteThatSourceMayChange() }
      if let refusal = preparation.refusalOfComparing { throw refusal }
      guard let journal = preparation.finishedJournal, journal.file.lockAgainstWriters() else {
        throw .journalLocked(preparation.planned.journalPath)
      }
      var report = try compare(preparation, with: journal)
      if report.earlier?.isCompared == true { report.earlier?.sourceMayChange = mayChange }
      return report
    }
  }

  /// Compares the source and origin of a prepared merge with the records in the finished merge's
  /// journal.
  ///
  /// - Throws: `MergeError`: `journalConflict` if the source or origin has changed, `stopped` if
  ///   not everything could be compared.
  func compare(
    _ preparation: consuming MergePreparation, with journal: OpenJournal
  ) throws(MergeError) -> MergeReport {
    let begin = environment.clock.now()
    let request = preparation.request
    let (source, options, origin) = (request.source, request.options, preparation.origin)
    let session = preparation.session
    let journalPath = journal.file.path
    guard let finishedSeconds = journal.state.finishedSeconds else {
      throw .journalLocked(journalPath)
    }
    // An earlier run may have been killed after recording that the merge had finished but before
    // replacing its mark.
    environment.marks(of: origin).finish(journal)
    var result = MergeReport(
      plan: preparation.report,
      earlier: MergeReport.Earlier(finishedSeconds: finishedSeconds, isCompared: false),
      state: .finished, writtenByteCount: 0, resumedFromByteCount: journal.state.doneByteCount,
      recheckedByteCount: 0, rewrittenByteCount: 0, duration: .zero, submitDuration: .zero,
      checkpointCount: 0, verification: nil, journalPath: journalPath, unreadable: [])
    guard options.comparesFinished else {
      result.duration = environment.clock.now() - begin
      return result
    }

    let (data, metadata) = (preparation.devices.data, preparation.devices.metadata)
    let planned = preparation.planned
    let (plan, segments) = (planned.plan, planned.segments)
    let place = OriginPlace(compared: origin)
    var queue = try ComparisonQueue(
      options.transfer, largest: max(plan.transferByteCountMax, journal.state.entryByteCountMax),
      dataBlockByteCount: plan.dataBlockByteCount, data: data, target: origin, cuts: segments.cuts,
      in: environment)
    let comparison = try RecordedComparison.of(
      JournaledPieces(try environment.journals.reader(journal.file), journal.state),
      segments,
      total: plan.byteCount, shape: queue.shape, targetPath: request.originPath, &queue.io,
      environment.control())
    if let error = comparison.error(
      sourceName: source.nameInMessages, originPath: request.originPath, journalPath: journalPath,
      plannedByteCount: plan.byteCount)
    {
      throw error
    }
    try place.check()
    // An earlier run may have been killed before it released its source.
    session?.hold.isNotNeeded(for: source.readID)
    session?.mergeIsFinished(
      of: source, in: PoolState.MergeKey(of: origin, journalID: journal.id))
    result.earlier?.isCompared = true
    result.thinDevice = ThinDeviceState(
      of: source.deviceID, since: planned.mappingRoot, session, environment.reader(metadata))
    result.recheckedByteCount = comparison.comparedByteCount
    result.submitDuration = queue.io.submitDuration
    result.duration = environment.clock.now() - begin
    if options.verifies {
      result.verification = VerifyReport(
        granularity: .sector, comparedByteCount: comparison.comparedByteCount,
        differingByteCount: 0, differences: [], unreadable: [], duration: result.duration)
    }
    return result
  }
}

extension MergePreparation {
  /// The error that prevents a finished merge from being compared; nil if there is none.
  var refusalOfComparing: MergeError? {
    journalRefusal ?? (finishedJournal == nil ? .journalLocked(planned.journalPath) : nil)
  }
}

extension RecordedComparison {
  /// Returns the error that prevents the source and the origin from being reported as equal; nil if
  /// there is none.
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

extension MarkedMerge {
  /// Returns the journal that matches the given thin device, data device, and origin; nil if none
  /// does.
  static func journal(
    of deviceID: UInt32, _ data: OpenFile, onto origin: OpenFile, among merges: [MarkedMerge],
    dataIsTheSame: Bool = false
  ) -> OpenJournal? {
    for case .journal(let journal) in merges.map(\.journal)
    where journal.header.deviceID == deviceID
      && (dataIsTheSame || journal.header.dataIdentity.hasSameBytes(as: DeviceIdentity(data)))
      && JournalMatch.originDifference(
        from: journal.header, DeviceIdentity(origin), path: origin.path) == nil
    {
      return journal
    }
    return nil
  }

  /// Returns the error that refuses the requested merge because this mark shows that it has
  /// finished and cannot be compared; nil if the mark belongs to another merge.
  ///
  /// - `match`: the requested merge.
  func refusal(of match: JournalMatch, onto originPath: String) -> MergeError? {
    guard fingerprint == match.wanted.fingerprint.description else { return nil }
    guard case .journal(let found) = journal, let difference = match.difference(from: found.header)
    else { return .finishedByMark(originPath, journalPath: path, because: error) }
    return .finishedOtherwise(path, difference, sourceName: match.sourceName)
  }

  private var error: MergeError? {
    if case .lost(let error) = journal { error } else { nil }
  }
}
