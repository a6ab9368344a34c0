/// The pool's metadata and data devices, open for reading.
struct OpenDevices {
  let metadata: OpenFile
  let data: OpenFile

  /// - Throws: `MergeError`: `busy` if another process uses an inactive pool's metadata.
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
  /// Other users of the origin are checked by `DeviceTarget`.
  ///
  /// - Throws: `MergeError` (`refused`) if the origin is a device of the pool, or shares blocks
  ///   with one.
  func origin(_ path: String) throws(MergeError) -> OpenFile {
    // The origin is opened without O_EXCL, so that the data device is reported as such rather than
    // as busy.
    let origin = try OpenFile(path, role: "origin", access: .readOnly)
    try Self.check(origin, "origin")
    for (other, role) in [(metadata, "metadata"), (data, "data")]
    where StorageStack(origin).overlaps(StorageStack(other)) {
      throw .originIsPoolDevice(path, role, other.path)
    }
    return origin
  }

  /// Checks the conditions for every block device.
  ///
  /// A disconnected device keeps its number and node, but has a size of 0. Without sysfs, overlaps
  /// of two devices and other users of a device cannot be detected.
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

  /// Reads and checks the thin device's mappings.
  ///
  /// - `origin`: the origin to plan for; nil if none was given.
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
    // The product cannot overflow: PoolMetadata has checked it.
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

  /// Decides how an origin is made writable where no pool is active.
  ///
  /// - Throws: `MergeError` as ``OriginSession/plan(_:options:lvm:)`` does.
  func originPlan(
    for request: MergeRequest, _ session: OriginSession, in environment: Environment
  ) throws(MergeError) -> OriginPlan? {
    try session.plan(request.originPath, options: request.options.pool) {
      layers throws(MergeError) in
      try volumes(on: layers, of: request.source.deviceID, in: environment)
    }
  }

  /// Returns LVM's data on the users of an origin where no pool is active; nil if the data
  /// device is no LVM volume.
  ///
  /// - `layers`: the origin's layers, the topmost first.
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

  /// Returns the I/O size, rounded up to a multiple of 4096 bytes and of the devices' alignment.
  func ioByteCount(_ options: TransferOptions, onto origin: OpenFile?) -> UInt64 {
    let unit = max(4096, data.alignmentByteCount, origin?.alignmentByteCount ?? 1)
    return options.ioByteCount.roundedUp(toMultipleOf: UInt64(unit))
  }
}

extension OpenDevices {
  /// Checks that the open devices are those that a journal recorded, since its paths may lead to
  /// others now.
  ///
  /// - Throws: `MergeError` if a device is another one.
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
