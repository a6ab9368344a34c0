/// A requested merge: its source, its origin and its options.
struct MergeRequest {
  var source: MergeSource
  var originPath: String
  var options: MergeOptions
  /// The journal to resume from; nil for a new merge.
  var resumed: OpenJournal?
}

/// A planned and checked merge with all its devices open for reading.
///
/// Every check that can refuse a merge is made here, for merging and for looking alike. Nothing is
/// changed, except that the pool's session may hold a metadata snapshot.
struct MergePreparation: ~Copyable {
  /// The use of a preparation, which decides what becomes of a refusal.
  enum Purpose {
    /// A refusal is thrown, before the mappings are read if possible. The journal is locked.
    case merging
    /// A refusal is kept, and the plan is made anyway.
    case looking
  }

  let environment: Environment
  /// Nil where no pool is active on the metadata device.
  let session: PoolSession?
  /// Nil where there is no session, or where the thin device cannot be kept unchanged.
  let quiescence: QuiescencePlan?
  let originSession: OriginSession
  /// The steps that make the origin ready where there is no session; nil for a regular file.
  private let originPlan: OriginPlan?
  let devices: OpenDevices
  let origin: OpenFile
  /// The default path of the journal.
  let usualPath: String
  /// The requested mappings.
  private let wantedMappings: MergeSource.Mappings
  /// The request, with the held mappings and the snapshot that is read.
  private(set) var request: MergeRequest
  private(set) var planned: PlannedMerge
  /// The LVM changes to make once the merge is finished; nil where no handover was requested.
  private let handover: VolumeHandover?
  /// The merge's key in the pool's record, as far as it is known before the merge has a journal.
  private let mergeKey: PoolState.MergeKey
  /// Journals at other paths of unfinished merges onto the same origin, which this merge gives up.
  let givenUp: [OpenFile]
  /// The current state of the journal's path.
  private(set) var slot: JournalSlot
  /// The error that keeps the merge from starting now.
  private(set) var refusal: MergeError?
  /// The error that keeps the merge from using its journal.
  private(set) var journalRefusal: MergeError?

