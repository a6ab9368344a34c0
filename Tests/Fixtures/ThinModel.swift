package import Foundation

/// What happens to mapped blocks behind the origin's end.
package enum PastEndPolicy: String, Sendable, CaseIterable {
  case refuse, clip, grow
}

/// A run: mappings that follow each other on both sides.
package struct MappedRun: Sendable, Equatable {
  package var thinBlock: UInt64
  package var dataBlock: UInt64
  package var blockCount: UInt64

  package init(thinBlock: UInt64, dataBlock: UInt64, blockCount: UInt64) {
    self.thinBlock = thinBlock
    self.dataBlock = dataBlock
    self.blockCount = blockCount
  }

  /// The maximal runs of mappings in order.
  package static func runs(of mappings: [ThinMapping]) -> [MappedRun] {
    var runs: [MappedRun] = []
    for mapping in mappings {
      if let last = runs.last, last.thinBlock + last.blockCount == mapping.thinBlock,
        last.dataBlock + last.blockCount == mapping.dataBlock
      {
        runs[runs.count - 1].blockCount += 1
      } else {
        runs.append(
          MappedRun(thinBlock: mapping.thinBlock, dataBlock: mapping.dataBlock, blockCount: 1))
      }
    }
    return runs
  }
}

/// A merge in memory: what the origin has to hold afterwards.
package struct ThinModel: Sendable {
  package var blockByteCount: Int
  /// In order of `thinBlock`.
  package var mappings: [ThinMapping]
  package var originByteCount: Int
  /// `nil`: not known, and taken to be the origin's.
  package var thinByteCount: Int?
  package var pastEnd: PastEndPolicy
  package var contentSeed: UInt16

  package init(
    blockByteCount: Int, mappings: [ThinMapping], originByteCount: Int, thinByteCount: Int?,
    pastEnd: PastEndPolicy, contentSeed: UInt16
  ) {
    self.blockByteCount = blockByteCount
    self.mappings = mappings
    self.originByteCount = originByteCount
    self.thinByteCount = thinByteCount
    self.pastEnd = pastEnd
    self.contentSeed = contentSeed
  }

  /// Whether something of the thin device lies behind the origin's end.
  package var reachesPastOrigin: Bool {
    mappings.contains { mapping in
      let start = Int(mapping.thinBlock) * blockByteCount
      guard let thinByteCount else { return start >= originByteCount }
      return start < thinByteCount && min(start + blockByteCount, thinByteCount) > originByteCount
    }
  }

  package var isRefused: Bool { pastEnd == .refuse && reachesPastOrigin }

  /// How long the origin is after the merge.
  package var mergedOriginByteCount: Int {
    guard pastEnd == .grow else { return originByteCount }
    let lastEnd = mappings.last.map { (Int($0.thinBlock) + 1) * blockByteCount } ?? 0
    return max(originByteCount, thinByteCount ?? lastEnd)
  }

  /// Nothing at or behind this byte is written.
  package var effectiveEnd: Int {
    min(mergedOriginByteCount, thinByteCount ?? mergedOriginByteCount)
  }

  /// One piece of the origin that is written, and where it comes from.
  package struct Write: Sendable, Equatable {
    package var target: Range<Int>
    package var sourceByteOffset: Int
  }

  /// What is written, one piece for each block, in order of the origin.
  package var writes: [Write] {
    let effectiveEnd = effectiveEnd
    return mappings.compactMap { mapping in
      let start = Int(mapping.thinBlock) * blockByteCount
      guard start < effectiveEnd else { return nil }
      return Write(
        target: start..<min(start + blockByteCount, effectiveEnd),
        sourceByteOffset: Int(mapping.dataBlock) * blockByteCount)
    }
  }

  package var writtenByteCount: Int { writes.reduce(0) { $0 + $1.target.count } }

  /// The origin before the merge.
  package var originBefore: Data {
    SectorContent(source: .origin, seed: contentSeed).bytes(in: 0..<originByteCount)
  }

  /// The origin after the merge; as before if the merge is refused.
  package var originAfter: Data {
    var origin = originBefore
    guard !isRefused else { return origin }
    origin.append(Data(count: mergedOriginByteCount - originByteCount))
    let data = SectorContent(source: .data, seed: contentSeed)
    for write in writes {
      let source = write.sourceByteOffset..<(write.sourceByteOffset + write.target.count)
      origin.replaceSubrange(write.target, with: data.bytes(in: source))
    }
    return origin
  }
}

/// Which 512-byte sectors differ between two devices.
package struct DifferingRanges: Sendable, Equatable {
  /// Maximal, in order.
  package private(set) var ranges: [Range<Int>] = []

  package init() {}

  package var byteCount: Int { ranges.reduce(0) { $0 + $1.count } }

  /// Compares `source` with `origin` by sectors, where both start at byte `start` of the origin.
  package mutating func compare(_ source: Data, with origin: Data, at start: Int) {
    guard source != origin else { return }
    let sectorByteCount = SectorContent.sectorByteCount
    for offset in stride(from: 0, to: origin.count, by: sectorByteCount) {
      let sector = offset..<min(offset + sectorByteCount, origin.count)
      let sourceSector = source.dropFirst(sector.lowerBound).prefix(sector.count)
      let originSector = origin.dropFirst(sector.lowerBound).prefix(sector.count)
      if sourceSector != originSector {
        append((start + sector.lowerBound)..<(start + sector.upperBound))
      }
    }
  }

  private mutating func append(_ range: Range<Int>) {
    if let last = ranges.last, last.upperBound == range.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
    } else {
      ranges.append(range)
    }
  }
}
