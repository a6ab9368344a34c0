import Testing

@testable import MergeEngine

/// A crafted journal that consists of several appends, each with several records.
struct Appends {
  var header = JournalSample.header
  /// The data block size used to encode the records.
  ///
  /// It need not match the header.
  var dataBlockByteCount: UInt64 = 65_536
  var appends: [[JournalRecord]] = []

  /// The encoded header, and the encoded records of each append.
  var parts: (header: [UInt8], appends: [[[UInt8]]]) {
    let encoded = header.encoded
    var encoder = JournalEncoder(
      endByteOffset: UInt64(encoded.count), nextSequence: 1,
      headerChecksum: JournalSample.checksum(encoded), dataBlockByteCount: dataBlockByteCount)
    let records = appends.map { append in
      defer { encoder.advance() }
      let starts = append.map { record in
        defer { encoder.add(record) }
        return encoder.pendingByteCount
      }
      let bytes = encoder.appendBytes()
      return zip(starts, starts.dropFirst() + [bytes.count]).map { Array(bytes[$0..<$1]) }
    }
    return (encoded, records)
  }

  /// The index of the append whose bytes are zeroed, as if the disk had lost them; nil for none.
  var lostAppend: Int?

  var bytes: [UInt8] {
    var parts = parts
    if let lostAppend {
      parts.appends[lostAppend] = parts.appends[lostAppend].map { $0.map { _ in 0 } }
    }
    return parts.header + parts.appends.joined().joined()
  }
}

@Suite("Journal: a power cut in the middle of an append")
struct TornAppendTests {
  private typealias Sample = JournalSample

  @Test(
    "in the final append, a lost page in any record but the last counts as a torn tail"
  )
  func pageLost() throws {
    let scratch = try JournalScratch()
    var torn = Self.appends
    torn.appends.removeLast()
    let parts = torn.parts
    let whole = try scratch.verdict(on: torn.bytes)
    guard case .believed(let state) = whole else { throw SupportError("\(whole)") }
    try #require(!state.hasTornEnd)
    for lost in 0..<2 {
      var kept = torn
      kept.appends[1].removeSubrange(lost...)
      guard case .believed(var expected) = try scratch.verdict(on: kept.bytes) else {
        throw SupportError("the journal before the loss is not believed")
      }
      expected.hasTornEnd = true
      let start =
        [parts.header, parts.appends[0].flatMap(\.self)].joined().count
        + parts.appends[1].prefix(lost).joined().count
      for hole in Self.holes(in: parts.appends[1][lost], at: start) {
        let verdict = try scratch.verdict(on: Self.zeroed(torn.bytes, hole))
        #expect(verdict == .believed(expected), "record \(lost), bytes \(hole)")
      }
    }
  }

  @Test("a record cut off within its trailing zeros does not reappear when the journal is extended")
  func cutWithinZeros() throws {
    var torn = Self.appends
    torn.appends.removeLast(2)
    // Each record ends in zeros, so zeros after the cut would make the second record complete
    // again.
    torn.appends.append([.finished(seconds: 0), .finished(seconds: 0)])
    let bytes = torn.bytes
    let firstEnd = bytes.count - 4096 + RecordFrame.byteCount + 8
    let scratch = try JournalScratch()
    let state = try scratch.state(of: Array(bytes.prefix(firstEnd + RecordFrame.byteCount + 1)))
    #expect(state.hasTornEnd && state.cutByteOffset == UInt64(firstEnd))
    let goneOnWith =
      Array(bytes.prefix(Int(state.cutByteOffset)))
      + [UInt8](repeating: 0, count: bytes.count - firstEnd)
    #expect(try scratch.state(of: goneOnWith).nextSequence == state.nextSequence)
  }

  @Test("a lost page in a record that is followed by a later append counts as damage")
  func damage() throws {
    let scratch = try JournalScratch()
    let parts = Self.appends.parts
    var start = parts.header.count + parts.appends[0].joined().count
    for (index, record) in parts.appends[1].prefix(2).enumerated() {
      for hole in Self.holes(in: record, at: start) {
        let verdict = try scratch.verdict(on: Self.zeroed(Self.appends.bytes, hole))
        guard case .refused(let error) = verdict else {
          Issue.record("record \(index), bytes \(hole): \(verdict)")
          continue
        }
        #expect(error.kind == .journalConflict)
      }
      start += record.count
    }
  }

  /// Three appends: a run, then three checkpoint records, then one smaller checkpoint record.
  private static var appends: Appends {
    func entries(_ first: UInt64, _ count: UInt64) -> [JournalEntry] {
      (first..<first + count).map { Sample.entry($0 * 1024, 512, UInt32($0) + 1) }
    }
    return Appends(appends: [
      [Sample.run],
      [
        Sample.checkpoint(watermark: 2_048_000, entries(0, 2000)),
        Sample.checkpoint(watermark: 4_096_000, entries(2000, 2000)),
        Sample.checkpoint(watermark: 4_096_512, entries(4000, 1)),
      ],
      [Sample.checkpoint(watermark: 5_120_512, entries(5000, 1))],
    ])
  }