  /// - Throws: `MergeError`: the refusal of the merge or, with the purpose `looking`, only an error
  ///   that keeps it from being planned.
  init(
    _ wanted: MergeRequest, _ session: PoolSession?, _ originSession: OriginSession? = nil,
    for purpose: Purpose, in environment: Environment
  ) throws(MergeError) {
    let originSession = originSession ?? environment.originSession()
    var request = wanted
    var refusals = Refusals(purpose: purpose)
    var observed = try session?.observed(
      for: request.source.deviceID, request.options.pool)
    if let session, let found = observed?.devices {
      observed?.devices = session.asSettled(originSession.asSettled(found))
    }
    try observed?.checkHealth(ignoresNeedsCheck: request.source.ignoresNeedsCheck)
    if let session, let observed { try request.complete(session, observed) }
    let wantedMappings = request.source.mappings

    let devices = try OpenDevices(request.source)
    // An origin that is a device of the pool is reported as such, not as in use by the pool.
    var origin = try devices.origin(request.originPath)
    let givenPath = request.originPath
    if let observed {
      // The origin is written to and recorded only under the path of its topmost layer.
      request.originPath = OriginPlan.topmostPath(of: givenPath, observed.devices)
      if request.originPath != givenPath { origin = try devices.origin(request.originPath) }
    }
    let mergeKey = environment.mergeKey(of: request, onto: origin)
    var quiescence: QuiescencePlan?
    if let session, let observed {
      try refusals.collect { () throws(MergeError) in
        quiescence = try session.plan(
          for: request.source.deviceID, wantedMappings, onto: givenPath, in: mergeKey, observed,
          options: request.options.pool, restarts: request.options.restarts,
          isResumed: request.resumed != nil)
      }
    }
    var originPlan: OriginPlan?
    if session == nil {
      try refusals.collect { () throws(MergeError) in
        originPlan = try devices.originPlan(for: request, originSession, in: environment)
      }
    }
    request.source.snapshotID =
      quiescence.map(\.snapshotID)
      ?? session?.earlierSnapshotID(of: request.source.deviceID, in: mergeKey)
    let originChanges = quiescence?.origin ?? originPlan
    if let volume = originChanges?.volumes?.merged { request.source.take(volume) }
    if let decided = originChanges {
      if decided.path != request.originPath {
        request.originPath = decided.path
        origin = try devices.origin(decided.path)
      }
      for note in decided.notes { environment.observer.note(note) }
    }
    let usualPath = try environment.journals.usualPath(of: origin)
    let marked =
      request.resumed == nil && !request.options.restarts
      ? environment.marks(of: origin).finishedMerges(besides: usualPath) : []
    let finishedPath = request.finishedJournalPath(
      devices.data, onto: origin, marked: marked, in: environment)
    let journalPath =
      finishedPath ?? request.options.journalPath.map(FileSystem.absolute) ?? usualPath
    try refusals.collect { () throws(MergeError) in
      if let header = request.resumed?.header, session != nil {
        try devices.check(
          origin, are: header, dataIsTheSame: request.options.dataIsTheSame)
      }
      try DeviceTarget.check(
        origin,
        use: session?.use(quiescence) ?? originPlan.map(originSession.use) ?? .exclusive,
        isMadeWritable: originChanges?.readOnlyLayers.isEmpty == false,
        linearParts: environment.linearParts(under: origin),
        allowsUnseenLoopDevices: environment.allowsUnseenLoopDevices, clock: environment.clock)
      try environment.journals.checkPlace(
        journalPath, of: [devices.metadata, devices.data, origin])
      if request.resumed == nil, !request.options.restarts {
        try environment.journals.checkUsualPlace(usualPath, chosen: journalPath)
      }
    }

    request.options.transfer.ioByteCount = devices.ioByteCount(
      request.options.transfer, onto: origin)
    var planned: PlannedMerge
    do throws(MergeError) {
      if let session, let observed {
        try session.hold(&request.source, observed, isResumed: request.resumed != nil)
      }
      planned = try PlannedMerge(
        request, devices, origin, journalPath: journalPath, session, in: environment)
    } catch {
      // A merge would already have thrown the first refusal.
      throw refusals.first ?? request.resumed?.refusal(of: origin, insteadOf: error) ?? error
    }
    var sharers = originPlan?.sharers ?? []
    if let session, let observed {
      let pool = planned.pool
      try refusals.collect { () throws(MergeError) in
        sharers = try session.checkOtherDevices(
          pool, observed, besides: request.source.readID, quiescence,
          options: request.options.pool, at: .planning)
      }
    }
    var handover: VolumeHandover?
    var handoverRefusal: MergeError?
    if request.options.handsOver {
      do throws(MergeError) {
        handover = try HandoverOperation(environment: environment).plan(
          request, quiescence?.origin?.volumes)
      } catch {
        if purpose == .merging { throw error }
        handoverRefusal = error
      }
    }
    // A sharer that appears while the question is open was not named in it.
    request.options.pool = request.options.pool.agreeing(onlyTo: sharers)
    planned.add(sharers)
    var givenUp: [OpenFile] = []
    if request.options.restarts {
      try refusals.collect { () throws(MergeError) in
        givenUp = try environment.journals.givenUp(
          [usualPath] + environment.marks(of: origin).unfinishedJournals(), besides: journalPath,
          locking: purpose == .merging)
      }
    }
    var slot = JournalSlot.empty
    var journalRefusal: MergeError?
    do throws(MergeError) {
      slot = try planned.findJournal(
        request, devices, origin, session, for: purpose, in: environment)
      if !request.options.restarts {
        try environment.checkOtherMerges(
          onto: environment.marks(of: origin), slot.journalOfSameMerge, usualPath: usualPath,
          mergesAgain: request.options.mergesAgain)
      }
      if finishedPath == nil, !request.options.mergesAgain, slot.journalOfSameMerge == nil,
        let error = marked.lazy.compactMap({ [match = planned.match] in
          $0.refusal(of: match, onto: origin.path)
        }).first
      {
        throw error
      }
    } catch {
      if purpose == .merging { throw error }
      journalRefusal = error
    }
    planned.addRemnants(
      of: slot, givenUp: givenUp, environment.marks(of: origin), environment.journals)
    if let reason = quiescence?.noSnapshot, slot.journalOfSameMerge?.state.isFinished != true {
      environment.observer.note(.noSnapshotMade(reason))
    }
    self.environment = environment
    self.session = session
    self.mergeKey = mergeKey
    self.quiescence = quiescence
    self.originSession = originSession
    self.originPlan = originPlan
    self.devices = devices
    self.origin = origin
    self.usualPath = usualPath
    self.wantedMappings = wantedMappings
    self.request = request
    self.planned = planned
    self.handover = handover
    self.slot = slot
    self.givenUp = givenUp
    self.journalRefusal = journalRefusal
    refusal = refusals.first ?? handoverRefusal
  }

  /// Collects refusals with the purpose `looking`; with `merging`, each one is thrown.
  private struct Refusals {
    let purpose: Purpose
    private(set) var first: MergeError?

