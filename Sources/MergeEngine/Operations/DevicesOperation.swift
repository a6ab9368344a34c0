/// Lists the thin devices of a pool.
struct DevicesOperation {
  let environment: Environment

  /// Lists as ``Merger/devices(metadataPath:mappings:ignoresNeedsCheck:)`` does.
  func devices(
    metadataPath: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> [ThinDevice] {
    let source = MergeSource(
      metadataPath: metadataPath, dataPath: "", deviceID: 0, mappings: mappings,
      ignoresNeedsCheck: ignoresNeedsCheck)
    return try ActivePools(environment: environment).withMetadataSnapshot(source) {
      (source, _) throws(MergeError) in try devices(in: source)
    }
  }

  /// Lists as ``Merger/devices(pool:mappings:ignoresNeedsCheck:)`` does.
  func devices(
    pool name: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> [ThinDevice] {
    let found = try environment.mappedDevices()
    return try devices(
      metadataPath: found.path(of: try found.pool(named: name).target.metadata),
      mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  private func devices(in source: MergeSource) throws(MergeError) -> [ThinDevice] {
    let isInactive = source.mappings == .inactivePool
    let file = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try LoopDevice.checkNone(over: file, MergeError.metadataUnderLoopDevice) }
    let pool = try environment.reader(file).superblocks(
      source.mappings, ignoresNeedsCheck: source.ignoresNeedsCheck)
    let devices = try environment.reader(file).devices(in: pool) {
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
