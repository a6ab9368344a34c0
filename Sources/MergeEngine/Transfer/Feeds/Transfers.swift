/// A source of a pipeline's transfers, in ascending order.
package protocol TransferFeed: ~Copyable {
  /// Fills `transfer` with the next transfer; returns false after the last.
  mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool
}

/// Transfers for the whole plan: segments that are adjacent on the target form one transfer, split
/// by ``TransferCuts``.
package struct PlannedTransfers<Source: RunSource & ~Copyable>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>

  /// Creates a feed that starts at the stream's current position.
  package init(_ segments: SegmentStream<Source>) { self.segments = segments }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard let first = try segments.peek() else { return false }
    transfer.begin(at: first.targetByteOffset)
    let cut = segments.cuts.cut(after: transfer.start)
    while transfer.end < cut, let segment = try segments.peek(),
      segment.targetByteOffset == transfer.end
    {
      let byteCount = min(segment.byteCount, cut - transfer.end)
      transfer.append(
        Segment(
          dataByteOffset: segment.dataByteOffset, targetByteOffset: segment.targetByteOffset,
          byteCount: byteCount))
      segments.take(byteCount)
    }
    return true
  }
}

/// Transfers for given pieces of the plan, one transfer per piece; the pieces were recorded in the
/// journal, or were unreadable in an earlier attempt.
package struct PieceTransfers<
  Source: RunSource & ~Copyable, Pieces: PieceSource & ~Copyable
>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>
  private var pieces: Pieces

  /// Creates a feed that starts at the stream's current position, which must not be past the first
  /// piece.
  ///
  /// - Precondition: The pieces are in ascending order.
  package init(_ segments: SegmentStream<Source>, pieces: consuming Pieces) {
    self.segments = segments
    self.pieces = pieces
  }

  package mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool {
    guard let piece = try pieces.next() else { return false }
    transfer.begin(at: piece.range.start)
    transfer.recordedChecksum = piece.checksum
    try segments.skip(to: piece.range.start)
    while transfer.end < piece.range.end {
      guard let segment = try segments.peek(), segment.targetByteOffset == transfer.end else {
        throw .journalUnmapped(byteOffset: transfer.end)
      }
      let byteCount = min(segment.byteCount, piece.range.end - transfer.end)
      transfer.append(
        Segment(
          dataByteOffset: segment.dataByteOffset, targetByteOffset: segment.targetByteOffset,
          byteCount: byteCount))
      segments.take(byteCount)
    }
    return true
  }
}

/// Transfers for given pieces of the target, with no source data.
package struct TargetOnlyTransfers<Pieces: PieceSource & ~Copyable>: TransferFeed, ~Copyable {
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
