internal import SystemPackage

/// Replaces an LVM thin volume with its external origin after the merge has finished.
///
/// All steps are recorded in the journal before the first one is taken, and LVM's metadata is
/// checked before each step to see whether the step is already done. An interrupted handover
/// therefore resumes at the first step that is not done.
struct HandoverOperation {
  let environment: Environment

  /// Plans the handover of a requested merge.
  ///
  /// - `volumes`: LVM's data about the volumes that use the origin; nil if no such data is
  ///   available.
  /// - Throws: `MergeError` (`refused`) if the thin device or the origin is not an LVM volume, if
  ///   anything other than the thin volume would be lost, or if part of the thin volume would not
  ///   be merged.
  func plan(
    _ request: MergeRequest, _ volumes: VolumesOnOrigin?
  ) throws(MergeError) -> VolumeHandover {
    guard let merged = volumes?.mergedVolumes else {
      throw .noVolumesToHandOver(request.source.nameInMessages)
    }
    let extent = request.options.extent
    let given = extent.thinByteCount ?? merged.thin.byteCount
    guard given >= merged.thin.byteCount, extent.pastEnd == .refuse else {
      throw .partOfVolumeLeftOut(merged.volumes.name(of: merged.thin))
    }
    return try merged.handover(takesName: request.options.takesName, staysActive: false)
  }

  /// Returns the remaining steps of a merge's handover, without changing anything.
  ///
  /// - Throws: The errors that ``run(_:takesName:)`` throws before it starts the comparison.
  func plan(_ journalPath: String, takesName: Bool) throws(MergeError) -> PlannedHandover {
    let journal = try environment.journals.look(at: journalPath)
    let recorded = journal.state.handover
    let takesName = takesName || recorded?.takesName == true
    if var recorded, try !isThinVolumeThere(recorded) {
      recorded.takesName = takesName
      return PlannedHandover(recorded, thinVolumeIsThere: false)
    }
    if let rest = try rest(journal.header, takesName: takesName) {
      return PlannedHandover(rest, thinVolumeIsThere: false)
    }
    return PlannedHandover(
      try volumes(journal.header).handover(takesName: takesName, staysActive: false),
      thinVolumeIsThere: true)
  }

  /// Plans a handover as a dry run, and also checks that no process has the thin volume open.
  ///
  /// A real run leaves that check to LVM, which retries if a process has the volume open only
  /// briefly.
  ///
  /// - Throws: The errors of ``plan(_:takesName:)``, and `MergeError` (`busy`) if a process has the
  ///   thin volume open.
  func rehearse(_ journalPath: String, takesName: Bool) throws(MergeError) -> PlannedHandover {
    let planned = try plan(journalPath, takesName: takesName)
    let thin = planned.handover.thin
    if planned.thinVolumeIsThere,
      let active = try environment.mappedDevices().active(thin), active.openCount > 0
    {
      throw .volumeInUse(thin.fullName)
    }
    return planned
  }

  /// Returns the handover of a merge, for users who want to carry it out by hand; nil if the
  /// handover would be refused.
  func proposal(_ journalPath: String) -> VolumeHandover? {
    do throws(MergeError) {
      let header = try environment.journals.look(at: journalPath).header
      let merged = try volumes(header)
      guard VolumeUUIDs(identity: header.originIdentity) == merged.originUUIDs else { return nil }
      return try merged.handover(takesName: false, staysActive: false)
    } catch {
      return nil
    }
  }

