/// What LVM's metadata tells of the users of an origin that is one of its volumes.
///
/// No table tells of a thin volume that is not active; LVM knows its external origin.
package struct VolumesOnOrigin {
  /// What is known of a thin device of the pool.
  enum Finding: Equatable {
    /// Its external origin is another volume, or it has none.
    case elsewhere
    /// It has the origin.
    case onOrigin(name: String)
    /// LVM does not know it.
    case unknown
  }

  private let volumes: LogicalVolumes
  private let origin: LogicalVolumes.Volume
  private let pool: LogicalVolumes.Volume
  private let deviceID: UInt32
  /// Whether LVM's numbers are those of the pool: it has counted as many transactions.
  private let knowsNumbers: Bool

  /// - `origin`: the uuids of the origin's layers, the topmost first.
  /// - `pool`: the uuids of the pool, or of its data volume.
  /// - `deviceID`: what is merged.
  /// - `transactionID`: of the pool; nil where it cannot be read.
  /// - `run`: gets a program with its arguments.
  /// - Returns: nil where LVM does not know pool and origin in one group.
  /// - Throws: `LogicalVolumes.NoAnswer` where LVM did not answer in time.
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

  /// The thin volume that is merged; nil where LVM does not know it.
  var merged: KnownVolume? { volume(deviceID).map(volumes.known) }

  /// What is merged and the origin, if that is its external origin.
  var mergedVolumes: MergedVolumes? {
    guard let merged = volume(deviceID).flatMap({ MergedVolumes(volumes, thin: $0) }) else {
      return nil
    }
    return merged.origin == origin ? merged : nil
  }

  /// The origin's name, if it is the external origin of what is merged.
  var nameAsExternalOrigin: String? {
    if case .onOrigin = finding(deviceID) { volumes.name(of: origin) } else { nil }
  }

  /// What LVM knows of the thin device of that number in the pool.
  func finding(_ deviceID: UInt32) -> Finding {
    guard let volume = volume(deviceID) else { return .unknown }
    return volumes.externalOrigin(of: volume) == origin
      ? .onOrigin(name: volumes.name(of: volume)) : .elsewhere
  }

  private func volume(_ deviceID: UInt32) -> LogicalVolumes.Volume? {
    knowsNumbers ? volumes.volume(deviceID, in: pool) : nil
  }

  /// The thin volumes of other pools that have the origin, with their names.
  var inOtherPools: [NamedSharer] {
    volumes.thinVolumes(on: origin).filter { $0.pool != pool.name }.compactMap(sharer)
  }

  /// The thin volumes that have the origin, besides the one that is merged, with their names.
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

  /// The origin's name, if LVM caches it with a cache volume.
  var nameAsCachedByVolume: String? {
    origin.cacheVolume == nil ? nil : volumes.name(of: origin)
  }

  /// The names of the classic snapshots of the origin.
  var classicSnapshots: [String] {
    volumes.classicSnapshots(of: origin).map(volumes.name)
  }
}
