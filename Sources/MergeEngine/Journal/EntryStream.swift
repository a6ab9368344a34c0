/// The entries of a journal in rising order, where several overlap only the newest.
///
/// An entry that a newer one overlaps is dropped as a whole. The writer only ever replaces entries by
/// pieces of themselves, so nothing older can come to light by that.
///
/// Later sweeps over the plan record pieces again. The journal's chains of sweeps are merged here, each
/// with one record in memory.
package struct EntryStream: ~Copyable {
  /// Where one chain is being read.
  private struct Cursor {
    var sweeps: [JournalState.Sweep]
    var sweep = 0
    var byteOffset: UInt64
    var entries: [JournalEntry] = []
    var next = 0
    var sequence: UInt64 = 0

    var head: JournalEntry? { next < entries.count ? entries[next] : nil }
  }

  private var cursors: [Cursor] = []

  package init(_ state: JournalState) {
    for chain in state.chains {
      guard let first = chain.first else { continue }
      cursors.append(Cursor(sweeps: chain, byteOffset: first.firstByteOffset))
    }
  }

  /// The next entry; nil behind the last.
  ///
  /// - Throws: `MergeError` where the journal cannot be read as it was before.
  package mutating func next<IO: BlockIO & ~Copyable>(
    _ reader: inout JournalReader<IO>
  ) throws(MergeError) -> JournalEntry? {
    do throws(JournalFault) {
      for index in cursors.indices where cursors[index].head == nil { try fill(index, &reader) }
      search: while let first = firstCursor(), let entry = cursors[first].head {
        for other in cursors.indices where other != first {
          while let head = cursors[other].head, head.start < entry.end {
            if cursors[other].sequence > cursors[first].sequence {
              try advance(first, &reader)
              continue search
            }
            try advance(other, &reader)
          }
        }
        try advance(first, &reader)
        return entry
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
      if let other = found, let least = cursors[other].head, least.start <= head.start { continue }
      found = index
    }
    return found
  }

  private mutating func advance<IO: BlockIO & ~Copyable>(
    _ index: Int, _ reader: inout JournalReader<IO>
  ) throws(JournalFault) {
    cursors[index].next += 1
    if cursors[index].head == nil { try fill(index, &reader) }
  }

  /// Reads records of the chain until one has entries, or the chain ends.
  private mutating func fill<IO: BlockIO & ~Copyable>(
    _ index: Int, _ reader: inout JournalReader<IO>
  ) throws(JournalFault) {
    while cursors[index].head == nil, cursors[index].sweep < cursors[index].sweeps.count {
      let sweep = cursors[index].sweeps[cursors[index].sweep]
      cursors[index].byteOffset = max(cursors[index].byteOffset, sweep.firstByteOffset)
      guard cursors[index].byteOffset < sweep.endByteOffset else {
        cursors[index].sweep += 1
        continue
      }
      guard
        case .record(let record, let sequence, let next) = try reader.record(
          at: cursors[index].byteOffset)
      else {
        throw JournalFault("it changed at byte \(cursors[index].byteOffset) while being read")
      }
      cursors[index].byteOffset = next
      guard case .checkpoint(let checkpoint) = record else { continue }
      cursors[index].entries = checkpoint.entries
      cursors[index].next = 0
      cursors[index].sequence = sequence
    }
  }
}
