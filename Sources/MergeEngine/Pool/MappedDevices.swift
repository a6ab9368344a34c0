/// All mapped devices, and lookups in their tables.
package struct MappedDevices: Sendable {
  package let all: [MappedDevice]

  package init(_ all: [MappedDevice]) { self.all = all }

  package subscript(number: DeviceNumber) -> MappedDevice? { all.first { $0.number == number } }

  package func named(_ name: String) -> MappedDevice? { all.first { $0.name == name } }

  package func device(uuid: String) -> MappedDevice? { all.first { $0.uuid == uuid } }

  /// Returns the path by which users know a device.
  package func path(of number: DeviceNumber) -> String {
    self[number]?.path ?? FileSystem.node(of: number) ?? number.description
  }

  /// Returns the devices that show a thin device, in a live or an inactive table.
  package func showing(_ deviceID: UInt32, of pool: DeviceNumber) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { $0.pool == pool && $0.deviceID == deviceID }
    }
  }

  /// Returns the device IDs of a pool that any table names.
  package func deviceIDs(of pool: DeviceNumber) -> Set<UInt32> {
    Set(all.flatMap(\.thinTargets).filter { $0.pool == pool }.map(\.deviceID))
  }

  /// Returns the thin devices whose external origin overlaps `origin`.
  package func thinDevices(over origin: StorageStack) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { target in
        target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
      }
    }
  }

  /// Returns the thin devices that a mapped device shows over `origin`.
  func sharers(in device: MappedDevice, over origin: StorageStack) -> [OriginSharer] {
    device.thinTargets.filter { target in
      target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
    }.map { target in
      OriginSharer(
        poolName: self[target.pool]?.durableName ?? target.pool.description,
        deviceID: target.deviceID, mappedName: device.durableName)
    }
  }

  /// Returns whether two devices or files have the same bytes in the same places.
  ///
  /// This is more than an overlap: a linear device with an offset differs from the disk under it.
  package func areSame(_ one: StorageStack.Layer, _ other: StorageStack.Layer) -> Bool {
    !wholes(of: one).isDisjoint(with: wholes(of: other))
  }

  /// Returns the layer itself and, downward from it, the layers that it shows from the first byte
  /// to the last.
  private func wholes(of layer: StorageStack.Layer) -> Set<StorageStack.Layer> {
    var wholes: Set<StorageStack.Layer> = []
    var next: StorageStack.Layer? = layer
    while let layer = next, wholes.insert(layer).inserted, case .device(let number) = layer {
      next = whole(under: number)
    }
    return wholes
  }

  private func whole(under number: DeviceNumber) -> StorageStack.Layer? {
    guard let device = self[number] else { return LoopDevice.whole(under: number) }
    // A linear device as long as the device below starts at that device's first sector.
    guard let below = device.linearTarget,
      device.byteCount == self[below]?.byteCount ?? FileSystem.byteCount(of: below)
    else { return nil }
    return .device(below)
  }

  /// Returns the pools whose metadata device overlaps `metadata`.
  package func pools(onMetadata metadata: StorageStack) -> [MappedDevice] {
    all.filter { device in
      // A thin device of the pool lies on the pool's metadata, and may carry another pool.
      guard let target = device.poolTarget, !metadata.layers.contains(.device(device.number)) else {
        return false
      }
      return metadata.overlaps(StorageStack(device: target.metadata))
    }
  }

  /// Returns the device itself and, downward from it, the devices that it shows whole and
  /// exclusively.
  package func linearLayers(of number: DeviceNumber) -> [MappedDevice] {
    var layers: [MappedDevice] = []
    var next: DeviceNumber? = number
    while let number = next, let device = self[number], !layers.contains(device),
      device.byteCount == layers.first?.byteCount ?? device.byteCount
    {
      layers.append(device)
      next = device.linearTarget
    }
    return layers
  }

  /// The devices that show one part of another device, except LVM's.
  ///
  /// A volume keeps its identity while LVM moves its data, whatever device lies under it.
  package var linearParts: StorageExtent.LinearParts {
    var parts: StorageExtent.LinearParts = [:]
    for device in all where !device.uuid.hasPrefix("LVM-") {
      guard let below = device.linearTarget, device.liveTable[0].words.count == 2,
        let sector = UInt64(device.liveTable[0].words[1])
      else { continue }
      parts[device.number] = StorageExtent.LinearPart(of: below, from: sector &* 512)
    }
    return parts
  }

  /// Returns the target that the live tables give for a thin device; nil if no live table names the
  /// device.
  ///
  /// - Throws: `MergeError` (`refused`) if the tables disagree.
  package func thinTarget(
    of deviceID: UInt32, in pool: MappedDevice
  ) throws(MergeError) -> ThinTarget? {
    // A table that is not live does not count here.
    let showing = self.showing(deviceID, of: pool.number).filter { device in
      device.liveTable.contains { ThinTarget($0)?.deviceID == deviceID }
    }
    guard let first = showing.first else { return nil }
    let target = first.thinTarget
    guard let target, showing.allSatisfy({ $0.thinTarget == target }) else {
      throw .thinDeviceAmbiguous(
        first.path, deviceID: deviceID, shownBy: showing.map(\.name))
    }
    return target
  }

  /// Returns the active pool with a name of device-mapper or LVM.
  package func pool(
    named name: String
  ) throws(MergeError) -> (device: MappedDevice, target: PoolTarget) {
    let typed = ThinDeviceName(name)
    // The device with LVM's own name of a pool is a layer over the pool.
    let pool = [typed.device(in: self), named(name + "-tpool"), tpool(typed)]
      .compactMap { $0 }.first { $0.poolTarget != nil }
    guard let pool, let target = pool.poolTarget else {
      throw .noSuchPool(name)
    }
    return (pool, target)
  }

  private func tpool(_ name: ThinDeviceName) -> MappedDevice? {
    guard let (group, volume) = name.logicalVolume else { return nil }
    return named(
      ThinDeviceName.mappedName(group: group, volume: volume) + "-tpool")
  }
}

