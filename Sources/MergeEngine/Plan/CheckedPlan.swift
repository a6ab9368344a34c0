/// What the plan is made of besides the metadata.
package struct PlanRequest {
  package var source: MergeSource
  package var metadataByteCount: UInt64
  package var dataByteCount: UInt64
  package var originPath: String?
  package var extent: MergeExtent
  package var ioByteCount: UInt64
}

/// A source of runs after its first pass: checked as a whole, counted, and ready to be streamed.
package struct CheckedPlan<Source: RunSource & ~Copyable>: ~Copyable {
  package let pool: PoolMetadata
  package let details: DeviceDetails
  package let deviceCount: UInt64
  package let mappingRoot: MetadataBlock
  package let plan: MergePlan
  package let thinByteCount: UInt64?
  /// The runs, read once.
  package let source: Source
}

extension CheckedPlan where Source: ~Copyable {
  /// Leaves that are read before it is looked whether to stop.
  private static var leafCountAtOnce: Int { 32 }

  /// Reads and checks the whole tree.
  ///
  /// - Throws: `MergeError`: `refused` for anything that is wrong, `stopped` on an interruption.
  package init<IO: BlockIO & ~Copyable>(
    _ request: PlanRequest, metadata queue: consuming IO, control: RunControl
  ) throws(MergeError) where Source == WholeDevice<IO> {
    var io = queue
    let source = request.source
    if let thinByteCount = request.extent.thinByteCount {
      guard thinByteCount > 0, thinByteCount <= UInt64(Int64.max) else {
        throw MergeError(
          .refused, "cannot use the thin size", at: "\(thinByteCount) bytes",
          because: "1 to \(Int64.max) is expected",
          hint: "'blockdev --getsize64' tells the size of a thin device")
      }
    }
    let pool = try PoolMetadata(
      path: source.metadataPath, byteCount: request.metadataByteCount, mappings: source.mappings,
      ignoresNeedsCheck: source.ignoresNeedsCheck, &io)
    try Self.checkDataDevice(pool, request)
    var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
    let table: DeviceTrees
    do throws(MetadataFault) {
      table = try DeviceTrees(
        pool.superblock, bounds: pool.bounds, wanted: source.deviceID, &io, &ledger)
    } catch {
      throw error.refusal(path: pool.path)
    }
    guard let details = table.details, let root = table.mappingRoot else {
      throw MergeError(
        .refused, "no device \(source.deviceID) in the metadata", at: source.metadataPath,
        because: "it has \(table.deviceCount == 1 ? "one other" : "\(table.deviceCount) others")",
        hint: "they are listed by: thin-merge devices --metadata "
          + source.metadataPath.shellQuoted
          + (source.mappings == .inactivePool ? " --inactive" : ""))
    }

    let blockByteCount = pool.superblock.dataBlockByteCount
    let dataBlocks = try DataBlockLedger(dataBlockCount: pool.live.dataBlockCount)
    var reader = try WholeDevice(pool.tree(root: root), io: io, ledger: ledger)
    var thread = BackgroundPlanner(
      PlanBuilder(
        request.extent, dataBlockByteCount: blockByteCount, ioByteCount: request.ioByteCount),
      dataBlocks)
    var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)
    let begin = control.clock.now()
    var nextReport = begin + .milliseconds(200)
    while try reader.next(&batch, atMost: Self.leafCountAtOnce) {
      if batch.isFull, !thread.append(&batch) { break }
      guard !control.interruption.isRequested else {
        throw MergeError(
          .stopped, "interrupted", at: source.metadataPath,
          because: "a signal came while the mappings were being read; nothing was written")
      }
      let now = control.clock.now()
      guard now >= nextReport else { continue }
      nextReport = now + .milliseconds(200)
      control.report(
        MergeProgress(
          phase: .planning, doneByteCount: reader.mappedBlockCount * blockByteCount,
          totalByteCount: details.mappedBlockCount.multipliedReportingOverflow(by: blockByteCount)
            .partialValue, earlierByteCount: 0, elapsed: now - begin, readsInFlight: 0,
          writesInFlight: 0))
    }
    _ = thread.append(&batch)
    var builder: PlanBuilder
    do throws(MappedTwice) {
      builder = try thread.finish()
    } catch {
      throw reader.refusal(error)
    }
    guard reader.mappedBlockCount == details.mappedBlockCount else {
      throw MetadataFault(
        pool.superblock.detailsRoot,
        "device \(source.deviceID) has \(reader.mappedBlockCount) mappings; its details say "
          + "\(details.mappedBlockCount)"
      ).refusal(path: pool.path)
    }
    plan = try builder.finish(
      deviceID: source.deviceID, mappedBlockCount: reader.mappedBlockCount,
      originPath: request.originPath)
    thinByteCount = request.extent.thinByteCount
    self.pool = pool
    self.details = details
    deviceCount = table.deviceCount
    mappingRoot = root
    self.source = reader
  }

  private static func checkDataDevice(
    _ pool: PoolMetadata, _ request: PlanRequest
  ) throws(MergeError) {
    // The product fits: PoolMetadata has checked it.
    let needed = pool.live.dataBlockCount * pool.superblock.dataBlockByteCount
    guard needed <= request.dataByteCount else {
      throw MergeError(
        .refused, "the data device is too short", at: request.source.dataPath,
        because: "it has \(request.dataByteCount) bytes; \(pool.live.dataBlockCount) blocks of "
          + "\(pool.superblock.dataBlockByteCount) are expected",
        hint: "is it the data device of the pool that the metadata is of?")
    }
  }
}
