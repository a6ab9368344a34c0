internal import SystemPackage

/// A persistent record of the origin's layers that were made writable for the duration of a merge.
protocol LayerRecord {
  var madeWritable: [PoolState.KnownDevice] { get }
  /// Records a layer durably; must be called before the layer is made writable.
  func add(_ layer: PoolState.KnownDevice) throws(MergeError)
  /// Removes a layer from the record, durably if possible.
  func remove(_ layer: PoolState.KnownDevice)
}

extension PoolStateFile: LayerRecord {
  var madeWritable: [PoolState.KnownDevice] { state.madeWritable }

  func add(_ layer: PoolState.KnownDevice) throws(MergeError) {
    try update { $0.madeWritable.append(layer) }
  }

  func remove(_ layer: PoolState.KnownDevice) {
    forget { $0.madeWritable.removeAll { $0 == layer } }
  }
}

/// Makes the device-mapper layers of an origin writable for the duration of a merge, and read-only
/// again afterwards.
struct OriginLayers {
  let record: any LayerRecord
  let mapper: any DeviceMapper
  /// The ID of the current boot.
  let bootID: String
  let devices: () throws(MergeError) -> MappedDevices
  /// Receives a note about each step that could not be undone.
  let recordCleanupFailure: (MergeNote) -> Void

  /// Makes the given layers writable in order, recording each one first.
  func makeWritable(_ layers: [MappedDevice]) throws(MergeError) {
    for layer in layers {
      var known = PoolState.KnownDevice(layer, bootID: bootID)
      known.table = layer.liveTable
      try record.add(known)
      do throws(Errno) {
        try mapper.reload(layer, isReadOnly: false)
      } catch {
        throw .cannotMakeOriginWritable(layer.path, error)
      }
    }
  }

  /// Makes each recorded layer writable again if something has since made it read-only.
  ///
  /// - Returns: true if there was such a layer and all of them are writable now.
  func makeWritableAgain() -> Bool {
    guard let now = try? devices() else { return false }
    let readOnly = record.madeWritable.compactMap { $0.now(in: now, bootID: bootID) }
      .filter(\.isReadOnly)
    for layer in readOnly {
      guard (try? mapper.reload(layer, isReadOnly: false)) != nil else { return false }
    }
    return !readOnly.isEmpty
  }

  /// Makes the recorded layers read-only again, topmost first.
  ///
  /// - Returns: the layers that this call changed from writable to read-only.
  @discardableResult
  func restoreReadOnly() -> [MappedDevice] {
    var restored: [MappedDevice] = []
    for known in record.madeWritable.reversed() {
      do throws(MergeError) {
        // A layer is left alone after a reboot, or if another program has changed it.
        if let layer = known.now(in: try devices(), bootID: bootID),
          !layer.isReadOnly || isLoaded(layer)
        {
          do throws(Errno) {
            if isLoaded(layer) { try mapper.clear(layer) }
            if !layer.isReadOnly { try mapper.reload(layer, isReadOnly: true) }
          } catch {
            recordCleanupFailure(.cannotRestoreReadOnly(layer.path, error))
            continue
          }
          if !layer.isReadOnly { restored.append(layer) }
        }
        record.remove(known)
      } catch {
        recordCleanupFailure(.notUndone(error))
      }
    }
    return restored
  }

  /// Returns the recorded layers that a merge left writable, or that the next resume would make
  /// writable.
  func left(in devices: MappedDevices) -> [MappedDevice] {
    record.madeWritable.compactMap { $0.now(in: devices, bootID: bootID) }
      .filter { !$0.isReadOnly || isLoaded($0) }
  }

  /// Returns the given devices as they will be once the recorded layers are read-only again.
  func asRestored(in devices: MappedDevices) -> MappedDevices {
    let left = record.madeWritable.compactMap { $0.now(in: devices, bootID: bootID)?.number }
    guard !left.isEmpty else { return devices }
    return MappedDevices(
      devices.all.map { device in
        var device = device
        if left.contains(device.number) { device.isReadOnly = true }
        return device
      })
  }

  /// Returns whether a layer has an inactive table that is identical to its live table.
  ///
  /// A run leaves this state behind if it is killed before it makes the inactive table live. The
  /// next resume, by any program, would then make the layer writable.
  private func isLoaded(_ layer: MappedDevice) -> Bool {
    !layer.inactiveTable.isEmpty && layer.inactiveTable == layer.liveTable
  }
}
