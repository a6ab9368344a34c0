internal import SystemPackage

/// Active pools.
extension Merger {
  /// Finds a thin device by its name.
  ///
  /// - `mappings`: which mapping tree is to be read.
  /// - Throws: `MergeError` (`refused`) where there is no such device, or it is no thin device.
  public func find(
    _ selection: ThinSelection, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> FoundThinDevice {
    let devices = try mappedDevices()
    guard !devices.all.isEmpty else {
      throw MergeError(
        .refused, "no active pool", at: selection.text,
        because: "device-mapper has no devices on this system",
        hint: "of a pool that is not active: --metadata, --data, --dev-id and --inactive")
    }
    let thin: FoundThin =
      switch selection {
      case .device(let name): try find(ThinDeviceName(name), devices)
      case .member(let pool, let deviceID): try find(deviceID, pool: pool, devices)
      }
    return FoundThinDevice(
      source: MergeSource(
        metadataPath: devices.path(of: thin.target.metadata),
        dataPath: devices.path(of: thin.target.data), deviceID: thin.deviceID, mappings: mappings,
        ignoresNeedsCheck: ignoresNeedsCheck),
      originPath: thin.originPath, thinByteCount: thin.byteCount)
  }

  private struct FoundThin {
    var target: PoolTarget
    var deviceID: UInt32
    var originPath: String?
    var byteCount: UInt64?
  }

  private func find(
    _ name: ThinDeviceName, _ devices: MappedDevices
  ) throws(MergeError) -> FoundThin {
    if let device = name.device(in: devices) {
      guard let thin = device.thinTarget else {
        throw MergeError(
          .refused, "not a thin device", at: name.text,
          because: "its table is "
            + (device.liveTable.count == 1
              ? "of the target \(device.liveTable[0].kind)"
              : "of \(device.liveTable.count) lines; one line 'thin' is expected"))
      }
      guard let pool = devices[thin.pool], let target = pool.poolTarget else {
        throw MergeError(
          .refused, "cannot find the thin device's pool", at: name.text,
          because: "device \(thin.pool) has no table of a thin-pool")
      }
      return FoundThin(
        target: target, deviceID: thin.deviceID, originPath: thin.origin.map(devices.path),
        byteCount: device.byteCount)
    }
    guard let (group, volume) = name.logicalVolume,
      let found = LogicalVolume(group: group, volume: volume, run: environment.runProgram)
    else {
      throw MergeError(
        .refused, "no such thin device", at: name.text,
        because: "device-mapper has no device of that name, and LVM no thin volume",
        hint:
          "'dmsetup ls --target thin' and 'lvs' list them; one that is not active and not LVM's: "
          + "--pool NAME --dev-id N --origin PATH --thin-size SIZE")
    }
    guard let target = devices.named(found.poolMappedName)?.poolTarget else {
      throw MergeError(
        .refused, "the thin device's pool is not active", at: name.text,
        because: "there is no device \(found.poolMappedName)",
        hint: "lvchange -ay \(ShellWord.quoted("\(found.group)/\(found.pool)"))")
    }
    let origin = found.originMappedNames.compactMap { devices.named($0) }.first
    if let externalOrigin = found.externalOrigin, origin == nil {
      throw MergeError(
        .refused, "the external origin is not active", at: "\(group)/\(externalOrigin)",
        because: "neither it nor the thin device is active, so it has no node",
        hint: "lvchange -ay \(ShellWord.quoted("\(group)/\(externalOrigin)"))")
    }
    return FoundThin(
      target: target, deviceID: found.deviceID, originPath: origin?.path,
      byteCount: found.byteCount)
  }

  private func find(
    _ deviceID: UInt32, pool name: String, _ devices: MappedDevices
  ) throws(MergeError) -> FoundThin {
    let (pool, target) = try self.pool(named: name, devices)
    let shown = devices.showing(deviceID, of: pool.number).first?.thinTarget
    return FoundThin(
      target: target, deviceID: deviceID, originPath: shown?.origin.map(devices.path),
      byteCount: shown.map { $0.sectorCount * 512 })
  }

  /// The active pool of a name of device-mapper or LVM.
  func pool(
    named name: String, _ devices: MappedDevices
  ) throws(MergeError) -> (device: MappedDevice, target: PoolTarget) {
    let typed = ThinDeviceName(name)
    // LVM's own name of a pool is a layer over it.
    let pool = [typed.device(in: devices), devices.named(name + "-tpool"), tpool(typed, devices)]
      .compactMap { $0 }.first { $0.poolTarget != nil }
    guard let pool, let target = pool.poolTarget else {
      throw MergeError(
        .refused, "no such pool", at: name,
        because: "device-mapper has no thin-pool of that name",
        hint: "'dmsetup ls --target thin-pool' lists them")
    }
    return (pool, target)
  }

  private func tpool(_ name: ThinDeviceName, _ devices: MappedDevices) -> MappedDevice? {
    guard let (group, volume) = name.logicalVolume else { return nil }
    return devices.named(
      ThinDeviceName.mappedName(group: group, volume: volume) + "-tpool")
  }

  func mappedDevices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try environment.deviceMapper.devices())
    } catch {
      throw MergeError(
        .refused, "cannot ask device-mapper", at: "/dev/mapper/control", because: "\(error)",
        hint: "that takes root")
    }
  }

  /// The active pool on the source's metadata device, taken for this run; nil if no pool is active on
  /// it.
  func poolSession(_ source: MergeSource) throws(MergeError) -> PoolSession? {
    guard FileSystem.blockDevice(at: source.metadataPath) != nil else { return nil }
    let metadata = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly)
    let pools = try mappedDevices().pools(onMetadata: StorageStack(metadata))
    guard let pool = pools.first, let target = pool.poolTarget else { return nil }
    guard pools.count == 1 else {
      throw MergeError(
        .refused, "several pools are active on the metadata device", at: source.metadataPath,
        because: pools.map(\.name).joined(separator: ", "))
    }
    if !source.dataPath.isEmpty {
      let data = try OpenFile(source.dataPath, role: "data device", access: .readOnly)
      guard StorageStack(data).overlaps(StorageStack(device: target.data)) else {
        throw MergeError(
          .refused, "not the pool's data device", at: source.dataPath,
          because: "pool \(pool.name) is active on that metadata device, and its data device is "
            + "\(target.data)")
      }
    }
    let record = try PoolRecordFile(
      pool: pool, stateFolder: environment.stateFolder, processID: environment.processID,
      bootID: environment.bootID, seconds: environment.secondsSince1970())
    return try PoolSession(
      pool, target: target, mapper: environment.deviceMapper, record: record,
      reader: reader(metadata), note: environment.observer.note)
  }

  /// Does something that only reads with a pool's metadata snapshot held, if a pool is active on the
  /// source's metadata.
  func whileHeld<Result>(
    _ source: MergeSource, _ body: (MergeSource, PoolSession?) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    guard let session = try poolSession(source) else {
      try checkNeedsNoPool(source)
      return try body(source, nil)
    }
    defer { session.end(.nothingWritten) }
    var held = source
    held.mappings = try session.hold(source.mappings, ignoresNeedsCheck: source.ignoresNeedsCheck)
    return try body(held, session)
  }

  /// A metadata snapshot of one's own can only be taken of an active pool.
  func checkNeedsNoPool(_ source: MergeSource) throws(MergeError) {
    guard source.mappings == .ownMetadataSnapshot else { return }
    throw MergeError(
      .refused, "the pool is not active", at: source.metadataPath,
      because: "no pool of device-mapper has that metadata device",
      hint: "activate it, or merge from its devices with --metadata, --data, --dev-id and "
        + "--inactive")
  }
}

extension ThinSelection {
  fileprivate var text: String {
    switch self {
    case .device(let name): name
    case .member(let pool, let deviceID): "\(pool), dev \(deviceID)"
    }
  }
}
