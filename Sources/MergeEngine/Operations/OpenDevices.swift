/// The open files of a verb, after the checks of who else uses them.
struct OpenDevices {
  let metadata: OpenFile
  let data: OpenFile
  let origin: OpenFile?
  /// The origin open for writing; nil where it is only read.
  let target: DeviceTarget?

  /// Opens the devices of a verb.
  ///
  /// - `use`: how the origin is going to be written to; nil where it is only read.
  /// - `allowsUnseenLoopDevices`: whether it is written to although loop devices cannot be seen.
  /// - Throws: `MergeError`: `busy` when somebody else uses the origin or an inactive pool's metadata.
  init(
    _ source: MergeSource, originPath: String?, writing use: OriginUse?,
    allowsUnseenLoopDevices: Bool = false
  ) throws(MergeError) {
    let isInactive = source.mappings == .inactivePool
    metadata = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try LoopDevice.checkNone(over: metadata, MergeError.metadataUnderLoopDevice) }
    data = try OpenFile(source.dataPath, role: "data device", access: .readOnly)
    guard !StorageStack(metadata).overlaps(StorageStack(data)) else {
      throw .dataIsMetadata(data.path)
    }
    guard let originPath else {
      origin = nil
      target = nil
      return
    }
    // Opened without O_EXCL first: it says that it is the data device before that it is busy.
    let looked = try OpenFile(originPath, role: "origin", access: .readOnly)
    for (other, role) in [(metadata, "metadata"), (data, "data")]
    where StorageStack(looked).overlaps(StorageStack(other)) {
      throw .originIsPoolDevice(originPath, role, other.path)
    }
    guard let use else {
      origin = looked
      target = nil
      return
    }
    let target = try DeviceTarget(
      originPath, use: use, lookedAt: looked, allowsUnseenLoopDevices: allowsUnseenLoopDevices)
    self.target = target
    origin = target.file
  }

  /// Every file that is open.
  var all: [OpenFile] { [metadata, data, origin].compactMap { $0 } }

  /// Whether it is the data device that begins as metadata does.
  var areSwapped: Bool {
    Superblock.isFirst(in: data.path) && !Superblock.isFirst(in: metadata.path)
  }

  /// Reads and checks the device's mappings.
  func plan(
    _ source: MergeSource, extent: ExtentOptions, ioByteCount: UInt64, in environment: Environment
  ) throws(MergeError) -> CheckedPlan<WholeDevice<LinuxAIO>> {
    if extent.pastEnd == .grow, let origin, origin.kind == .blockDevice {
      throw .originNotExtensible(origin.path)
    }
    for file in all where !file.isDirect {
      environment.observer.note(.noDirectIO(file.path))
    }
    let request = PlanRequest(
      source: source, metadataByteCount: metadata.byteCount, dataByteCount: data.byteCount,
      originPath: origin?.path,
      extent: MergeExtent(originByteCount: origin?.byteCount, options: extent),
      ioByteCount: ioByteCount)
    let planned: CheckedPlan<WholeDevice<LinuxAIO>>
    do throws(MergeError) {
      planned = try CheckedPlan(
        request, metadata: try environment.reader(metadata).treeQueue(),
        control: environment.control)
    } catch {
      throw areSwapped ? error.ofSwappedDevices() : error
    }
    if extent.thinByteCount == nil, origin != nil {
      environment.observer.note(
        .thinSizeAssumed(
          planned.plan.endByteOffset, isOfOrigin: planned.plan.grownOriginByteCount == nil))
    }
    return planned
  }

  /// The I/O size as the devices allow it: a multiple of what their blocks are.
  func ioByteCount(_ options: TransferOptions) -> UInt64 {
    let unit = max(4096, data.alignmentByteCount, origin?.alignmentByteCount ?? 1)
    return options.ioByteCount.roundedUp(toMultipleOf: UInt64(unit))
  }
}
