/// The pools that are active on the devices of a source.
struct ActivePools {
  let environment: Environment

  /// The active pool on a source's metadata device, taken for this run; nil if no pool is active on it.
  ///
  /// What an earlier run left in the pool is undone, or as much of it as is told.
  func session(
    for source: MergeSource, settling: PoolSession.Settling = .everything
  ) throws(MergeError) -> PoolSession? {
    try session(
      metadataPath: source.metadataPath, dataPath: source.dataPath, settling: settling)
  }

  /// `dataPath`: nil where no block is read.
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

  /// Returns the refusal of a device that was given for one of a pool's own and is not that.
  private func notOfPool(
    _ file: OpenFile, _ role: String, expected: DeviceNumber, _ pool: MappedDevice,
    _ devices: MappedDevices
  ) -> MergeError {
    .notPoolDevice(
      file.path, role, expected: devices.path(of: expected), pool: pool.name,
      sharesBlocks: StorageStack(file).overlaps(StorageStack(device: expected)))
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

  /// Does something that only reads with the active pool of a source taken, if a pool is active on it; what
  /// that holds is released at the end.
  ///
  /// - `settling`: what of earlier runs is undone; nil for what blocks the reading.
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

  /// Does something that only reads with a pool's metadata snapshot held, if a pool is active on the
  /// source's metadata.
  func withMetadataSnapshot<Result>(
    _ source: MergeSource, _ body: (MergeSource, PoolSession?) throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    try withSession(for: source) { session throws(MergeError) in
      var held = source
      try session?.hold(&held)
      return try body(held, session)
    }
  }

  /// Does the same with metadata of which no block is read.
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

  /// Says that options for active pools have no effect where there is no such pool.
  func noteIfUnused(_ options: PoolOptions) {
    guard options.allowsOpenThinDevice || options.mergesThinDeviceItself || options.reactivates
    else {
      return
    }
    environment.observer.note(.poolOptionsUnused())
  }

  /// A metadata snapshot of one's own can only be taken of an active pool.
  ///
  /// - `isResumed`: it was active, and after a reboot it may not have come up yet.
  func checkNeedsNoPool(
    _ wanted: MergeSource.Mappings, of metadataPath: String, isResumed: Bool = false
  ) throws(MergeError) {
    guard wanted == .ownMetadataSnapshot else { return }
    throw .poolNotActive(metadataPath, isResumed: isResumed)
  }
}
