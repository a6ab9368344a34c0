/// A stream of a journal's recorded pieces in ascending order; where records overlap, only the
/// newest is returned.
///
/// Later sweeps over the plan may record the same pieces again. The stream merges the journal's
/// chains of sweeps, keeping one record of each chain in memory. If a newer entry overlaps an older
/// one, the remainder of the older entry is returned without a checksum, since its checksum covered
/// the whole entry.
package struct EntryStream: ~Copyable {
  /// The read position in one chain of sweeps.
  private struct Cursor {
    var sweeps: [JournalState.Sweep]
    var sweep = 0
    /// The byte offset at which the previous record ends, and the sequence number of the next
    /// record.
    var byteOffset: UInt64
    var nextSequence: UInt64
    var entries: [JournalEntry] = []
    var next = 0
    var sequence: UInt64 = 0
    /// The part of the next entry that has not been returned yet.
    var head: RecordedPiece?
  }

  private var cursors: [Cursor] = []

  package init(_ state: JournalState) {
    for chain in state.chains {
      guard let first = chain.first else { continue }
      cursors.append(
        Cursor(
          sweeps: chain, byteOffset: first.firstByteOffset, nextSequence: first.firstSequence))
    }
  }

  /// Returns the next piece; nil after the last one.
  ///
  /// - Throws: `MergeError` if the journal has changed since it was first read, or is unreadable.
  package mutating func next<IO: BlockIO & ~Copyable>(
    _ reader: inout JournalReader<IO>
  ) throws(MergeError) -> RecordedPiece? {
    do throws(JournalFault) {
      for index in cursors.indices where cursors[index].head == nil { try advance(index, &reader) }
      while let first = firstCursor(), let piece = cursors[first].head {
        // The piece is returned only up to the start of a newer one; its remainder waits for the
        // next pass.
        var end = piece.range.end
        var covered: UInt64?
        for (other, cursor) in cursors.enumerated()
        where other != first && cursor.sequence > cursors[first].sequence {
          guard let newer = cursor.head?.range, newer.start < end else { continue }
          if newer.start == piece.range.start { covered = newer.end }
          end = newer.start
        }
        if let covered {
          try drop(upTo: min(covered, piece.range.end), first, &reader)
          continue
        }
        for other in cursors.indices where other != first {
          while let head = cursors[other].head, head.range.start < end {
            try drop(upTo: end, other, &reader)
          }
        }
        try drop(upTo: end, first, &reader)
        return end == piece.range.end
          ? piece
          : RecordedPiece(range: ByteRange(start: piece.range.start, end: end), checksum: nil)
      }
      return nil
    } catch {
      throw error.conflict(path: reader.path)
    }
  }

  private func firstCursor() -> Int? {
    var found: Int?
    for index in cursors.indices {
      guard let head = cursors[index].head else { continue }
      if let other = found, let least = cursors[other].head,
        least.range.start <= head.range.start
      {
        continue
      }
      found = index
    }
    return found
  }

  /// Removes the part of a chain's next entry that lies before `end`.
  private mutating func drop<IO: BlockIO & ~Copyable>(
    upTo end: UInt64, _ index: Int, _ reader: inout JournalReader<IO>
  ) throws(JournalFault) {
    guard let head = cursors[index].head else { return }
    guard head.range.end > end else { return try advance(index, &reader) }
    cursors[index].head = RecordedPiece(
      range: ByteRange(start: end, end: head.range.end), checksum: nil)
  }

  /// Advances a chain to its next entry, reading more records as needed.
  private mutating func advance<IO: BlockIO & ~Copyable>(
    _ index: Int, _ reader: inout JournalReader<IO>
  ) throws(JournalFault) {
    cursors[index].head = nil
    while true {
      if cursors[index].next < cursors[index].entries.count {
        let entry = cursors[index].entries[cursors[index].next]
        cursors[index].next += 1
        cursors[index].head = RecordedPiece(range: entry.range, checksum: entry.checksum)
        return
      }
      guard cursors[index].sweep < cursors[index].sweeps.count else { return }
      let sweep = cursors[index].sweeps[cursors[index].sweep]
      if cursors[index].byteOffset < sweep.firstByteOffset {
        cursors[index].byteOffset = sweep.firstByteOffset
        cursors[index].nextSequence = sweep.firstSequence
      }
      guard cursors[index].byteOffset < sweep.endByteOffset else {
        cursors[index].sweep += 1
        continue
      }
      guard
        let found = try reader.record(
          following: cursors[index].byteOffset, sequence: cursors[index].nextSequence)
      else {
        throw .changed(at: cursors[index].byteOffset)
      }
      cursors[index].byteOffset = found.endByteOffset
      cursors[index].nextSequence += 1
      guard case .checkpoint(let checkpoint) = found.record else { continue }
      cursors[index].entries = checkpoint.entries
      cursors[index].next = 0
      cursors[index].sequence = found.frame.sequence
    }
  }
}

/// A recorded piece of the origin and its CRC-32C, which is nil if unknown.
package struct RecordedPiece: Equatable, Sendable {
  package var range: ByteRange
  package var checksum: UInt32?

  package init(range: ByteRange, checksum: UInt32?) {
    self.range = range
    self.checksum = checksum
  }
}
