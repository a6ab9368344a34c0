/// The content of a journal, by the simplest algorithm: each entry minus what newer ones cover.
struct JournalModel {
  /// More would take the model longer than the reader.
  static let entryCountMax = 256

  private struct Recorded {
    var entry: JournalEntry
    var sequence: UInt64
    var isRecheck: Bool
  }

  private var recorded: [Recorded] = []
  /// The unreadable ranges, each with the sequence number of its record.
  private var unreadable: [(range: ByteRange, sequence: UInt64)] = []
  /// The recorded bytes that no later record names unreadable.
  private var live = RangeSet()
  /// True once an entry counts bytes again; a re-check replaces entries and counts none.
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

  /// In rising order; with a checksum where an entry is there as a whole.
  var pieces: [RecordedPiece] { Self.pieces(recorded, unreadable) }

  /// The bytes that count as done; nil where merging would never leave such a journal, and the count
  /// is only bounded.
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
