/// A plan for making a block-device origin writable, including which devices may have the origin
/// open during the merge.
package struct OriginPlan: Sendable {
  /// The path of the origin's topmost layer, which is the one to open.
  package let path: String
  /// The layers to make writable, lowest first.
  package let readOnlyLayers: [MappedDevice]
  /// Notes about other devices that use the origin.
  package private(set) var notes: [MergeNote]
  /// The origin's layers, topmost first.
  let layers: [DeviceNumber]
  /// The thin devices on the same origin, other than the merged one.
  let others: [DeviceNumber]
  private(set) var sharers: [OriginSharer]
  /// LVM's information about the volumes on the origin; nil if the origin is not an LVM volume.
  let volumes: VolumesOnOrigin?
  /// The LVM name of the origin, if LVM keeps it read-only as the external origin of the merged
  /// volume; otherwise nil.
  package let protectedName: String?

  /// The target types that can be reloaded while the same table is live, with both tables sharing
  /// the underlying devices.
  ///
  /// A raid target is not among them: it reads the state of its disks when it is loaded, but the
  /// live target keeps changing that state, so the disks are resynchronized (seen on Linux 6.1).
  private static let reloadableKinds = ["linear", "striped", "cache", "thin"]

  /// - `own`: the mapped devices for the merged thin device.
  /// - `lvm`: asks LVM about the origin, given the origin's layers, topmost first.
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
    // If LVM protects the volume as an external origin, its being read-only does not require
    // consent.
    guard options.makesOriginWritable || readOnlyLayers.isEmpty || protectedName != nil else {
      throw .originReadOnly(path)
    }
    self.path = top == number ? path : devices.path(of: top)
    self.layers = layers.isEmpty ? [number] : layers.map(\.number)
    self.others = others.map(\.number)
    self.notes = notes
  }

  /// Adds the thin volumes on the origin that only LVM knows about, for a merge without an active
  /// pool.
  ///
  /// - Throws: `MergeError` (`refused`) unless the user has agreed to every one of these volumes.
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

  /// Returns the path of the topmost device that maps the whole origin; `path` itself if it already
  /// is the topmost device, or a file.
  static func topmostPath(of path: String, _ devices: MappedDevices) -> String {
    guard let number = FileSystem.blockDevice(at: path) else { return path }
    let top = topmost(number, devices)
    return top == number ? path : devices.path(of: top)
  }

  /// Returns the topmost device that maps the whole origin; LVM may have put another layer over the
  /// given device.
  private static func topmost(_ number: DeviceNumber, _ devices: MappedDevices) -> DeviceNumber {
    var top = number
    while let above = devices.all.first(where: { device in
      device.linearTarget == top && device.byteCount == devices[top]?.byteCount
    }) {
      top = above.number
    }
    return top
  }

  /// Refuses an origin that unexpected devices use.
  ///
  /// - `users`: the devices that may use the origin, in addition to the thin devices that the user
  ///   agreed to.
  /// - Throws: `MergeError` (`busy`) if a layer has a holder that is neither the layer above it nor
  ///   an expected user.
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

  /// Returns the kind of access with which to open the origin so that nothing unexpected can use
  /// it.
  package func use(
    users: [MappedDevice], _ holders: (DeviceNumber) -> [DeviceNumber]
  ) -> OriginUse {
    let expected = Set(users.map(\.number) + others)
    // The lower layers are held by the topmost one, so only the topmost layer's holders matter.
    let isHeld =
      layers.first.map { top in holders(top).contains(where: expected.contains) } ?? false
    return isHeld ? .shared(holders: expected) : .exclusive
  }
}

/// The kind of access with which the origin is opened so that nothing unexpected can use it.
package enum OriginUse: Equatable, Sendable {
  /// Nothing else may have the origin open; it is opened with O_EXCL.
  case exclusive
  /// The given mapped devices hold the origin, so O_EXCL is impossible; no other device may hold
  /// it.
  case shared(holders: Set<DeviceNumber>)
}
