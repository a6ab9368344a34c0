/// All mapped devices, with lookups by name, number, UUID and table contents.
package struct MappedDevices: Sendable {
  package let all: [MappedDevice]

  package init(_ all: [MappedDevice]) { self.all = all }

  package subscript(number: DeviceNumber) -> MappedDevice? { all.first { $0.number == number } }

  package func named(_ name: String) -> MappedDevice? { all.first { $0.name == name } }

  package func device(uuid: String) -> MappedDevice? { all.first { $0.uuid == uuid } }

  /// Returns the path under which users know a device; its number if no path is known.
  package func path(of number: DeviceNumber) -> String {
    self[number]?.path ?? FileSystem.node(of: number) ?? number.description
  }

  /// Returns the mapped devices whose live or inactive table refers to the given thin device.
  package func showing(_ deviceID: UInt32, of pool: DeviceNumber) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { $0.pool == pool && $0.deviceID == deviceID }
    }
  }

  /// Returns the IDs of a pool's thin devices that appear in any table.
  package func deviceIDs(of pool: DeviceNumber) -> Set<UInt32> {
    Set(all.flatMap(\.thinTargets).filter { $0.pool == pool }.map(\.deviceID))
  }

  /// Returns the mapped thin devices whose external origin overlaps the given one.
  package func thinDevices(over origin: StorageStack) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { target in
        target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
      }
    }
  }

  /// Returns the thin devices in a mapped device's tables whose external origin overlaps the given
  /// one.
  func sharers(in device: MappedDevice, over origin: StorageStack) -> [OriginSharer] {
    device.thinTargets.filter { target in
      target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
    }.map { target in
      OriginSharer(
        poolName: self[target.pool]?.durableName ?? target.pool.description,
        deviceID: target.deviceID, mappedName: device.durableName)
    }
  }

  /// Returns whether two devices or files are the same storage, with every byte at the same offset.
  ///
  /// Overlapping is not enough: a linear device with an offset overlaps the disk under it but is
  /// not the same.
  package func areSame(_ one: StorageStack.Layer, _ other: StorageStack.Layer) -> Bool {
    !wholes(of: one).isDisjoint(with: wholes(of: other))
  }

  /// Returns the given layer and, from top to bottom, all layers below it that are identical to it
  /// from the first byte to the last.
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
    // If a linear device is as long as the device below it, it must start at that device's first
    // sector.
    guard let below = device.linearTarget,
      device.byteCount == self[below]?.byteCount ?? FileSystem.byteCount(of: below)
    else { return nil }
    return .device(below)
  }

  /// Returns the pools whose metadata device overlaps `metadata`.
  package func pools(onMetadata metadata: StorageStack) -> [MappedDevice] {
    all.filter { device in
      // A thin device of this pool depends on the pool's metadata device, and may itself carry
      // another pool.
      guard let target = device.poolTarget, !metadata.layers.contains(.device(device.number)) else {
        return false
      }
      return metadata.overlaps(StorageStack(device: target.metadata))
    }
  }

  /// Returns the given mapped device and, from top to bottom, the mapped devices below it that it
  /// maps completely, each with a single linear target.
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

  /// The devices that map one contiguous part of another device, excluding LVM volumes.
  ///
  /// An LVM volume keeps its identity even when LVM moves its data to another device.
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

  /// Returns the target of a thin device according to the live tables; nil if no live table refers
  /// to the device.
  ///
  /// - Throws: `MergeError` (`refused`) if the tables disagree.
  package func thinTarget(
    of deviceID: UInt32, in pool: MappedDevice
  ) throws(MergeError) -> ThinTarget? {
    // Inactive tables do not count here.
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

  /// Returns the active pool with the given device-mapper or LVM name.
  package func pool(
    named name: String
  ) throws(MergeError) -> (device: MappedDevice, target: PoolTarget) {
    let typed = ThinDeviceName(name)
    // The device that has the LVM name of a pool is only a layer over the pool.
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

/// Facts about a mapped device that are derived from its LVM name and UUID.
extension MappedDevice {
  /// The volume group and LVM name of the pool; nil if the device is not an LVM pool.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

  /// The name to show to users: the LVM name if the device is a volume, otherwise its device-mapper
  /// name.
  var nameForPeople: String { knownVolume?.fullName ?? name }

  /// The LVM volume that the device represents; nil if the device is only a layer of a volume, or
  /// is not an LVM device.
  var knownVolume: KnownVolume? { KnownVolume(mappedName: name, uuid: uuid) }
}

extension MappedDevices {
  /// Returns whether an LVM volume is active.
  func shows(_ volume: KnownVolume) -> Bool {
    pool(volume) != nil || lowestLayer(of: volume) != nil
  }

  /// Returns the device of an LVM pool volume; nil if the volume is not a pool or not active.
  ///
  /// LVM puts a layer over a pool unless it has just created the pool.
  func pool(_ volume: KnownVolume) -> MappedDevice? {
    ["-tpool", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }
      .first { $0.poolTarget != nil }
  }

  /// Returns the current name and open count of an LVM volume; nil if the volume is not active.
  ///
  /// A volume's layer remains while other active volumes use it: `base-real` under a thin volume,
  /// `pool-tpool` under all of the pool's volumes. In that case, the volume itself is not active.
  /// If nothing uses a remaining layer, the layer is a remnant and the volume counts as active.
  package func active(_ volume: KnownVolume) -> ActivatedVolumes.ActiveVolume? {
    // LVM gives the suffix `-pool` to a pool's own device, which is a linear device over `-tpool`.
    let own =
      device(uuid: volume.mappedUUID()) ?? device(uuid: volume.mappedUUID(layer: "-pool"))
    guard let shown = own ?? topLayer(of: volume) ?? pool(volume),
      own != nil || shown.openCount == 0
    else { return nil }
    let name = KnownVolume.fullName(mappedName: shown.name, uuid: shown.uuid)
    return ActivatedVolumes.ActiveVolume(
      fullName: name ?? volume.fullName, openCount: shown.openCount)
  }

  /// Returns the LVM names of a pool's hidden metadata and data volumes, if they are active.
  func hiddenVolumes(of pool: KnownVolume) -> [String] {
    ["_tmeta", "_tdata"].filter { named(pool.mappedName(layer: $0)) != nil }
      .map { pool.fullName + $0 }
  }

  /// Returns the topmost device of an LVM volume; nil if the volume is not active.
  func topLayer(of volume: KnownVolume) -> MappedDevice? {
    ["", "-real"].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }

  /// Returns the lowest device of an LVM volume; nil if the volume is not active.
  func lowestLayer(of volume: KnownVolume) -> MappedDevice? {
    ["-real", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }
}

extension ThinDeviceName {
  /// Returns the active device that this name refers to; nil if there is none.
  package func device(in devices: MappedDevices) -> MappedDevice? {
    if isPath, let number = FileSystem.blockDevice(at: text) { return devices[number] }
    return mappedName.flatMap(devices.named)
  }
}