  /// Performs all remaining steps of the handover.
  ///
  /// The thin volume is deactivated and fully compared with the origin before it is removed, so
  /// removing it cannot lose data that the origin lacks.
  ///
  /// - `takesName`: true to rename the origin to the thin volume's name. The origin is also renamed
  ///   if an earlier run recorded true.
  /// - Returns: The completed handover.
  /// - Throws: `MergeError`: `refused` or `busy` if nothing was changed; `stopped` if a step
  ///   failed.
  func run(_ journalPath: String, takesName: Bool) throws(MergeError) -> VolumeHandover {
    environment.makeActivatedVolumes().settle()
    guard let file = try JournalFile.open(journalPath, locking: true) else {
      throw .noJournal(journalPath)
    }
    try JournalFile.checkIsOwn(file)
    var journal = try environment.journals.read(file)
    guard journal.state.isFinished, journal.state.givenUp == nil else {
      throw .mergeNotFinished(
        journalPath, byteCount: journal.state.doneByteCount, of: journal.header.plannedByteCount)
    }
    let recorded = journal.state.handover
    if let recorded, journal.state.isHandedOver, !takesName || recorded.takesName {
      return recorded
    }
    let (handover, hasChanged) = try begun(recorded, takesName: takesName, in: &journal)
    do throws(MergeError) {
      try takeSteps(handover, hasChanged)
    } catch {
      if handover.staysActive, (try? isThinVolumeThere(handover)) == true {
        activate(handover.thin)
      }
      throw error
    }
    // The origin must stay active after this run exits.
    if handover.staysActive { activateOrigin(handover) }
    try record(.handedOver(seconds: environment.secondsSince1970()), in: &journal)
    return handover
  }

  /// Records the steps in the journal and, if the thin volume still exists, checks that none of its
  /// data would be lost.
  ///
  /// Before the volume is deactivated, the journal records whether it was active, so that a resumed
  /// run can tell.
  ///
  /// - Returns: The steps, and a closure that reports whether any mapped device was created or
  ///   removed since the thin volume was compared. The closure is nil if the thin volume no longer
  ///   exists or the kernel does not report such events.
  private func begun(
    _ recorded: VolumeHandover?, takesName: Bool, in journal: inout OpenJournal
  ) throws(MergeError) -> (VolumeHandover, hasChanged: (() -> Bool)?) {
    if var handover = recorded, try !isThinVolumeThere(handover) {
      guard takesName, !handover.takesName else { return (handover, nil) }
      handover.takesName = true
      try record(
        .handover(handover, seconds: environment.secondsSince1970()), in: &journal)
      return (handover, nil)
    }
    if let rest = try rest(journal.header, takesName: takesName) {
      try record(.handover(rest, seconds: environment.secondsSince1970()), in: &journal)
      return (rest, nil)
    }
    let merged = try volumes(journal.header)
    var handover = try merged.handover(
      takesName: takesName || recorded?.takesName == true,
      staysActive: recorded?.staysActive == true)
    if try isActive(handover.thin) { handover.staysActive = true }
    if handover != recorded {
      try record(
        .handover(handover, seconds: environment.secondsSince1970()), in: &journal)
    }
    do throws(MergeError) {
      return (handover, try compare(handover, journal))
    } catch {
      // The volume is left unchanged. A retry would fail with the same error, so the handover is
      // dropped.
      if handover.staysActive { activate(handover.thin) }
      try? record(.handoverDropped(seconds: environment.secondsSince1970()), in: &journal)
      throw error
    }
  }

  private func takeSteps(
    _ handover: VolumeHandover, _ hasChanged: (() -> Bool)?
  ) throws(MergeError) {
    var volumes = try listing(handover)
    while let step = try handover.nextStep(volumes) {
      if step == .removeThinVolume { try checkStillUnused(handover, volumes, hasChanged) }
      let command = handover.command(for: step, in: volumes.group)
      let end = environment.runChange(command)
      volumes = try listing(handover)
      guard try handover.nextStep(volumes) != step else {
        throw .handoverStepFailed(
          handover.originFullName, command, ActivationFailure(end, of: handover.thin))
      }
      environment.observer.note(.handedOver(step, handover))
    }
  }

  /// Checks again, right before the thin volume is removed, that it is still unused; other LVM
  /// commands may have run since the comparison.
  private func checkStillUnused(
    _ handover: VolumeHandover, _ volumes: LogicalVolumes, _ hasChanged: (() -> Bool)?
  ) throws(MergeError) {
    // A write to a block that is not shared does not change the root of the thin device's mappings.
    // But no process can write to the volume without activating it first.
    guard hasChanged?() == false else {
      throw .volumeNotAllMerged(
        handover.thinFullName, handover.originFullName,
        "devices were activated or removed after the comparison")
    }
    guard let thin = volumes[uuid: handover.thinUUID],
      let merged = MergedVolumes(volumes, thin: thin), merged.others.isEmpty
    else { throw .volumesOnOrigin(handover.originFullName, handover.thinFullName, []) }
    guard try !isActive(handover.thin) else {
      throw .volumeNotAllMerged(
        handover.thinFullName, handover.originFullName,
        "the thin volume was activated after the comparison")
    }
  }

