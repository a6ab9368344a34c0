/// The plan itself: neighbours on the origin in one transfer, cut as ``TransferCuts`` says.
package struct PlanFeed<IO: BlockIO & ~Copyable>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<IO>

  /// From where the stream is.
  package init(_ segments: SegmentStream<IO>) { self.segments = segments }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard let first = try segments.peek() else { return false }
    transfer.begin(at: first.originByteOffset)
    let cut = segments.cuts.cut(after: transfer.start)
    while transfer.end < cut, let segment = try segments.peek(),
      segment.originByteOffset == transfer.end
    {
      let byteCount = min(segment.byteCount, cut - transfer.end)
      transfer.append(
        Segment(
          dataByteOffset: segment.dataByteOffset, originByteOffset: segment.originByteOffset,
          byteCount: byteCount))
      segments.take(byteCount)
    }
    return true
  }
}

/// Given pieces of the plan, one transfer each: what the journal recorded, or could not be read.
package struct PieceFeed<IO: BlockIO & ~Copyable, Pieces: PieceSource & ~Copyable>: TransferFeed,
  ~Copyable
{
  private let segments: SegmentStream<IO>
  private var pieces: Pieces

  /// From where the stream is, which is before the first piece.
  ///
  /// Precondition: the pieces rise.
  package init(_ segments: SegmentStream<IO>, pieces: consuming Pieces) {
    self.segments = segments
    self.pieces = pieces
  }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard let piece = try pieces.next() else { return false }
    transfer.begin(at: piece.range.start)
    transfer.recordedChecksum = piece.checksum
    try segments.skip(to: piece.range.start)
    while transfer.end < piece.range.end {
      guard let segment = try segments.peek(), segment.originByteOffset == transfer.end else {
        throw MergeError(
          .journalConflict, "the journal names bytes that the device does not map",
          at: "origin byte \(transfer.end)",
          because: "it is of the same mappings, and says otherwise",
          hint: "'thin-merge merge' with --restart puts it aside and merges from the beginning")
      }
      let byteCount = min(segment.byteCount, piece.range.end - transfer.end)
      transfer.append(
        Segment(
          dataByteOffset: segment.dataByteOffset, originByteOffset: segment.originByteOffset,
          byteCount: byteCount))
      segments.take(byteCount)
    }
    return true
  }
}

/// The same pieces without the source: only the origin is read.
package struct OriginFeed<Pieces: PieceSource & ~Copyable>: TransferFeed, ~Copyable {
  private var pieces: Pieces

  package init(_ pieces: consuming Pieces) { self.pieces = pieces }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard let piece = try pieces.next() else { return false }
    transfer.begin(at: piece.range.start)
    transfer.byteCount = piece.range.byteCount
    transfer.recordedChecksum = piece.checksum
    return true
  }
}

/// Pieces of the origin in rising order.
package protocol PieceSource: ~Copyable {
  mutating func next() throws(MergeError) -> RecordedPiece?
}

/// What a journal recorded, without what it named unreadable since: that is tried again by itself.
package struct RecordedPieces<IO: BlockIO & ~Copyable>: PieceSource, ~Copyable {
  private var reader: JournalReader<IO>
  private var entries: EntryStream
  private let unreadable: [ByteRange]
  /// The first unreadable range that does not end before the current piece.
  private var nextUnreadable = 0
  /// What is left of the current piece.
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
      // Of the parts beside it the checksum is not known.
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

/// The first pieces whose checksum is known, `count` of them at most.
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

/// Ranges, cut to what a buffer holds.
package struct RangePieces: PieceSource, ~Copyable {
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
