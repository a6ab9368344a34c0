/// A source of pieces of the target, in ascending order.
package protocol PieceSource: ~Copyable {
  mutating func next() throws(MergeError) -> RecordedPiece?
}

/// The pieces recorded in a journal, minus any ranges that were later found unreadable; those are
/// retried separately.
package struct JournaledPieces<IO: BlockIO & ~Copyable>: PieceSource, ~Copyable {
  private var reader: JournalReader<IO>
  private var entries: EntryStream
  private let unreadable: [ByteRange]
  /// The first unreadable range that ends after the current piece's start.
  private var nextUnreadable = 0
  /// The part of the current piece that has not been returned yet.
  private var current: RecordedPiece?

  package init(_ reader: consuming JournalReader<IO>, _ state: JournalState) {
    self.reader = reader
    entries = EntryStream(state)
    unreadable = state.unreadable.ranges
  }

  package mutating func next() throws(MergeError) -> RecordedPiece? {
    while true {
      if current == nil { current = try entries.next(&reader) }
      guard let piece = current else { return nil }
      while nextUnreadable < unreadable.count, unreadable[nextUnreadable].end <= piece.range.start {
        nextUnreadable += 1
      }
      guard nextUnreadable < unreadable.count,
        unreadable[nextUnreadable].start < piece.range.end
      else {
        current = nil
        return piece
      }
      // The parts before and after the hole have no checksum of their own.
      let hole = unreadable[nextUnreadable]
      current =
        hole.end < piece.range.end
        ? RecordedPiece(range: ByteRange(start: hole.end, end: piece.range.end), checksum: nil)
        : nil
      guard hole.start > piece.range.start else { continue }
      return RecordedPiece(
        range: ByteRange(start: piece.range.start, end: hole.start), checksum: nil)
    }
  }
}

/// The first pieces of another source that have a known checksum, limited to `count` pieces.
package struct FirstPieces<Pieces: PieceSource & ~Copyable>: PieceSource, ~Copyable {
  private var pieces: Pieces
  private var left: Int

  package init(_ pieces: consuming Pieces, count: Int) {
    self.pieces = pieces
    left = count
  }

  package mutating func next() throws(MergeError) -> RecordedPiece? {
    while left > 0, let piece = try pieces.next() {
      guard piece.checksum != nil else { continue }
      left -= 1
      return piece
    }
    return nil
  }
}

/// The given ranges, split into pieces that fit in a buffer.
package struct GivenPieces: PieceSource, ~Copyable {
  private let ranges: [ByteRange]
  private let cuts: TransferCuts
  private let byteCountMax: UInt64
  private var index = 0
  private var position: UInt64 = 0

  package init(_ ranges: RangeSet, cuts: TransferCuts, byteCountMax: UInt64) {
    self.ranges = ranges.ranges
    self.cuts = cuts
    self.byteCountMax = byteCountMax
  }

  package mutating func next() throws(MergeError) -> RecordedPiece? {
    guard index < ranges.count else { return nil }
    let range = ranges[index]
    let start = max(position, range.start)
    let end = min(range.end, cuts.cut(after: start), start + byteCountMax)
    position = end
    if end == range.end { index += 1 }
    return RecordedPiece(range: ByteRange(start: start, end: end), checksum: nil)
  }
}
