/// Lists the thin devices of a pool.
struct DevicesOperation {
  let environment: Environment

  /// Implements ``Merger/devices(metadataPath:mappings:ignoresNeedsCheck:)``.
  func devices(
    metadataPath: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> [ThinDevice] {
    try ActivePools(environment: environment).withMetadataSnapshot(
      of: metadataPath, mappings, ignoresNeedsCheck: ignoresNeedsCheck
    ) { mappings throws(MergeError) in
      try list(metadataPath, mappings, ignoresNeedsCheck: ignoresNeedsCheck)
    }
  }

  /// Implements ``Merger/devices(pool:mappings:ignoresNeedsCheck:)``.
  func devices(
    pool name: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> [ThinDevice] {
    let found = try environment.mappedDevices()
    return try devices(
      metadataPath: found.path(of: try found.pool(named: name).target.metadata),
      mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// Lists the thin devices in a pool's held metadata without locking the pool or changing
  /// anything.
  ///
  /// - Throws: `MergeError`, including if the pool is active but no metadata is held.
  func devicesAsTheyAre(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    try list(metadataPath, mappings, ignoresNeedsCheck: false)
  }

  private func list(
    _ metadataPath: String, _ mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> [ThinDevice] {
    let isInactive = mappings == .inactivePool
    let file = try OpenFile(
      metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try LoopDevice.checkNone(over: file, MergeError.metadataUnderLoopDevice) }
    let reader = environment.reader(file)
    let pool = try reader.superblocks(mappings, ignoresNeedsCheck: ignoresNeedsCheck)
    let devices = try reader.devices(in: pool) {
      environment.observer.note(.devicesDisagree($0.reason, path: file.path))
    }
    return devices.map { device in
      ThinDevice(
        deviceID: device.id, mappedBlockCount: device.details.mappedBlockCount,
        transactionID: device.details.transactionID, creationTime: device.details.creationTime,
        snapshottedTime: device.details.snapshottedTime)
    }
  }
}
