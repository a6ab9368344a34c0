/// The verbs: what can be done with a thin device and its external origin.
///
/// Each runs to its end on the thread that calls it, on Linux AIO. Several threads may do so at once, for
/// different origins; with active pools only one, since libdevmapper is for one thread.
public struct Merger: Sendable {
  let environment: Environment

  /// Makes verbs that run in `environment`.
  public init(environment: Environment = Environment()) { self.environment = environment }

  var control: RunControl {
    RunControl(
      clock: environment.clock, interruption: environment.interruption,
      report: environment.observer.progress)
  }

  func reader(_ metadata: OpenFile) -> PoolReader {
    PoolReader(metadata, clock: environment.clock, waitLimit: environment.waitLimit)
  }

  /// A queue for moving blocks.
  func transferQueue(
    depth: Int, slabByteCount: Int, files: [IOTarget: OpenFile]
  ) throws(MergeError) -> LinuxAIO {
    try LinuxAIO(
      requestCount: depth + PipelineShape.recordRequestCount,
      atLeast: 1 + PipelineShape.recordRequestCount, slabByteCount: slabByteCount, files: files,
      clock: environment.clock, isWaitOver: environment.waitLimit(),
      note: environment.observer.note)
  }

  func journalReader(_ file: OpenFile) throws(MergeError) -> JournalReader<LinuxAIO> {
    // The size of now: a merge may be appending.
    let byteCount = try file.byteCountNow()
    return try JournalReader(
      path: file.path, byteCount: byteCount,
      io: try LinuxAIO(
        requestCount: 0, slabByteCount: JournalReader<LinuxAIO>.slabByteCount,
        files: [.journal: file], clock: environment.clock))
  }

  /// Reads and checks the device's mappings.
  func plan(
    _ source: MergeSource, on devices: Devices, extent: ExtentOptions, ioByteCount: UInt64
  ) throws(MergeError) -> PlannedMerge<LinuxAIO> {
    if extent.pastEnd == .grow, let origin = devices.origin, origin.kind == .blockDevice {
      throw MergeError(
        .refused, "cannot extend the origin", at: origin.path,
        because: "it is a block device; only a regular file can be extended",
        hint: "extend the device first, or choose --past-end clip")
    }
    for file in [devices.metadata, devices.data, devices.origin] {
      guard let file, !file.isDirect else { continue }
      environment.observer.note(
        "\(file.path): its file system has no direct I/O; reads and writes go through the page cache"
      )
    }
    let request = PlannedMerge<LinuxAIO>.Request(
      source: source, metadataByteCount: devices.metadata.byteCount,
      dataByteCount: devices.data.byteCount, originPath: devices.origin?.path,
      extent: MergeExtent(originByteCount: devices.origin?.byteCount, options: extent),
      ioByteCount: ioByteCount)
    let planned: PlannedMerge<LinuxAIO>
    do throws(MergeError) {
      planned = try PlannedMerge(
        request, metadata: try reader(devices.metadata).treeQueue(), control: control)
    } catch {
      throw devices.areSwapped ? error.hinting("--metadata and --data seem to be swapped") : error
    }
    if extent.thinByteCount == nil, devices.origin != nil {
      environment.observer.note(
        "thin size not known: taken as \(planned.plan.endByteOffset) bytes, "
          + (planned.plan.grownOriginByteCount == nil
            ? "the origin's end" : "the end of the last mapping"))
    }
    return planned
  }

  /// The I/O size as the devices allow it: a multiple of what their blocks are.
  func ioByteCount(_ options: TransferOptions, _ devices: Devices) -> UInt64 {
    let unit = max(
      4096, devices.data.alignmentByteCount, devices.origin?.alignmentByteCount ?? 1)
    return options.ioByteCount.roundedUp(toMultipleOf: UInt64(unit))
  }
}
