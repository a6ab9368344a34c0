import Fixtures
import Testing

@testable import MergeEngine

@Suite("Journal: entries sorted by offset on the origin")
struct EntryStreamTests {
  private static let unit: UInt64 = 512

  @Test("a journal without checkpoints yields no entries")
  func none() throws {
    #expect(try pieces(of: []) == [])
    #expect(try pieces(of: [JournalSample.run, .finished(seconds: 1)]) == [])
  }

  @Test("a sweep over several records yields all of their entries")
  func oneSweep() throws {
    let found = try pieces(of: [
      JournalSample.checkpoint(
        watermark: 1024, [JournalSample.entry(0, 512, 1), JournalSample.entry(512, 512, 2)]),
      .unreadable([ByteRange(start: 1024, end: 1536)]),
      JournalSample.checkpoint(watermark: 1536, []),
      JournalSample.checkpoint(watermark: 2048, [JournalSample.entry(1536, 512, 3)]),
    ])
    #expect(found.map(\.checksum) == [1, 2, 3])
  }

  @Test("if later sweeps record pieces again, only the newest entry for each piece is yielded")
  func newest() throws {
    let found = try pieces(of: [
      JournalSample.checkpoint(
        watermark: 2048, (0..<4).map { JournalSample.entry($0 * 512, 512, UInt32($0)) }),
      JournalSample.checkpoint(
        .recheck, sweep: 1, watermark: 2048,
        [JournalSample.entry(512, 512, 11), JournalSample.entry(1536, 512, 13)]),
      JournalSample.checkpoint(
        .recheck, sweep: 2, watermark: 2048, [JournalSample.entry(512, 512, 21)]),
    ])
    #expect(found.map(\.checksum) == [0, 21, 2, 13])
  }