  /// Returns the byte ranges that a test zeroes: the middle 4 KiB of a record, and the aligned page
  /// that contains its middle.
  ///
  /// Ranges that extend beyond the record are omitted.
  private static func holes(in record: [UInt8], at start: Int) -> [Range<Int>] {
    let middle = start + record.count / 2
    let page = (middle - 4095 + 4095) / 4096 * 4096
    return [middle - 2048..<middle + 2048, page..<page + 4096].filter {
      $0.lowerBound > start && $0.upperBound < start + record.count
    }
  }

  private static func zeroed(_ bytes: [UInt8], _ hole: Range<Int>) -> [UInt8] {
    var bytes = bytes
    bytes.replaceSubrange(hole, with: repeatElement(0, count: hole.count))
    return bytes
  }
}

@Suite("Journal: valid checksums but impossible values")
struct CraftedJournalTests {
  private typealias Sample = JournalSample

  @Test(
    "a journal with valid checksums but impossible values is refused as a conflict",
    arguments: CraftedJournalTests.journals.keys.sorted())
  func refused(name: String) async {
    // The exit test also proves that no value makes the process trap.
    await #expect(processExitsWith: .success) { [name] in
      let crafted = try #require(CraftedJournalTests.journals[name])
      let verdict = try JournalScratch().verdict(on: crafted.bytes)
      guard case .refused(let error) = verdict else {
        throw SupportError("believed: \(verdict)")
      }
      guard error.kind == .journalConflict else { throw SupportError("\(error)") }
    }
  }

  @Test("a crafted journal with plausible values is accepted")
  func believed() throws {
    let crafted = Self.journal([
      Sample.run, Sample.checkpoint(watermark: 5 << 20, [Sample.entry(0, 4 << 20)]),
      .unreadable([ByteRange(start: 6 << 20, end: 7 << 20)]),
    ])
    guard case .believed(let state) = try JournalScratch().verdict(on: crafted.bytes) else {
      Issue.record("refused")
      return
    }
    #expect(!state.hasTornEnd && state.doneByteCount == 4 << 20)
  }

  static let journals: [String: Appends] = {
    var journals: [String: Appends] = [:]
    for size: UInt64 in [0, 1, 512, 1 << 31, 1 << 40, 1 << 63, .max] {
      journals["data blocks of \(size) bytes"] = journal([
        Sample.run, Sample.checkpoint(watermark: 65_536, [Sample.entry(0, 512)]),
      ]) { $0.dataBlockByteCount = size }
    }
    let entries: [(String, JournalEntry)] = [
      ("an entry of more than 64 MiB", Sample.entry(0, (64 << 20) + 512)),
      ("an entry of nearly all", Sample.entry(0, 1 << 40)),
    ]
    for (name, entry) in entries {
      journals[name] = journal([Sample.run, Sample.checkpoint(watermark: 0, [entry])]) {
        $0.endByteOffset = 1 << 41
        $0.plannedByteCount = 1 << 41
      }
    }
    let end = JournalSample.header.endByteOffset
    let sector = end / 512 * 512
    journals["an entry across the end"] = journal([
      Sample.run, Sample.checkpoint(watermark: 0, [Sample.entry(sector, 512)]),
    ])
    journals["an entry behind the end"] = journal([
      Sample.run, Sample.checkpoint(watermark: 0, [Sample.entry(sector + 512, 512)]),
    ])
    journals["an entry at the end of all numbers"] = journal([
      Sample.run, Sample.checkpoint(watermark: 0, [Sample.entry((1 << 63) - 1024, 512)]),
    ])
    journals["a re-checked entry behind the end"] = journal([
      Sample.run, Sample.checkpoint(.recheck, watermark: 0, [Sample.entry(sector + 512, 512)]),
    ])
    journals["an unreadable range behind the end"] = journal([
      Sample.run, .unreadable([ByteRange(start: sector + 512, end: sector + 1024)]),
    ])
    journals["an unreadable range across the end"] = journal([
      Sample.run, .unreadable([ByteRange(start: 0, end: sector + 512)]),
    ])
    journals["a watermark behind the end"] = journal([
      Sample.run, Sample.checkpoint(watermark: end + 1, [Sample.entry(0, 512)]),
    ])
    journals["a watermark far behind the end"] = journal([
      Sample.run, Sample.checkpoint(watermark: 1 << 62, [Sample.entry(0, 512)]),
    ])
    journals["entries of more than is planned"] = journal([
      Sample.run,
      Sample.checkpoint(
        watermark: 6 << 20, [Sample.entry(0, 4 << 20), Sample.entry(4 << 20, 2 << 20)]),
    ])
    journals["the same entry again in each of two sweeps"] = journal([
      Sample.run, Sample.checkpoint(sweep: 0, watermark: 4 << 20, [Sample.entry(0, 4 << 20)]),
      Sample.run, Sample.checkpoint(sweep: 1, watermark: 4 << 20, [Sample.entry(0, 4 << 20)]),
    ])
    journals["entries that go back"] = journal([
      Sample.run, Sample.checkpoint(watermark: 2048, [Sample.entry(0, 2048)]),
      Sample.checkpoint(.recheck, sweep: 1, watermark: 2048, [Sample.entry(1024, 512)]),
      Sample.checkpoint(.recheck, sweep: 1, watermark: 2048, [Sample.entry(0, 512)]),
    ])
    journals.merge(countedTwice) { _, _ in preconditionFailure("two journals of one name") }
    let spots = (0...UInt64(JournalState.unreadableCountMax)).map {
      ByteRange(start: $0 * 2048, end: $0 * 2048 + 512)
    }
    journals["a record of more ranges than one has"] = journal([
      Sample.run, .unreadable(Array(spots.prefix(8192))),
    ]) {
      $0.endByteOffset = 1 << 41
      $0.plannedByteCount = 1 << 41
    }
    let parts = stride(from: 0, to: spots.count, by: 512).map { spots[$0...].prefix(512) }
    journals["more unreadable ranges than a merge goes on with"] = journal(
      [Sample.run] + parts.map { JournalRecord.unreadable(Array($0)) }
    ) {
      $0.endByteOffset = 1 << 41
      $0.plannedByteCount = 1 << 41
    }
    journals["a record that is gone, before others"] = {
      var journal = journal([
        Sample.run, Sample.checkpoint(watermark: 2048, [Sample.entry(0, 512)]),
        Sample.checkpoint(watermark: 4096, [Sample.entry(1024, 512)]),
        Sample.checkpoint(watermark: 8192, [Sample.entry(4096, 512)]),
      ])
      journal.lostAppend = 1
      return journal
    }()
    journals["more planned than there is"] = journal([Sample.run]) {
      $0.plannedByteCount = $0.endByteOffset + 1
    }
    return journals
  }()

  /// Crafted journals that, if accepted, would count bytes as merged twice or too early.
  private static var countedTwice: [String: Appends] {
    let half = Sample.header.plannedByteCount / 2
    let end = Sample.header.endByteOffset
    let first = Sample.checkpoint(watermark: 4096, [Sample.entry(0, 4096)])
    let spot = JournalRecord.unreadable([ByteRange(start: 1024, end: 2048)])
    return [
      "two sweeps of the same half, and a watermark at the end": journal([
        Sample.run, Sample.checkpoint(watermark: end, [Sample.entry(0, half)]),
        Sample.run, Sample.checkpoint(sweep: 1, watermark: end, [Sample.entry(0, half)]),
        .finished(seconds: 1_700_000_003),
      ]),
      "a merged entry that begins before the watermark": journal([
        Sample.run, first, Sample.checkpoint(watermark: 8192, [Sample.entry(3584, 4608)]),
      ]),
      "an entry behind its watermark": journal([
        Sample.run, first, Sample.checkpoint(watermark: 8192, [Sample.entry(4096, 8192)]),
      ]),
      "a re-checked entry behind the watermark": journal([
        Sample.run, first,
        Sample.checkpoint(.recheck, sweep: 1, watermark: 8192, [Sample.entry(4096, 512)]),
      ]),
      "a retried entry behind the watermark": journal([
        Sample.run, first, .unreadable([ByteRange(start: 8192, end: 16_384)]),
        Sample.checkpoint(.retry, sweep: 1, watermark: 4096, [Sample.entry(8192, 512)]),
      ]),
      "a retry of what was never unreadable": journal([
        Sample.run, first,
        Sample.checkpoint(.retry, sweep: 1, watermark: 4096, [Sample.entry(0, 512)]),
      ]),
      "a retry that reaches over what was unreadable": journal([
        Sample.run, first, spot,
        Sample.checkpoint(.retry, sweep: 1, watermark: 4096, [Sample.entry(1024, 1536)]),
      ]),
      "a retry of what another retry has recorded": journal([
        Sample.run, first, spot,
        Sample.checkpoint(.retry, sweep: 1, watermark: 4096, [Sample.entry(1024, 1024)]),
        Sample.run,
        Sample.checkpoint(.retry, sweep: 2, watermark: 4096, [Sample.entry(1024, 1024)]),
      ]),
    ]
  }

  @Test("bytes recorded as unreadable do not count as done until a later entry covers them")
  func unreadableMeanwhile() throws {
    let scratch = try JournalScratch()
    var records = [
      Sample.run, Sample.checkpoint(watermark: 8192, [Sample.entry(0, 8192)]), Sample.run,
      .unreadable([ByteRange(start: 4096, end: 16_384)]),
    ]
    #expect(try scratch.state(of: JournalSample(records: records).bytes).doneByteCount == 4096)
    records.append(
      Sample.checkpoint(.retry, sweep: 1, watermark: 8192, [Sample.entry(4096, 4096)]))
    let state = try scratch.state(of: JournalSample(records: records).bytes)
    #expect(state.doneByteCount == 8192)
    #expect(state.unreadable.ranges == [ByteRange(start: 8192, end: 16_384)])
  }

  private static func journal(
    _ records: [JournalRecord], edit: (inout JournalHeader) -> Void = { _ in }
  ) -> Appends {
    var appends = Appends(appends: records.map { [$0] })
    edit(&appends.header)
    return appends
  }
}
