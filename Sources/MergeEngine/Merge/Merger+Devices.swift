extension Merger {
  /// The thin devices in the metadata, by rising id.
  ///
  /// - Throws: `MergeError` (`refused`) where the metadata is damaged.
  public func devices(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    let file = try OpenFile(
      metadataPath, role: "metadata device", access: .readOnly,
      exclusive: mappings == .inactivePool)
    if mappings == .inactivePool {
      try Devices.checkNoLoop(over: file, "the pool may be active on it")
    }
    let reader = PoolReader(file, clock: environment.clock)
    let pool = try reader.superblocks(mappings, ignoresNeedsCheck: false)
    return try reader.devices(in: pool).map { device in
      ThinDevice(
        deviceID: device.id, mappedBlockCount: device.details.mappedBlockCount,
        transactionID: device.details.transactionID, creationTime: device.details.creationTime,
        snapshottedTime: device.details.snapshottedTime)
    }
  }
}
