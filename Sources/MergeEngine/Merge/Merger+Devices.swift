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
    var io = try metadataQueue(file)
    let pool = try PoolMetadata(
      path: metadataPath, byteCount: file.byteCount, mappings: mappings, ignoresNeedsCheck: false,
      &io)
    var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
    var devices: [ThinDevice] = []
    do throws(MetadataFault) {
      _ = try DeviceTable(pool.superblock, bounds: pool.bounds, wanted: nil, &io, &ledger) {
        id, details in
        devices.append(
          ThinDevice(
            deviceID: id, mappedBlockCount: details.mappedBlockCount,
            transactionID: details.transactionID, creationTime: details.creationTime,
            snapshottedTime: details.snapshottedTime))
      }
    } catch {
      throw error.refusal(path: metadataPath)
    }
    return devices
  }
}
