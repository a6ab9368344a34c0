/// All mapped devices, and what can be told from their tables.
package struct MappedDevices: Sendable {
  package let all: [MappedDevice]

  package init(_ all: [MappedDevice]) { self.all = all }

  package subscript(number: DeviceNumber) -> MappedDevice? { all.first { $0.number == number } }

  package func named(_ name: String) -> MappedDevice? { all.first { $0.name == name } }

  package func device(uuid: String) -> MappedDevice? { all.first { $0.uuid == uuid } }

  /// How a person knows the device.
  package func path(of number: DeviceNumber) -> String {
    self[number]?.path ?? FileSystem.node(of: number) ?? number.description
  }

  /// The devices that show a thin device, or would with the table that was loaded.
  package func showing(_ deviceID: UInt32, of pool: DeviceNumber) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { $0.pool == pool && $0.deviceID == deviceID }
    }
  }

  /// The ids of a pool that some table names.
  package func deviceIDs(of pool: DeviceNumber) -> Set<UInt32> {
    Set(all.flatMap(\.thinTargets).filter { $0.pool == pool }.map(\.deviceID))
  }

  /// The thin devices whose external origin shares bytes with `origin`.
  package func thinDevices(over origin: StorageStack) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { target in
        target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
      }
    }
  }

  /// The thin devices that a mapped device shows over `origin`.
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
  /// That is more than to overlap: a disk under a linear device with an offset is another device.
  package func areSame(_ one: StorageStack.Layer, _ other: StorageStack.Layer) -> Bool {
    !wholes(of: one).isDisjoint(with: wholes(of: other))
  }

  /// Returns the layer itself and, from there on down, those that it shows from the first byte to the
  /// last.
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
    // A linear device that is as long as the one below begins where that begins.
    guard let below = device.linearTarget,
      device.byteCount == self[below]?.byteCount ?? FileSystem.byteCount(of: below)
    else { return nil }
    return .device(below)
  }

  /// The pools whose metadata device shares bytes with `metadata`.
  package func pools(onMetadata metadata: StorageStack) -> [MappedDevice] {
    all.filter { device in
      // A thin device of the pool itself lies on its metadata, and may carry another pool.
      guard let target = device.poolTarget, !metadata.layers.contains(.device(device.number)) else {
        return false
      }
      return metadata.overlaps(StorageStack(device: target.metadata))
    }
  }

  /// The device itself and, from there on down, those that it shows whole and nothing else.
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

  /// The devices that show one part of another, LVM's excepted: whatever lies under them now, their volumes keep
  /// their identities while LVM moves them.
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

  /// What the tables say of a thin device; nil if none names it.
  ///
  /// - Throws: `MergeError` (`refused`) where they do not agree.
  package func thinTarget(
    of deviceID: UInt32, in pool: MappedDevice
  ) throws(MergeError) -> ThinTarget? {
    // A table that is not live yet is another matter.
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

  /// The active pool of a name of device-mapper or LVM.
  package func pool(
    named name: String
  ) throws(MergeError) -> (device: MappedDevice, target: PoolTarget) {
    let typed = ThinDeviceName(name)
    // LVM's own name of a pool is a layer over it.
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

/// What LVM's names and uuids tell of a mapped device.
extension MappedDevice {
  /// Volume group and name of the pool of LVM that the device is; nil where it is none.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

  /// Of a volume its name in LVM, of another device that of device-mapper.
  var nameForPeople: String { knownVolume?.fullName ?? name }

  /// The volume of LVM that the device is; nil for what is none, and for a layer of one.
  var knownVolume: KnownVolume? { KnownVolume(mappedName: name, uuid: uuid) }
}

extension MappedDevices {
  /// Returns whether a volume of LVM is active.
  func shows(_ volume: KnownVolume) -> Bool {
    pool(volume) != nil || lowestLayer(of: volume) != nil
  }

  /// The pool that a volume of LVM is; nil where it is none or not active.
  ///
  /// LVM puts a layer over it, but where it has just made it.
  func pool(_ volume: KnownVolume) -> MappedDevice? {
    ["-tpool", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }
      .first { $0.poolTarget != nil }
  }

  /// A volume of LVM by the name that it has now, and who has it open besides its own layers; nil where it is not active.
  ///
  /// A layer stays while other active volumes use it: `base-real` under a thin volume, `pool-tpool` under all of the
  /// pool's. The volume itself is not active then. A layer that nothing uses is what is left of the volume.
  func active(_ volume: KnownVolume) -> ActivatedVolumes.ActiveVolume? {
    let own = device(uuid: volume.mappedUUID())
    guard let shown = own ?? topLayer(of: volume) ?? pool(volume),
      own != nil || shown.openCount == 0
    else { return nil }
    let name = KnownVolume.fullName(mappedName: shown.name, uuid: shown.uuid)
    return ActivatedVolumes.ActiveVolume(
      fullName: name ?? volume.fullName, openCount: shown.openCount)
  }

  /// The names in LVM of a pool's metadata and data volumes that are active.
  func hiddenVolumes(of pool: KnownVolume) -> [String] {
    ["_tmeta", "_tdata"].filter { named(pool.mappedName(layer: $0)) != nil }
      .map { pool.fullName + $0 }
  }

  /// The topmost device that shows a volume of LVM; nil where it is not active.
  func topLayer(of volume: KnownVolume) -> MappedDevice? {
    ["", "-real"].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }

  /// The lowest device that shows a volume of LVM; nil where it is not active.
  func lowestLayer(of volume: KnownVolume) -> MappedDevice? {
    ["-real", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
  }
}

extension ThinDeviceName {
  /// The active device of that name.
  package func device(in devices: MappedDevices) -> MappedDevice? {
    if isPath, let number = FileSystem.blockDevice(at: text) { return devices[number] }
    return mappedName.flatMap(devices.named)
  }
}