  /// Compares all data of the thin volume with the origin while both are protected from writes.
  ///
  /// - Returns: A closure that reports whether any mapped device was created or removed since the
  ///   comparison; nil if the kernel does not report such events.
  private func compare(
    _ handover: VolumeHandover, _ journal: OpenJournal
  ) throws(MergeError) -> (() -> Bool)? {
    let thin = handover.thin
    if try isActive(thin) {
      let end = environment.runChange(thin.deactivation)
      guard try !isActive(thin) else {
        throw .volumeStaysActive(thin.fullName, ActivationFailure(end, of: thin))
      }
    }
    let found = try ThinDeviceLookup(environment: environment).resolve(.device(thin.fullName))
    guard found.source.volume == thin.uuids, found.source.deviceID == journal.header.deviceID
    else {
      throw .volumeNotAllMerged(
        thin.fullName, handover.originFullName,
        "the thin volume now has another device ID in the pool")
    }
    let originPath = try originPath(handover, journal)
    try ResumeOperation(environment: environment).checkSettled(
      RecordedMerge(journal), metadataPath: found.source.metadataPath)
    let session = try ActivePools(environment: environment).session(for: found.source)
    let hasChanged = try compare(found, originPath, handover, session)
    guard session?.cleanupFailures.isEmpty != false else {
      throw .volumeNotAllMerged(
        thin.fullName, handover.originFullName,
        "the comparison's changes to its pool could not be undone")
    }
    return hasChanged
  }

  /// Compares the thin device with the origin.
  ///
  /// If the pool can create a snapshot, one is kept during the comparison so that any write to the
  /// thin device can be detected.
  private func compare(
    _ found: ResolvedThinDevice, _ originPath: String, _ handover: VolumeHandover,
    _ session: PoolSession?
  ) throws(MergeError) -> (() -> Bool)? {
    defer { session?.end(hasWritten: false) }
    var source = found.source
    let hasChangedMeanwhile = environment.deviceMapper.watchForChanges()
    try session?.traceWrites(to: source.deviceID)
    try session?.hold(&source)
    let report = try VerifyOperation(environment: environment).verify(
      source, originPath, ExtentOptions(thinByteCount: found.thinByteCount), TransferOptions(),
      session)
    if let incomplete = report.incomplete { throw incomplete }
    // The new watch starts before the old one is checked for the last time, so no write goes
    // unnoticed between them.
    let hasChanged = environment.deviceMapper.watchForChanges()
    let hasWrite = session?.hasTracedWrite(to: source.deviceID) ?? hasChangedMeanwhile?()
    if let reason = report.reasonToKeep
      ?? (hasWrite == false ? nil : "the thin volume may have changed during the comparison")
    {
      throw .volumeNotAllMerged(handover.thinFullName, handover.originFullName, reason)
    }
    return hasChanged
  }

  /// Returns the path of the origin that the merge wrote to, after checking that LVM lists it as
  /// the thin volume's origin.
  private func originPath(
    _ handover: VolumeHandover, _ journal: OpenJournal
  ) throws(MergeError) -> String {
    let path = try ThinDeviceLookup(environment: environment).originPath(
      of: journal.header,
      recorded: journal.state.lastAttempt?.originPath ?? journal.header.originPath)
    let origin = try OpenFile(path, role: "origin", access: .readOnly)
    let identity = DeviceIdentity(origin)
    let mapped = try environment.mappedDevices()[origin.deviceNumber]
    guard identity.hasSameBytes(as: journal.header.originIdentity),
      mapped.flatMap({ VolumeUUIDs(mappedUUID: $0.uuid) }) == handover.origin.uuids
    else { throw .notRecordedDevice(path, "origin") }
    return path
  }

  /// Activates the origin, which now serves as the guest's disk.
  private func activateOrigin(_ handover: VolumeHandover) {
    var origin = handover.origin
    if handover.takesName { origin.name = handover.thinName }
    let wasKept = environment.activatedVolumes?.keep(origin) == true
    activate(origin)
    if wasKept, (try? isActive(origin)) == true {
      environment.observer.note(.originStaysActive(origin.fullName))
    }
  }

