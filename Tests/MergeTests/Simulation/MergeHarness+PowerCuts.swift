import Fixtures
import MergeEngine
import Testing

/// The changes that other programs made to the devices between two runs.
struct Disturbance {
  /// The earlier content of the data device; nil if the content has not changed.
  var earlierSource: SparseContent?
  /// The ranges of the origin that may not match the records of the earlier run.
  var origin = RangeSet()
}

extension MergeHarness {
  /// Returns the same merge after power is restored, with the surviving `contents`.
  func afterPowerCut(_ contents: [PowerCut.Device: SparseContent], seed: UInt64) -> MergeHarness {
    MergeHarness(self, on: disk.afterPowerCut(contents, seed: seed))
  }

  /// Runs the merge until the power fails, just before the given operation.
  ///
  /// - Returns: The power cut; nil if the run finished first, in which case the result of the run
  ///   is checked.
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

  /// Expects the surviving content to match the journal, and nothing else to have changed.
  ///
  /// - `torn`: the ranges that a power cut may have filled with garbage.
  /// - `atLeast`: the state that the durable part of the journal records.
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

  /// Describes the first byte of the origin that is neither old nor merged; nil if there is none.
  ///
  /// Torn sectors are ignored.
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
