/// A pool's metadata and data devices, open for reading.
struct OpenDevices {
  let metadata: OpenFile
  let data: OpenFile

  /// Opens and checks a source's metadata and data devices.
  ///
  /// - Throws: `MergeError`, such as `busy` if the pool is inactive but another process is using
  ///   its metadata device.
  init(_ source: MergeSource) throws(MergeError) {
    let isInactive = source.mappings == .inactivePool
    metadata = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try LoopDevice.checkNone(over: metadata, MergeError.metadataUnderLoopDevice) }
    data = try OpenFile(source.dataPath, role: "data device", access: .readOnly)
    for (file, role) in [(metadata, "metadata device"), (data, "data device")] {
      try Self.check(file, role)
    }
    guard !StorageStack(metadata).overlaps(StorageStack(data)) else {
      throw .dataIsMetadata(data.path)
    }
  }

  /// Opens an origin for reading.
  ///
  /// `DeviceTarget` checks whether the origin has other users.
  ///
  /// - Throws: `MergeError` (`refused`) if the origin is one of the pool's devices, or shares
  ///   blocks with one of them.
  func origin(_ path: String) throws(MergeError) -> OpenFile {
    // The origin is opened without O_EXCL so that, if it is the data device, the error says so
    // instead of reporting the device as busy.
    let origin = try OpenFile(path, role: "origin", access: .readOnly)
    try Self.check(origin, "origin")
    for (other, role) in [(metadata, "metadata"), (data, "data")]
    where StorageStack(origin).overlaps(StorageStack(other)) {
      throw .originIsPoolDevice(path, role, other.path)
    }
    return origin
  }

  /// Checks the conditions that every block device must meet.
  ///
  /// A disconnected device keeps its device number and its node in `/dev`, but its size is 0.
  /// Without sysfs, it is impossible to detect that two devices overlap or that a device has other
  /// users.
  static func check(_ file: OpenFile, _ role: String) throws(MergeError) {
    guard file.kind == .blockDevice else { return }
    guard file.byteCount > 0 else { throw .deviceEmpty(file.path, role) }
    guard FileSystem.exists("/sys/dev/block/\(file.deviceNumber)") else {
      throw .deviceUnseen(file.path, role, number: "\(file.deviceNumber)")
    }
  }

  /// True if the data device starts with a superblock and the metadata device does not.
  var areSwapped: Bool {
    Superblock.isFirst(in: data.path) && !Superblock.isFirst(in: metadata.path)
  }

  /// Reads and checks the thin device's mappings, and plans a merge from them.
  ///
  /// - `origin`: the origin to plan the merge for; nil if none was given.
  func plan(
    _ source: MergeSource, onto origin: OpenFile?, extent: ExtentOptions, ioByteCount: UInt64,
    in environment: Environment
  ) throws(MergeError) -> CheckedPlan<WholeDevice<LinuxAIO>> {
    if extent.pastEnd == .grow, let origin, origin.kind == .blockDevice {
      throw .originNotExtensible(origin.path)
    }
    for file in [metadata, data, origin] {
      guard let file, !file.isDirect else { continue }
      environment.observer.note(.noDirectIO(file.path))
    }
    let request = PlanRequest(
      source: source, metadataByteCount: metadata.byteCountNow,
      dataByteCount: try data.byteCountNow(),
      originPath: origin?.path,
      extent: MergeExtent(originByteCount: origin?.byteCount, options: extent),
      ioByteCount: ioByteCount)
    let planned: CheckedPlan<WholeDevice<LinuxAIO>>
    do throws(MergeError) {
      planned = try CheckedPlan(
        request, metadata: try environment.reader(metadata).treeQueue(),
        control: environment.control())
    } catch {
      throw areSwapped ? error.ofSwappedDevices() : error
    }
    for fault in planned.toleratedFaults {
      environment.observer.note(
        fault.code == .metadataCountWrong
          ? .mappingCountIgnored(fault.reason, path: metadata.path, deviceID: source.deviceID)
          : .devicesDisagree(fault.reason, path: metadata.path))
    }
    // The product cannot overflow, because PoolMetadata has checked it.
    let poolByteCount =
      planned.pool.live.dataBlockCount * planned.pool.superblock.dataBlockByteCount
    if poolByteCount > request.dataByteCount {
      environment.observer.note(
        .dataShorterThanPool(
          data.path, byteCount: request.dataByteCount, poolByteCount: poolByteCount))
    }
    if extent.thinByteCount == nil, origin != nil {
      environment.observer.note(
        .thinSizeAssumed(
          planned.plan.endByteOffset, isOfOrigin: planned.plan.grownOriginByteCount == nil))
    }
    return planned
  }

  /// Decides how to make an origin writable when no pool is active.
  ///
  /// - Throws: The errors of ``OriginSession/plan(_:options:lvm:)``.
  func originPlan(
    for request: MergeRequest, _ session: OriginSession, in environment: Environment
  ) throws(MergeError) -> OriginPlan? {
    try session.plan(request.originPath, options: request.options.pool) {
      layers throws(MergeError) in
      try volumes(on: layers, of: request.source.deviceID, in: environment)
    }
  }

  /// Returns LVM's data about the volumes that use an origin when no pool is active; nil if the
  /// data device is not an LVM volume.
  ///
  /// - `layers`: the origin's layers, from the top down.
  private func volumes(
    on layers: [MappedDevice], of deviceID: UInt32, in environment: Environment
  ) throws(MergeError) -> VolumesOnOrigin? {
    guard let device = try environment.mappedDevices()[data.deviceNumber],
      let uuids = VolumeUUIDs(mappedUUID: device.uuid)
    else { return nil }
    do throws(LogicalVolumes.NoAnswer) {
      return try VolumesOnOrigin(
        layers.compactMap { VolumeUUIDs(mappedUUID: $0.uuid) }, of: uuids,
        deviceID: deviceID,
        transactionID: try? environment.reader(metadata).liveSuperblock().transactionID,
        run: environment.runProgram)
    } catch {
      throw .lvmSilent(data.path, after: Program.answerTimeMax, suspended: [])
    }
  }

  /// Returns the I/O size in bytes, rounded up to a multiple of both 4096 and the devices'
  /// alignment.
  func ioByteCount(_ options: TransferOptions, onto origin: OpenFile?) -> UInt64 {
    let unit = max(4096, data.alignmentByteCount, origin?.alignmentByteCount ?? 1)
    return options.ioByteCount.roundedUp(toMultipleOf: UInt64(unit))
  }
}

extension OpenDevices {
  /// Checks that the open devices are the ones that a journal recorded, since the recorded paths
  /// may now lead to other devices.
  ///
  /// - Throws: `MergeError` if an open device is not the recorded one.
  func check(
    _ origin: OpenFile, are header: JournalHeader, dataIsTheSame: Bool
  ) throws(MergeError) {
    for (file, identity, role) in [
      (data, header.dataIdentity, "data device"), (origin, header.originIdentity, "origin"),
    ] where !identity.name.isEmpty {
      if dataIsTheSame, file.isSameFile(as: data) { continue }
      let now = DeviceIdentity(file)
      guard now.name.isEmpty || now.hasSameBytes(as: identity) else {
        throw .notRecordedDevice(file.path, role)
      }
    }
  }
}
