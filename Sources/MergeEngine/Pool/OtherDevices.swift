/// The thin devices of an active pool, other than the merged one, that use the same origin or may
/// use it.
///
/// The origin of an inactive thin device is unknown, because only device-mapper tables name it.
struct OtherDevices {
  /// The point in a merge at which the pool's thin devices are read.
  enum Moment: Sendable {
    /// Before the user is asked for consent. The question lists the devices found.
    case planning
    /// After the user has consented. Devices created in the meantime were not listed in the
    /// question.
    case writing
  }

  private let pool: LockedPool
  private let observed: ObservedPool
  private let plan: QuiescencePlan?
  /// The ID of the device that is read, which is the thin device or its snapshot.
  private let deviceID: UInt32
  /// When the device that is read was created; nil if that device is not in the metadata that the
  /// merge was planned from.
  private let creation: ThinDeviceCreation?
  /// The IDs of the pool's thin devices that appear in a device-mapper table.
  private let named: Set<UInt32>
  /// All thin devices in the pool.
  private(set) var all: [MetadataReader.Device] = []
  /// The IDs of devices that share blocks with the device that is read, but appear in no
  /// device-mapper table.
  private var kin: Set<UInt32> = []

  /// - `metadata`: the metadata that the merge was planned from.
  /// - `plan`: the plan that keeps the thin device from changing; nil if there is none.
  init(
    _ pool: LockedPool, _ observed: ObservedPool, planned metadata: PoolMetadata,
    besides deviceID: UInt32, _ plan: QuiescencePlan?, at moment: Moment
  ) throws(MergeError) {
    self.pool = pool
    self.observed = observed
    self.plan = plan
    self.deviceID = deviceID
    named = observed.devices.deviceIDs(of: observed.pool.number)
    // Planning has already added notes about damaged devices, which cannot be activated.
    let planned = try pool.reader.devices(in: metadata) { _ in }
    creation = planned.first { $0.id == deviceID }?.details.creation
    (all, kin) = try look(at: planned, in: metadata)
    // A metadata snapshot does not contain devices created after it. The live metadata does,
    // because the kernel commits the creation of a device at once.
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
      // No device can be created in a read-only pool, so the error does not matter there.
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

  /// Returns whether a thin device is identified neither by a device-mapper table nor by this
  /// tool's record.
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

  /// Refuses the merge unless the user agreed to every device.
  ///
  /// A device that was created or has changed since then counts as not agreed to.
  ///
  /// - Returns: all devices that use the origin or may use it.
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

  /// Returns what LVM knows about thin devices that appear in no device-mapper table: those on the
  /// origin, in any pool, and the IDs that it knows in this pool.
  ///
  /// - `shown`: the devices that appear in a table.
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
    // Skip the merged device's ID: LVM's answer is about the merged device, even if another device
    // now has the ID.
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

  /// Returns a copy with the creation filled in if the sharer is one of the given pool's devices;
  /// otherwise returns the sharer unchanged.
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
