internal import SystemPackage

/// Removes the mapped devices of a thin device for the duration of a merge, and puts them back.
final class RemovedDevices {
  private let pool: LockedPool
  /// The devices that this run removed.
  ///
  /// The run keeps the origin of these devices open, so no other device can be given the origin's
  /// number.
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

  /// Puts the wanted devices back, and adds notes about how to put back the others.
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

  /// Returns the removals whose devices have yet to be put back or reported as staying removed.
  func left(in devices: MappedDevices) -> [PoolState.Removal] {
    pool.state.removals.filter { removal in
      let present = removal.device(in: devices)
      return !removal.staysRemoved && (present == nil || removal.isHalfMade(present))
        && removal.numbers(in: pool.device, devices, bootID: pool.bootID) != .changed
    }
  }

  /// Returns the given devices as they will be once the removed ones are put back.
  func asPutBack(in devices: MappedDevices) -> MappedDevices {
    let back = left(in: devices).filter { removal in
      removal.isPutBack
        && removal.numbers(in: pool.device, devices, bootID: pool.bootID) == .same
    }.map(\.device)
    return MappedDevices(
      devices.all.filter { device in !back.contains { $0.name == device.name } } + back)
  }

  /// Forgets devices that were to stay removed but exist again, or that can no longer be put back.
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
    /// Nothing is left to do: the device exists again, or can no longer be put back.
    case settled
    case staysRemoved
    /// The device could not be put back; the next run retries.
    case failed
  }

  private func putBack(
    _ removal: PoolState.Removal, isWanted: Bool
  ) throws(MergeError) -> Restoration {
    let device = removal.device
    let found = try pool.devices()
    // A device that exists is neither put back nor reported as removed, unless it is incomplete:
    // creating a device takes several steps, and a run may have been killed between them.
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

  /// Makes LVM create a volume's mapped device, using the volume's current name and size.
  ///
  /// - Returns: the reason the device does not exist; nil on success.
  private func activate(
    _ volume: KnownVolume, _ device: MappedDevice
  ) throws(MergeError) -> ActivationFailure? {
    // LVM would wait until the suspended devices are resumed.
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
  /// The result of checking whether the device numbers in a removed device's table are still valid.
  package enum Numbers: Sendable {
    case same
    /// A number now refers to a different pool or origin, or is from an earlier boot.
    case changed
    /// The origin's number exists, but it is unknown whether it still refers to the same device.
    case unknown
  }

  /// Returns whether the device numbers in the removed device's table still refer to the same pool
  /// and origin.
  package func numbers(
    in pool: MappedDevice, _ devices: MappedDevices, bootID: String
  ) -> Numbers {
    guard self.bootID == bootID, device.thinTargets.allSatisfy({ $0.pool == pool.number }),
      Self.originName(of: device) == originName
    else { return .changed }
    guard OriginParts.areNeeded(for: device) else { return .same }
    // Device numbers can be reused even without a reboot.
    guard let originParts else { return .unknown }
    return OriginParts(of: device, devices)?.text == originParts ? .same : .changed
  }

  /// Returns whether the given device is incomplete because a run was killed while putting the
  /// removed device back.
  func isHalfMade(_ present: MappedDevice?) -> Bool {
    present.map { $0.uuid == device.uuid && $0.liveTable.isEmpty } ?? false
  }

  /// Returns the removed device if it exists again, even under another name; otherwise nil.
  package func device(in devices: MappedDevices) -> MappedDevice? {
    let same = devices.all.first { !device.uuid.isEmpty && $0.uuid == device.uuid }
    // A different volume may have been given the name of the removed volume.
    return same ?? (device.knownVolume == nil ? devices.named(device.name) : nil)
  }

  /// Returns the identity of a thin device's origin.
  package static func originName(of device: MappedDevice) -> String {
    device.thinTargets.compactMap(\.origin).map(DeviceIdentity.name).joined(separator: " ")
  }
}
