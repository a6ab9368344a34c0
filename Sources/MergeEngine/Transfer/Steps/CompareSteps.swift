/// The step for verify: compares source and target sector by sector.
package struct CompareStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var differences = Differences()

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    comparedByteCount += range.byteCount
    differences.appendSectors(of: range, source, target)
    return .keep
  }
}

/// The step that compares both source and target with the checksum recorded during the merge.
package struct CompareRecordedStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var sourceDifferences = Differences()
  package private(set) var targetDifferences = Differences()
  /// The number of transfers compared with a recorded checksum.
  package private(set) var recordedCount = 0
  /// The number of transfers whose source no longer matches the recorded checksum.
  package private(set) var changedSourceCount = 0
  /// The number of transfers whose target matches neither the recorded checksum nor the source.
  package private(set) var missingOnTargetCount = 0

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    comparedByteCount += range.byteCount
    let isEqual = source.hasSameBytes(as: target)
    guard let recordedChecksum else {
      // Part of an entry has no checksum of its own, so it is unknown whether source or target
      // changed.
      if !isEqual { appendToBoth(range) }
      return .keep
    }
    let isSourceAsRecorded = CRC32C.checksum(of: source) == recordedChecksum
    let isTargetAsRecorded =
      isEqual ? isSourceAsRecorded : CRC32C.checksum(of: target) == recordedChecksum
    recordedCount += 1
    if !isSourceAsRecorded { changedSourceCount += 1 }
    // A run that stopped while writing changed source bytes may have written bytes that it did not
    // record.
    if !isTargetAsRecorded, !isEqual { missingOnTargetCount += 1 }
    switch (isSourceAsRecorded, isTargetAsRecorded) {
    case (true, true) where isEqual: break
    case (true, false): targetDifferences.appendSectors(of: range, source, target)
    case (false, true): sourceDifferences.appendSectors(of: range, source, target)
    case (false, false), (true, true): appendToBoth(range)
    }
    return .keep
  }

  private mutating func appendToBoth(_ range: ByteRange) {
    sourceDifferences.append(range)
    targetDifferences.append(range)
  }
}

/// The step for verifying against a journal: compares the target with the recorded checksums.
package struct CompareChecksumStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { false }
  package static var readsTarget: Bool { true }
  package static var isOrdered: Bool { true }

  package private(set) var comparedByteCount: UInt64 = 0
  package private(set) var differences = Differences()

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    // The readable rest of an entry has no checksum of its own, so it cannot be compared.
    guard let recordedChecksum else { return .keep }
    comparedByteCount += range.byteCount
    if CRC32C.checksum(of: target) != recordedChecksum { differences.append(range) }
    return .keep
  }
}

/// Differing ranges in ascending order, with adjacent ranges joined; all of their bytes are
/// counted, but only the first ranges are kept.
package struct Differences: Equatable, Sendable {
  package private(set) var byteCount: UInt64 = 0
  package private(set) var first: [ByteRange] = []

  private static let sectorByteCount = 512

  package init() {}

  /// Appends the sectors of `range` in which source and target differ.
  package mutating func appendSectors(of range: ByteRange, _ source: RawSpan, _ target: RawSpan) {
    guard !source.hasSameBytes(as: target) else { return }
    var first = 0
    while first < source.byteCount {
      let end = min(first + Self.sectorByteCount, source.byteCount)
      if !source.extracting(first..<end).hasSameBytes(as: target.extracting(first..<end)) {
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
