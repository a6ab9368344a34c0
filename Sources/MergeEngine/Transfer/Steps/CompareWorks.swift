/// Verify: source and origin are compared sector by sector.
package struct CompareWork: TransferWork, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsOrigin: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var differences = Differences()

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    comparedByteCount += range.byteCount
    differences.appendSectors(of: range, source, origin)
    return .keep
  }
}

/// Compares source and origin, each with what was recorded when the source was merged.
package struct CompareRecordedWork: TransferWork, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsOrigin: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var sourceDifferences = Differences()
  package private(set) var originDifferences = Differences()
  /// Transfers whose source is as recorded, and how many of them are not on the origin.
  package private(set) var unchangedSourceCount = 0
  package private(set) var missingOnOriginCount = 0

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    comparedByteCount += range.byteCount
    let isEqual = source.hasSameBytes(as: origin)
    guard let recordedChecksum else {
      // A part of an entry has no checksum of its own, so the side that changed is not known.
      if !isEqual { appendToBoth(range) }
      return .keep
    }
    let isSourceAsRecorded = CRC32C.checksum(of: source) == recordedChecksum
    let isOriginAsRecorded =
      isEqual ? isSourceAsRecorded : CRC32C.checksum(of: origin) == recordedChecksum
    if isSourceAsRecorded {
      unchangedSourceCount += 1
      if !isOriginAsRecorded { missingOnOriginCount += 1 }
    }
    switch (isSourceAsRecorded, isOriginAsRecorded) {
    case (true, true) where isEqual: break
    case (true, false): originDifferences.appendSectors(of: range, source, origin)
    case (false, true): sourceDifferences.appendSectors(of: range, source, origin)
    case (false, false), (true, true): appendToBoth(range)
    }
    return .keep
  }

  private mutating func appendToBoth(_ range: ByteRange) {
    sourceDifferences.append(range)
    originDifferences.append(range)
  }
}

/// Verify by the journal: the origin is compared with what was recorded.
package struct ChecksumWork: TransferWork, ~Copyable {
  package static var readsSource: Bool { false }
  package static var readsOrigin: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var differences = Differences()

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    // Of an entry that could not be read as a whole the rest proves nothing.
    guard let recordedChecksum else { return .keep }
    comparedByteCount += range.byteCount
    if CRC32C.checksum(of: origin) != recordedChecksum { differences.append(range) }
    return .keep
  }
}

/// Differing ranges in rising order, neighbours joined; all are counted and the first are kept.
package struct Differences: Equatable, Sendable {
  package private(set) var byteCount: UInt64 = 0
  package private(set) var first: [ByteRange] = []

  private static let sectorByteCount = 512

  package init() {}

  /// Appends the sectors of `range` in which source and origin differ.
  package mutating func appendSectors(of range: ByteRange, _ source: RawSpan, _ origin: RawSpan) {
    guard !source.hasSameBytes(as: origin) else { return }
    var first = 0
    while first < source.byteCount {
      let end = min(first + Self.sectorByteCount, source.byteCount)
      if !source.extracting(first..<end).hasSameBytes(as: origin.extracting(first..<end)) {
        append(ByteRange(start: range.start + UInt64(first), end: range.start + UInt64(end)))
      }
      first = end
    }
  }

  package mutating func append(_ range: ByteRange) {
    byteCount += range.byteCount
    if let last = first.last, last.end == range.start {
      first[first.count - 1] = ByteRange(start: last.start, end: range.end)
    } else if first.count < VerifyReport.differenceCountMax {
      first.append(range)
    }
  }
}
