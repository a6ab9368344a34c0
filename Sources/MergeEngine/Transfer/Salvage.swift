/// A transfer in which a read failed, processed in smaller pieces.
///
/// First, each unit of the transfer is read separately. Then each readable piece is inspected and,
/// if the step says so, written. The rest is reported as unreadable.
struct Salvage {
  let slot: Int
  private let range: ByteRange
  private let unitByteCountMax: Int
  /// The start of the unit being read, relative to the transfer's first byte.
  private(set) var position = 0
  private var pendingReadCount = 0
  private var unitIsBad = false
  /// True if a read of the unit found the end of its device; unless the target is read too, the
  /// rest of the source's segment then counts as bad without being tried.
  private var endsEarly = false
  private var bad = RangeSet()
  /// The readable pieces that are still to be inspected; the piece being written comes first.
  private var pieces: [ByteRange] = []
  /// Journal entries for the pieces that were written.
  private(set) var entries: [JournalEntry] = []
  /// The checksum of the piece being written.
  private var checksum: UInt32 = 0

  /// - `unitByteCountMax`: the number of bytes per read; a multiple of the alignments of both
  ///   source and target.
  init(slot: Int, range: ByteRange, unitByteCountMax: Int) {
    self.slot = slot
    self.range = range
    self.unitByteCountMax = unitByteCountMax
  }

  /// The size of the unit being read.
  var unitByteCount: Int { min(unitByteCountMax, Int(range.byteCount) - position) }
  var unreadable: [ByteRange] { bad.ranges }
  var piece: ByteRange? { pieces.first }

  mutating func readBegan() { pendingReadCount += 1 }

  /// Records the result of one read of the current unit.
  ///
  /// - Returns: True if no more reads of the unit are pending.
  mutating func readCompleted(_ result: Int64) -> Bool {
    if result < Int64(unitByteCount) { unitIsBad = true }
    if result == 0 { endsEarly = true }
    pendingReadCount -= 1
    return pendingReadCount == 0
  }

  /// Advances to the next unit.
  ///
  /// - `segmentEnd`: the end of the bytes that count as bad if the source ends in this unit,
  ///   relative to the transfer's first byte; nil if the target is read too.
  /// - Returns: False after the last unit; the pieces are then available.
  mutating func advance(segmentEnd: Int?) -> Bool {
    let unitStart = range.start + UInt64(position)
    if endsEarly, let segmentEnd {
      bad.insert(ByteRange(start: unitStart, end: range.start + UInt64(segmentEnd)))
      position = segmentEnd
    } else {
      if unitIsBad {
        bad.insert(ByteRange(start: unitStart, end: unitStart + UInt64(unitByteCount)))
      }
      position += unitByteCount
    }
    unitIsBad = false
    endsEarly = false
    guard position == Int(range.byteCount) else { return true }
    var good = RangeSet()
    good.insert(range)
    for range in bad.ranges { good.remove(range) }
    pieces = good.ranges
    return false
  }

  mutating func keepPiece() { pieces.removeFirst() }

  mutating func beginPiece(checksum: UInt32) { self.checksum = checksum }

  /// Records that a piece was completely written to the target.
  mutating func pieceWritten(_ piece: ByteRange) {
    entries.append(
      JournalEntry(start: piece.start, byteCount: piece.byteCount, checksum: checksum))
    pieces.removeFirst()
  }
}
