/// Lists the thin devices of a pool.
struct DevicesOperation {
  let environment: Environment

  /// Lists as ``Merger/devices(metadataPath:mappings:)`` does.
  func devices(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    try ActivePools(environment: environment).withMetadataSnapshot(of: metadataPath, mappings) {
      mappings throws(MergeError) in try list(metadataPath, mappings)
    }
  }

  /// Lists as ``Merger/devices(pool:mappings:)`` does.
  func devices(
    pool name: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    let found = try environment.mappedDevices()
    return try devices(
      metadataPath: found.path(of: try found.pool(named: name).target.metadata),
      mappings: mappings)
  }

  private func list(
    _ metadataPath: String, _ mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    let isInactive = mappings == .inactivePool
    let file = try OpenFile(
      metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try LoopDevice.checkNone(over: file, MergeError.metadataUnderLoopDevice) }
    let pool = try environment.reader(file).superblocks(mappings, ignoresNeedsCheck: false)
    return try environment.reader(file).devices(in: pool).map { device in
      ThinDevice(
        deviceID: device.id, mappedBlockCount: device.details.mappedBlockCount,
        transactionID: device.details.transactionID, creationTime: device.details.creationTime,
        snapshottedTime: device.details.snapshottedTime)
    }
  }
}
