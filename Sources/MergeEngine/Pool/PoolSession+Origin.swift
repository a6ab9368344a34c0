internal import SystemPackage

/// What keeps everybody else off the origin.
package enum OriginUse: Equatable, Sendable {
  /// Nobody else may have it: it is opened with O_EXCL.
  case exclusive
  /// Mapped devices hold it, so O_EXCL is impossible; nobody besides them may.
  case shared(holders: Set<DeviceNumber>)
}

/// Who else shows the origin, and whether it can be written to, as far as an active pool's tables tell.
///
/// What holds beside any pool is checked in `OpenDevices` and `DeviceTarget`.
extension PoolSession {
  /// Finds out whether the origin could be written to.
  ///
  /// - Returns: the path that would be opened, and whether it has to be made writable first.
  /// - Throws: `MergeError` (`refused`) where others show the origin or it is read-only, and that was not
  ///   agreed to.
  @discardableResult
  package func checkOrigin(
    _ path: String, of deviceID: UInt32, options: PoolOptions
  ) throws(MergeError) -> (path: String, isReadOnly: Bool) {
    guard let number = FileSystem.blockDevice(at: path) else { return (path, false) }
    let found = try devices()
    let named = found.showing(deviceID, of: pool.number).flatMap(\.thinTargets)
      .compactMap(\.origin).first
    if let named, !StorageStack(device: named).overlaps(StorageStack(device: number)) {
      note(.otherOriginInTable(found.path(of: named), given: path))
    }
    let others = others(on: number, besides: deviceID, found)
    if !others.isEmpty {
      let names = others.map(\.name).joined(separator: ", ")
      guard options.allowsOtherUsers else {
        throw .originShared(path, by: names)
      }
      note(.originShared(by: names))
    }
    let top = topmost(number, found)
    let layers = found.linearLayers(of: top)
    if let suspended = layers.first(where: \.isSuspended) {
      throw .originSuspended(suspended.path, name: suspended.name)
    }
    let isReadOnly = layers.contains(where: \.isReadOnly)
    let isPlain = layers.allSatisfy { layer in
      layer.liveTable.allSatisfy { ["linear", "striped"].contains($0.kind) }
    }
    guard !isReadOnly || isPlain else {
      throw .originReadOnlyForGood(path)
    }
    guard options.makesOriginWritable || !isReadOnly else {
      throw .originReadOnly(path)
    }
    return (top == number ? path : found.path(of: top), isReadOnly)
  }

  /// Gets the origin ready to be written to.
  ///
  /// - Returns: the path to be opened, the topmost layer of the same device, and how.
  package func prepare(origin path: String) throws(MergeError) -> (path: String, use: OriginUse) {
    guard let number = FileSystem.blockDevice(at: path), let quiesced else {
      return (path, .exclusive)
    }
    let found = try devices()
    let others = others(on: number, besides: quiesced.deviceID, found)
    let top = topmost(number, found)
    let layers = found.linearLayers(of: top)
    try makeWritable(layers.reversed().filter(\.isReadOnly))
    let holders = Set((quiesced.users + others).map(\.number))
    let origin = HeldOrigin(
      layers: layers.isEmpty ? [number] : layers.map(\.number), holders: holders)
    try check(origin, found)
    heldOrigin = origin
    // The layers under the top one are held by that.
    let isHeld = mapper.holders(of: top).contains { holders.contains($0) }
    return (
      top == number ? path : found.path(of: top), isHeld ? .shared(holders: holders) : .exclusive
    )
  }

  /// Thin devices that show the origin, without the one that is merged.
  private func others(
    on origin: DeviceNumber, besides deviceID: UInt32, _ devices: MappedDevices
  ) -> [MappedDevice] {
    var own = isLost(deviceID) ? [] : devices.showing(deviceID, of: pool.number)
    if let snapshot = stateFile.state.snapshot, snapshot.deviceID == deviceID {
      own += devices.showing(snapshot.originalID, of: pool.number)
    }
    return devices.thinDevices(over: StorageStack(device: origin)).filter { !own.contains($0) }
  }