    mutating func collect(_ check: () throws(MergeError) -> Void) throws(MergeError) {
      do throws(MergeError) {
        try check()
      } catch {
        if purpose == .merging { throw error }
        first = first ?? error
      }
    }
  }

  /// The report of what will be merged and what earlier runs of the same merge recorded.
  var report: PlanReport {
    var report = planned.report
    report.refusal = refusal ?? journalRefusal
    report.makesSnapshot = quiescence?.makesSnapshot == true && finishedJournal == nil
    report.thinDeviceIsOpen = quiescence?.open.isEmpty == false
    report.protectedOriginName = (quiescence?.origin ?? originPlan)?.protectedName
    report.handover = handover
    if let session, case .earlierSnapshot = quiescence?.way {
      report.isWrittenSinceSnapshot =
        session.thinDeviceState(
          of: request.source.deviceID, since: planned.mappingRoot) == .writtenSince
    }
    if let journal = slot.journalOfSameMerge { report.add(journal.state, request.options) }
    if case .superseded(let file, _) = slot { report.journalsPutAside.append(file.path) }
    report.journalsPutAside += givenUp.map(\.path)
    return report
  }

  /// The journal of the same merge, if that merge is finished and not to be repeated.
  var finishedJournal: OpenJournal? {
    guard let journal = slot.journalOfSameMerge, journal.state.isFinished,
      !request.options.mergesAgain
    else { return nil }
    return journal
  }

  /// The ids of all journals that this merge gives up.
  var givenUpIDs: [String] {
    var files = givenUp
    if case .superseded(let file, _) = slot { files.append(file) }
    return files.compactMap { environment.journals.id(of: $0) }
  }

  /// Plans again, from the new snapshot or from the thin device now that it is at rest.
  mutating func planAgain(_ session: PoolSession) throws(MergeError) {
    session.hold.release()
    slot = .empty
    request.source.snapshotID = session.snapshotID
    request.source.mappings = .ownMetadataSnapshot
    let observed = try session.observed()
    try session.hold(&request.source, observed, isResumed: request.resumed != nil)
    planned = try PlannedMerge(
      request, devices, origin, journalPath: planned.journalPath, session, in: environment)
    planned.add(
      try session.checkOtherDevices(
        planned.pool, observed, besides: request.source.readID, quiescence,
        options: request.options.pool, at: .writing))
    slot = try planned.findJournal(
      request, devices, origin, session, for: .merging, in: environment)
    planned.addRemnants(
      of: slot, givenUp: givenUp, environment.marks(of: origin), environment.journals)
  }

  /// Decides the changes again from the current state and makes them, all but the snapshot.
  ///
  /// - Returns: The use that keeps all other users off the origin.
  func apply() throws(MergeError) -> OriginUse {
    if let session, let quiescence {
      session.thinDeviceName = request.source.deviceName
      return try session.apply(decidedAgain(quiescence, session))
    }
    guard session == nil, originPlan != nil else { return .exclusive }
    guard
      let now = try devices.originPlan(for: request, originSession, in: environment),
      now.path == request.originPath
    else { throw .originReplaced(request.originPath) }
    return try originSession.apply(now)
  }

  /// Checks again that no merge onto the origin is unfinished, and none has finished this one.
  ///
  /// Another run may have merged onto the origin while the question was open.
  ///
  /// - `target`: the origin, locked from here on.
  func checkNoOtherMergeCame(onto target: OpenFile, _ marks: OriginMarks) throws(MergeError) {
    let options = request.options
    guard !options.restarts else { return }
    try environment.checkOtherMerges(
      onto: marks, slot.journalOfSameMerge, usualPath: usualPath, mergesAgain: options.mergesAgain)
    guard request.resumed == nil else { return }
    try environment.journals.checkUsualPlace(usualPath, chosen: planned.journalPath)
    if !options.mergesAgain,
      let finished = FinishedMergeComparison(environment: environment).find(
        of: request.source.deviceID, devices.data, onto: target, journalPath: planned.journalPath)
    {
      throw .finishedMeanwhile(finished.journalPath)
    }
  }

  /// Returns the existing journal of this merge, or creates one after moving other journals away.
  func journal(clearing marks: OriginMarks, byteCountMax: UInt64) throws(MergeError) -> OpenJournal
  {
    if let found = slot.journalOfSameMerge { return found }
    // Settled marks are removed first: a journal moved away below may be the only one that explains
    // a mark.
    if !request.options.restarts { marks.removeSettled() }
    let taker = StatusReport.GivenUp(
      seconds: environment.secondsSince1970(), deviceID: planned.header.deviceID,
      journalPath: planned.journalPath)
    try environment.journals.putAside(givenUp, for: taker)
    try environment.journals.clear(planned.journalPath, found: slot, for: taker)
    return try environment.journals.make(
      planned.journalPath, header: planned.header, byteCountMax: byteCountMax)
  }

