/// A model of a journal's content that uses the simplest algorithm: each entry minus the parts that
/// newer entries cover.
struct JournalModel {
  /// The maximum number of entries, because with more, the model would take longer than the reader.
  static let entryCountMax = 256

  private struct Recorded {
    var entry: JournalEntry
    var sequence: UInt64
    var isRecheck: Bool
  }

  private var recorded: [Recorded] = []
  /// The unreadable ranges, each with the sequence number of its record.
  private var unreadable: [(range: ByteRange, sequence: UInt64)] = []
  /// The recorded bytes that no later record lists as unreadable.
  private var live = RangeSet()
  /// True if an entry has counted the same bytes again; rechecks do not matter, because they
  /// replace entries without counting bytes.
  private(set) var countsTwice = false
  var isTooLarge: Bool { recorded.count + unreadable.count > Self.entryCountMax }

  mutating func append(_ record: JournalRecord, sequence: UInt64) {
    switch record {
    case .checkpoint(let checkpoint):
      for entry in checkpoint.entries {
        let added = live.insert(entry.range)
        if checkpoint.kind != .recheck, added < entry.byteCount { countsTwice = true }
        recorded.append(
          Recorded(entry: entry, sequence: sequence, isRecheck: checkpoint.kind == .recheck))
      }
    case .unreadable(let ranges):
      unreadable += ranges.map { ($0, sequence) }
      for range in ranges { live.remove(range) }
    case .attempt, .finished, .verified, .givenUp, .handover, .handedOver, .handoverDropped: break
    }
  }

  /// The remaining pieces in ascending order; a piece has a checksum if it is a complete entry.
  var pieces: [RecordedPiece] { Self.pieces(recorded, unreadable) }

  /// The number of bytes that count as done; nil if the journal is one that a merge would never
  /// leave behind, for which the number is not exactly known.
  var doneByteCount: UInt64? {
    let merged = recorded.filter { !$0.isRecheck }
    let byteCount = merged.reduce(0 as UInt64) { $0 + $1.entry.byteCount }
    return unreadable.isEmpty && Self.byteCount(pieces) == byteCount ? byteCount : nil
  }

  static func byteCount(_ pieces: [RecordedPiece]) -> UInt64 {
    pieces.reduce(0) { $0 + $1.range.byteCount }
  }

  private static func pieces(
    _ recorded: [Recorded], _ unreadable: [(range: ByteRange, sequence: UInt64)] = []
  ) -> [RecordedPiece] {
    var pieces: [RecordedPiece] = []
    for old in recorded {
      var rest = [old.entry.range]
      for new in recorded where new.sequence > old.sequence {
        rest = rest.flatMap { without(new.entry.range, $0) }
      }
      for hole in unreadable where hole.sequence > old.sequence {
        rest = rest.flatMap { without(hole.range, $0) }
      }
      let checksum = rest == [old.entry.range] ? old.entry.checksum : nil
      pieces += rest.map { RecordedPiece(range: $0, checksum: checksum) }
    }
    return pieces.sorted { $0.range.start < $1.range.start }
  }

  private static func without(_ hole: ByteRange, _ range: ByteRange) -> [ByteRange] {
    guard hole.start < range.end, hole.end > range.start else { return [range] }
    var parts: [ByteRange] = []
    if range.start < hole.start { parts.append(ByteRange(start: range.start, end: hole.start)) }
    if hole.end < range.end { parts.append(ByteRange(start: hole.end, end: range.end)) }
    return parts
  }
}