  @Test("if newer entries overlap part of an entry, the rest is yielded without a checksum")
  func smallerPieces() throws {
    let found = try pieces(of: [
      JournalSample.checkpoint(watermark: 4096, [JournalSample.entry(0, 4096, 1)]),
      JournalSample.checkpoint(
        .recheck, sweep: 1, watermark: 4096,
        [JournalSample.entry(0, 1024, 2), JournalSample.entry(2048, 2048, 3)]),
    ])
    #expect(
      found == [
        RecordedPiece(range: ByteRange(start: 0, end: 1024), checksum: 2),
        RecordedPiece(range: ByteRange(start: 1024, end: 2048), checksum: nil),
        RecordedPiece(range: ByteRange(start: 2048, end: 4096), checksum: 3),
      ])
  }

  @Test("an entry that overlaps an older and a newer entry does not hide the newer one")
  func acrossTheEnd() throws {
    let found = try pieces(of: [
      JournalSample.checkpoint(
        watermark: 4096, [JournalSample.entry(0, 1024, 1)]),
      JournalSample.checkpoint(
        .recheck, sweep: 1, watermark: 4096, [JournalSample.entry(512, 3072, 2)]),
      JournalSample.checkpoint(
        .recheck, sweep: 2, watermark: 4096, [JournalSample.entry(2048, 2048, 3)]),
    ])
    #expect(
      found == [
        RecordedPiece(range: ByteRange(start: 0, end: 512), checksum: nil),
        RecordedPiece(range: ByteRange(start: 512, end: 2048), checksum: nil),
        RecordedPiece(range: ByteRange(start: 2048, end: 4096), checksum: 3),
      ])
  }

  @Test("with random sweeps, exactly the entries that no later entry overlaps keep their checksums")
  func model() throws {
    let seed = Seed.current
    var generator = seed.generator
    let scratch = try JournalScratch()
    for round in 1...150 {
      let records = Self.sweeps(using: &generator)
      let found = try pieces(of: records, in: scratch)
      let whole = found.compactMap { piece in
        piece.checksum.map {
          JournalEntry(
            start: piece.range.start, byteCount: piece.range.byteCount, checksum: $0)
        }
      }
      let expected = Self.newest(of: records)
      try #require(whole == expected, "round \(round), \(records); \(seed)")
      // Together, the pieces cover every recorded byte exactly once.
      var covered = RangeSet()
      var byteCount: UInt64 = 0
      for piece in found { byteCount += covered.insert(piece.range) }
      try #require(
        byteCount == found.reduce(0) { $0 + $1.range.byteCount }, "round \(round); \(seed)")
      try #require(covered == Self.recorded(records), "round \(round), \(records); \(seed)")
    }
  }

  /// Returns the records of a first sweep over a random plan, and of later sweeps that record parts
  /// of the plan again: whole entries, pieces of entries, or pieces skipped earlier.
  ///
  /// Records of other kinds are interspersed.
  private static func sweeps(using generator: inout SeededGenerator) -> [JournalRecord] {
    var checksum: UInt32 = 0
    var current: [JournalEntry] = []
    var position: UInt64 = 0
    for _ in 0..<Int.random(in: 0...20, using: &generator) {
      position += .random(in: 0...3, using: &generator)
      let count = UInt64.random(in: 1...8, using: &generator)
      checksum += 1
      current.append(JournalSample.entry(position * unit, count * unit, checksum))
      position += count
    }
    var records = Self.records(.merge, sweep: 0, current, using: &generator)
    var leftOut: [ByteRange] = []
    for sweep in 1..<UInt64.random(in: 2...7, using: &generator) {
      var recorded: [JournalEntry] = []
      var newlyLeftOut: [ByteRange] = []
      for range in current.map(\.range) + leftOut where generator.chance(oneIn: 2) {
        for piece in pieces(of: range, using: &generator) {
          if generator.chance(oneIn: 8) {
            newlyLeftOut.append(piece)
          } else {
            checksum += 1
            recorded.append(JournalSample.entry(piece.start, piece.byteCount, checksum))
          }
        }
      }
      recorded.sort { $0.start < $1.start }
      records += Self.records(.recheck, sweep: sweep, recorded, using: &generator)
      current = newest(of: records)
      // An entry remains valid if all of its pieces were skipped.
      let before = leftOut.filter { range in !newlyLeftOut.contains { overlap($0, range) } }
      leftOut = (before + newlyLeftOut).filter { range in
        !current.contains { overlap($0.range, range) }
      }
    }
    return records
  }

  /// Returns the range, either whole or split into two or three pieces.
  private static func pieces(
    of range: ByteRange, using generator: inout SeededGenerator
  ) -> [ByteRange] {
    var pieces = [range]
    for _ in 0..<2 where generator.chance(oneIn: 3) {
      guard let last = pieces.last, last.byteCount > unit else { break }
      pieces.removeLast()
      let cut = last.start + unit * .random(in: 1..<last.byteCount / unit, using: &generator)
      pieces += [
        ByteRange(start: last.start, end: cut), ByteRange(start: cut, end: last.end),
      ]
    }
    return pieces
  }

  private static func overlap(_ one: ByteRange, _ other: ByteRange) -> Bool {
    one.start < other.end && other.start < one.end
  }

  /// Returns the records of one sweep the way a merge writes them, with a few entries in each.
  private static func records(
    _ kind: JournalRecord.SweepKind, sweep: UInt64, _ entries: [JournalEntry],
    using generator: inout SeededGenerator
  ) -> [JournalRecord] {
    var records: [JournalRecord] = []
    var rest = entries[...]
    while !rest.isEmpty {
      let part = rest.prefix(.random(in: 1...6, using: &generator))
      rest = rest.dropFirst(part.count)
      records.append(
        JournalSample.checkpoint(
          kind, sweep: sweep, watermark: kind == .merge ? part.last?.end ?? 0 : 9_000_000,
          Array(part)))
      if generator.chance(oneIn: 4) { records.append(JournalSample.run) }
      if generator.chance(oneIn: 4) { records.append(.unreadable([])) }
    }
    return records
  }

  /// Returns the entries that no entry in a later record overlaps, sorted by offset on the origin.
  private static func newest(of records: [JournalRecord]) -> [JournalEntry] {
    var found: [(record: Int, entry: JournalEntry)] = []
    for (index, record) in records.enumerated() {
      guard case .checkpoint(let checkpoint) = record else { continue }
      found += checkpoint.entries.map { (index, $0) }
    }
    return found.filter { old in
      !found.contains { new in
        new.record > old.record && new.entry.start < old.entry.end
          && old.entry.start < new.entry.end
      }
    }
    .map(\.entry).sorted { $0.start < $1.start }
  }

  /// Returns every range for which some record contains an entry.
  private static func recorded(_ records: [JournalRecord]) -> RangeSet {
    var ranges = RangeSet()
    for case .checkpoint(let checkpoint) in records {
      for entry in checkpoint.entries { ranges.insert(entry.range) }
    }
    return ranges
  }

  private func pieces(
    of records: [JournalRecord], in scratch: JournalScratch? = nil
  ) throws -> [RecordedPiece] {
    let place = try scratch ?? JournalScratch()
    var reader = try place.reader(of: JournalSample(records: records).bytes)
    var stream = EntryStream(try JournalState(reading: &reader))
    var found: [RecordedPiece] = []
    while let entry = try stream.next(&reader) { found.append(entry) }
    return found
  }
}
