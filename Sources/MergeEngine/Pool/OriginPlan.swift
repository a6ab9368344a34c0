/// The preparation of a block-device origin for writing, and the devices that may have it open
/// meanwhile.
package struct OriginPlan: Sendable {
  /// The path to open: the topmost layer's, because no device above that layer shows the origin.
  package let path: String
  /// The layers to make writable, the lowest first.
  package let readOnlyLayers: [MappedDevice]
  /// Notes about the devices that show the origin.
  package private(set) var notes: [MergeNote]
  /// The origin's layers, the topmost first.
  let layers: [DeviceNumber]
  /// The thin devices that show the origin, besides the merged one.
  let others: [DeviceNumber]
  private(set) var sharers: [OriginSharer]
  /// LVM's data about the origin's users; nil if the origin is not an LVM volume.
  let volumes: VolumesOnOrigin?
  /// The LVM name of the origin if LVM keeps it read-only as the external origin of the merged
  /// volume.
  package let protectedName: String?

  /// The targets that can be reloaded while the same table is live, because both share the devices
  /// below.
  ///
  /// A raid target reads the state of its disks on loading, and the live target keeps changing that
  /// state: the disks are then resynchronized (seen on 6.1).
  private static let reloadableKinds = ["linear", "striped", "cache", "thin"]

  /// - `own`: the devices that show the merged thin device.
  /// - `lvm`: asks LVM about the origin, given its layers, the topmost first.
  init(
    _ path: String, _ number: DeviceNumber, of own: [MappedDevice], _ devices: MappedDevices,
    options: PoolOptions,
    lvm: ([MappedDevice]) throws(MergeError) -> VolumesOnOrigin? = { _ in nil }
  ) throws(MergeError) {
    var notes: [MergeNote] = []
    let stack = StorageStack(device: number)
    let named = own.flatMap(\.thinTargets).compactMap(\.origin).first
    if let named, !StorageStack(device: named).overlaps(stack) {
      notes.append(.otherOriginInTable(devices.path(of: named), given: path))
    }
    let others = devices.thinDevices(over: stack).filter { !own.contains($0) }
    sharers = others.flatMap { devices.sharers(in: $0, over: stack) }
    let refused = others.filter { other in
      !devices.sharers(in: other, over: stack).allSatisfy(options.agrees)
    }
    guard refused.isEmpty else { throw .originShared(path, by: refused.map(\.nameForPeople)) }
    if !others.isEmpty { notes.append(.originShared(by: others.map(\.nameForPeople))) }
    let top = Self.topmost(number, devices)
    let layers = devices.linearLayers(of: top)
    if let suspended = layers.first(where: \.isSuspended) {
      throw .originSuspended(suspended.path, name: suspended.name)
    }
    readOnlyLayers = layers.reversed().filter(\.isReadOnly)
    volumes = try lvm(layers)
    if let volumes, !volumes.classicSnapshots.isEmpty {
      throw .originHasSnapshots(path, volumes.classicSnapshots)
    }
    if let name = volumes?.nameAsCachedByVolume { throw .originCachedByVolume(name) }
    if let line = readOnlyLayers.flatMap(\.liveTable)
      .first(where: { !Self.reloadableKinds.contains($0.kind) })
    {
      let names = layers.compactMap { KnownVolume.fullName(mappedName: $0.name, uuid: $0.uuid) }
      throw .originReadOnlyForGood(
        path, kind: line.kind, isMirror: line.arguments.hasPrefix("raid1 "),
        volumeName: names.first, kinds: Self.reloadableKinds)
    }
    protectedName = readOnlyLayers.isEmpty ? nil : volumes?.nameAsExternalOrigin
    // LVM's read-only permission only means that the volume is an external origin.
    guard options.makesOriginWritable || readOnlyLayers.isEmpty || protectedName != nil else {
      throw .originReadOnly(path)
    }
    self.path = top == number ? path : devices.path(of: top)
    self.layers = layers.isEmpty ? [number] : layers.map(\.number)
    self.others = others.map(\.number)
    self.notes = notes
  }

  /// Adds LVM's thin volumes on the origin, if no active pool is inspected that would list them.
  ///
  /// - Throws: `MergeError` (`refused`) if the user has not agreed to one of them.
  mutating func addVolumes(agreedTo options: PoolOptions) throws(MergeError) {
    let others = (volumes?.besidesMerged ?? []).filter { other in
      !sharers.contains {
        $0.poolName == other.sharer.poolName && $0.deviceID == other.sharer.deviceID
      }
    }
    let strangers = others.filter { !options.agrees(to: $0.sharer) }
    guard strangers.isEmpty else { throw .originShared(path, by: strangers.map(\.name)) }
    guard !others.isEmpty else { return }
    sharers += others.map(\.sharer)
    notes.append(.originShared(by: others.map(\.name)))
  }

  /// Returns the path of the topmost device that shows the whole origin; `path` itself if that is
  /// the topmost device or a file.
  static func topmostPath(of path: String, _ devices: MappedDevices) -> String {
    guard let number = FileSystem.blockDevice(at: path) else { return path }
    let top = topmost(number, devices)
    return top == number ? path : devices.path(of: top)
  }

  /// Returns the topmost device that shows the whole origin: LVM may put a second layer over a
  /// device.
  private static func topmost(_ number: DeviceNumber, _ devices: MappedDevices) -> DeviceNumber {
    var top = number
    while let above = devices.all.first(where: { device in
      device.linearTarget == top && device.byteCount == devices[top]?.byteCount
    }) {
      top = above.number
    }
    return top
  }

  /// Refuses an origin that other devices use.
  ///
  /// - `users`: the devices that may lie on the origin, besides the others agreed to.
  /// - Throws: `MergeError` (`busy`) if a layer has a holder that is neither the layer above nor
  ///   expected.
  func check(
    users: [MappedDevice], _ devices: MappedDevices, _ holders: (DeviceNumber) -> [DeviceNumber]
  ) throws(MergeError) {
    let expected = Set(users.map(\.number) + others)
    for (index, layer) in layers.enumerated() {
      let above = index > 0 ? layers[index - 1] : nil
      for holder in holders(layer) where holder != above && !expected.contains(holder) {
        throw .originInUse(devices.path(of: layer), by: devices.path(of: holder))
      }
    }
  }

  /// Returns the kind of access that keeps everybody else off the origin.
  package func use(
    users: [MappedDevice], _ holders: (DeviceNumber) -> [DeviceNumber]
  ) -> OriginUse {
    let expected = Set(users.map(\.number) + others)
    // The lower layers are held by the top one.
    let isHeld =
      layers.first.map { top in holders(top).contains(where: expected.contains) } ?? false
    return isHeld ? .shared(holders: expected) : .exclusive
  }
}

/// The kind of access that keeps everybody else off the origin.
package enum OriginUse: Equatable, Sendable {
  /// Nobody else may have the origin open; it is opened with O_EXCL.
  case exclusive
  /// Mapped devices hold the origin, so O_EXCL is impossible; no other device may hold it.
  case shared(holders: Set<DeviceNumber>)
}
