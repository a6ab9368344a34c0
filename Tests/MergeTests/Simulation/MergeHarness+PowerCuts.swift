import Fixtures
import MergeEngine
import Testing

/// What others did to the devices between two runs.
struct Disturbance {
  /// What the data device held before, if that was something else.
  var earlierSource: SparseContent?
  /// What of the origin is not as the earlier run left it.
  var origin = RangeSet()
}

extension MergeHarness {
  /// The same merge when the power comes back and `contents` survived.
  func afterPowerCut(_ contents: [PowerCut.Device: SparseContent], seed: UInt64) -> MergeHarness {
    MergeHarness(self, on: disk.afterPowerCut(contents, seed: seed))
  }

  /// Runs until the power goes before that operation.
  ///
  /// - Returns: What the power cut found; nil if the run was done before, which then has to be right.
  func powerCut(
    at operation: Int, _ options: RunOptions, _ comment: Comment
  ) throws -> PowerCut? {
    var options = options
    options.powerCutAtOperation = operation
    let result: Result<RunResult, MergeError>
    do throws(MergeError) {
      result = .success(try run(options))
    } catch {
      result = .failure(error)
    }
    try expectNoViolation("\(disk.violation ?? ""): \(comment)")
    if disk.powerCut == nil { try expectMerged(try result.get(), comment) }
    return disk.powerCut
  }

  /// That what survived is what the journal says of it, and nothing else is changed.
  ///
  /// `torn`: what a power cut may have filled with garbage. `atLeast`: what the journal said that was
  /// durable.
  func expectTrue(
    torn: RangeSet, atLeast durable: JournalState, _ disturbance: Disturbance,
    _ comment: Comment
  ) throws {
    let state = try disk.journalState()
    try #require(
      state.watermark >= durable.watermark && state.nextSequence >= durable.nextSequence,
      "records that were durable are lost: \(comment)")
    var missing = merge.plannedRanges
    missing.remove(ByteRange(start: state.watermark, end: .max >> 1))
    for range in state.unreadable.ranges { missing.remove(range) }
    for piece in try disk.recordedPieces() {
      missing.remove(piece.range)
      guard let checksum = piece.checksum,
        !disturbance.origin.ranges.contains(where: { $0.overlaps(piece.range) })
      else { continue }
      let bytes = disk[.target].bytes(at: piece.range.start, count: Int(piece.range.byteCount))
      try #require(
        CRC32C.checksum(of: RawSpan(_elements: bytes.span)) == checksum,
        "\(piece.range) is recorded and not there: \(comment)")
    }
    try #require(missing.isEmpty, "the watermark passes over what is not recorded: \(comment)")
    let strange = strangePlace(torn: torn, earlierSource: disturbance.earlierSource)
    try #require(strange == nil, "\(strange ?? ""): \(comment)")
  }

  /// Where the origin holds neither what it held before nor what it should, torn sectors left out.
  private func strangePlace(torn: RangeSet, earlierSource: SparseContent?) -> String? {
    let origin = disk[.target]
    let sources = [disk[.data]] + (earlierSource.map { [$0] } ?? [])
    let sector: UInt64 = 512
    var kept = RangeSet()
    kept.insert(ByteRange(start: 0, end: max(origin.byteCount, before.byteCount)))
    for write in merge.model.writes {
      let target = ByteRange(write.target)
      kept.remove(target)
      let source = UInt64(write.sourceByteOffset)
      func isKnown(_ range: ByteRange) -> Bool {
        origin.firstDifference(range, from: before, at: range.start) == nil
          || sources.contains {
            let place = source + (range.start - target.start)
            return origin.firstDifference(range, from: $0, at: place) == nil
          }
      }
      guard !isKnown(target) else { continue }
      var place = target.start
      while place < target.end {
        let range = ByteRange(start: place, end: min(target.end, place + sector))
        if !isKnown(range), !torn.ranges.contains(where: { $0.overlaps(range) }) {
          return "byte \(place) of the origin holds what was never to be there"
        }
        place = range.end
      }
    }
    for range in kept.ranges {
      if let place = origin.firstDifference(range, from: before, at: range.start) {
        return "byte \(place) of the origin, which is not mapped, is changed"
      }
    }
    return nil
  }
}
