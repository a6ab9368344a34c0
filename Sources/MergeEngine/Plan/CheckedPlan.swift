/// The inputs to a plan, other than the metadata itself.
package struct PlanRequest {
  package var source: MergeSource
  /// A closure that returns the current size of the metadata device in bytes; the device may grow
  /// at any time.
  package var metadataByteCount: () throws(MergeError) -> UInt64
  package var dataByteCount: UInt64
  package var originPath: String?
  package var extent: MergeExtent
  package var ioByteCount: UInt64
}

/// A source of runs after the first pass over it: fully checked, counted, and ready to be streamed.
package struct CheckedPlan<Source: RunSource & ~Copyable>: ~Copyable {
  package let pool: PoolMetadata
  package let details: DeviceDetails
  package let deviceCount: UInt64
  /// Faults in the metadata that do not prevent this device from being merged.
  package let toleratedFaults: [MetadataFault]
  package let mappingRoot: MetadataBlock
  package let plan: MergePlan
  package let thinByteCount: UInt64?
  /// The source of the runs, which has already been read once.
  package let source: Source
}

extension CheckedPlan where Source: ~Copyable {
  /// The number of leaves read between checks for an interruption.
  private static var leafCountAtOnce: Int { 32 }

  /// Reads and checks a thin device's whole mapping tree.
  ///
  /// - Throws: `MergeError`: `refused` for any fault, `stopped` if interrupted.
  package init<IO: BlockIO & ~Copyable>(
    _ request: PlanRequest, metadata queue: consuming IO, control: RunControl
  ) throws(MergeError) where Source == WholeDevice<IO> {
    var io = queue
    let source = request.source
    if let thinByteCount = request.extent.thinByteCount {
      guard thinByteCount > 0, thinByteCount <= UInt64(Int64.max) else {
        throw .thinSizeInvalid(thinByteCount)
      }
    }
    let pool = try PoolMetadata(
      path: source.metadataPath, byteCount: request.metadataByteCount, mappings: source.mappings,
      ignoresNeedsCheck: source.ignoresNeedsCheck, &io)
    var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
    let trees: DeviceTrees
    do throws(MetadataFault) {
      trees = try DeviceTrees(
        pool.superblock, bounds: pool.bounds, wanted: source.readID, &io, &ledger)
    } catch {
      throw error.refusal(path: pool.path)
    }
    guard let details = trees.details, let root = trees.mappingRoot else {
      throw .noSuchDevice(
        source.readID, metadataPath: source.metadataPath, otherCount: UInt64(trees.deviceCount),
        isInactive: source.mappings == .inactivePool)
    }

    let blockByteCount = pool.superblock.dataBlockByteCount
    let dataBlocks = try DataBlockLedger(
      dataBlockCount: min(pool.live.dataBlockCount, request.dataByteCount / blockByteCount))
    var tree = pool.tree(root: root)
    tree.dataByteCount = request.dataByteCount
    var device = try WholeDevice(tree, io: io, ledger: ledger)
    let empty = PlanBuilder(
      request.extent, dataBlockByteCount: blockByteCount, ioByteCount: request.ioByteCount)
    let total = details.mappedBlockCount.multipliedReportingOverflow(by: blockByteCount)
      .partialValue
    let added: Result<PlanBuilder, MappedTwice>
    do throws(MergeError) {
      added = try Self.addUp(
        &device, empty, dataBlocks, path: source.metadataPath, total: total, control: control
      ) { $0.mappedBlockCount * blockByteCount }
    } catch {
      throw Self.error(error, request)
    }
    var builder: PlanBuilder
    switch added {
    case .success(let added): builder = added
    case .failure(let mappedTwice): throw device.refusal(mappedTwice)
    }
    var tolerated = trees.otherFaults
    if device.mappedBlockCount != details.mappedBlockCount {
      let fault = MetadataFault.mappingCount(
        pool.superblock.detailsRoot, deviceID: source.readID, found: device.mappedBlockCount,
        expected: details.mappedBlockCount, path: pool.path)
      guard source.ignoresMappingCount else { throw fault.refusal(path: pool.path) }
      tolerated.append(fault)
    }
    plan = try builder.finish(
      deviceID: source.deviceID, mappedBlockCount: device.mappedBlockCount,
      originPath: request.originPath)
    toleratedFaults = tolerated
    thinByteCount = request.extent.thinByteCount
    self.pool = pool
    self.details = details
    deviceCount = trees.deviceCount
    mappingRoot = root
    self.source = device
  }

  /// Makes the first pass over a source, adding all of its runs to a plan and finding data blocks
  /// that are mapped twice.
  ///
  /// - `path`: the path of the metadata, for messages.
  /// - `total`, `done`: the number of bytes in all mapped blocks, and in the mapped blocks read so
  ///   far.
  /// - Throws: `MergeError`: `stopped` if interrupted, or any error from the source.
  private static func addUp(
    _ source: inout Source, _ builder: PlanBuilder, _ dataBlocks: consuming DataBlockLedger,
    path: String, total: UInt64, control: RunControl, done: (borrowing Source) -> UInt64
  ) throws(MergeError) -> Result<PlanBuilder, MappedTwice> {
    var planner = BackgroundPlanner(builder, dataBlocks)
    var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)
    let begin = control.clock.now()
    var nextReport = begin + .milliseconds(200)
    while try source.next(&batch, atMost: Self.leafCountAtOnce) {
      if batch.isFull, !planner.append(&batch) { break }
      guard !control.interruption.isRequested else {
        throw .interruptedPlanning(path)
      }
      let now = control.clock.now()
      guard now >= nextReport else { continue }
      nextReport = now + .milliseconds(200)
      control.report(
        MergeProgress(
          phase: .planning, doneByteCount: done(source), totalByteCount: total,
          earlierByteCount: 0, elapsed: now - begin, readsInFlight: 0, writesInFlight: 0))
    }
    _ = planner.append(&batch)
    do throws(MappedTwice) {
      return .success(try planner.finish())
    } catch {
      return .failure(error)
    }
  }

  /// Returns an error from the first pass, attributed to the data device if a mapping lies past the
  /// end of that device.
  private static func error(_ error: MergeError, _ request: PlanRequest) -> MergeError {
    guard error.code == .dataTooShort else { return error }
    return .dataTooShort(
      request.source.dataPath, byteCount: request.dataByteCount, because: error.why,
      counts: error.context.counts)
  }
}
