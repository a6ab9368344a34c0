extension Merger {
  /// The thin devices in the metadata, by rising id.
  ///
  /// - Parameters:
  ///   - metadataPath: The pool's metadata device, or a file with its content.
  ///   - mappings: Which state of the metadata is read.
  /// - Returns: All of them; whether one has an external origin is not in the metadata.
  /// - Throws: `MergeError`: `refused` where the metadata is damaged or cannot be read, `busy` where it is in
  ///   use.
  public func devices(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    let source = MergeSource(
      metadataPath: metadataPath, dataPath: "", deviceID: 0, mappings: mappings)
    return try whileHeld(source) { (source, _) throws(MergeError) in try devices(in: source) }
  }

  /// The thin devices of an active pool, by rising id.
  ///
  /// - Parameters:
  ///   - name: The pool's, as device-mapper has it or as `VG/LV`.
  ///   - mappings: Which state of the metadata is read.
  /// - Returns: All of them, active or not.
  /// - Throws: `MergeError`: `refused` where no pool of that name is active or its metadata is damaged,
  ///   `busy` where somebody else holds a metadata snapshot.
  public func devices(
    pool name: String, mappings: MergeSource.Mappings = .ownMetadataSnapshot
  ) throws(MergeError) -> [ThinDevice] {
    let found = try mappedDevices()
    return try devices(
      metadataPath: found.path(of: try pool(named: name, found).target.metadata),
      mappings: mappings)
  }

  private func devices(in source: MergeSource) throws(MergeError) -> [ThinDevice] {
    let isInactive = source.mappings == .inactivePool
    let file = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try Devices.checkNoLoop(over: file, "the pool may be active on it") }
    let pool = try reader(file).superblocks(source.mappings, ignoresNeedsCheck: false)
    return try reader(file).devices(in: pool).map { device in
      ThinDevice(
        deviceID: device.id, mappedBlockCount: device.details.mappedBlockCount,
        transactionID: device.details.transactionID, creationTime: device.details.creationTime,
        snapshottedTime: device.details.snapshottedTime)
    }
  }
}
