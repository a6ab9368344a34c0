/// The users of an LVM volume that is an origin, from LVM's metadata.
///
/// No table shows an inactive thin volume, but LVM knows the volume's external origin.
package struct VolumesOnOrigin {
  /// The facts that LVM knows about a thin device of the pool.
  enum Finding: Equatable {
    /// The device has a different external origin, or none.
    case elsewhere
    /// The device has the origin as its external origin.
    case onOrigin(name: String)
    /// LVM does not know the device.
    case unknown
  }

  private let volumes: LogicalVolumes
  private let origin: LogicalVolumes.Volume
  private let pool: LogicalVolumes.Volume
  private let deviceID: UInt32
  /// True if LVM's device IDs can be trusted to match the pool's, because the transaction IDs
  /// agree.
  private let knowsNumbers: Bool

  /// - `origin`: the UUIDs of the origin's layers, the topmost first.
  /// - `pool`: the UUIDs of the pool, or of its data volume.
  /// - `deviceID`: the device ID of the merged thin device.
  /// - `transactionID`: the pool's transaction ID; nil if it cannot be read.
  /// - `run`: runs a program with its arguments.
  /// - Returns: nil if LVM does not know the pool and the origin in one group.
  /// - Throws: `LogicalVolumes.NoAnswer` if LVM did not answer in time.
  init?(
    _ origin: [VolumeUUIDs], of pool: VolumeUUIDs, deviceID: UInt32, transactionID: UInt64?,
    run: ([String]) -> Program.End
  ) throws(LogicalVolumes.NoAnswer) {
    guard let layer = origin.first(where: { $0.group == pool.group }),
      let volumes = try LogicalVolumes(.uuid(pool.group), run: run),
      let found = volumes[uuid: pool.volume],
      let ownOrigin = volumes[uuid: layer.volume]
    else { return nil }
    self.volumes = volumes
    self.origin = ownOrigin
    self.pool = volumes.pool(withData: found) ?? found
    self.deviceID = deviceID
    knowsNumbers = transactionID != nil && self.pool.transactionID == transactionID
  }

  /// The merged thin volume; nil if LVM does not know it.
  var merged: KnownVolume? { volume(deviceID).map(volumes.known) }

  /// The merged volume and the origin; nil if the origin is not its external origin.
  var mergedVolumes: MergedVolumes? {
    guard let merged = volume(deviceID).flatMap({ MergedVolumes(volumes, thin: $0) }) else {
      return nil
    }
    return merged.origin == origin ? merged : nil
  }

  /// The origin's name if the origin is the external origin of the merged volume.
  var nameAsExternalOrigin: String? {
    if case .onOrigin = finding(deviceID) { volumes.name(of: origin) } else { nil }
  }

  /// Returns what LVM knows about the thin device with the given device ID in the pool.
  func finding(_ deviceID: UInt32) -> Finding {
    guard let volume = volume(deviceID) else { return .unknown }
    return volumes.externalOrigin(of: volume) == origin
      ? .onOrigin(name: volumes.name(of: volume)) : .elsewhere
  }

  private func volume(_ deviceID: UInt32) -> LogicalVolumes.Volume? {
    knowsNumbers ? volumes.volume(deviceID, in: pool) : nil
  }

  /// The thin volumes of other pools on the origin, with their names.
  var inOtherPools: [NamedSharer] {
    volumes.thinVolumes(on: origin).filter { $0.pool != pool.name }.compactMap(sharer)
  }

  /// The thin volumes on the origin besides the merged one, with their names.
  var besidesMerged: [NamedSharer] {
    volumes.thinVolumes(on: origin).filter { $0.pool != pool.name || $0.deviceID != deviceID }
      .compactMap(sharer)
  }

  typealias NamedSharer = (name: String, sharer: OriginSharer)

  private func sharer(_ volume: LogicalVolumes.Volume) -> NamedSharer? {
    guard let deviceID = volume.deviceID, let pool = volumes.pool(of: volume) else { return nil }
    return (
      volumes.name(of: volume),
      OriginSharer(
        poolName: volumes.known(pool).mappedUUID(layer: "-tpool"), deviceID: deviceID,
        mappedName: volumes.known(volume).mappedUUID())
    )
  }

  /// The origin's name if LVM caches it with a cache volume.
  var nameAsCachedByVolume: String? {
    origin.cacheVolume == nil ? nil : volumes.name(of: origin)
  }

  /// The names of the origin's classic snapshots.
  var classicSnapshots: [String] {
    volumes.classicSnapshots(of: origin).map(volumes.name)
  }
}
