import Fixtures

@testable import MergeEngine

/// Random mappings, sizes and options of a merge, small enough to check a plan block by block.
struct PlanSample: CustomStringConvertible {
  static let blockByteCount: UInt64 = 65_536

  var runs: [MappingRun]
  var originByteCount: UInt64
  var options: ExtentOptions
  var ioByteCount: UInt64
  var alignmentByteCount: Int

  init(using generator: inout SeededGenerator) {
    let block = Self.blockByteCount
    var next: UInt64 = 0
    runs = []
    for index in 0..<Int.random(in: 0...8, using: &generator) {
      next += UInt64([0, 0, 1, 3].randomElement(using: &generator) ?? 0)
      let run = MappingRun(
        thinBlock: ThinBlock(next), dataBlock: DataBlock(UInt64(100 * index)),
        blockCount: .random(in: 1...4, using: &generator))
      next += run.blockCount
      runs.append(run)
    }
    let end = next * block
    let ends = [
      0, 1, 511, 512, 4096, block, end / 2, end / 2 + 777, end, end + 1, end + 3 * block,
      end == 0 ? 0 : end - 1, .random(in: 0...end + block, using: &generator),
    ]
    originByteCount = max(1, ends.randomElement(using: &generator) ?? 1)
    options = ExtentOptions(
      thinByteCount: Bool.random(using: &generator)
        ? nil : max(1, (ends.randomElement(using: &generator) ?? 1) / 512) * 512,
      pastEnd: PastEndPolicy.allCases.randomElement(using: &generator) ?? .refuse)
    ioByteCount =
      4096 * .random(in: 1...(Bool.random(using: &generator) ? 4 : 80), using: &generator)
    alignmentByteCount = [1, 512, 4096, 8192].randomElement(using: &generator) ?? 512
  }

  func plan() throws(MergeError) -> MergePlan {
    var thread = try planThread()
    var batch = RunBatch()
    // As if read from leaves, the runs arrive a few at a time, and some batches are empty.
    for first in stride(from: 0, to: runs.count, by: 3) {
      _ = thread.append(&batch)
      for run in runs[first...].prefix(3) { batch.append(run) }
      _ = thread.append(&batch)
    }
    guard var builder = try? thread.finish() else {
      preconditionFailure("no data block of a sample is mapped twice")
    }
    return try builder.finish(
      deviceID: 3, mappedBlockCount: UInt64(blockStarts.count), originPath: "origin")
  }

  private func planThread() throws(MergeError) -> BackgroundPlanner {
    let builder = PlanBuilder(
      MergeExtent(originByteCount: originByteCount, options: options),
      dataBlockByteCount: Self.blockByteCount, ioByteCount: ioByteCount)
    let dataBlocks = try DataBlockLedger(dataBlockCount: 1000)
    // Creating a thread fails if its stack size is `Int.max`.
    return runs.count.isMultiple(of: 5)
      ? BackgroundPlanner(builder, dataBlocks, stackByteCount: .max)
      : BackgroundPlanner(builder, dataBlocks)
  }

  var description: String {
    let blocks = runs.map { "\($0.thinBlock)+\($0.blockCount)" }.joined(separator: " ")
    return "blocks \(blocks), origin \(originByteCount), thin \(options.thinByteCount ?? 0), "
      + "\(options.pastEnd), io \(ioByteCount), alignment \(alignmentByteCount)"
  }

  // MARK: Expected values, computed block by block

  /// The byte offset of each mapped block.
  var blockStarts: [UInt64] {
    runs.flatMap { run in
      (0..<run.blockCount).map { (run.thinBlock.rawValue + $0) * Self.blockByteCount }
    }
  }

  /// The byte offset at which the merge ends.
  ///
  /// Nothing past this offset is written.
  var end: UInt64 {
    let lastEnd = (blockStarts.last ?? 0) + (blockStarts.isEmpty ? 0 : Self.blockByteCount)
    if options.pastEnd == .grow { return options.thinByteCount ?? max(originByteCount, lastEnd) }
    return min(originByteCount, options.thinByteCount ?? originByteCount)
  }

  /// The size in bytes to which the origin is grown, unless it is already larger.
  var grownEnd: UInt64 {
    options.thinByteCount ?? (blockStarts.last.map { $0 + Self.blockByteCount } ?? 0)
  }

  var pastEndBlockCount: Int { blockStarts.count { $0 >= end } }

  var clippedByteCount: UInt64 {
    blockStarts.reduce(0) { sum, start in
      start < end && start + Self.blockByteCount > end
        ? sum + (start + Self.blockByteCount - end) : sum
    }
  }

  var writtenByteCount: UInt64 {
    blockStarts.reduce(0) { sum, start in
      sum + (start < end ? min(Self.blockByteCount, end - start) : 0)
    }
  }

  /// True if the plan must be refused because a mapped block starts, or is known to extend, past
  /// the end of the origin.
  var isRefused: Bool {
    guard options.pastEnd == .refuse else { return false }
    guard let thin = options.thinByteCount else {
      return blockStarts.contains { $0 >= originByteCount }
    }
    return blockStarts.contains {
      min($0 + Self.blockByteCount, thin) > max($0, originByteCount) && thin > originByteCount
    }
  }

  /// The ranges that the individual writes are expected to cover, built up sector by sector.
  var transfers: [ByteRange] {
    let tail = end - end % UInt64(max(alignmentByteCount, 4096))
    var transfers: [ByteRange] = []
    for start in blockStarts where start < end {
      let blockEnd = min(start + Self.blockByteCount, end)
      var position = start
      while position < blockEnd {
        let next = min(position + 512, blockEnd)
        if let last = transfers.last, last.end == position, position % ioByteCount != 0,
          position != tail
        {
          transfers[transfers.count - 1].end = next
        } else {
          transfers.append(ByteRange(start: position, end: next))
        }
        position = next
      }
    }
    return transfers
  }
}
