/// Finds and locks the pools that are active on a source's devices.
struct ActivePools {
  let environment: Environment

  /// Returns a session that locks the pool that is active on a source's metadata device; nil if no
  /// pool is active on it.
  ///
  /// Leftovers of an earlier run in the pool are undone, to the extent that `settling` requests.
  func session(
    for source: MergeSource, settling: PoolSession.Settling = .everything
  ) throws(MergeError) -> PoolSession? {
    try session(
      metadataPath: source.metadataPath, dataPath: source.dataPath, settling: settling)
  }

  /// Returns a session that locks the pool that is active on a metadata device; nil if no pool is
  /// active on it.
  ///
  /// - `dataPath`: the path of the pool's data device; nil if no data blocks will be read.
  func session(
    metadataPath: String, dataPath: String?, settling: PoolSession.Settling = .everything
  ) throws(MergeError) -> PoolSession? {
    let metadata = try OpenFile(metadataPath, role: "metadata device", access: .readOnly)
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
      if let dataPath { try checkNoPool(onData: dataPath, devices) }
      return nil
    }
    guard pools.count == 1 else {
      throw .severalPools(metadataPath, pools.map(\.name))
    }
    if let dataPath {
      let data = try OpenFile(dataPath, role: "data device", access: .readOnly)
      guard devices.areSame(StorageStack(data).top, .device(target.data)) else {
        throw notOfPool(data, "data", expected: target.data, pool, devices)
      }
    }
    let stateFile = try PoolStateFile(
      pool: pool, metadataPath: metadataPath, stateFolder: environment.poolStateFolder,
      bootID: environment.bootID)
    return try PoolSession(
      LockedPool(
        pool, target: target, mapper: environment.deviceMapper, stateFile: stateFile,
        reader: environment.reader(metadata), clock: environment.clock,
        drawNumber: environment.drawNumber, runProgram: environment.runProgram,
        runChange: environment.runChange, note: environment.observer.note), settling: settling)
  }

  /// Returns the error to report when a device was specified as one of a pool's devices but is not
  /// that device.
  private func notOfPool(
    _ file: OpenFile, _ role: String, expected: DeviceNumber, _ pool: MappedDevice,
    _ devices: MappedDevices
  ) -> MergeError {
    .notPoolDevice(
      file.path, role, expected: devices.path(of: expected), pool: pool.name,
      sharesBlocks: StorageStack(file).overlaps(StorageStack(device: expected)))
  }

  /// Returns the mapped devices; nil if device-mapper cannot be queried but the metadata is an
  /// image file that no pool can be using.
  private func devicesForSession(_ metadata: OpenFile) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try environment.mappedDevices()
    } catch {
      // Without access to device-mapper, only files that no loop device uses may be worked on.
      guard metadata.kind == .regularFile, LoopDevice.over(metadata) == nil else { throw error }
      return nil
    }
  }

  /// Checks that no active pool uses the data device.
  ///
  /// Such a pool could reuse blocks that the given metadata, if it is a copy of the pool's
  /// metadata, still maps.
  private func checkNoPool(
    onData path: String, _ devices: MappedDevices
  ) throws(MergeError) {
    guard !devices.all.isEmpty else { return }
    let data = StorageStack(try OpenFile(path, role: "data device", access: .readOnly))
    let pool = devices.all.first { device in
      guard let target = device.poolTarget, !data.layers.contains(.device(device.number)) else {
        return false
      }
      return data.overlaps(StorageStack(device: target.data))
    }
    guard let pool else { return }
    throw .poolActiveOnData(path, pool: pool.name)
  }

  /// Runs a read-only closure while the source's active pool, if there is one, is locked.
  ///
  /// All holds are released at the end.
  ///
  /// - `settling`: the leftovers of earlier runs to undo; nil to undo only those that prevent the
  ///   mappings from being read.
  func withSession<Result>(
    for source: MergeSource, isResumed: Bool = false,
    settling: PoolSession.Settling? = nil,
    _ body: (PoolSession?) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    let settling = settling ?? .whatBlocks(reading: source.mappings)
    guard let session = try session(for: source, settling: settling) else {
      try checkNeedsNoPool(source.mappings, of: source.metadataPath, isResumed: isResumed)
      return try body(nil)
    }
    defer { session.end(hasWritten: false) }
    return try body(session)
  }

  /// Runs a read-only closure while a metadata snapshot of the pool is held, if a pool is active on
  /// the source's metadata device.
  func withMetadataSnapshot<Result>(
    _ source: MergeSource, _ body: (MergeSource, PoolSession?) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    try withSession(for: source) { session throws(MergeError) in
      var held = source
      try session?.hold(&held)
      return try body(held, session)
    }
  }

  /// Runs a closure that reads metadata but no data blocks, while a metadata snapshot of the pool
  /// is held if a pool is active on the metadata device.
  func withMetadataSnapshot<Result>(
    of metadataPath: String, _ wanted: MergeSource.Mappings, ignoresNeedsCheck: Bool,
    _ body: (MergeSource.Mappings) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    let session = try session(
      metadataPath: metadataPath, dataPath: nil, settling: .whatBlocks(reading: wanted))
    guard let session else {
      try checkNeedsNoPool(wanted, of: metadataPath)
      return try body(wanted)
    }
    defer { session.end(hasWritten: false) }
    return try body(session.holdForListing(wanted, ignoresNeedsCheck: ignoresNeedsCheck))
  }

  /// Reports in a note that options for active pools were given but have no effect because no pool
  /// is active.
  func noteIfUnused(_ options: PoolOptions) {
    guard options.allowsOpenThinDevice || options.mergesThinDeviceItself || options.reactivates
    else {
      return
    }
    environment.observer.note(.poolOptionsUnused())
  }

  /// Checks that the mappings can be read without an active pool, which is not possible if the run
  /// is to take its own metadata snapshot.
  ///
  /// - `isResumed`: true if the merge is being resumed. In that case, its pool was active earlier
  ///   and may simply not be active yet after a reboot.
  /// - Throws: `MergeError` if the mappings require an active pool.
  func checkNeedsNoPool(
    _ wanted: MergeSource.Mappings, of metadataPath: String, isResumed: Bool = false
  ) throws(MergeError) {
    guard wanted == .ownMetadataSnapshot else { return }
    throw .poolNotActive(metadataPath, isResumed: isResumed)
  }
}
