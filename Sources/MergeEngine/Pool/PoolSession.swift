internal import SystemPackage

/// A run's work on an active pool: what it changes for a merge, in which order, and how that is undone.
///
/// Every step is in the pool's record before it is made, and is undone by ``end(_:)``, or by the next
/// run if this one is killed.
package final class PoolSession {
  private let pool: LockedPool
  package let hold: MetadataHold
  private let snapshots: ThinSnapshots
  private let removed: RemovedDevices
  private let origin: OriginLayers
  /// What was applied; nil until then.
  private var applied: QuiescencePlan?

  /// How a run ended, as far as the pool's devices are concerned.
  package enum End: Sendable {
    /// Nothing was written: everything is put back as it was.
    case nothingWritten
    case stopped
    case finished
  }

  /// Settles what an earlier run left in the pool.
  package init(_ pool: LockedPool) throws(MergeError) {
    self.pool = pool
    hold = MetadataHold(pool)
    snapshots = ThinSnapshots(pool)
    removed = RemovedDevices(pool: pool)
    origin = OriginLayers(pool: pool)
    try settle()
  }

  /// What could not be undone.
  package var cleanupFailures: [MergeNote] { pool.cleanupFailures }

  // MARK: Deciding

  /// Looks at tables, status and superblock.
  package func observed() throws(MergeError) -> ObservedPool { try pool.observed() }

  /// Decides how a thin device is kept as it is while it is merged onto the origin.
  ///
  /// - Throws: `MergeError`: what a merge is refused for.
  package func plan(
    for deviceID: UInt32, onto originPath: String, named originName: String,
    _ observed: ObservedPool, options: PoolOptions, restarts: Bool
  ) throws(MergeError) -> QuiescencePlan {
    try QuiescencePlan(
      for: deviceID, onto: originPath, named: originName, observed, pool.state,
      isHeld: hold.isOnlyCopy(of: deviceID), isReplaced: hold.isOnlyCopyOfReplaced(deviceID),
      options: options, restarts: restarts, holders: pool.mapper.holders)
  }

  /// Refuses where other thin devices of the pool may be on the same origin, which no table tells.
  package func checkOtherDevices(
    _ metadata: PoolMetadata, _ observed: ObservedPool, besides deviceID: UInt32,
    options: PoolOptions
  ) throws(MergeError) {
    // The plan has noted what is wrong with devices that nobody could activate.
    let all = try pool.reader.devices(in: metadata) { _ in }
    var known = observed.devices.deviceIDs(of: observed.pool.number)
    known.insert(deviceID)
    if let snapshot = pool.state.snapshot {
      known.formUnion([snapshot.originalID, snapshot.deviceID])
    }
    let unknown = all.filter { !known.contains($0.id) }
    guard let own = all.first(where: { $0.id == deviceID }), !unknown.isEmpty else {
      return
    }
    let kin = try pool.reader.kin(of: own, among: unknown, in: metadata)
    let sorted =
      unknown.map(\.id).filter(kin.contains) + unknown.map(\.id).filter { !kin.contains($0) }
    let maybeShared = MergeNote.originMaybeShared(by: sorted.map { ($0, kin.contains($0)) })
    guard options.allowsOtherUsers else {
      throw .originMaybeShared(pool.name, maybeShared)
    }
    pool.note(maybeShared)
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
    try snapshots.check(source.readID)
  }

  /// Takes a metadata snapshot for a list of the pool's thin devices.
  func holdForListing(
    _ wanted: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> MergeSource.Mappings {
    let observed = try observed()
    try observed.checkHealth(ignoresNeedsCheck: ignoresNeedsCheck)
    return try hold.hold(wanted, of: nil, observed, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// Makes the changes that were decided.
  ///
  /// - Returns: what keeps everybody else off the origin.
  package func apply(_ plan: QuiescencePlan) throws(MergeError) -> OriginUse {
    if plan.deletesSnapshot { try snapshots.delete() }
    if let layers = plan.origin?.readOnlyLayers { try origin.makeWritable(layers) }
    switch plan.way {
    case .asItIs, .held, .earlierSnapshot: break
    case .removed(let devices, let isPutBack):
      for device in devices { try removed.remove(device, isPutBack: isPutBack) }
    case .snapshot(let thin):
      _ = try snapshots.make(of: plan.deviceID, through: thin)
    }
    applied = plan
    guard let origin = plan.origin else { return .exclusive }
    try origin.check(users: plan.users, pool.devices(), pool.mapper.holders)
    return origin.use(users: plan.users, pool.mapper.holders)
  }

  /// Returns whether what was planned from the metadata snapshot is what there is to be merged, now that
  /// nobody can change it any more.
  ///
  /// `root`: the mapping tree that was planned.
  package func isUnchanged(since root: MetadataBlock) throws(MergeError) -> Bool {
    guard let applied else { return true }
    if applied.makesSnapshot { return try snapshots.hasMappings(of: root) }
    return try pool.liveDevice(applied.deviceID)?.mappingRoot == root
  }

  /// The snapshot that an earlier run made for a merge onto an origin; nil where there is none.
  func earlierSnapshotID(of deviceID: UInt32, onto originName: String) -> UInt32? {
    guard let snapshot = pool.state.snapshot, snapshot.isMade, snapshot.deviceID != deviceID,
      snapshot.isOf(deviceID, onto: originName), !hold.isOnlyCopy(of: deviceID)
    else { return nil }
    return snapshot.deviceID
  }

  /// The snapshot that is merged; nil where the thin device itself is.
  package var snapshotID: UInt32? {
    guard let applied else { return nil }
    return applied.makesSnapshot ? pool.state.snapshot?.deviceID : applied.snapshotID
  }

  /// Records that the origin is about to be written to.
  ///
  /// From now on a snapshot, and a metadata snapshot that may turn out to be the only copy, are kept until
  /// all is merged.
  ///
  /// - `source`: the thin device, as it is in the metadata snapshot.
  /// - `originName`: what tells the origin from others.
  func writingBegins(from source: MergeSource, onto originName: String) throws(MergeError) {
    try hold.isNeeded(
      for: source.readID, snapshot: source.readID == snapshotID ? nil : snapshotID)
    try snapshots.writingBegins(from: snapshotID ?? source.readID, onto: originName)
  }

  /// Records that all is merged, so that nothing need be kept for another run.
  func mergeIsFinished(from source: MergeSource, onto originName: String) {
    hold.isNotNeeded(for: source.readID)
    snapshots.isMerged(source.deviceID, onto: originName)
  }

  /// Checks once more, when all is merged, that neither thin device nor origin could change meanwhile.
  ///
  /// - Throws: `MergeError` (`stopped`).
  package func checkStillQuiesced() throws(MergeError) {
    guard let applied else { return }
    let readID = snapshotID ?? applied.deviceID
    let found = try pool.devices()
    if let origin = applied.origin {
      do throws(MergeError) {
        try origin.check(users: applied.users, found, pool.mapper.holders)
      } catch {
        throw error.atTheEnd()
      }
    }
    let now = hold.isOnlyCopy(of: readID) ? [] : found.showing(readID, of: pool.device.number)
    let isSnapshot = pool.state.snapshot?.deviceID == readID
    let expected = isSnapshot ? [] : applied.users.map(\.number)
    guard
      let intruder = now.first(where: {
        !expected.contains($0.number) || !$0.isReadOnly || !$0.inactiveTable.isEmpty
      })
    else { return }
    throw .thinDeviceActivated(intruder.path)
  }

  // MARK: The end

  /// Undoes what the run did to pool and devices.
  ///
  /// What cannot be undone is said, and stays in the record for the next run.
  package func end(_ end: End) {
    pool.forgetCleanupFailures()
    hold.release()
    origin.restoreReadOnly()
    removed.putBack { end == .nothingWritten || $0.isPutBack }
    snapshots.end(nothingWritten: end == .nothingWritten)
  }

  // The order of `end`, on what the record says.
  private func settle() throws(MergeError) {
    try removed.forgetLeft()
    guard !pool.state.isSettled else { return }
    pool.note(.poolLeft(pool.name))
    try snapshots.resumeThinDevice()
    hold.release()
    origin.restoreReadOnly()
    removed.putBack { $0.isPutBack }
    do throws(MergeError) {
      try snapshots.settle()
    } catch {
      pool.note(.cannotDeleteSnapshot(error))
    }
    // The end of this run tries again.
    pool.forgetCleanupFailures()
  }
}
