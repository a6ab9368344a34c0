/// Brings what an active pool shows to rest.
struct SourceQuiescing {
  let environment: Environment

  /// Brings thin device and origin to rest, once all that can be refused without it has been looked at
  /// and, if anything is to be changed for it, that was agreed to.
  func quiesce(
    _ source: MergeSource, _ originPath: String, _ options: MergeOptions, _ header: JournalHeader?,
    _ session: PoolSession
  ) throws(MergeError) -> QuiescedSource {
    try session.checkHealth(ignoresNeedsCheck: source.ignoresNeedsCheck)
    let origin = try session.checkOrigin(originPath, of: source.deviceID, options: options.pool)
    let thin = try session.checkCanQuiesce(
      source.deviceID, options: options.pool, restarts: options.restarts)
    let isResumed = header != nil
    try session.checkCanHold(
      source.mappings, of: thin.deviceID, snapshotIsMade: thin.makesSnapshot, isResumed: isResumed)
    let devices = try OpenDevices(source, originPath: originPath, writing: nil)
    if let header { try checkSameDevices(header, devices) }
    var quiesced = QuiescedSource(source: source, originPath: originPath, session: session)
    if thin.changesDevices || origin.isReadOnly {
      quiesced.isAgreedTo = true
      var asked = source
      asked.deviceID = thin.deviceID
      try askBeforeChanges(asked, devices, options, session, isResumed: isResumed)
    }
    quiesced.source.deviceID = try session.quiesce(
      source.deviceID, options: options.pool, restarts: options.restarts)
    (quiesced.originPath, quiesced.originUse) = try session.prepare(origin: originPath)
    return quiesced
  }

  /// A journal names devices by paths, which may lead to others since.
  private func checkSameDevices(
    _ header: JournalHeader, _ devices: OpenDevices
  ) throws(MergeError) {
    var recorded = [(file: devices.data, identity: header.dataIdentity, role: "data device")]
    if let origin = devices.origin { recorded.append((origin, header.originIdentity, "origin")) }
    for (file, identity, role) in recorded where !identity.name.isEmpty {
      let now = DeviceIdentity(file).name
      guard now.isEmpty || now == identity.name else { throw .notRecordedDevice(file.path, role) }
    }
  }

  /// Plans with the thin device as it is, and asks; what is then merged is planned again.
  private func askBeforeChanges(
    _ source: MergeSource, _ devices: OpenDevices, _ options: MergeOptions, _ session: PoolSession,
    isResumed: Bool
  ) throws(MergeError) {
    guard let origin = devices.origin else { return }
    let journalPath =
      options.journalPath.map(FileSystem.absolute)
      ?? JournalFile.place(
        of: origin, identity: DeviceIdentity(origin), stateFolder: environment.stateFolder)
    try environment.journals.checkPlace(journalPath, of: devices.all)
    var held = source
    held.mappings = try session.hold(
      source.mappings, of: source.deviceID, ignoresNeedsCheck: source.ignoresNeedsCheck,
      isResumed: isResumed)
    defer { session.release() }
    let byteCount = devices.ioByteCount(options.transfer)
    let planned = try devices.plan(
      held, extent: options.extent, ioByteCount: byteCount, in: environment)
    try session.checkOtherDevices(
      planned.pool, besides: source.deviceID, options: options.pool)
    var report = planned.report(
      originByteCount: origin.byteCount, journalPath: journalPath, ioByteCount: byteCount)
    // Of a merge that is finished another question is asked. What the journal is worth is looked at later.
    if !options.restarts, FileSystem.exists(journalPath),
      let journal = try? environment.journals.open(journalPath),
      journal.header.deviceID == source.deviceID
    {
      if journal.state.attemptCount > 0, !journal.state.isFinished {
        try session.holdIsNeeded(for: source.deviceID)
      }
      report.add(journal.state)
    }
    guard environment.observer.approve(report) else { throw .notApproved(origin.path) }
  }
}

/// What is merged onto what, and how both are kept at rest meanwhile.
struct QuiescedSource {
  var source: MergeSource
  var originPath: String
  var originUse = OriginUse.exclusive
  /// Nil where no pool is active on the metadata.
  var session: PoolSession?
  /// Whether the question has been asked already.
  var isAgreedTo = false

  /// For a later run: it takes a metadata snapshot of its own again.
  var recordedMappings: MergeSource.Mappings {
    session?.holdsMetadataSnapshot == true ? .ownMetadataSnapshot : source.mappings
  }
}