  /// Activates a volume if it is not active, and reports a failure as a note.
  private func activate(_ volume: KnownVolume) {
    guard (try? isActive(volume)) == false else { return }
    let end = environment.runChange(volume.activation)
    if (try? isActive(volume)) != true {
      environment.observer.note(
        .volumeNotActivated(volume.fullName, ActivationFailure(end, of: volume)))
    }
  }

  private func isThinVolumeThere(_ handover: VolumeHandover) throws(MergeError) -> Bool {
    try listing(handover)[uuid: handover.thinUUID] != nil
  }

  private func isActive(_ volume: KnownVolume) throws(MergeError) -> Bool {
    try environment.mappedDevices().shows(volume)
  }

  // MARK: LVM's metadata

  /// Returns the thin volume of a merge and its external origin according to LVM, which may not be
  /// the origin that the merge wrote to.
  private func volumes(_ header: JournalHeader) throws(MergeError) -> MergedVolumes {
    let name = header.thinDeviceName ?? "dev \(header.deviceID)"
    guard let data = header.thinVolume ?? VolumeUUIDs(identity: header.dataIdentity),
      let volumes = try listing(.uuid(data.group), name),
      let thin = header.thinVolume.map({ volumes[uuid: $0.volume] })
        ?? volumes[uuid: data.volume].flatMap(volumes.pool(withData:))
        .flatMap({ volumes.volume(header.deviceID, in: $0) }),
      let merged = MergedVolumes(volumes, thin: thin)
    else { throw .noVolumesToHandOver(name) }
    return merged
  }

  /// Returns the remaining steps if the thin volume was removed by hand; nil if it still exists, or
  /// if the thin device or the origin is not an LVM volume.
  private func rest(
    _ header: JournalHeader, takesName: Bool
  ) throws(MergeError) -> VolumeHandover? {
    guard let thin = header.thinVolume, let origin = VolumeUUIDs(identity: header.originIdentity),
      let (_, name) = header.thinDeviceName.flatMap({ ThinDeviceName($0).logicalVolume }),
      let volumes = try listing(.uuid(thin.group), name), volumes[uuid: thin.volume] == nil,
      let left = volumes[uuid: origin.volume]
    else { return nil }
    return VolumeHandover(
      groupName: volumes.group, thinName: name, originName: left.name,
      groupUUID: volumes.groupUUID, thinUUID: thin.volume, originUUID: left.uuid,
      takesName: takesName, staysActive: false)
  }

  private func listing(_ handover: VolumeHandover) throws(MergeError) -> LogicalVolumes {
    guard let volumes = try listing(.uuid(handover.groupUUID), handover.originFullName) else {
      throw .volumeGone(handover.originFullName, uuid: handover.originUUID)
    }
    return volumes
  }

  private func listing(
    _ selection: LogicalVolumes.Selection, _ name: String
  ) throws(MergeError) -> LogicalVolumes? {
    do throws(LogicalVolumes.NoAnswer) {
      return try LogicalVolumes(selection, run: environment.runProgram)
    } catch {
      throw .lvmSilent(name, after: Program.answerTimeMax, suspended: [])
    }
  }

  private func record(
    _ record: JournalRecord, in journal: inout OpenJournal
  ) throws(MergeError) {
    do throws(Errno) {
      try environment.journals.append(record, to: journal)
    } catch {
      throw .cannotRecordHandover(journal.file.path, error)
    }
    journal = try environment.journals.read(journal.file)
  }
}

extension VerifyReport {
  /// The reason the thin device is still needed, as part of a sentence; nil if all its data is on
  /// the origin.
  fileprivate var reasonToKeep: String? {
    if differingByteCount > 0 { return "\(differingByteCount.formattedByteCount) differ" }
    if !unreadable.isEmpty { return "some of the data cannot be read" }
    if unfinishedMerge != nil { return "the origin has an unfinished merge" }
    if !remnants.isEmpty { return "abandoned merges left blocks on the origin" }
    switch thinDevice {
    case .asMerged: return nil
    case .open: return "the thin volume is open"
    case .writtenSince: return "the thin volume was written to in the meantime"
    case .gone: return "the thin volume was removed from its pool in the meantime"
    case .unknown, nil: return "whether the thin volume was written to in the meantime is unknown"
    }
  }
}
