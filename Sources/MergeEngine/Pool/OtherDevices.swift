/// The thin devices of an active pool besides the one that is merged: those that show its origin or may show it, which
/// no table tells of one that is not active.
struct OtherDevices {
  /// When the devices are looked at.
  enum Moment: Sendable {
    /// Before the question, which names them.
    case planning
    /// Once it is answered: what was made since was not named in it.
    case writing
  }

  private let pool: LockedPool
  private let observed: ObservedPool
  private let plan: QuiescencePlan?
  /// What is read, the thin device or its snapshot.
  private let deviceID: UInt32
  /// When that was created; nil if it is not in the metadata that was planned from.
  private let creation: ThinDeviceCreation?
  /// The ids that tables name.
  private let named: Set<UInt32>
  /// All of the pool's thin devices.
  private(set) var all: [MetadataReader.Device] = []
  /// The ids of those that share blocks with what is read, as far as no table names them.
  private var kin: Set<UInt32> = []

  /// - `metadata`: what was planned from.
  /// - `plan`: nil where the thin device cannot be kept as it is.
  init(
    _ pool: LockedPool, _ observed: ObservedPool, planned metadata: PoolMetadata,
    besides deviceID: UInt32, _ plan: QuiescencePlan?, at moment: Moment
  ) throws(MergeError) {
    self.pool = pool
    self.observed = observed
    self.plan = plan
    self.deviceID = deviceID
    named = observed.devices.deviceIDs(of: observed.pool.number)
    // The plan has noted what is wrong with devices that nobody could activate.
    let planned = try pool.reader.devices(in: metadata) { _ in }
    creation = planned.first { $0.id == deviceID }?.details.creation
    (all, kin) = try look(at: planned, in: metadata)
    // A metadata snapshot is older than what was made since. The kernel commits that at once.
    let live = try pool.superblock()
    guard
      live.detailsRoot != metadata.superblock.detailsRoot
        || live.mappingRoot != metadata.superblock.mappingRoot
    else { return }
    do throws(MergeError) {
      let now = try pool.reader.readLive { live throws(MergeError) in
        try look(at: pool.reader.devices(in: live) { _ in }, in: live)
      }
      guard let now else { throw .metadataChanging(pool.reader.metadata.path) }
      (all, kin) = now
    } catch {
      // In a pool that is read-only nobody can make one.
      guard moment == .planning || observed.status.mode == .readOnly else { throw error }
    }
  }

  private func look(
    at all: [MetadataReader.Device], in metadata: PoolMetadata
  ) throws(MergeError) -> (all: [MetadataReader.Device], kin: Set<UInt32>) {
    let unnamed = all.filter(isUnnamed)
    guard !unnamed.isEmpty, let own = all.first(where: { $0.id == deviceID }) else {
      return (all, [])
    }
    return (all, try pool.reader.kin(of: own, among: unnamed, in: metadata))
  }

  /// Whether neither a table nor this tool's own record tells what a device is.
  private func isUnnamed(_ device: MetadataReader.Device) -> Bool {
    guard !named.contains(device.id) else { return false }
    if device.id == deviceID {
      return device.details.creation != creation ?? device.details.creation
    }
    return !pool.state.snapshots.contains { snapshot in
      if snapshot.deviceID == device.id {
        return device.details.creationTime == snapshot.creationTime ?? device.details.creationTime
      }
      return snapshot.deviceID == deviceID && snapshot.originalID == device.id
        && device.details.creation == snapshot.originalMade ?? device.details.creation
    }
  }

  /// Refuses where one of them was not agreed to: it is another one, or was made since.
  ///
  /// - Returns: every one of them.
  func checkConsent(_ options: PoolOptions) throws(MergeError) -> [OriginSharer] {
    let shown = plan?.origin?.sharers.map { $0.completed(from: all, of: pool.device) } ?? []
    let new = shown.filter { !options.agrees(to: $0) }
    guard new.isEmpty else {
      let names = observed.devices.all.filter { device in
        new.contains { $0.mappedName == device.durableName }
      }.map(\.nameForPeople)
      throw .originShared(plan?.origin?.path ?? pool.name, by: names)
    }
    let known = knownToLVM(besides: shown)
    let strangers = known.onOrigin.filter { !options.agrees(to: $0.sharer) }
    guard strangers.isEmpty else {
      throw .originShared(plan?.origin?.path ?? pool.name, by: strangers.map(\.name))
    }
    if !known.onOrigin.isEmpty { pool.note(.originShared(by: known.onOrigin.map(\.name))) }
    let unnamed = all.filter { isUnnamed($0) && !known.ids.contains($0.id) }
    let agreed = shown + known.onOrigin.map(\.sharer)
    guard !unnamed.isEmpty else { return agreed }
    let sharers = unnamed.map { OriginSharer($0, of: pool.device) }
    let refused = Set(sharers.filter { !options.agrees(to: $0) }.map(\.deviceID))
    let ids = unnamed.map(\.id).filter { refused.isEmpty || refused.contains($0) }
    let sorted = ids.filter(kin.contains) + ids.filter { !kin.contains($0) }
    let maybeShared = MergeNote.originMaybeShared(by: sorted.map { ($0, kin.contains($0)) })
    guard refused.isEmpty else { throw .originMaybeShared(pool.name, maybeShared) }
    pool.note(maybeShared)
    return agreed + sharers
  }

  /// What LVM tells of thin devices that no table names: those on the origin, whatever pool they are in, and the ids in
  /// this pool of which it is known whether they are.
  ///
  /// - `shown`: those that a table names.
  private func knownToLVM(
    besides shown: [OriginSharer]
  ) -> (onOrigin: [(name: String, sharer: OriginSharer)], ids: Set<UInt32>) {
    guard let volumes = plan?.origin?.volumes else { return ([], []) }
    var ids: Set<UInt32> = []
    var onOrigin = volumes.inOtherPools.filter { other in
      !shown.contains {
        $0.poolName == other.sharer.poolName && $0.deviceID == other.sharer.deviceID
      }
    }
    // Of another device that has the number of the one that is merged LVM says what that one is.
    for device in all where isUnnamed(device) && device.id != deviceID {
      switch volumes.finding(device.id) {
      case .unknown: continue
      case .elsewhere: break
      case .onOrigin(let name): onOrigin.append((name, OriginSharer(device, of: pool.device)))
      }
      ids.insert(device.id)
    }
    return (onOrigin, ids)
  }
}

extension OriginSharer {
  fileprivate init(_ device: MetadataReader.Device, of pool: MappedDevice) {
    self.init(
      poolName: pool.durableName, deviceID: device.id,
      creation: device.details.creation)
  }

  /// The same, with its creation where it is one of the pool's devices.
  fileprivate func completed(
    from devices: [MetadataReader.Device], of pool: MappedDevice
  ) -> OriginSharer {
    guard poolName == pool.durableName, let device = devices.first(where: { $0.id == deviceID })
    else { return self }
    var completed = self
    completed.creation = device.details.creation
    return completed
  }
}
