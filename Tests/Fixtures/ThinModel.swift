package import Foundation

/// The treatment of mapped blocks past the origin's end.
package enum PastEndPolicy: String, Sendable, CaseIterable {
  case refuse, clip, grow
}

/// A run: mappings that are consecutive on both sides.
package struct MappedRun: Sendable, Equatable {
  package var thinBlock: UInt64
  package var dataBlock: UInt64
  package var blockCount: UInt64

  package init(thinBlock: UInt64, dataBlock: UInt64, blockCount: UInt64) {
    self.thinBlock = thinBlock
    self.dataBlock = dataBlock
    self.blockCount = blockCount
  }

  /// Returns the maximal runs of mappings in order.
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

/// A model of a merge: the content that the origin must have afterwards.
package struct ThinModel: Sendable {
  package var blockByteCount: Int
  /// Mappings in order of `thinBlock`.
  package var mappings: [ThinMapping]
  package var originByteCount: Int
  /// The thin device's size; nil if unknown and assumed to be the origin's.
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

  /// True if mapped bytes of the thin device are past the origin's end.
  package var reachesPastOrigin: Bool {
    mappings.contains { mapping in
      let start = Int(mapping.thinBlock) * blockByteCount
      guard let thinByteCount else { return start >= originByteCount }
      return start < thinByteCount && min(start + blockByteCount, thinByteCount) > originByteCount
    }
  }

  package var isRefused: Bool { pastEnd == .refuse && reachesPastOrigin }

  /// The size of the origin after the merge.
  package var mergedOriginByteCount: Int {
    guard pastEnd == .grow else { return originByteCount }
    let lastEnd = mappings.last.map { (Int($0.thinBlock) + 1) * blockByteCount } ?? 0
    return max(originByteCount, thinByteCount ?? lastEnd)
  }

  /// The end of the writes; nothing at or past this byte is written.
  package var effectiveEnd: Int {
    min(mergedOriginByteCount, thinByteCount ?? mergedOriginByteCount)
  }

  /// One written piece of the origin, and the byte offset of its source.
  package struct Write: Sendable, Equatable {
    package var target: Range<Int>
    package var sourceByteOffset: Int
  }

  /// The written pieces, one per block, in order of the origin.
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

  /// The content of the origin before the merge.
  package var originBefore: Data {
    SectorContent(source: .origin, seed: contentSeed).bytes(in: 0..<originByteCount)
  }

  /// The content of the origin after the merge; unchanged if the merge is refused.
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

/// The 512-byte sectors that differ between two devices.
package struct DifferingRanges: Sendable, Equatable {
  /// The maximal ranges of differing sectors, in order.
  package private(set) var ranges: [Range<Int>] = []

  package init() {}

  package var byteCount: Int { ranges.reduce(0) { $0 + $1.count } }

  /// Compares `source` with `origin` sector by sector, both from byte `start` of the origin on.
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