  /// The device through which nothing else sees the origin: LVM puts a second layer over one.
  private func topmost(_ number: DeviceNumber, _ devices: MappedDevices) -> DeviceNumber {
    var top = number
    while let above = devices.all.first(where: { device in
      device.linearTarget == top && device.byteCount == devices[top]?.byteCount
    }) {
      top = above.number
    }
    return top
  }

  /// The origin's layers, the topmost first, and who may lie on them.
  struct HeldOrigin {
    var layers: [DeviceNumber]
    var holders: Set<DeviceNumber>
  }

  /// - Throws: `MergeError` (`busy`) where something lies on a layer that is neither the layer above
  ///   nor expected.
  func check(_ origin: HeldOrigin, _ devices: MappedDevices) throws(MergeError) {
    for (index, layer) in origin.layers.enumerated() {
      let above = index > 0 ? origin.layers[index - 1] : nil
      for holder in mapper.holders(of: layer)
      where holder != above && !origin.holders.contains(holder) {
        throw .originInUse(devices.path(of: layer), by: devices.path(of: holder))
      }
    }
  }

  private func makeWritable(_ layers: [MappedDevice]) throws(MergeError) {
    for layer in layers {
      let known = PoolState.KnownDevice(layer, bootID: stateFile.bootID)
      try stateFile.update { $0.madeWritable.append(known) }
      do throws(Errno) {
        try mapper.reload(layer, isReadOnly: false)
      } catch {
        throw .cannotMakeOriginWritable(layer.path, error)
      }
    }
  }

  /// Makes the origin's layers read-only again, the upper ones first.
  func restoreReadOnly() {
    for known in stateFile.state.madeWritable.reversed() {
      do throws(MergeError) {
        // After a boot, or by another one's doing, they are what they are.
        if let layer = known.now(in: try devices(), bootID: stateFile.bootID),
          !layer.isReadOnly || isLoaded(layer)
        {
          do throws(Errno) {
            if isLoaded(layer) { try mapper.clear(layer) }
            if !layer.isReadOnly { try mapper.reload(layer, isReadOnly: true) }
          } catch {
            recordCleanupFailure(.cannotRestoreReadOnly(layer.path, error))
            continue
          }
        }
        stateFile.forget { $0.madeWritable.removeAll { $0 == known } }
      } catch {
        note(.notUndone(error))
      }
    }
  }

  /// Returns whether the layer's own table is loaded once more, as a run leaves it that was killed before it
  /// made the table live: the next resume by anybody would make the layer writable.
  private func isLoaded(_ layer: MappedDevice) -> Bool {
    !layer.inactiveTable.isEmpty && layer.inactiveTable == layer.liveTable
  }

  /// Refuses where other thin devices of the pool may be on the same origin, which no table tells.
  package func checkOtherDevices(
    _ metadata: PoolMetadata, besides deviceID: UInt32, options: PoolOptions
  ) throws(MergeError) {
    // The plan has noted what is wrong with devices that nobody could activate.
    let all = try reader.devices(in: metadata) { _ in }
    var known = try devices().deviceIDs(of: pool.number)
    known.insert(deviceID)
    if let snapshot = stateFile.state.snapshot {
      known.formUnion([snapshot.originalID, snapshot.deviceID])
    }
    let unknown = all.filter { !known.contains($0.id) }
    guard let own = all.first(where: { $0.id == deviceID }), !unknown.isEmpty else {
      return
    }
    let kin = try reader.kin(of: own, among: unknown, in: metadata)
    let sorted =
      unknown.map(\.id).filter(kin.contains) + unknown.map(\.id).filter { !kin.contains($0) }
    let maybeShared = MergeNote.originMaybeShared(by: sorted.map { ($0, kin.contains($0)) })
    guard options.allowsOtherUsers else {
      throw .originMaybeShared(pool.name, maybeShared)
    }
    note(maybeShared)
  }
}
