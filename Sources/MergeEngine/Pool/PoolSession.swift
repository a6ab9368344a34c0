internal import SystemPackage

/// A run's work on an active pool: what it changes for a merge, in which order, and how that is undone.
///
/// Every step is in the pool's record before it is made, and is undone by ``end(_:)``, or by the next
/// run if this one is killed.
package final class PoolSession {
  private let pool: LockedPool
  private let settling: Settling
  package let hold: MetadataHold
  private let snapshots: ThinSnapshots
  private let removed: RemovedDevices
  private let origin: OriginLayers
  private let watch: ThinDeviceWatch
  /// What was applied; nil until then.
  private var applied: QuiescencePlan?
  private var hasNotedKept = false
  /// Whether a snapshot was made for nothing but to see writes.
  private var tracesWrites = false

  /// What of an earlier run is undone before a pool is worked on.
  package enum Settling: Equatable, Sendable {
    case everything
    /// For who only looks: what is suspended, and a metadata snapshot that keeps mappings from being read.
    case whatBlocks(reading: MergeSource.Mappings)
  }

  /// Settles what an earlier run left in the pool.
  package init(
    _ pool: LockedPool, settling: Settling = .everything
  ) throws(MergeError) {
    self.pool = pool
    self.settling = settling
    hold = MetadataHold(pool)
    snapshots = ThinSnapshots(pool)
    removed = RemovedDevices(pool: pool)
    origin = OriginLayers(
      record: pool.stateFile, mapper: pool.mapper, bootID: pool.bootID, devices: pool.devices,
      recordCleanupFailure: pool.recordCleanupFailure)
    watch = ThinDeviceWatch(pool, hold, snapshots)
    try settle()
    watch.begin()
  }

  package var poolName: String { pool.name }

  /// What people call the thin device that is merged; nil where they gave its number.
  var thinDeviceName: String?

  /// What could not be undone.
  package var cleanupFailures: [MergeNote] { pool.cleanupFailures }

  // MARK: Deciding

  /// Looks at tables, status and superblock.
  package func observed() throws(MergeError) -> ObservedPool { try pool.observed() }

  /// Looks at them before a merge is decided.
  func observed(for deviceID: UInt32, _ options: PoolOptions) throws(MergeError) -> ObservedPool {
    options.allowsOpenThinDevice
      ? try pool.observed() : try pool.observed(onceClosed: deviceID)
  }

  /// Decides what is read of a thin device while it is merged onto the origin.
  ///
  /// - Throws: `MergeError`: what a merge is refused for.
  package func plan(
    for deviceID: UInt32, _ mappings: MergeSource.Mappings, onto originPath: String,
    in merge: PoolState.MergeKey, _ observed: ObservedPool, options: PoolOptions,
    restarts: Bool, isResumed: Bool
  ) throws(MergeError) -> QuiescencePlan {
    let earlier = try earlierSnapshot(of: deviceID, in: merge)
    var isReplaced = hold.isOnlyCopyOfReplaced(deviceID)
    if let earlier, !restarts || deviceID == earlier.deviceID,
      try snapshots.isReplaced(earlier)
    {
      // Only a journal, or the snapshot's own number, says that the earlier one is meant.
      guard isResumed || deviceID == earlier.deviceID else {
        throw .snapshotOfAnother(pool.name, deviceID: earlier.deviceID, of: earlier.originalID)
      }
      isReplaced = true
    }
    return try QuiescencePlan(
      for: deviceID, onto: originPath, observed, earlier: earlier, mappings: mappings,
      isHeld: hold.isOnlyCopy(of: deviceID), isReplaced: isReplaced,
      options: options, restarts: restarts, holders: pool.mapper.holders
    ) { origin throws(MergeError) in
      guard let uuids = VolumeUUIDs(mappedUUID: pool.device.uuid) else { return nil }
      do throws(LogicalVolumes.NoAnswer) {
        return try VolumesOnOrigin(
          origin.compactMap { VolumeUUIDs(mappedUUID: $0.uuid) }, of: uuids, deviceID: deviceID,
          transactionID: observed.live.transactionID, run: pool.runProgram)
      } catch {
        throw .lvmSilent(pool.name, after: Program.answerTimeMax, suspended: [])
      }
    }
  }

  /// Refuses where other thin devices of the pool are on the same origin, or may be, and were not agreed to.
  ///
  /// - `metadata`: what was planned from.
  /// - Returns: every thin device besides that is on the origin of `plan`, or may be.
  func checkOtherDevices(
    _ metadata: PoolMetadata, _ observed: ObservedPool, besides deviceID: UInt32,
    _ plan: QuiescencePlan?, options: PoolOptions, at moment: OtherDevices.Moment
  ) throws(MergeError) -> [OriginSharer] {
    let others = try OtherDevices(
      pool, observed, planned: metadata, besides: deviceID, plan, at: moment)
    if plan?.makesSnapshot == true { try snapshots.checkNumbersOfLVM(among: others.all.map(\.id)) }
    return try others.checkConsent(options)
  }

  /// Who may have the origin open until the plan is applied.
  func use(_ plan: QuiescencePlan?) -> OriginUse {
    guard let plan, let origin = plan.origin else { return .exclusive }
    return origin.use(users: plan.usersBefore, pool.mapper.holders)
  }

  // MARK: Acting

  /// Takes a metadata snapshot for a source, where none is held that may be used.
  ///
  /// - `observed`: what was looked at already.
  /// - Throws: `MergeError` as ``MetadataHold`` does; `busy` where the snapshot that is to be merged is not in
  ///   it any more.
  func hold(
    _ source: inout MergeSource, _ observed: ObservedPool? = nil, isResumed: Bool = false
  ) throws(MergeError) {
    let observed = if let observed { observed } else { try self.observed() }
    try observed.checkHealth(ignoresNeedsCheck: source.ignoresNeedsCheck)
    source.mappings = try hold.hold(
      source.mappings, of: source.readID, observed,
      ignoresNeedsCheck: source.ignoresNeedsCheck, isResumed: isResumed)
    // A metadata snapshot of somebody else is older than the snapshot, and has the same of the thin device.
    if source.snapshotID != nil, !hold.isOwn, try !snapshots.isHeld(source.readID) {
      source.snapshotID = nil
    }
    try snapshots.check(source.readID)
    noteKeptSnapshots(besides: source.readID)
  }

  /// Takes a metadata snapshot for a list of the pool's thin devices.
  func holdForListing(
    _ wanted: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> MergeSource.Mappings {
    let observed = try observed()
    try observed.checkHealth(ignoresNeedsCheck: ignoresNeedsCheck)
    let mappings = try hold.hold(
      wanted, of: nil, observed, ignoresNeedsCheck: ignoresNeedsCheck)
    noteKeptSnapshots()
    return mappings
  }

  /// Says once which snapshots are kept for merges that are not finished, and what they keep from being freed.
  private func noteKeptSnapshots(besides deviceID: UInt32? = nil) {
    let kept = pool.state.snapshots.filter { $0.isNeeded && $0.deviceID != deviceID }
    guard !hasNotedKept, !kept.isEmpty,
      let found = try? pool.liveDevices(Set(kept.map(\.deviceID)))
    else { return }
    hasNotedKept = true
    for snapshot in kept {
      guard let device = found.first(where: { $0.id == snapshot.deviceID }) else { continue }
      pool.note(
        .snapshotKept(
          snapshot.deviceID, of: snapshot.originalID, pool: pool.name,
          byteCount: device.details.mappedBlockCount &* pool.target.blockByteCount))
    }
  }

  /// Makes the changes that were decided, all but the snapshot, which ``makeSnapshot()`` makes.
  ///
  /// - Returns: what keeps everybody else off the origin.
  package func apply(_ plan: QuiescencePlan) throws(MergeError) -> OriginUse {
    if let layers = plan.origin?.readOnlyLayers { try origin.makeWritable(layers) }
    switch plan.way {
    case .asItIs, .held, .earlierSnapshot, .snapshot: break
    case .removed(let devices, let isPutBack):
      for device in devices { try removed.remove(device, isPutBack: isPutBack) }
      watch.begin()
    }
    applied = plan
    guard let origin = plan.origin else { return .exclusive }
    try origin.check(users: plan.users, pool.devices(), pool.mapper.holders)
    return origin.use(users: plan.users, pool.mapper.holders)
  }

  /// Makes the snapshot, if one was decided, for which the thin device is suspended where it is active.
  ///
  /// Everything else that can be refused has been looked at by now.
  package func makeSnapshot() throws(MergeError) {
    guard let applied, case .snapshot(let thin) = applied.way else { return }
    try snapshots.make(of: applied.deviceID, through: thin)
    if let made = snapshots.made {
      pool.note(
        .snapshotMade(made, of: thin?.path ?? thinDeviceName ?? "dev \(applied.deviceID)"))
    }
  }

  /// Has every write to a thin device move the root of its mappings from now on, if the pool can make a snapshot of it.
  ///
  /// Nobody may be able to write to it yet. ``end(hasWritten:)`` deletes the snapshot.
  func traceWrites(to deviceID: UInt32) throws(MergeError) {
    let status = try observed().status
    guard NoSnapshotReason(.ownMetadataSnapshot, status, PoolOptions()) == nil else { return }
    try snapshots.make(of: deviceID, through: nil)
    tracesWrites = true
  }

  /// Finds out whether a thin device was written to since; nil where no snapshot could be made.
  func hasTracedWrite(to deviceID: UInt32) -> Bool? {
    guard tracesWrites, let made = snapshots.made else { return nil }
    guard let live = try? pool.liveDevices([deviceID, made]), live.count == 2 else { return true }
    return live[0].mappingRoot != live[1].mappingRoot
  }

  /// Makes the origin writable again that somebody made read-only in mid-merge, and says so.
  ///
  /// - Returns: false where it was not read-only, or stays so.
  func makeOriginWritableAgain() -> Bool {
    guard let path = applied?.origin?.path, origin.makeWritableAgain() else { return false }
    pool.note(.originMadeWritableAgain(path))
    return true
  }

  /// Returns whether what was planned from the metadata snapshot is what there is to be merged, now that
  /// nobody can change it any more.
  ///
  /// `root`: the mapping tree that was planned.
  package func isUnchanged(since root: MetadataBlock) throws(MergeError) -> Bool {
    guard let applied, applied.changesThinDevice, hold.isOwn || applied.makesSnapshot else {
      return true
    }
    if applied.makesSnapshot { return try snapshots.hasMappings(of: root) }
    return try pool.liveDevices([applied.deviceID]).first?.mappingRoot == root
  }

  /// The snapshot that an earlier run made for a merge; nil where there is none.
  func earlierSnapshotID(of deviceID: UInt32, in merge: PoolState.MergeKey) -> UInt32? {
    guard let snapshot = try? earlierSnapshot(of: deviceID, in: merge),
      snapshot.deviceID != deviceID, !hold.isOnlyCopy(of: deviceID)
    else { return nil }
    return snapshot.deviceID
  }

  /// The snapshot that is merged; nil where the thin device itself is.
  package var snapshotID: UInt32? {
    guard let applied else { return nil }
    return applied.makesSnapshot ? snapshots.made : applied.snapshotID
  }

  /// Records that the origin is about to be written to.
  ///
  /// From now on a snapshot, and a metadata snapshot that may turn out to be the only copy, are kept until
  /// all is merged.
  ///
  /// - `source`: the thin device, as it is in the metadata snapshot.
  /// - `givenUpIDs`: the journals that this merge gives up.
  func writingBegins(
    from source: MergeSource, in merge: PoolState.MergeKey, insteadOf givenUpIDs: [String]
  ) throws(MergeError) {
    try hold.isNeeded(
      for: source.readID, snapshot: source.readID == snapshotID ? nil : snapshotID)
    try snapshots.writingBegins(
      from: snapshotID ?? source.readID, of: source.deviceID, in: merge, insteadOf: givenUpIDs)
  }

  /// Records that all is merged, so that no snapshot need be kept for another run.
  func mergeIsFinished(of source: MergeSource, in merge: PoolState.MergeKey) {
    snapshots.isMerged(source.deviceID, in: merge)
  }

  /// Records that what is merged is not what is on the origin, so that a snapshot is needed to merge it again.
  func mergeIsWrong(of source: MergeSource, in merge: PoolState.MergeKey) {
    snapshots.isNeededAgain(source.deviceID, in: merge)
  }

  /// Checks once more, when all is merged, that neither what is merged nor the origin could change meanwhile.
  ///
  /// - Throws: `MergeError` (`stopped`).
  package func checkStillQuiesced() throws(MergeError) {
    guard let applied else { return }
    let found = try pool.devices()
    // A thin device that is not read itself may have been activated, or removed.
    let thinDevice = pool.state.snapshot(applied.deviceID)?.originalID ?? applied.deviceID
    let users =
      applied.readsSnapshot ? found.showing(thinDevice, of: pool.device.number) : applied.users
    if let origin = applied.origin {
      do throws(MergeError) {
        try origin.check(users: users, found, pool.mapper.holders)
      } catch {
        throw error.atTheEnd()
      }
    }
    guard readsThinDevice(applied) else { return }
    try checkNotWritable(applied, found)
    // Whoever loaded one is about to make it live.
    let loaded = found.showing(applied.deviceID, of: pool.device.number).first {
      !$0.inactiveTable.isEmpty
    }
    if let loaded { throw .thinDeviceActivated(loaded.path) }
    // One that was activated, written to and deactivated again is in no table.
    guard !watch.hasSeenChanges else {
      throw .thinDeviceMaybeActivated(applied.deviceID, pool: pool.name)
    }
  }

  /// Checks in mid-merge that nobody can write to a thin device that is merged itself.
  ///
  /// Neither who has it open counts, since udev and LVM open devices for moments, nor a table that is not live: LVM loads
  /// the same once more where a pool grows.
  ///
  /// - Throws: `MergeError`.
  package func checkNotWritable() throws(MergeError) {
    guard let applied, readsThinDevice(applied) else { return }
    try checkNotWritable(applied, pool.devices())
  }

  private func readsThinDevice(_ applied: QuiescencePlan) -> Bool {
    !applied.readsSnapshot && !hold.isOnlyCopy(of: applied.deviceID)
  }

  private func checkNotWritable(
    _ applied: QuiescencePlan, _ found: MappedDevices
  ) throws(MergeError) {
    let intruder = found.showing(applied.deviceID, of: pool.device.number).first { device in
      !device.isReadOnly
        || !applied.users.contains { $0.number == device.number && $0.uuid == device.uuid }
    }
    if let intruder { throw .thinDeviceActivated(intruder.path) }
  }

  /// Finds out whether a thin device has anything besides what was read of it.
  ///
  /// `root`: the mapping tree that was read.
  func thinDeviceState(of deviceID: UInt32, since root: MetadataBlock) -> ThinDeviceState {
    watch.state(
      of: deviceID, since: root, read: snapshotID ?? deviceID,
      sharesBlocks: tracesWrites || applied?.readsSnapshot == true)
  }

  // MARK: The end

  /// Undoes what the run did to pool and devices.
  ///
  /// What cannot be undone is said, and stays in the record for the next run.
  ///
  /// `hasWritten`: whether the origin was written to; if not, everything is put back as it was.
  package func end(hasWritten: Bool) {
    pool.forgetCleanupFailures()
    guard settling == .everything else { return hold.releaseTakenNow() }
    hold.release()
    origin.restoreReadOnly()
    removed.putBack { !hasWritten || $0.isPutBack }
    snapshots.deleteUnneeded()
  }

  private func settle() throws(MergeError) {
    switch settling {
    case .everything: try settleEverything()
    case .whatBlocks(let wanted): try settleWhatBlocks(wanted)
    }
    // What is not undone is tried again, and said again.
    pool.forgetCleanupFailures()
  }

  // The order of `end`, on what the record says.
  private func settleEverything() throws(MergeError) {
    try removed.forgetLeft()
    guard !pool.state.isSettled else { return }
    pool.note(.poolLeft(pool.name, isSettledInPart: false))
    try snapshots.resumeThinDevices()
    hold.release()
    origin.restoreReadOnly()
    removed.putBack { $0.isPutBack }
    snapshots.deleteUnneeded()
  }

  private func settleWhatBlocks(_ wanted: MergeSource.Mappings) throws(MergeError) {
    if hold.isInTheWay(of: wanted) || pool.state.snapshots.contains(where: \.mayBeSuspended) {
      pool.note(.poolLeft(pool.name, isSettledInPart: true))
    }
    try snapshots.resumeThinDevices()
    hold.makeWay(for: wanted)
    let found = try pool.devices()
    let left = PoolRemainder(
      snapshotIDs: snapshots.findUnneeded(),
      removedPaths: removed.left(in: found).map(\.device.path),
      writableLayerPaths: origin.left(in: found).map(\.path))
    if !left.isEmpty { pool.note(.poolNotSettled(pool.name, left)) }
  }

  /// The devices as they are once all is undone that earlier runs left.
  func asSettled(_ devices: MappedDevices) -> MappedDevices {
    guard settling != .everything else { return devices }
    return removed.asPutBack(in: origin.asRestored(in: devices))
  }

  private func earlierSnapshot(
    of deviceID: UInt32, in merge: PoolState.MergeKey
  ) throws(MergeError) -> PoolState.Snapshot? {
    let earlier = try snapshots.earlier(of: deviceID, in: merge)
    guard settling != .everything, let earlier else { return earlier }
    // A merge has what is not needed deleted before, and what is not there then forgotten.
    if earlier.isNeeded { return earlier }
    return !earlier.hasBegun && snapshots.mayBeThere(earlier) ? earlier : nil
  }
}
