/// What LVM's names and uuids tell of a mapped device.
extension MappedDevice {
  /// Volume group and name of the pool of LVM that the device is; nil where it is none.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

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
