/// How an origin that is a block device gets ready to be written to, and who may have it open meanwhile.
package struct OriginPlan: Sendable {
  /// The path that is opened: through the topmost layer, nothing else sees the origin.
  package let path: String
  /// The layers that are made writable, the lowest first.
  package let readOnlyLayers: [MappedDevice]
  /// What is worth knowing about those who show the origin.
  package private(set) var notes: [MergeNote]
  /// The origin's layers, the topmost first.
  let layers: [DeviceNumber]
  /// Thin devices that show the origin besides the one that is merged.
  let others: [DeviceNumber]
  private(set) var sharers: [OriginSharer]
  /// What LVM tells of the origin's users; nil where the origin is none of its volumes.
  let volumes: VolumesOnOrigin?
  /// The name of the origin in LVM, where that has it read-only because it is the external origin of what is merged.
  package let protectedName: String?

  /// The targets whose table may be loaded once more while it is live: both share what lies under them.
  ///
  /// A raid target reads the state of its disks when it is loaded, which the live one goes on changing: its disks are
  /// synchronised anew then (seen on 6.1).
  private static let reloadableKinds = ["linear", "striped", "cache", "thin"]

  /// - `own`: the devices that show the thin device that is merged.
  /// - `lvm`: asks LVM about the origin, whose layers it gets, the topmost first.
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
    // That LVM has it read-only says no more than that it is an external origin.
    guard options.makesOriginWritable || readOnlyLayers.isEmpty || protectedName != nil else {
      throw .originReadOnly(path)
    }
    self.path = top == number ? path : devices.path(of: top)
    self.layers = layers.isEmpty ? [number] : layers.map(\.number)
    self.others = others.map(\.number)
    self.notes = notes
  }

  /// Adds the thin volumes of LVM on the origin, where no pool is looked at that tells of them.
  ///
  /// - Throws: `MergeError` (`refused`) where one was not agreed to.
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

  /// Returns the path of the device through which nothing else sees the origin; `path` where that is the
  /// device itself, or a file.
  static func topmostPath(of path: String, _ devices: MappedDevices) -> String {
    guard let number = FileSystem.blockDevice(at: path) else { return path }
    let top = topmost(number, devices)
    return top == number ? path : devices.path(of: top)
  }

  /// The device through which nothing else sees the origin: LVM puts a second layer over one.
  private static func topmost(_ number: DeviceNumber, _ devices: MappedDevices) -> DeviceNumber {
    var top = number
    while let above = devices.all.first(where: { device in
      device.linearTarget == top && device.byteCount == devices[top]?.byteCount
    }) {
      top = above.number
    }
    return top
  }

  /// - `users`: who may lie on the origin, besides the others that were agreed to.
  /// - Throws: `MergeError` (`busy`) where something lies on a layer that is neither the layer above
  ///   nor expected.
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

  /// What keeps everybody else off the origin.
  package func use(
    users: [MappedDevice], _ holders: (DeviceNumber) -> [DeviceNumber]
  ) -> OriginUse {
    let expected = Set(users.map(\.number) + others)
    // The layers under the top one are held by that.
    let isHeld =
      layers.first.map { top in holders(top).contains(where: expected.contains) } ?? false
    return isHeld ? .shared(holders: expected) : .exclusive
  }
}

/// What keeps everybody else off the origin.
package enum OriginUse: Equatable, Sendable {
  /// Nobody else may have it: it is opened with O_EXCL.
  case exclusive
  /// Mapped devices hold it, so O_EXCL is impossible; nobody besides them may.
  case shared(holders: Set<DeviceNumber>)
}
