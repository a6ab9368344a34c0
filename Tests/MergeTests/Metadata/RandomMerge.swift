import Fixtures
import Foundation

/// A randomly generated merge: its geometry, mappings and options.
struct RandomMerge: CustomStringConvertible {
  let builder: PoolImageBuilder
  let model: ThinModel
  let ioByteCount: Int
  let queueDepth: Int

  static let mappedByteCountMax = 12 << 20

  /// Generates a random merge whose mapping tree has about `depth` levels.
  init(
    depth: Int, mappedByteCountMax: Int = Self.mappedByteCountMax,
    using generator: inout some RandomNumberGenerator
  ) {
    let unitCount = [1, 1, 2, 3, 6, 16, .random(in: 1...64, using: &generator)]
      .randomElement(using: &generator)
    let blockByteCount = 65_536 * (unitCount ?? 1)
    let mappedMax = max(1, mappedByteCountMax / blockByteCount)
    let mappings = Self.mappings(
      count: .random(in: min(mappedMax, 1 << (depth - 1))...mappedMax, using: &generator),
      using: &generator)

    var builder = PoolImageBuilder(devices: [ThinDevice(3, mappings), ThinDevice(8)])
    builder.blockByteCount = blockByteCount
    builder.dataBlockCount = Int(mappings.map { $0.dataBlock }.max() ?? 0) + 2
    builder.internalEntryCount = .random(in: 2...4, using: &generator)
    builder.leafEntryCount = Self.leafEntryCount(
      count: mappings.count, depth: depth, fanOut: builder.internalEntryCount)
    builder.placement = .shuffled(seed: generator.next())
    self.builder = builder

    let lastEnd = (Int(mappings.last?.thinBlock ?? 0) + 1) * blockByteCount
    let originByteCount = Self.originByteCount(near: lastEnd, blockByteCount, using: &generator)
    model = ThinModel(
      blockByteCount: blockByteCount, mappings: mappings, originByteCount: originByteCount,
      thinByteCount: Self.thinByteCount(lastEnd, originByteCount, using: &generator),
      pastEnd: PastEndPolicy.allCases.randomElement(using: &generator) ?? .refuse,
      contentSeed: 1)
    ioByteCount =
      4096 * .random(in: 1...(Bool.random(using: &generator) ? 16 : 600), using: &generator)
    queueDepth = .random(in: 1...70, using: &generator)
  }

  /// The command-line options, except for paths, the transfer size and the queue depth.
  var options: [String] {
    ["--past-end", model.pastEnd.rawValue]
      + (model.thinByteCount.map { ["--thin-size", String($0)] } ?? [])
  }

  /// The command-line options for the transfer size and the queue depth.
  var transferOptions: [String] {
    ["--io-size", String(ioByteCount), "--queue-depth", String(queueDepth)]
  }

  var description: String {
    """
    \(model.mappings.count) blocks of \(model.blockByteCount) up to thin block \
    \(model.mappings.last?.thinBlock ?? 0), origin of \(model.originByteCount), \
    options \((options + transferOptions).joined(separator: " ")), \
    \(builder.leafEntryCount) entries in a leaf and \(builder.internalEntryCount) above
    """
  }

  /// Returns random mappings that include gaps, with stretches that are contiguous on the thin
  /// device, on the data device, on both, or on neither.
  private static func mappings(
    count: Int, using generator: inout some RandomNumberGenerator
  ) -> [ThinMapping] {
    var pieces: [ClosedRange<Int>] = []
    var next = 0
    while next < count {
      let last = min(count - 1, next + .random(in: 0...7, using: &generator))
      pieces.append(next...last)
      next = last + 1
    }
    if Bool.random(using: &generator) { pieces.shuffle(using: &generator) }
    var thinBlock = Int.random(in: 0...3, using: &generator)
    return pieces.flatMap { piece in
      thinBlock += Bool.random(using: &generator) ? 0 : .random(in: 0...6, using: &generator)
      return piece.map { dataBlock in
        thinBlock += 1
        return ThinMapping(UInt64(thinBlock - 1), UInt64(dataBlock))
      }
    }
  }

  /// Returns the number of entries per leaf that results in a tree of `depth` levels.
  private static func leafEntryCount(count: Int, depth: Int, fanOut: Int) -> Int {
    guard depth > 1 else { return 252 }
    let leafCount = (0..<(depth - 2)).reduce(1) { power, _ in power * fanOut } + 1
    return max(1, count / leafCount)
  }

  /// Returns a random size for an origin that ends before, within, exactly at the end of, or past
  /// the last mapped block.
  private static func originByteCount(
    near lastEnd: Int, _ blockByteCount: Int, using generator: inout some RandomNumberGenerator
  ) -> Int {
    let tails = [0, 1, 511, 512, 4095, 4096, 4097, .random(in: 0...9000, using: &generator)]
    let tail = tails.randomElement(using: &generator) ?? 0
    switch Int.random(in: 0...4, using: &generator) {
    case 0: return lastEnd
    case 1: return lastEnd + tail + .random(in: 0...blockByteCount, using: &generator)
    case 2: return max(1, lastEnd - tail)
    case 3: return max(1, lastEnd - tail - .random(in: 0...blockByteCount, using: &generator))
    default: return max(1, .random(in: 1...lastEnd, using: &generator))
    }
  }

  /// Returns a random thin device size in bytes, a multiple of the sector size, or nil to leave the
  /// size unspecified.
  private static func thinByteCount(
    _ lastEnd: Int, _ originByteCount: Int, using generator: inout some RandomNumberGenerator
  ) -> Int? {
    func sectors(_ byteCount: Int) -> Int { max(1, byteCount / 512) * 512 }
    switch Int.random(in: 0...4, using: &generator) {
    case 0: return sectors(lastEnd)
    case 1: return sectors(originByteCount)
    case 2: return sectors(.random(in: 1...lastEnd, using: &generator))
    case 3: return sectors(lastEnd + .random(in: 0...(4 << 20), using: &generator))
    default: return nil
    }
  }
}