  /// Decides again, from the current state, how the thin device is kept unchanged.
  ///
  /// - `before`: the decision made before the question.
  /// - Throws: `MergeError` also where the origin or the merged device has been replaced meanwhile.
  private func decidedAgain(
    _ before: QuiescencePlan, _ session: PoolSession
  ) throws(MergeError) -> QuiescencePlan {
    let observed = try session.observed(
      for: request.source.deviceID, request.options.pool)
    let now = try session.plan(
      for: request.source.deviceID, wantedMappings, onto: request.originPath, in: mergeKey,
      observed,
      options: request.options.pool, restarts: request.options.restarts,
      isResumed: request.resumed != nil)
    guard now.origin.map(\.path) ?? request.originPath == request.originPath else {
      throw .originReplaced(request.originPath)
    }
    guard now.snapshotID == before.snapshotID, now.readsSnapshot == before.readsSnapshot else {
      throw .poolChanged(session.poolName)
    }
    _ = try session.checkOtherDevices(
      planned.pool, observed, besides: request.source.readID, now,
      options: request.options.pool, at: .writing)
    return now
  }
}

extension MergeRequest {
  /// Returns the path of the same merge's journal if that merge is finished and is to be compared.
  ///
  /// - Returns: Nil also where no path was requested and the journal is at the default path.
  fileprivate func finishedJournalPath(
    _ data: OpenFile, onto origin: OpenFile, marked: [MarkedMerge], in environment: Environment
  ) -> String? {
    guard resumed == nil, !options.restarts else { return nil }
    guard options.journalPath == nil else {
      guard !options.mergesAgain else { return nil }
      return FinishedMergeComparison(environment: environment).find(
        of: source.deviceID, data, onto: origin, journalPath: options.journalPath)?.journalPath
    }
    // The default path is checked in any case.
    let journal = MarkedMerge.journal(
      of: source.deviceID, data, onto: origin, among: marked,
      dataIsTheSame: options.dataIsTheSame)
    return journal?.file.path
  }

  /// Fills in the mappings and the size that the pool provides.
  fileprivate mutating func complete(
    _ session: PoolSession, _ observed: ObservedPool
  ) throws(MergeError) {
    // Only a metadata snapshot whose root the user gave is usable even after more blocks were
    // mapped.
    if let header = resumed?.header, case .metadataSnapshot(let named?) = header.mappings,
      observed.heldRoot == named
    {
      source.mappings = header.mappings
    }
    if options.extent.thinByteCount == nil, !session.hold.isOnlyCopy(of: source.deviceID) {
      let target = try observed.devices.thinTarget(of: source.deviceID, in: observed.pool)
      options.extent.thinByteCount = target.map { $0.sectorCount * 512 }
    }
  }
}

extension MergeSource {
  /// Sets the thin device's name and UUIDs from LVM.
  fileprivate mutating func take(_ known: KnownVolume) {
    deviceName = known.fullName
    volume = known.uuids
  }
}

extension OpenJournal {
  /// Returns the refusal of an origin that is too short only because it is not the journal's origin
  /// or was shortened; nil for any other error.
  fileprivate func refusal(of origin: OpenFile, insteadOf error: MergeError) -> MergeError? {
    guard error.code == .originTooShort,
      let difference = JournalMatch.originDifference(
        from: header, DeviceIdentity(origin), path: origin.path)
    else { return nil }
    return .journalOfOtherMerge(
      file.path, difference, deviceID: header.deviceID, isFinished: state.isFinished,
      isResumed: true)
  }
}

extension PoolState.MergeKey {
  /// - `origin`: the topmost layer of the origin.
  init(of origin: OpenFile, journalID: String?) {
    self.init(originName: DeviceIdentity.nameOrPlace(of: origin), journalID: journalID)
  }
}

extension Environment {
  /// Returns the merge's key in the pool's record, with the id of the journal to resume or of the
  /// journal at the merge's journal path.
  fileprivate func mergeKey(
    of request: MergeRequest, onto origin: OpenFile
  ) -> PoolState.MergeKey {
    let path =
      request.options.journalPath.map(FileSystem.absolute)
      ?? (try? journals.usualPath(of: origin))
    return PoolState.MergeKey(
      of: origin, journalID: request.resumed?.id ?? path.flatMap { journals.id(at: $0) })
  }
}
