/// Finds thin devices by their user-visible names.
struct ThinDeviceLookup {
  let environment: Environment

  /// Implements ``Merger/resolve(_:mappings:ignoresNeedsCheck:)``.
  func resolve(
    _ reference: ThinDeviceReference, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> ResolvedThinDevice {
    let devices = try environment.mappedDevices()
    guard !devices.all.isEmpty || reference.mayBeVolume else {
      throw .noActivePool(reference.text)
    }
    let thin: ResolvedThin =
      switch reference {
      case .device(let name): try resolve(ThinDeviceName(name), devices)
      case .member(let pool, let deviceID): try resolve(deviceID, pool: pool, devices)
      }
    var source = MergeSource(
      metadataPath: devices.path(of: thin.target.metadata),
      dataPath: devices.path(of: thin.target.data), deviceID: thin.deviceID, mappings: mappings,
      ignoresNeedsCheck: ignoresNeedsCheck)
    source.name = reference.text
    source.volume = thin.volume?.uuids
    if case .device(let name) = reference {
      source.deviceName = thin.volume?.fullName ?? name
    }
    return ResolvedThinDevice(
      source: source, originPath: thin.originPath, thinByteCount: thin.byteCount,
      originHint: thin.originHint)
  }

  /// Returns the path of an origin that is given either as a path or as an LVM volume (`VG/LV` or
  /// `/dev/VG/LV`).
  ///
  /// While a volume is the external origin of an active thin volume, LVM may create only a layer
  /// device for it, `VG-LV-real`, which has no node in `/dev/VG`.
  ///
  /// - Returns: The path of the volume's device; the text itself if it names an existing file or if
  ///   no such volume is active.
  /// - Throws: `MergeError` (`refused`) if the text names both a file and a volume.
  func originPath(named text: String) throws(MergeError) -> String {
    let name = ThinDeviceName(text)
    let isThere = FileSystem.exists(text)
    guard name.logicalVolume != nil, !(isThere && text.hasPrefix("/")),
      let mappedName = name.mappedName, let devices = try? environment.mappedDevices(),
      let device = devices.named(mappedName) ?? devices.named(mappedName + "-real")
    else { return text }
    guard !isThere else { throw .originAmbiguous(text, volumePath: device.path) }
    return device.path
  }

  private struct ResolvedThin {
    var target: PoolTarget
    var deviceID: UInt32
    var originPath: String?
    var byteCount: UInt64?
    var originHint: MergeNote?
    var volume: KnownVolume?
  }

  private func resolve(
    _ name: ThinDeviceName, _ devices: MappedDevices
  ) throws(MergeError) -> ResolvedThin {
    if let (group, _) = name.logicalVolume {
      try VolumeGroup.check(group) { words throws(MergeError) in
        switch environment.runProgram(words) {
        case .succeeded(let output): return output
        case .failed: return nil
        case .noAnswer: throw silent(name.text, devices)
        }
      }
    }
    if let device = try removedDevice(name, devices) ?? name.device(in: devices) {
      guard let thin = device.thinTarget else {
        throw .notThinDevice(
          name.text, targets: device.liveTable.map(\.kind), role(of: name, devices))
      }
      guard let pool = devices[thin.pool], let target = pool.poolTarget else {
        throw .noPoolOfDevice(name.text, devices.path(of: thin.pool))
      }
      _ = try devices.thinTarget(of: thin.deviceID, in: pool)
      return ResolvedThin(
        target: target, deviceID: thin.deviceID, originPath: thin.origin.map(devices.path),
        byteCount: device.byteCount, volume: device.knownVolume)
    }
    guard let (group, volume) = name.logicalVolume,
      let volumes = try logicalVolumes(.name(group), for: name.text, devices)
    else {
      guard !devices.all.isEmpty else { throw .noActivePool(name.text) }
      throw .noSuchThinDevice(name.text)
    }
    guard let found = volumes[volume], let pool = volumes.pool(of: found),
      let deviceID = found.deviceID
    else { throw .noSuchThinDevice(name.text, volumes[volume].flatMap(volumes.role)) }
    let origin = volumes.externalOrigin(of: found)
    let shown = try whileActive([pool] + (origin.map { [$0] } ?? []), of: volumes, devices)
    guard let target = shown.pool(volumes.known(pool))?.poolTarget else {
      throw .volumePoolNotActive(
        name.text, mappedName: volumes.known(pool).mappedName(layer: "-tpool"),
        volumeName: volumes.name(of: pool))
    }
    let layer = origin.flatMap { shown.lowestLayer(of: volumes.known($0)) }
    var thin = ResolvedThin(
      target: target, deviceID: deviceID, originPath: layer?.path, byteCount: found.byteCount,
      volume: volumes.known(found))
    if let origin, layer == nil { thin.originHint = .originNotActive(volumes.name(of: origin)) }
    if origin == nil, let original = found.origin {
      thin.originHint = .originOfSnapshot("\(group)/\(original)")
    }
    return thin
  }

  /// Activates the pool and the origin of a recorded merge if they are LVM volumes.
  ///
  /// - Throws: The errors of ``Merger/resume(_:options:)``.
  func activateDevices(of header: JournalHeader) throws(MergeError) {
    guard environment.activatedVolumes != nil,
      let data = VolumeUUIDs(identity: header.dataIdentity),
      let devices = try? environment.mappedDevices(),
      let volumes = try logicalVolumes(.uuid(data.group), for: header.originPath, devices),
      let pool = volumes[uuid: data.volume].flatMap(volumes.pool(withData:))
    else { return }
    let origin = VolumeUUIDs(identity: header.originIdentity)
      .flatMap { $0.group == data.group ? volumes[uuid: $0.volume] : nil }
    _ = try whileActive([pool] + (origin.map { [$0] } ?? []), of: volumes, devices)
  }

  /// Returns the current path of a recorded merge's origin.
  ///
  /// If the recorded path no longer exists and the origin is an LVM volume, the volume is looked up
  /// by its UUID, whatever its current name, and activated.
  ///
  /// - `given`: the path that the user specified; nil if there is none.
  /// - `recorded`: the last path that was recorded.
  /// - Throws: The errors of ``Merger/resume(_:options:)``.
  func originPath(
    of header: JournalHeader, given: String? = nil, recorded: String
  ) throws(MergeError) -> String {
    if let given { return given }
    guard !FileSystem.exists(recorded), let uuids = VolumeUUIDs(identity: header.originIdentity),
      var devices = try? environment.mappedDevices()
    else { return recorded }
    if let volumes = try logicalVolumes(.uuid(uuids.group), for: recorded, devices),
      let origin = volumes[uuid: uuids.volume]
    {
      devices = try whileActive([origin], of: volumes, devices)
      return devices.topLayer(of: volumes.known(origin))?.path ?? recorded
    }
    return recorded
  }

  /// Activates the needed volumes that are not active, if this environment activates volumes.
  ///
  /// - Returns: The mapped devices that exist afterward.
  private func whileActive(
    _ needed: [LogicalVolumes.Volume], of volumes: LogicalVolumes, _ devices: MappedDevices
  ) throws(MergeError) -> MappedDevices {
    if let cached = needed.first(where: { $0.cacheVolume != nil }) {
      throw .originCachedByVolume(volumes.name(of: cached))
    }
    guard let activated = environment.activatedVolumes else { return devices }
    for volume in needed.map(volumes.known) {
      do throws(MergeError) {
        try activated.use(volume) { () throws(MergeError) in
          try environment.mappedDevices().shows(volume)
        }
      } catch {
        throw error.whileActive(devices.hiddenVolumes(of: volume))
      }
    }
    return try environment.mappedDevices()
  }

  /// Returns the role in LVM of the volume with the given name; nil if it is neither a thin pool
  /// nor an external origin.
  private func role(of name: ThinDeviceName, _ devices: MappedDevices) -> MergeError.VolumeRole? {
    guard let (group, volume) = name.logicalVolume,
      let volumes = try? logicalVolumes(.name(group), for: name.text, devices)
    else { return nil }
    return volumes[volume].flatMap(volumes.role)
  }

  /// Returns the volumes of an LVM volume group; nil if LVM has no such group.
  private func logicalVolumes(
    _ selection: LogicalVolumes.Selection, for name: String, _ devices: MappedDevices
  ) throws(MergeError) -> LogicalVolumes? {
    do throws(LogicalVolumes.NoAnswer) {
      return try LogicalVolumes(selection, run: environment.runProgram)
    } catch {
      throw silent(name, devices)
    }
  }

  /// Returns the error to report when LVM did not answer a query about `name`.
  private func silent(_ name: String, _ devices: MappedDevices) -> MergeError {
    .lvmSilent(
      name, after: Program.answerTimeMax,
      suspended: devices.all.filter(\.isSuspended).map(\.name))
  }

  private func resolve(
    _ deviceID: UInt32, pool name: String, _ devices: MappedDevices
  ) throws(MergeError) -> ResolvedThin {
    let (pool, target) = try devices.pool(named: name)
    let shown = try devices.thinTarget(of: deviceID, in: pool)
    return ResolvedThin(
      target: target, deviceID: deviceID, originPath: shown?.origin.map(devices.path),
      byteCount: shown.map { $0.sectorCount * 512 })
  }

  /// Finds, by name, a thin device that a killed run had removed, unless LVM has since given that
  /// name to another volume.
  private func removedDevice(
    _ name: ThinDeviceName, _ devices: MappedDevices
  ) throws(MergeError) -> MappedDevice? {
    guard let mappedName = name.mappedName,
      devices.named(mappedName)?.liveTable.isEmpty != false
    else { return nil }
    let removed = devices.all.lazy.filter { $0.poolTarget != nil }.compactMap { pool in
      PoolStateFile.removedDevice(
        mappedName, of: pool, devices, stateFolder: environment.poolStateFolder,
        bootID: environment.bootID)
    }.first
    if let volume = removed?.knownVolume,
      let volumes = try logicalVolumes(.name(volume.group), for: name.text, devices),
      let now = volumes[volume.name], volumes.known(now) != volume
    {
      return nil
    }
    return removed
  }
}

extension LogicalVolumes {
  /// Returns the role of a volume that is a thin pool or an external origin; nil for any other
  /// volume.
  fileprivate func role(of volume: Volume) -> MergeError.VolumeRole? {
    guard volume.transactionID == nil else { return .pool }
    let names = thinVolumes(on: volume).map(name)
    return names.isEmpty ? nil : .origin(of: names)
  }
}

extension ThinDeviceReference {
  /// True if the reference may name an LVM volume, active or not.
  fileprivate var mayBeVolume: Bool {
    if case .device(let name) = self { ThinDeviceName(name).logicalVolume != nil } else { false }
  }

  fileprivate var text: String {
    switch self {
    case .device(let name): name
    case .member(let pool, let deviceID): "\(pool), dev \(deviceID)"
    }
  }
}
