/// The figures that describe a merge, as computed by the first pass over the mappings.
package struct MergePlan: Equatable, Sendable {
  package var deviceID: UInt32
  package var dataBlockByteCount: UInt64
  package var mappedBlockCount: UInt64
  package var runCount: UInt64
  /// The number of bytes to be written to the origin.
  package var byteCount: UInt64
  /// The end of the merge on the origin: no byte at or past this offset is written.
  package var endByteOffset: UInt64
  package var grownOriginByteCount: UInt64?
  package var pastEndBlockCount: UInt64
  package var clippedByteCount: UInt64
  package var transferCount: UInt64
  /// The size of the largest transfer in bytes.
  package var transferByteCountMax: UInt64
  package var fingerprint: Fingerprint
  package var layout: MappingLayout
  /// The data block to which thin block 0 is mapped; nil if thin block 0 is not mapped.
  package var firstDataBlock: DataBlock?
}

/// Accumulates a plan from the runs of a device without storing the runs.
struct PlanBuilder {
  private let extent: MergeExtent
  private let dataBlockByteCount: UInt64
  private let limit: UInt64
  private var fingerprint = FingerprintBuilder()
  private var layout: LayoutBuilder
  private var runCount: UInt64 = 0
  private var pastEndBlockCount: UInt64 = 0
  private var clippedByteCount: UInt64 = 0
  /// The number of mapped blocks past the end of the thin device, which readers of the device
  /// cannot see.
  private var pastThinBlockCount: UInt64 = 0
  private var lastMappingEnd: UInt64 = 0
  private var firstDataBlock: DataBlock?
  private var transfers: TransferCounter

  init(_ extent: MergeExtent, dataBlockByteCount: UInt64, ioByteCount: UInt64) {
    self.extent = extent
    self.dataBlockByteCount = dataBlockByteCount
    transfers = TransferCounter(ioByteCount: ioByteCount)
    limit = extent.limitByteOffset ?? .max
    layout = LayoutBuilder(dataBlockByteCount: dataBlockByteCount)
  }

  /// Adds the runs in the next batch.
  ///
  /// - Precondition: The byte offsets at which runs end fit into 63 bits, as the reader has already
  ///   checked.
  mutating func append(_ batch: borrowing RunBatch) {
    let runs = batch.runs
    fingerprint.append(runs)
    // Keys are in ascending order, so block 0 is in the first run or in none.
    if runCount == 0, !runs.isEmpty, runs[0].thinBlock.rawValue == 0 {
      firstDataBlock = runs[0].dataBlock
    }
    runCount += UInt64(runs.count)
    // A local copy stays in registers from run to run.
    var transfers = transfers
    for index in runs.indices {
      let run = runs[index]
      let start = run.thinBlock.rawValue &* dataBlockByteCount
      let end = start &+ run.blockCount &* dataBlockByteCount
      lastMappingEnd = end
      if end > limit { leaveOut(start, end) }
      let clippedEnd = min(end, limit)
      guard start < clippedEnd else { continue }
      layout.add(from: start, to: clippedEnd)
      transfers.add(from: start, to: clippedEnd)
    }
    self.transfers = transfers
  }

  private mutating func leaveOut(_ start: UInt64, _ end: UInt64) {
    let firstWhole = max(start, limit).roundedUp(toMultipleOf: dataBlockByteCount)
    if end > firstWhole { pastEndBlockCount += (end - firstWhole) / dataBlockByteCount }
    if start < limit { clippedByteCount += min(firstWhole, end) - limit }
    guard let thinByteCount = extent.thinByteCount else { return }
    let firstPastThin = max(start, thinByteCount.roundedUp(toMultipleOf: dataBlockByteCount))
    if end > firstPastThin { pastThinBlockCount += (end - firstPastThin) / dataBlockByteCount }
  }

  /// Returns the finished plan.
  ///
  /// - Throws: `MergeError` (`refused`) if blocks would be skipped but the policy does not allow
  ///   that.
  mutating func finish(
    deviceID: UInt32, mappedBlockCount: UInt64, originPath: String?
  ) throws(MergeError) -> MergePlan {
    transfers.finish()
    if let originPath { try checkPastEnd(originPath) }
    let end = extent.endByteOffset(lastMappingEnd: lastMappingEnd)
    let layout = layout.finish(endByteOffset: end)
    return MergePlan(
      deviceID: deviceID, dataBlockByteCount: dataBlockByteCount,
      mappedBlockCount: mappedBlockCount, runCount: runCount, byteCount: layout.byteCount,
      endByteOffset: end,
      grownOriginByteCount: extent.grownOriginByteCount(lastMappingEnd: lastMappingEnd),
      pastEndBlockCount: pastEndBlockCount, clippedByteCount: clippedByteCount,
      transferCount: transfers.count, transferByteCountMax: max(transfers.byteCountMax, 1),
      fingerprint: fingerprint.finish(
        dataBlockByteCount: dataBlockByteCount, deviceID: deviceID, endByteOffset: end,
        pastEnd: extent.pastEnd),
      layout: layout, firstDataBlock: firstDataBlock)
  }

  private func checkPastEnd(_ originPath: String) throws(MergeError) {
    guard extent.pastEnd == .refuse, let originByteCount = extent.originByteCount else { return }
    let hidden = pastEndBlockCount - pastThinBlockCount
    let isCut = clippedByteCount > 0 && (extent.thinByteCount ?? 0) > originByteCount
    guard hidden > 0 || isCut else { return }
    let blocks = hidden + (isCut ? 1 : 0)
    throw .originTooShort(originPath, byteCount: originByteCount, blockCount: blocks)
  }
}

/// The end of a merge on the origin, as determined by the sizes of both devices and the past-end
/// policy.
package struct MergeExtent: Equatable, Sendable {
  /// The size of the origin in bytes; nil if no origin was given.
  package let originByteCount: UInt64?
  package let thinByteCount: UInt64?
  package let pastEnd: PastEndPolicy

  package init(originByteCount: UInt64?, options: ExtentOptions) {
    self.originByteCount = originByteCount
    thinByteCount = options.thinByteCount
    pastEnd = options.pastEnd
  }

  /// The byte offset at and beyond which mapped bytes are skipped; nil if the last mapping
  /// determines the end.
  package var limitByteOffset: UInt64? {
    guard let originByteCount else { return thinByteCount }
    guard pastEnd == .grow else { return min(originByteCount, thinByteCount ?? originByteCount) }
    return thinByteCount
  }

  /// Returns the byte offset at which the merge effectively ends, given the end of the last
  /// mapping.
  package func endByteOffset(lastMappingEnd: UInt64) -> UInt64 {
    if let limitByteOffset { return limitByteOffset }
    return max(originByteCount ?? 0, lastMappingEnd)
  }

  /// Returns the size in bytes to which the origin is extended; nil if the size does not change.
  package func grownOriginByteCount(lastMappingEnd: UInt64) -> UInt64? {
    guard pastEnd == .grow, let originByteCount else { return nil }
    let end = thinByteCount ?? lastMappingEnd
    return end > originByteCount ? end : nil
  }
}
