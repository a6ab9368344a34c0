internal import SystemPackage

/// A persistent record of the layers that are writable for the duration of a merge.
protocol LayerRecord {
  var madeWritable: [PoolState.KnownDevice] { get }
  /// Records a layer, durably, before it is made writable.
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

/// The device-mapper layers of an origin, made writable for the duration of a merge.
struct OriginLayers {
  let record: any LayerRecord
  let mapper: any DeviceMapper
  /// The ID of this boot.
  let bootID: String
  let devices: () throws(MergeError) -> MappedDevices
  /// Receives each step that could not be undone.
  let recordCleanupFailure: (MergeNote) -> Void

  /// Makes layers writable, the lowest first.
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

  /// Makes every layer writable again that somebody has made read-only since.
  ///
  /// - Returns: true if there was such a layer, and all layers are writable now.
  func makeWritableAgain() -> Bool {
    guard let now = try? devices() else { return false }
    let readOnly = record.madeWritable.compactMap { $0.now(in: now, bootID: bootID) }
      .filter(\.isReadOnly)
    for layer in readOnly {
      guard (try? mapper.reload(layer, isReadOnly: false)) != nil else { return false }
    }
    return !readOnly.isEmpty
  }

  /// Makes the layers read-only again, the upper ones first.
  ///
  /// - Returns: the layers that were writable.
  @discardableResult
  func restoreReadOnly() -> [MappedDevice] {
    var restored: [MappedDevice] = []
    for known in record.madeWritable.reversed() {
      do throws(MergeError) {
        // After a boot, or a change by somebody else, a layer is left alone.
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

  /// Returns the recorded layers that a merge left writable, or about to become writable.
  func left(in devices: MappedDevices) -> [MappedDevice] {
    record.madeWritable.compactMap { $0.now(in: devices, bootID: bootID) }
      .filter { !$0.isReadOnly || isLoaded($0) }
  }

  /// Returns the devices as they will be once the layers are read-only again.
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

  /// Returns whether the layer's own table is also its inactive table.
  ///
  /// A run that was killed before it made the table live leaves this state: the next resume by
  /// anybody would make the layer writable.
  private func isLoaded(_ layer: MappedDevice) -> Bool {
    !layer.inactiveTable.isEmpty && layer.inactiveTable == layer.liveTable
  }
}
