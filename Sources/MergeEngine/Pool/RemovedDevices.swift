internal import SystemPackage

/// The mapped devices that show a thin device and are removed for the time of a merge.
struct RemovedDevices {
  let pool: LockedPool

  func remove(_ device: MappedDevice, isPutBack: Bool) throws(MergeError) {
    try pool.stateFile.update {
      $0.removals.append(
        PoolState.Removal(
          device: device, bootID: pool.bootID,
          originName: PoolState.Removal.originName(of: device), isPutBack: isPutBack))
    }
    do throws(Errno) {
      try pool.mapper.remove(device)
    } catch {
      pool.stateFile.forget { $0.removals.removeAll { $0.device == device } }
      throw .cannotRemoveThinDevice(device.path, error)
    }
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

  /// Forgets devices that were left removed and are there again, or cannot be told any more.
  func forgetLeft() throws(MergeError) {
    guard pool.state.removals.contains(where: \.staysRemoved) else { return }
    let found = try pool.devices()
    pool.stateFile.forget { record in
      record.removals.removeAll { removal in
        removal.staysRemoved
          && (!removal.isStill(in: pool.device, bootID: pool.bootID)
            || found.named(removal.device.name) != nil)
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
    // After a boot, or with the pool made anew, the table's numbers may be those of other devices.
    guard removal.isStill(in: pool.device, bootID: pool.bootID) else {
      pool.note(.thinDeviceOutdated(device.path))
      return .settled
    }
    guard isWanted else {
      pool.note(.thinDeviceStaysRemoved(device.path, Self.command(making: device)))
      return .staysRemoved
    }
    let present = try pool.devices().named(device.name)
    // Making is several steps, and a run may have been killed between them.
    let isHalfMade = present.map { $0.uuid == device.uuid && $0.liveTable.isEmpty } ?? false
    guard present == nil || isHalfMade else { return .settled }
    do throws(Errno) {
      if let present { try pool.mapper.remove(present) }
      try pool.mapper.make(device)
      pool.note(.thinDeviceRestored(device.path))
      return .settled
    } catch {
      pool.recordCleanupFailure(
        .cannotRestoreThinDevice(device.path, error, Self.command(making: device)))
      return .failed
    }
  }

  private static func command(making device: MappedDevice) -> String {
    let table = device.liveTable.map {
      "\($0.startSector) \($0.sectorCount) \($0.kind) \($0.arguments)"
    }.joined(separator: "\n")
    return MergeNote.commandMaking(device.name, uuid: device.uuid, table: table)
  }
}
