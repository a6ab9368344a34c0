internal import SystemPackage

/// Makes the changes to an active pool that a merge needs, in the required order, and undoes them.
///
/// Each step is recorded in the pool's record before it is taken. ``end(hasWritten:)`` undoes the
/// steps; if this run is killed, the next one undoes them.
package final class PoolSession {
  private let pool: LockedPool
  private let settling: Settling
  package let hold: MetadataHold
  private let snapshots: ThinSnapshots
  private let removed: RemovedDevices
  private let origin: OriginLayers
  private let watch: ThinDeviceWatch
  /// The plan that was applied; nil until a plan is applied.
  private var applied: QuiescencePlan?
  private var hasNotedKept = false
  /// True if the only purpose of the run's snapshot is to detect writes.
  private var tracesWrites = false

  /// Determines which leftovers of an earlier run are undone before any work on a pool.
  package enum Settling: Equatable, Sendable {
    case everything
    /// For runs that only inspect: resumes suspended devices, and releases a metadata snapshot that
    /// prevents the mappings from being read.
    case whatBlocks(reading: MergeSource.Mappings)
  }

  /// Opens a session on a locked pool, first undoing what an earlier run left behind.
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

  /// The name by which the user specified the merged thin device; nil if the user gave a device ID.
  var thinDeviceName: String?

  /// Notes about the steps that could not be undone.
  package var cleanupFailures: [MergeNote] { pool.cleanupFailures }

  // MARK: Deciding

  /// Reads the pool's device tables, status and superblock.
  package func observed() throws(MergeError) -> ObservedPool { try pool.observed() }

  /// Reads the pool's device tables, status and superblock to plan a merge.
  ///
  /// Waits for programs that have the thin device open briefly, unless `options` allow it to be
  /// open.
  func observed(for deviceID: UInt32, _ options: PoolOptions) throws(MergeError) -> ObservedPool {
    options.allowsOpenThinDevice
      ? try pool.observed() : try pool.observed(onceClosed: deviceID)
  }

  /// Decides how a thin device's mappings are kept from changing while they are merged onto the
  /// origin.
  ///
  /// - Throws: `MergeError`: the reason the merge is refused.
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
      // Only a journal, or the snapshot's own device ID, shows that the user means the earlier
      // device.
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

  /// Refuses a merge if other thin devices in the pool use the same origin, or may use it, and the
  /// user has not agreed to that.
  ///
  /// - `metadata`: the metadata that the merge was planned from.
  /// - Returns: the other thin devices that use the origin of `plan`, or may use it.
  func checkOtherDevices(
    _ metadata: PoolMetadata, _ observed: ObservedPool, besides deviceID: UInt32,
    _ plan: QuiescencePlan?, options: PoolOptions, at moment: OtherDevices.Moment
  ) throws(MergeError) -> [OriginSharer] {
    let others = try OtherDevices(
      pool, observed, planned: metadata, besides: deviceID, plan, at: moment)
    if plan?.makesSnapshot == true { try snapshots.checkNumbersOfLVM(among: others.all.map(\.id)) }
    return try others.checkConsent(options)
  }

  /// Returns the kind of access with which to open the origin until the plan is applied.
  func use(_ plan: QuiescencePlan?) -> OriginUse {
    guard let plan, let origin = plan.origin else { return .exclusive }
    return origin.use(users: plan.usersBefore, pool.mapper.holders)
  }

  // MARK: Acting

  /// Takes a metadata snapshot from which to read a source, unless a usable one is already held.
  ///
  /// - `observed`: the pool's state, if it has already been read; nil to read it now.
  /// - Throws: `MergeError`: those that ``MetadataHold`` throws, and `busy` if the snapshot to
  ///   merge is no longer in the metadata snapshot.
  func hold(
    _ source: inout MergeSource, _ observed: ObservedPool? = nil, isResumed: Bool = false
  ) throws(MergeError) {
    let observed = if let observed { observed } else { try self.observed() }
    try observed.checkHealth(ignoresNeedsCheck: source.ignoresNeedsCheck)
    source.mappings = try hold.hold(
      source.mappings, of: source.readID, observed,
      ignoresNeedsCheck: source.ignoresNeedsCheck, isResumed: isResumed)
    // A metadata snapshot taken by another program predates our snapshot, but contains the thin
    // device with the same mappings.
    if source.snapshotID != nil, !hold.isOwn, try !snapshots.isHeld(source.readID) {
      source.snapshotID = nil
    }
    try snapshots.check(source.readID)
    noteKeptSnapshots(besides: source.readID)
  }

  /// Takes a metadata snapshot for listing the pool's thin devices, unless a usable one is already
  /// held.
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

  /// Adds a note, once per session, about each snapshot kept for an unfinished merge and the space
  /// it occupies.
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

  /// Makes the planned changes except the snapshot, which ``makeSnapshot()`` makes.
  ///
  /// - Returns: the kind of access with which to open the origin so that nothing else can use it.
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

  /// Makes the planned snapshot, if any.
  ///
  /// An active thin device is suspended while the snapshot is made.
  ///
  /// By the time this is called, all other checks that can refuse the merge have passed.
  package func makeSnapshot() throws(MergeError) {
    guard let applied, case .snapshot(let thin) = applied.way else { return }
    try snapshots.make(of: applied.deviceID, through: thin)
    if let made = snapshots.made {
      pool.note(
        .snapshotMade(made, of: thin?.path ?? thinDeviceName ?? "dev \(applied.deviceID)"))
    }
  }

  /// Makes a snapshot of a thin device, if the pool can take one, so that any later write to the
  /// device changes the root of its mapping tree.
  ///
  /// - Precondition: Nothing can write to the thin device yet.
  ///
  /// ``end(hasWritten:)`` deletes the snapshot.
  func traceWrites(to deviceID: UInt32) throws(MergeError) {
    let status = try observed().status
    guard NoSnapshotReason(.ownMetadataSnapshot, status, PoolOptions()) == nil else { return }
    try snapshots.make(of: deviceID, through: nil)
    tracesWrites = true
  }

  /// Returns whether a thin device has been written to since ``traceWrites(to:)`` was called; nil
  /// if that call made no snapshot.
  func hasTracedWrite(to deviceID: UInt32) -> Bool? {
    guard tracesWrites, let made = snapshots.made else { return nil }
    guard let live = try? pool.liveDevices([deviceID, made]), live.count == 2 else { return true }
    return live[0].mappingRoot != live[1].mappingRoot
  }

  /// Makes the origin writable again if something made it read-only during the merge, and adds a
  /// note about it.
  ///
  /// - Returns: false if the origin was not read-only, or could not be made writable.
  func makeOriginWritableAgain() -> Bool {
    guard let path = applied?.origin?.path, origin.makeWritableAgain() else { return false }
    pool.note(.originMadeWritableAgain(path))
    return true
  }

  /// Returns whether the mappings are still those that were planned, now that nothing can change
  /// them.
  ///
  /// - `root`: the root of the mapping tree that the merge was planned from.
  package func isUnchanged(since root: MetadataBlock) throws(MergeError) -> Bool {
    guard let applied, applied.changesThinDevice, hold.isOwn || applied.makesSnapshot else {
      return true
    }
    if applied.makesSnapshot { return try snapshots.hasMappings(of: root) }
    return try pool.liveDevices([applied.deviceID]).first?.mappingRoot == root
  }

  /// Returns the ID of the snapshot that an earlier run made for the given merge; nil if there is
  /// none.
  func earlierSnapshotID(of deviceID: UInt32, in merge: PoolState.MergeKey) -> UInt32? {
    guard let snapshot = try? earlierSnapshot(of: deviceID, in: merge),
      snapshot.deviceID != deviceID, !hold.isOnlyCopy(of: deviceID)
    else { return nil }
    return snapshot.deviceID
  }

  /// The ID of the snapshot that is merged; nil if the thin device itself is merged.
  package var snapshotID: UInt32? {
    guard let applied else { return nil }
    return applied.makesSnapshot ? snapshots.made : applied.snapshotID
  }

  /// Records that writes to the origin are about to begin.
  ///
  /// From now on, the snapshot is kept until the merge is finished, and so is a metadata snapshot
  /// that may become the only copy of the data.
  ///
  /// - `source`: the thin device as recorded in the metadata snapshot.
  /// - `givenUpIDs`: the IDs of the journals that this merge abandons.
  func writingBegins(
    from source: MergeSource, in merge: PoolState.MergeKey, insteadOf givenUpIDs: [String]
  ) throws(MergeError) {
    try hold.isNeeded(
      for: source.readID, snapshot: source.readID == snapshotID ? nil : snapshotID)
    try snapshots.writingBegins(
      from: snapshotID ?? source.readID, of: source.deviceID, in: merge, insteadOf: givenUpIDs)
  }

  /// Records that the merge is finished and that its snapshot need not be kept for another run.
  func mergeIsFinished(of source: MergeSource, in merge: PoolState.MergeKey) {
    snapshots.isMerged(source.deviceID, in: merge)
  }

  /// Records that the origin does not match the merged data, so the snapshot is needed for another
  /// merge.
  func mergeIsWrong(of source: MergeSource, in merge: PoolState.MergeKey) {
    snapshots.isNeededAgain(source.deviceID, in: merge)
  }

  /// Checks, after the merge, that nothing else could have changed the source or the origin during
  /// it.
  ///
  /// - Throws: `MergeError` (`stopped`).
  package func checkStillQuiesced() throws(MergeError) {
    guard let applied else { return }
    let found = try pool.devices()
    // If a snapshot was merged, the thin device itself may have been activated or removed in the
    // meantime.
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
    // A table that is loaded as the inactive one is about to go live.
    let loaded = found.showing(applied.deviceID, of: pool.device.number).first {
      !$0.inactiveTable.isEmpty
    }
    if let loaded { throw .thinDeviceActivated(loaded.path) }
    // The tables do not reveal whether a device was activated, written to and deactivated again.
    guard !watch.hasSeenChanges else {
      throw .thinDeviceMaybeActivated(applied.deviceID, pool: pool.name)
    }
  }

  /// Checks, during the merge, that nothing can write to the thin device, if it is read directly.
  ///
  /// Open counts are ignored because udev and LVM open devices briefly. Inactive tables are ignored
  /// because LVM reloads the same table when a pool grows.
  ///
  /// - Throws: `MergeError` if something can write to the thin device.
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

  /// Returns the state of a thin device compared with the mappings that were read.
  ///
  /// - `root`: the root of the mapping tree that was read.
  func thinDeviceState(of deviceID: UInt32, since root: MetadataBlock) -> ThinDeviceState {
    watch.state(
      of: deviceID, since: root, read: snapshotID ?? deviceID,
      sharesBlocks: tracesWrites || applied?.readsSnapshot == true)
  }

  // MARK: The end

  /// Undoes what the run did to the pool and its devices.
  ///
  /// A step that cannot be undone is reported, and stays in the record so that the next run can
  /// undo it.
  ///
  /// - `hasWritten`: true if the origin was written to; if false, every removed device is put back.
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
    // `end` retries and reports these steps again.
    pool.forgetCleanupFailures()
  }

  // Undoes what the record lists, in the same order as `end` does.
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

  /// Returns the given devices as they will be once the leftovers of earlier runs are undone.
  func asSettled(_ devices: MappedDevices) -> MappedDevices {
    guard settling != .everything else { return devices }
    return removed.asPutBack(in: origin.asRestored(in: devices))
  }

  private func earlierSnapshot(
    of deviceID: UInt32, in merge: PoolState.MergeKey
  ) throws(MergeError) -> PoolState.Snapshot? {
    let earlier = try snapshots.earlier(of: deviceID, in: merge)
    guard settling != .everything, let earlier else { return earlier }
    // A merge would have deleted unneeded snapshots and forgotten missing ones by now.
    if earlier.isNeeded { return earlier }
    return !earlier.hasBegun && snapshots.mayBeThere(earlier) ? earlier : nil
  }
}
