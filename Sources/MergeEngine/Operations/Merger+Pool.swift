internal import SystemPackage

/// Active pools.
extension Merger {
  /// Finds a thin device of an active pool by its name, from device-mapper's tables and, where it is not
  /// active, from LVM.
  ///
  /// - Parameters:
  ///   - selection: Its name.
  ///   - mappings: Which mapping tree is to be read; goes into the ``FoundThinDevice/source``.
  ///   - ignoresNeedsCheck: Goes into the source as well.
  /// - Returns: What a merge of it takes.
  /// - Throws: `MergeError` (`refused`) where there is no such device, it is no thin device, or its pool is
  ///   not active.
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
    var source = MergeSource(
      metadataPath: devices.path(of: thin.target.metadata),
      dataPath: devices.path(of: thin.target.data), deviceID: thin.deviceID, mappings: mappings,
      ignoresNeedsCheck: ignoresNeedsCheck)
    source.name = selection.text
    return FoundThinDevice(
      source: source, originPath: thin.originPath, thinByteCount: thin.byteCount,
      originHint: thin.originHint)
  }

  private struct FoundThin {
    var target: PoolTarget
    var deviceID: UInt32
    var originPath: String?
    var byteCount: UInt64?
    var originHint: String?
  }

  private func find(
    _ name: ThinDeviceName, _ devices: MappedDevices
  ) throws(MergeError) -> FoundThin {
    if let device = removedDevice(name, devices) ?? name.device(in: devices) {
      guard let thin = device.thinTarget else {
        throw MergeError(
          .refused, "not a thin device", at: name.text,
          because: "its table is "
            + (device.liveTable.count == 1
              ? "of the target \(device.liveTable[0].kind)"
              : "of \(device.liveTable.count) lines; one line 'thin' is expected"),
          hint: "'dmsetup ls --target thin' lists thin devices")
      }
      guard let pool = devices[thin.pool], let target = pool.poolTarget else {
        throw MergeError(
          .refused, "cannot find the thin device's pool", at: name.text,
          because: "its table names \(devices.path(of: thin.pool)), which is no pool",
          hint: "see 'dmsetup table'")
      }
      _ = try thinTarget(of: thin.deviceID, in: pool, devices)
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
    // Of a snapshot LVM names the thin volume that it was made of, which is no external origin.
    let isInternal =
      found.externalOrigin.map { origin in
        LogicalVolume(group: group, volume: origin, run: environment.runProgram) != nil
      } ?? false
    let origin =
      isInternal ? nil : found.originMappedNames.compactMap { devices.named($0) }.first
    var thin = FoundThin(
      target: target, deviceID: found.deviceID, originPath: origin?.path,
      byteCount: found.byteCount)
    if let externalOrigin = found.externalOrigin, origin == nil {
      thin.originHint =
        isInternal
        ? "it is a snapshot of \(group)/\(externalOrigin): --origin PATH says which external origin"
        : "its external origin \(group)/\(externalOrigin) is not active: lvchange -ay "
          + ShellWord.quoted("\(group)/\(externalOrigin)")
    }
    return thin
  }

  private func find(
    _ deviceID: UInt32, pool name: String, _ devices: MappedDevices
  ) throws(MergeError) -> FoundThin {
    let (pool, target) = try self.pool(named: name, devices)
    let shown = try thinTarget(of: deviceID, in: pool, devices)
    return FoundThin(
      target: target, deviceID: deviceID, originPath: shown?.origin.map(devices.path),
      byteCount: shown.map { $0.sectorCount * 512 })
  }

  /// A thin device that a killed run removed is known by its name all the same.
  private func removedDevice(
    _ name: ThinDeviceName, _ devices: MappedDevices
  ) -> MappedDevice? {
    guard let mappedName = name.mappedName,
      devices.named(mappedName)?.liveTable.isEmpty != false
    else { return nil }
    return devices.all.lazy.filter { $0.poolTarget != nil }.compactMap { pool in
      PoolRecordFile.removedDevice(
        mappedName, of: pool, stateFolder: environment.stateFolder, bootID: environment.bootID)
    }.first
  }

  /// What the tables say of a thin device; nil if none names it.
  ///
  /// - Throws: `MergeError` (`refused`) where they do not agree.
  func thinTarget(
    of deviceID: UInt32, in pool: MappedDevice, _ devices: MappedDevices
  ) throws(MergeError) -> ThinTarget? {
    // A table that is not live yet is another matter.
    let showing = devices.showing(deviceID, of: pool.number).filter { device in
      device.liveTable.contains { ThinTarget($0)?.deviceID == deviceID }
    }
    guard let first = showing.first else { return nil }
    let target = first.thinTarget
    guard let target, showing.allSatisfy({ $0.thinTarget == target }) else {
      throw MergeError(
        .refused, "cannot tell how the thin device is meant", at: first.path,
        because:
          "dev \(deviceID) is shown by tables of more than one line, or with different lengths "
          + "or origins: " + showing.map(\.name).joined(separator: ", "),
        hint: "see 'dmsetup table', and remove the devices that are not meant")
    }
    return target
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
    let metadata = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly)
    guard let devices = try devicesForSession(metadata) else { return nil }
    let stack = StorageStack(metadata)
    let sharing = devices.pools(onMetadata: stack)
    let pools = sharing.filter { pool in
      pool.poolTarget.map { devices.areSame(stack.top, .device($0.metadata)) } ?? false
    }
    guard let pool = pools.first, let target = pool.poolTarget else {
      if let pool = sharing.first, let target = pool.poolTarget {
        throw notOfPool(metadata, "metadata", expected: target.metadata, pool, devices)
      }
      try checkNoPool(onData: source.dataPath, devices)
      return nil
    }
    guard pools.count == 1 else {
      throw MergeError(
        .refused, "several pools are active on the metadata device", at: source.metadataPath,
        because: pools.map(\.name).joined(separator: ", ") + "; one is expected",
        hint: "they destroy each other's metadata: take them down, and check it with thin_check")
    }
    if !source.dataPath.isEmpty {
      let data = try OpenFile(source.dataPath, role: "data device", access: .readOnly)
      guard devices.areSame(StorageStack(data).top, .device(target.data)) else {
        throw notOfPool(data, "data", expected: target.data, pool, devices)
      }
    }
    let record = try PoolRecordFile(
      pool: pool, stateFolder: environment.stateFolder, bootID: environment.bootID)
    return try PoolSession(
      pool, target: target, mapper: environment.deviceMapper, record: record,
      reader: reader(metadata), note: environment.observer.note)
  }

  /// Returns the refusal of a device that was given for one of a pool's own and is not that.
  private func notOfPool(
    _ file: OpenFile, _ role: String, expected: DeviceNumber, _ pool: MappedDevice,
    _ devices: MappedDevices
  ) -> MergeError {
    let shares = StorageStack(file).overlaps(StorageStack(device: expected))
    return MergeError(
      .refused, "not the pool's \(role) device", at: file.path,
      because: "\(devices.path(of: expected)) is that of pool \(pool.name), which is active; "
        + (shares
          ? "this one shares blocks with it, and has other bytes in other places"
          : "this one is another device"),
      hint: "name the thin device instead: --pool \(ShellWord.quoted(pool.name)) --dev-id N")
  }

  /// Nil where nobody can have made a pool over an image file.
  private func devicesForSession(_ metadata: OpenFile) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try mappedDevices()
    } catch {
      // Whoever may not ask device-mapper may still work on files that no loop device lies over.
      guard metadata.kind == .regularFile, LoopDevice.over(metadata) == nil else { throw error }
      return nil
    }
  }

  /// Blocks of an active pool's data device are used again under a reader of a copy of its metadata.
  private func checkNoPool(
    onData path: String, _ devices: MappedDevices
  ) throws(MergeError) {
    guard !path.isEmpty, !devices.all.isEmpty else { return }
    let data = StorageStack(try OpenFile(path, role: "data device", access: .readOnly))
    let pool = devices.all.first { device in
      guard let target = device.poolTarget, !data.layers.contains(.device(device.number)) else {
        return false
      }
      return data.overlaps(StorageStack(device: target.data))
    }
    guard let pool else { return }
    throw MergeError(
      .refused, "a pool is active on the data device", at: path,
      because: "it is the data device of pool \(pool.name), whose metadata is elsewhere",
      hint: "name the thin device instead: --pool \(ShellWord.quoted(pool.name)) --dev-id N")
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
    held.mappings = try session.hold(
      source.mappings, of: source.deviceID, ignoresNeedsCheck: source.ignoresNeedsCheck)
    return try body(held, session)
  }

  /// Says that options for active pools have no effect where there is no such pool.
  func noteIfUnused(_ options: PoolOptions) {
    guard options != PoolOptions() else { return }
    environment.observer.note(
      "the devices are not those of an active pool: what may be done to one is not needed")
  }

  /// A metadata snapshot of one's own can only be taken of an active pool.
  ///
  /// - `isResumed`: it was active, and after a reboot it may not have come up yet.
  func checkNeedsNoPool(_ source: MergeSource, isResumed: Bool = false) throws(MergeError) {
    guard source.mappings == .ownMetadataSnapshot else { return }
    throw MergeError(
      isResumed ? .busy : .refused, "the pool is not active", at: source.metadataPath,
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
