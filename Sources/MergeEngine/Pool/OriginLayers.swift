internal import SystemPackage

/// The layers of device-mapper that an origin consists of, made writable for the time of a merge.
struct OriginLayers {
  let pool: LockedPool

  /// Makes layers writable, the lowest first.
  func makeWritable(_ layers: [MappedDevice]) throws(MergeError) {
    for layer in layers {
      let known = PoolState.KnownDevice(layer, bootID: pool.bootID)
      try pool.stateFile.update { $0.madeWritable.append(known) }
      do throws(Errno) {
        try pool.mapper.reload(layer, isReadOnly: false)
      } catch {
        throw .cannotMakeOriginWritable(layer.path, error)
      }
    }
  }

  /// Makes the layers read-only again, the upper ones first.
  func restoreReadOnly() {
    for known in pool.state.madeWritable.reversed() {
      do throws(MergeError) {
        // After a boot, or by another one's doing, they are what they are.
        if let layer = known.now(in: try pool.devices(), bootID: pool.bootID),
          !layer.isReadOnly || isLoaded(layer)
        {
          do throws(Errno) {
            if isLoaded(layer) { try pool.mapper.clear(layer) }
            if !layer.isReadOnly { try pool.mapper.reload(layer, isReadOnly: true) }
          } catch {
            pool.recordCleanupFailure(.cannotRestoreReadOnly(layer.path, error))
            continue
          }
        }
        pool.stateFile.forget { $0.madeWritable.removeAll { $0 == known } }
      } catch {
        pool.recordCleanupFailure(.notUndone(error))
      }
    }
  }

  /// Returns whether the layer's own table is loaded once more, as a run leaves it that was killed before it
  /// made the table live: the next resume by anybody would make the layer writable.
  private func isLoaded(_ layer: MappedDevice) -> Bool {
    !layer.inactiveTable.isEmpty && layer.inactiveTable == layer.liveTable
  }
}
