import Fixtures
import MergeEngine
import Testing

extension MergeHarness {
  /// Describes the first wrong byte of the origin; nil if every byte is correct.
  ///
  /// The ranges in `unmerged` must be unchanged.
  func wrongPlace(unmerged: RangeSet = RangeSet()) -> String? {
    let origin = disk[.target]
    let model = merge.model
    guard origin.byteCount == UInt64(model.mergedOriginByteCount) else {
      return "the origin has \(origin.byteCount) bytes, not \(model.mergedOriginByteCount)"
    }
    var kept = RangeSet()
    kept.insert(ByteRange(start: 0, end: .max >> 1))
    for write in model.writes {
      let target = ByteRange(write.target)
      kept.remove(target)
      var merged = RangeSet()
      merged.insert(target)
      for range in unmerged.ranges { merged.remove(range) }
      for range in merged.ranges {
        let source = UInt64(write.sourceByteOffset) + (range.start - target.start)
        if let place = origin.firstDifference(range, from: disk[.data], at: source) {
          return "the origin is not merged at byte \(place)"
        }
      }
    }
    for range in unmerged.ranges { kept.insert(range) }
    let pieceByteCount = UInt64(SparseContent.pieceByteCount)
    for index in origin.writtenPieces {
      let piece = ByteRange(start: index * pieceByteCount, end: (index + 1) * pieceByteCount)
      for range in kept.ranges where range.overlaps(piece) {
        let part = ByteRange(start: max(range.start, piece.start), end: min(range.end, piece.end))
        if let place = origin.firstDifference(part, from: before, at: part.start) {
          return "the origin changed at byte \(place), which is not mapped"
        }
      }
    }
    return nil
  }

  /// Expects that no request broke a rule of the simulated disk.
  func expectNoViolation(
    _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try #require(disk.violation == nil, comment, sourceLocation: sourceLocation)
  }

  /// Expects the merge to be finished, correct, and completely recorded.
  func expectMerged(
    _ result: RunResult, _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectNoViolation(comment, sourceLocation: sourceLocation)
    try #require(result.end == .finished, comment, sourceLocation: sourceLocation)
    try #require(result.unreadable.isEmpty, comment, sourceLocation: sourceLocation)
    try #require(wrongPlace() == nil, comment, sourceLocation: sourceLocation)
    let state = result.state
    #expect(state.isFinished && !state.hasTornEnd, comment, sourceLocation: sourceLocation)
    #expect(state.unreadable.isEmpty, comment, sourceLocation: sourceLocation)
    #expect(
      state.doneByteCount == UInt64(merge.model.writtenByteCount), comment,
      sourceLocation: sourceLocation)
    try expectRecorded(comment, sourceLocation: sourceLocation)
  }

  /// Expects the journal to cover each planned byte once, with checksums that match the origin.
  func expectRecorded(
    _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var left = merge.plannedRanges
    var recordedByteCount: UInt64 = 0
    for (index, piece) in try disk.recordedPieces().enumerated() {
      left.remove(piece.range)
      recordedByteCount += piece.range.byteCount
      let bytes = disk[.target].bytes(at: piece.range.start, count: Int(piece.range.byteCount))
      let checksum = CRC32C.checksum(of: RawSpan(_elements: bytes.span))
      try #require(piece.checksum == checksum, comment, sourceLocation: sourceLocation)
      if index == 0 {
        let reference = ReferenceCRC32C.register(over: bytes.prefix(64 << 10)) ^ .max
        let prefix = CRC32C.checksum(of: RawSpan(_elements: Array(bytes.prefix(64 << 10)).span))
        #expect(prefix == reference, comment, sourceLocation: sourceLocation)
      }
    }
    #expect(left.isEmpty, comment, sourceLocation: sourceLocation)
    #expect(
      recordedByteCount == merge.plannedRanges.byteCount, comment, sourceLocation: sourceLocation)
  }
}
