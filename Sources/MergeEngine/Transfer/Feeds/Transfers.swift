/// A source of a pipeline's transfers, in rising order.
package protocol TransferFeed: ~Copyable {
  /// Fills `transfer` with the next transfer; returns false after the last.
  mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool
}

/// The whole plan: segments adjacent on the target form one transfer, cut by ``TransferCuts``.
package struct PlannedTransfers<Source: RunSource & ~Copyable>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>

  /// Starts at the stream's current position.
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

/// Given pieces of the plan, one transfer each: recorded by the journal, or unreadable before.
package struct PieceTransfers<
  Source: RunSource & ~Copyable, Pieces: PieceSource & ~Copyable
>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>
  private var pieces: Pieces

  /// Starts at the stream's current position, which must be before the first piece.
  ///
  /// - Precondition: The pieces rise.
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

/// Given pieces of the target, without the source.
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