/// The facts about a mapped device that its LVM name and UUID contain.
extension MappedDevice {
  /// The volume group and name of the LVM pool that the device is; nil for any other device.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

  /// The LVM name of a volume, or the device-mapper name of any other device.
  var nameForPeople: String { knownVolume?.fullName ?? name }

  /// The LVM volume that the device is; nil for a layer of a volume and for any other device.
  var knownVolume: KnownVolume? { KnownVolume(mappedName: name, uuid: uuid) }
}

extension MappedDevices {
  /// Returns whether an LVM volume is active.
  func shows(_ volume: KnownVolume) -> Bool {
    pool(volume) != nil || lowestLayer(of: volume) != nil
  }

  /// Returns the pool that an LVM volume is; nil if it is not a pool or not active.
  ///
  /// LVM puts a layer over a pool, except over one that it has just created.
  func pool(_ volume: KnownVolume) -> MappedDevice? {
    ["-tpool", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }
      .first { $0.poolTarget != nil }
  }

  /// Returns an active LVM volume with its current name and its open count, without its own layers;
  /// nil if it is not active.
  ///
  /// A layer stays while other active volumes use it: `base-real` under a thin volume, `pool-tpool`
  /// under all of the pool's volumes. The volume itself is not active then. A layer that nothing
  /// uses is a remnant of the volume, which counts as active.
  package func active(_ volume: KnownVolume) -> ActivatedVolumes.ActiveVolume? {
    // LVM gives a pool's own device, a linear one over `-tpool`, the suffix `-pool`.
    let own =
      device(uuid: volume.mappedUUID()) ?? device(uuid: volume.mappedUUID(layer: "-pool"))
    guard let shown = own ?? topLayer(of: volume) ?? pool(volume),
      own != nil || shown.openCount == 0
    else { return nil }
    let name = KnownVolume.fullName(mappedName: shown.name, uuid: shown.uuid)
    return ActivatedVolumes.ActiveVolume(
      fullName: name ?? volume.fullName, openCount: shown.openCount)
  }

  /// Returns the LVM names of a pool's active metadata and data volumes.
  func hiddenVolumes(of pool: KnownVolume) -> [String] {
    ["_tmeta", "_tdata"].filter { named(pool.mappedName(layer: $0)) != nil }
      .map { pool.fullName + $0 }
  }

  /// Returns the topmost device that shows an LVM volume; nil if the volume is not active.
  func topLayer(of volume: KnownVolume) -> MappedDevice? {
    ["", "-real"].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }

  /// Returns the lowest device that shows an LVM volume; nil if the volume is not active.
  func lowestLayer(of volume: KnownVolume) -> MappedDevice? {
    ["-real", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }
}

extension ThinDeviceName {
  /// Returns the active device of that name.
  package func device(in devices: MappedDevices) -> MappedDevice? {
    if isPath, let number = FileSystem.blockDevice(at: text) { return devices[number] }
    return mappedName.flatMap(devices.named)
  }
}
