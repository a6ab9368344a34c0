/// The pools that are active on the devices of a source.
struct ActivePools {
  let environment: Environment

  /// The active pool on the source's metadata device, taken for this run; nil if no pool is active on
  /// it.
  func session(for source: MergeSource) throws(MergeError) -> PoolSession? {
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
    let stateFile = try PoolStateFile(
      pool: pool, stateFolder: environment.stateFolder, bootID: environment.bootID)
    return try PoolSession(
      pool, target: target, mapper: environment.deviceMapper, stateFile: stateFile,
      reader: environment.reader(metadata), note: environment.observer.note)
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
      hint: "name the thin device instead: --pool \(pool.name.shellQuoted) --dev-id N")
  }

  /// Nil where nobody can have made a pool over an image file.
  private func devicesForSession(_ metadata: OpenFile) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try environment.mappedDevices()
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
      hint: "name the thin device instead: --pool \(pool.name.shellQuoted) --dev-id N")
  }

  /// Does something that only reads with a pool's metadata snapshot held, if a pool is active on the
  /// source's metadata.
  func withMetadataSnapshot<Result>(
    _ source: MergeSource, _ body: (MergeSource, PoolSession?) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    guard let session = try session(for: source) else {
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
