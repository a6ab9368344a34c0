import Fixtures
import MergeEngine

/// The pool, origin, and options of an in-memory merge.
struct SimulatedMerge: CustomStringConvertible {
  var builder: PoolImageBuilder
  var model: ThinModel
  var transfer: TransferOptions
  var checkpointInterval = Duration.milliseconds(4)
  var dataAlignment = 512
  var originAlignment = 512
  /// The number of bytes that the devices write atomically.
  var sectorByteCount = 512

  static let deviceID: UInt32 = 3

  /// Creates a merge of `thinBlocks`, each in some data block, onto an origin of `originByteCount`.
  init(
    thinBlocks: [Int], dataBlocks: [Int]? = nil, blockByteCount: Int = 65_536,
    originByteCount: Int, transfer: TransferOptions = TransferOptions(ioByteCount: 64 << 10)
  ) {
    let mappings = zip(thinBlocks, dataBlocks ?? Array(0..<thinBlocks.count)).map {
      ThinMapping(UInt64($0), UInt64($1))
    }
    builder = PoolImageBuilder(devices: [ThinDevice(UInt64(Self.deviceID), mappings)])
    builder.blockByteCount = blockByteCount
    builder.dataBlockCount = Int(mappings.map { $0.dataBlock }.max() ?? 0) + 2
    model = ThinModel(
      blockByteCount: blockByteCount, mappings: mappings, originByteCount: originByteCount,
      thinByteCount: nil, pastEnd: .clip, contentSeed: 1)
    self.transfer = transfer
  }

  /// Creates a random merge of small blocks whose mapping tree has about `depth` levels.
  init(
    depth: Int, mappedByteCountMax: Int = RandomMerge.mappedByteCountMax,
    using generator: inout SeededGenerator
  ) {
    let random = RandomMerge(
      depth: depth, mappedByteCountMax: mappedByteCountMax, using: &generator)
    builder = random.builder
    model = random.model
    transfer = Self.transfer(using: &generator)
    if model.writtenByteCount > 2 << 20 {
      transfer.ioByteCount = max(transfer.ioByteCount, 64 << 10)
    }
    draw(using: &generator)
  }

  /// Creates a random merge with a block size of `unitCount` times 64 KiB and few written bytes.
  init(unitCount: Int, using generator: inout SeededGenerator) {
    let blockByteCount = unitCount << 16
    let last = Int.random(in: 0...1000, using: &generator)
    // The origin ends within the last written block. Blocks past the end are skipped.
    let thinBlocks = [last, last + 1, last + 2 + .random(in: 0...5, using: &generator)]
    let written = Int.random(in: 1...min(blockByteCount, 6 << 20), using: &generator)
    self.init(
      thinBlocks: thinBlocks, dataBlocks: [7, 2, 3].shuffled(using: &generator),
      blockByteCount: blockByteCount, originByteCount: last * blockByteCount + written,
      transfer: Self.transfer(using: &generator))
    transfer.ioByteCount = max(transfer.ioByteCount, 64 << 10)
    draw(using: &generator)
  }

  /// Returns transfer options with a random queue depth and transfer size.
  static func transfer(using generator: inout SeededGenerator) -> TransferOptions {
    let ioByteCounts: [UInt64] = [
      4096, 8192, 12_288, 64 << 10, 100 << 10, 256 << 10, 1 << 20, 4 << 20,
    ]
    return TransferOptions(
      queueDepth: [1, 2, 3, 64, .random(in: 1...64, using: &generator)]
        .randomElement(using: &generator) ?? 1,
      ioByteCount: ioByteCounts.randomElement(using: &generator) ?? 4096)
  }

  private mutating func draw(using generator: inout SeededGenerator) {
    checkpointInterval = .milliseconds(.random(in: 1...30, using: &generator))
    dataAlignment = generator.chance(oneIn: 2) ? 512 : 4096
    originAlignment = generator.chance(oneIn: 2) ? 512 : 4096
    sectorByteCount = max(originAlignment, generator.chance(oneIn: 2) ? 512 : 4096)
  }

  /// The extent options needed to merge the current pool onto the origin.
  var extent: ExtentOptions {
    ExtentOptions(
      thinByteCount: model.thinByteCount.map { UInt64($0) },
      pastEnd: MergeEngine.PastEndPolicy(rawValue: model.pastEnd.rawValue) ?? .refuse)
  }

  /// The ranges of the origin that the merge writes, with adjacent ranges joined.
  var plannedRanges: RangeSet {
    var ranges = RangeSet()
    for write in model.writes { ranges.insert(ByteRange(write.target)) }
    return ranges
  }

  /// Returns the origin range that a range of a data block is merged onto; nil if there is none.
  func originRange(ofData range: ByteRange) -> ByteRange? {
    let block = UInt64(model.blockByteCount)
    guard let mapping = model.mappings.first(where: { $0.dataBlock == range.start / block }) else {
      return nil
    }
    let start = mapping.thinBlock * block + range.start % block
    let end = min(start + range.byteCount, UInt64(model.effectiveEnd))
    return start < end ? ByteRange(start: start, end: end) : nil
  }

  func makeDisk(seed: UInt64) -> SimulatedDisk {
    SimulatedDisk(
      seed: seed,
      contents: [
        .metadata: metadata,
        .data: SparseContent(
          byteCount: UInt64(builder.dataBlockCount * builder.blockByteCount),
          base: .sectors(
            SectorContent(source: .data, seed: model.contentSeed), byteCount: .max >> 1)),
        .target: SparseContent(
          byteCount: UInt64(model.originByteCount),
          base: .sectors(
            SectorContent(source: .origin, seed: model.contentSeed),
            byteCount: UInt64(model.originByteCount))),
        .journal: SparseContent(byteCount: 0, base: .zeros),
      ], dataAlignment: dataAlignment, originAlignment: originAlignment,
      sectorByteCount: sectorByteCount)
  }

  private var metadata: SparseContent {
    let bytes = [UInt8](builder.build().metadata.data)
    return SparseContent(byteCount: UInt64(bytes.count), base: .bytes(bytes))
  }

  var description: String {
    """
    \(model.mappings.count) blocks of \(model.blockByteCount) in \(builder.dataBlockCount), origin of \
    \(model.originByteCount), thin device of \(model.thinByteCount.map(String.init) ?? "?"), \
    \(model.pastEnd), alignments \(dataAlignment) and \(originAlignment), depth \
    \(transfer.queueDepth), io \(transfer.ioByteCount), checkpoints every \(checkpointInterval)
    """
  }
}

extension ByteRange {
  init(_ range: Range<Int>) {
    self.init(start: UInt64(range.lowerBound), end: UInt64(range.upperBound))
  }

  func overlaps(_ other: ByteRange) -> Bool { start < other.end && other.start < end }
}
