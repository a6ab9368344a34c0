/// Lists the system's thin devices that have an external origin, without changing anything.
struct ListOperation {
  let environment: Environment

  /// A thin device found in LVM, in a device-mapper table, or in both.
  private struct Found {
    var name: String
    var poolName: String
    var originName: String
    var deviceID: UInt32
    var byteCount: UInt64
    /// The thin device's LVM volume; nil if it is not an LVM volume.
    var volume: KnownVolume?
    var originVolume: KnownVolume?
    /// The active device; nil if the thin device is not active.
    var device: MappedDevice?
    /// The pool device; nil if the thin device is not active.
    var pool: MappedDevice?
    /// The device number of the origin's lowest layer; nil if the origin is not active.
    var origin: DeviceNumber?
    var isOriginCachedByVolume = false
  }

  /// Implements ``Merger/thinDevices()``.
  func list() throws(MergeError) -> [ThinDeviceListing] {
    let devices = try environment.mappedDevices()
    let found = try volumes(devices) + others(devices)
    let journals = environment.journals.knownPaths().compactMap {
      try? environment.journals.look(at: $0)
    }.filter { $0.state.givenUp == nil }
    let storage = StorageAbove.now()
    return found.map { thin in
      let onOrigin = found.filter { thin.originName == $0.originName && thin.name != $0.name }
      let merges = journals.filter { isOnOrigin(of: thin, $0.header) }
      let own = merges.filter { isOf(thin, $0.header) }
        .max { $0.state.lastSeconds < $1.state.lastSeconds }
      let mount = thin.device.flatMap { storage.mounts(on: $0.number).first?.path }
      var listing = ThinDeviceListing(
        name: thin.name, poolName: thin.poolName, originName: thin.originName,
        deviceID: thin.deviceID, byteCount: thin.byteCount, ownByteCount: ownByteCount(thin),
        isActive: thin.device != nil, openCount: thin.device?.openCount ?? 0, mountPath: mount,
        merge: own.map {
          StatusReport(
            $0.state, $0.header, isRunning: $0.file.isLockedByAnother, journalPath: $0.file.path)
        }, obstacles: [])
      listing.obstacles =
        obstacles(thin, onOrigin, devices)
        + merges.filter {
          !isOf(thin, $0.header) && $0.state.attemptCount > 0 && !$0.state.isFinished
        }
        .map {
          ThinDeviceListing.Obstacle(
            code: .otherMergeUnfinished,
            text: "another merge into \(thin.originName) is unfinished: \($0.file.path)")
        }
      return listing
    }
  }

  // MARK: Finding

  /// Returns all LVM thin volumes that have an external origin, active or not.
  private func volumes(_ devices: MappedDevices) throws(MergeError) -> [Found] {
    let groups: [LogicalVolumes]
    do throws(LogicalVolumes.NoAnswer) {
      groups = try LogicalVolumes.allGroups(run: environment.runProgram)
    } catch {
      throw .lvmSilent(
        "all volumes", after: Program.answerTimeMax,
        suspended: devices.all.filter(\.isSuspended).map(\.name))
    }
    return groups.flatMap { volumes in
      volumes.all.compactMap { thin -> Found? in
        guard let pool = volumes.pool(of: thin), let deviceID = thin.deviceID,
          let origin = volumes.externalOrigin(of: thin)
        else { return nil }
        let (known, knownOrigin) = (volumes.known(thin), volumes.known(origin))
        return Found(
          name: known.fullName, poolName: volumes.name(of: pool), originName: knownOrigin.fullName,
          deviceID: deviceID, byteCount: thin.byteCount, volume: known, originVolume: knownOrigin,
          device: devices.device(uuid: known.mappedUUID()),
          pool: devices.pool(volumes.known(pool)),
          origin: devices.lowestLayer(of: knownOrigin)?.number,
          isOriginCachedByVolume: origin.cacheVolume != nil)
      }
    }
  }

  /// Returns all active thin devices that have an external origin and are not LVM volumes.
  private func others(_ devices: MappedDevices) -> [Found] {
    devices.all.compactMap { device in
      guard device.knownVolume == nil, let thin = device.thinTarget, let origin = thin.origin else {
        return nil
      }
      return Found(
        name: device.name, poolName: devices[thin.pool]?.name ?? thin.pool.description,
        originName: devices.path(of: origin), deviceID: thin.deviceID, byteCount: device.byteCount,
        device: device, pool: devices[thin.pool], origin: origin)
    }
  }

  private func ownByteCount(_ thin: Found) -> UInt64? {
    guard let device = thin.device,
      let line = (try? environment.deviceMapper.status(of: device.number))?.first,
      line.kind == "thin", let sectors = line.words.first.flatMap({ UInt64($0) })
    else { return nil }
    return sectors * 512
  }

  // MARK: Merges

  private func isOf(_ thin: Found, _ header: JournalHeader) -> Bool {
    if let volume = header.thinVolume, let known = thin.volume { return volume == known.uuids }
    return header.deviceID == thin.deviceID
  }

  private func isOnOrigin(of thin: Found, _ header: JournalHeader) -> Bool {
    if let volume = thin.originVolume {
      return VolumeUUIDs(identity: header.originIdentity) == volume.uuids
    }
    let name = thin.origin.map { DeviceIdentity.name($0) } ?? ""
    return !name.isEmpty && header.originIdentity.name == name
  }

  // MARK: Obstacles

  private func obstacles(
    _ thin: Found, _ onOrigin: [Found], _ devices: MappedDevices
  ) -> [ThinDeviceListing.Obstacle] {
    var obstacles: [ThinDeviceListing.Obstacle] = []
    func add(_ code: MergeError.Code, _ text: String) {
      obstacles.append(ThinDeviceListing.Obstacle(code: code, text: text))
    }
    if let device = thin.device, device.isSuspended {
      add(.thinDeviceSuspended, "it is suspended")
    } else if let device = thin.device, device.openCount > 0 {
      add(.thinDeviceInUse, "it is open")
    }
    if !onOrigin.isEmpty {
      add(
        .originShared,
        "\(onOrigin.map(\.name).joined(separator: ", ")) \(onOrigin.count == 1 ? "is" : "are") "
          + "also on \(thin.originName)")
    }
    if thin.isOriginCachedByVolume {
      add(.originCachedByVolume, "LVM caches \(thin.originName) with a cache volume")
    }
    guard let pool = thin.pool else { return obstacles }
    // A failed pool's status line has a different format.
    let status = (try? environment.deviceMapper.status(of: pool.number)).map { PoolStatus($0) }
    switch status {
    case .some(.none): add(.poolFailed, "its pool has failed")
    case .some(.some(let status)) where status.needsCheck:
      add(.poolNeedsCheck, "its pool is marked needs_check")
    case .some(.some(let status)) where status.mode == .readOnly:
      add(.poolReadOnly, "its pool is read-only")
    case .some, .none: break
    }
    return obstacles
  }
}
