/// A transfer of which something could not be read, on its way through smaller pieces.
///
/// First every unit of it is read by itself. Then each stretch that could be read is inspected and, if
/// the step says so, written. The rest is named unreadable.
struct Salvage {
  let slot: Int
  private let range: ByteRange
  private let unitByteCountMax: Int
  /// The first byte of the unit that is being read, counted from the transfer's.
  private(set) var position = 0
  private var pendingReadCount = 0
  private var unitIsBad = false
  /// Whether a side ends in the unit, so that everything behind it is bad without trying.
  private var endsEarly = false
  private var bad = RangeSet()
  /// Stretches that could be read and are still to be inspected, the one that is being written first.
  private var pieces: [ByteRange] = []
  /// What was written.
  private(set) var entries: [JournalEntry] = []
  /// Of the piece that is being written.
  private var checksum: UInt32 = 0

  /// - `unitByteCountMax`: bytes that are read at once, a multiple of both sides' alignments.
  init(slot: Int, range: ByteRange, unitByteCountMax: Int) {
    self.slot = slot
    self.range = range
    self.unitByteCountMax = unitByteCountMax
  }

  /// Bytes of the unit that is being read.
  var unitByteCount: Int { min(unitByteCountMax, Int(range.byteCount) - position) }
  var unreadable: [ByteRange] { bad.ranges }
  var piece: ByteRange? { pieces.first }

  mutating func readBegan() { pendingReadCount += 1 }

  /// Notes what a read of the unit came to.
  ///
  /// - Returns: True where it was the unit's last.
  mutating func readCompleted(_ result: Int64) -> Bool {
    if result < Int64(unitByteCount) { unitIsBad = true }
    if result == 0 { endsEarly = true }
    pendingReadCount -= 1
    return pendingReadCount == 0
  }

  /// Goes on to the next unit.
  ///
  /// - `segmentEnd`: where everything is bad up to, counted from the transfer's first byte, if the source
  ///   ends in this unit; nil where the target is read too.
  /// - Returns: False where all of the transfer has been read; then its pieces are there.
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

  /// Notes that all of a piece is on the target.
  mutating func pieceWritten(_ piece: ByteRange) {
    entries.append(
      JournalEntry(start: piece.start, byteCount: piece.byteCount, checksum: checksum))
    pieces.removeFirst()
  }
}
