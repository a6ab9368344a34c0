internal import SystemPackage

/// The mapped devices that show a thin device and are removed for the time of a merge.
final class RemovedDevices {
  private let pool: LockedPool
  /// Those that this run has removed: it has the origin open, so that nothing else gets its number.
  private var own: [MappedDevice] = []

  init(pool: LockedPool) { self.pool = pool }

  func remove(_ device: MappedDevice, isPutBack: Bool) throws(MergeError) {
    let originParts = OriginParts(of: device, try pool.devices())
    try pool.stateFile.update {
      $0.removals.append(
        PoolState.Removal(
          device: device, bootID: pool.bootID,
          originName: PoolState.Removal.originName(of: device), originParts: originParts?.text,
          isPutBack: isPutBack))
    }
    do throws(Errno) {
      try pool.mapper.remove(device)
    } catch {
      pool.stateFile.forget { $0.removals.removeAll { $0.device == device } }
      throw .cannotRemoveThinDevice(device.path, error)
    }
    own.append(device)
    pool.note(.thinDeviceRemoved(device.path))
  }

  /// Puts devices back; says how to do so where that was not asked for.
  func putBack(where isWanted: (PoolState.Removal) -> Bool) {
    for (index, removal) in pool.state.removals.enumerated().reversed()
    where !removal.staysRemoved {
      do throws(MergeError) {
        switch try putBack(removal, isWanted: isWanted(removal)) {
        case .settled: pool.stateFile.forget { $0.removals.remove(at: index) }
        case .staysRemoved: pool.stateFile.forget { $0.removals[index].staysRemoved = true }
        case .failed: break
        }
      } catch {
        pool.recordCleanupFailure(.notUndone(error))
      }
    }
  }

  /// Those that are to be put back, or to be said how to.
  func left(in devices: MappedDevices) -> [PoolState.Removal] {
    pool.state.removals.filter { removal in
      let present = removal.device(in: devices)
      return !removal.staysRemoved && (present == nil || removal.isHalfMade(present))
        && removal.numbers(in: pool.device, devices, bootID: pool.bootID) != .changed
    }
  }

  /// The devices as they are once those that are to be put back are.
  func asPutBack(in devices: MappedDevices) -> MappedDevices {
    let back = left(in: devices).filter { removal in
      removal.isPutBack
        && removal.numbers(in: pool.device, devices, bootID: pool.bootID) == .same
    }.map(\.device)
    return MappedDevices(
      devices.all.filter { device in !back.contains { $0.name == device.name } } + back)
  }

  /// Forgets devices that were left removed and are there again, or cannot be told any more.
  func forgetLeft() throws(MergeError) {
    guard pool.state.removals.contains(where: \.staysRemoved) else { return }
    let found = try pool.devices()
    pool.stateFile.forget { record in
      record.removals.removeAll { removal in
        removal.staysRemoved
          && (removal.numbers(in: pool.device, found, bootID: pool.bootID) == .changed
            || removal.device(in: found) != nil)
      }
    }
  }

  private enum Restoration {
    /// It is there again, or can no longer be put back.
    case settled
    case staysRemoved
    /// The next run tries again.
    case failed
  }

  private func putBack(
    _ removal: PoolState.Removal, isWanted: Bool
  ) throws(MergeError) -> Restoration {
    let device = removal.device
    let found = try pool.devices()
    // What is there is neither put back nor said to be gone. Making is several steps, and a run may have been
    // killed between them.
    let present = removal.device(in: found)
    guard present == nil || removal.isHalfMade(present) else { return .settled }
    switch removal.numbers(in: pool.device, found, bootID: pool.bootID) {
    case .changed:
      pool.note(.thinDeviceOutdated(device.path))
      return .settled
    case .unknown where !own.contains(device):
      pool.note(.thinDeviceOriginUnknown(device.path, Self.command(activating: device)))
      return .staysRemoved
    case .same, .unknown:
      guard !isWanted else { return try restore(device, halfMade: present) }
      pool.note(.thinDeviceStaysRemoved(device.path, Self.command(activating: device)))
      return .staysRemoved
    }
  }

  private func restore(
    _ device: MappedDevice, halfMade: MappedDevice?
  ) throws(MergeError) -> Restoration {
    let command = Self.command(activating: device)
    do throws(Errno) {
      if let halfMade { try pool.mapper.remove(halfMade) }
      if device.knownVolume == nil { try pool.mapper.make(device) }
    } catch {
      pool.recordCleanupFailure(.cannotRestoreThinDevice(device.path, error, command))
      return .failed
    }
    if let volume = device.knownVolume, let failure = try activate(volume, device) {
      pool.recordCleanupFailure(.cannotActivateVolume(device.path, failure, command))
      return .failed
    }
    pool.note(.thinDeviceRestored(device.path))
    return .settled
  }

  /// Has LVM make a volume's device, under whatever name and with whatever size the volume has by now.
  ///
  /// - Returns: why there is none.
  private func activate(
    _ volume: KnownVolume, _ device: MappedDevice
  ) throws(MergeError) -> ActivationFailure? {
    // It waits for devices that are suspended.
    guard !pool.state.snapshots.contains(where: \.mayBeSuspended) else {
      return .devicesSuspended
    }
    let end = pool.runChange(volume.activation)
    let isActive = try pool.devices().all.contains {
      $0.uuid == device.uuid && !$0.liveTable.isEmpty
    }
    guard !isActive else { return nil }
    return ActivationFailure(end, of: volume)
  }

  private static func command(activating device: MappedDevice) -> String {
    if let volume = device.knownVolume?.fullName { return MergeNote.commandActivating(volume) }
    let table = device.liveTable.map {
      "\($0.startSector) \($0.sectorCount) \($0.kind) \($0.arguments)"
    }.joined(separator: "\n")
    return MergeNote.commandMaking(device.name, uuid: device.uuid, table: table)
  }
}

extension PoolState.Removal {
  /// What the numbers in the device's table mean now.
  package enum Numbers: Sendable {
    case same
    /// Another pool or another origin, or they are of an earlier boot.
    case changed
    /// The origin has the number that it had, and nothing tells whether it is the same.
    case unknown
  }

  /// Finds out whether the table's numbers still mean the same pool and the same origin.
  package func numbers(
    in pool: MappedDevice, _ devices: MappedDevices, bootID: String
  ) -> Numbers {
    guard self.bootID == bootID, device.thinTargets.allSatisfy({ $0.pool == pool.number }),
      Self.originName(of: device) == originName
    else { return .changed }
    guard OriginParts.areNeeded(for: device) else { return .same }
    // Numbers are given to other devices within a boot.
    guard let originParts else { return .unknown }
    return OriginParts(of: device, devices)?.text == originParts ? .same : .changed
  }

  /// Whether a device under its name is what a run left that was killed while it put it back.
  func isHalfMade(_ present: MappedDevice?) -> Bool {
    present.map { $0.uuid == device.uuid && $0.liveTable.isEmpty } ?? false
  }

  /// That device now, under whatever name.
  package func device(in devices: MappedDevices) -> MappedDevice? {
    let same = devices.all.first { !device.uuid.isEmpty && $0.uuid == device.uuid }
    // The name of a volume may be another volume's by now.
    return same ?? (device.knownVolume == nil ? devices.named(device.name) : nil)
  }

  /// What tells the origin of a thin device from others.
  package static func originName(of device: MappedDevice) -> String {
    device.thinTargets.compactMap(\.origin).map(DeviceIdentity.name).joined(separator: " ")
  }
}
