/// Where a pipeline's transfers come from, in rising order.
package protocol TransferFeed: ~Copyable {
  /// Makes `transfer` the next one; false behind the last.
  mutating func next(_ transfer: inout Transfer) throws(MergeError) -> Bool
}

/// The plan itself: neighbours on the target in one transfer, cut as ``TransferCuts`` says.
package struct PlannedTransfers<Source: RunSource & ~Copyable>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>

  /// From where the stream is.
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

/// Given pieces of the plan, one transfer each: what the journal recorded, or could not be read.
package struct PieceTransfers<
  Source: RunSource & ~Copyable, Pieces: PieceSource & ~Copyable
>: TransferFeed, ~Copyable {
  private let segments: SegmentStream<Source>
  private var pieces: Pieces

  /// From where the stream is, which is before the first piece.
  ///
  /// Precondition: the pieces rise.
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

/// The same pieces without the source: only the target is read.
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
