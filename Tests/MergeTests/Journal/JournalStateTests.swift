import Testing

@testable import MergeEngine

@Suite("Journal: the state that is read from a journal")
struct JournalStateTests {
  private typealias Sample = JournalSample

  @Test("a journal that contains only a header means that nothing has been merged yet")
  func headerAlone() throws {
    let sample = JournalSample()
    let state = try JournalScratch().state(of: sample.bytes)
    #expect(state.watermark == 0 && state.doneByteCount == 0 && state.attemptCount == 0)
    #expect(!state.isFinished && !state.isVerified && !state.hasTornEnd)
    #expect(state.nextSequence == 1 && state.nextSweep == 0)
    #expect(state.endByteOffset == UInt64(sample.bytes.count))
    #expect(state.lastSeconds == Sample.header.madeSeconds)
  }

  @Test("the state read after each record reflects that record and all earlier ones")
  func prefixes() throws {
    let expected: [(watermark: UInt64, done: UInt64, unreadable: UInt64, runs: UInt64)] = [
      (0, 0, 0, 1), (8192, 8192, 0, 1), (8192, 8192, 4096, 1), (20_480, 16_384, 4096, 1),
      (20_480, 16_384, 4096, 2), (20_480, 16_384, 4096, 2), (20_480, 20_480, 0, 2),
      (20_480, 20_480, 0, 2), (20_480, 20_480, 0, 2),
    ]
    let scratch = try JournalScratch()
    try #require(expected.count == Sample.whole.records.count)
    for (index, numbers) in expected.enumerated() {
      var sample = Sample.whole
      sample.records = Array(Sample.whole.records[...index])
      let state = try scratch.state(of: sample.bytes)
      #expect(state.watermark == numbers.watermark, "record \(index)")
      #expect(state.doneByteCount == numbers.done, "record \(index)")
      #expect(state.unreadable.byteCount == numbers.unreadable, "record \(index)")
      #expect(state.attemptCount == numbers.runs, "record \(index)")
      #expect(state.isFinished == (index >= 7) && state.isVerified == (index >= 8))
      #expect(state.nextSequence == UInt64(index) + 2)
    }
  }

  @Test("a new run in a journal clears its finished and verified states")
  func newRun() throws {
    var sample = Sample.whole
    sample.records.append(Sample.run)
    let state = try JournalScratch().state(of: sample.bytes)
    #expect(!state.isFinished && !state.isVerified)
  }

  @Test("an abandoned merge is reported, and the idle time before abandonment is not writing time")
  func givenUp() throws {
    let taker = StatusReport.GivenUp(
      seconds: 1_800_000_000, deviceID: 9, journalPath: "/srv/other.thin-merge")
    let records = [Sample.run, Sample.checkpoint(watermark: 8192, [Sample.entry(0, 4096)])]
    let before = try JournalScratch().state(of: JournalSample(records: records).bytes)
    let state = try JournalScratch().state(
      of: JournalSample(records: records + [.givenUp(taker)]).bytes)
    #expect(before.givenUp == nil && state.givenUp == taker)
    #expect(state.lastSeconds == taker.seconds)
    #expect(state.writingSeconds == before.writingSeconds)
  }

  @Test("an unreadable range remains unreadable except in the parts that later entries cover")
  func unreadable() throws {
    let sample = JournalSample(records: [
      .unreadable([ByteRange(start: 0, end: 8192), ByteRange(start: 16_384, end: 24_576)]),
      Sample.checkpoint(watermark: 24_576, [Sample.entry(8192, 8192)]),
      Sample.checkpoint(
        .retry, sweep: 1, watermark: 24_576,
        [Sample.entry(4096, 4096), Sample.entry(16_384, 4096)]),
      .unreadable([ByteRange(start: 512, end: 1024)]),
    ])
    let state = try JournalScratch().state(of: sample.bytes)
    #expect(
      state.unreadable.ranges
        == [ByteRange(start: 0, end: 4096), ByteRange(start: 20_480, end: 24_576)])
  }

  @Test("writing time is the sum, over all runs, of the time from a run's start to its last record")
  func seconds() throws {
    func run(_ seconds: Int64) -> JournalRecord {
      .attempt(
        JournalRecord.Attempt(
          seconds: seconds, bootID: "", metadataPath: "", dataPath: "", originPath: ""))
    }
    var sample = JournalSample(records: [
      run(100), Sample.checkpoint(watermark: 512, [Sample.entry(0, 512)], seconds: 110),
      run(1000), Sample.checkpoint(watermark: 1024, [Sample.entry(512, 512)], seconds: 1005),
      .finished(seconds: 1007),
    ])
    sample.header.madeSeconds = 100
    let state = try JournalScratch().state(of: sample.bytes)
    #expect(state.writingSeconds == 17)
    #expect(state.lastSeconds == 1007)
  }

  @Test("a journal in which the watermark decreases is treated as damaged")
  func watermarkGoesBack() throws {
    try expectDamage([
      Sample.checkpoint(watermark: 1024, [Sample.entry(0, 1024)]),
      Sample.checkpoint(watermark: 1023, [Sample.entry(1024, 512)]),
    ])
  }

  @Test("entries whose offsets go backward within one sweep are treated as damage")
  func entriesGoBack() throws {
    try expectDamage([
      Sample.checkpoint(watermark: 2048, [Sample.entry(0, 2048)]),
      Sample.checkpoint(.recheck, sweep: 1, watermark: 2048, [Sample.entry(512, 1024)]),
      Sample.checkpoint(.recheck, sweep: 1, watermark: 2048, [Sample.entry(1024, 512)]),
    ])
  }

  @Test(
    "reading extreme values from a journal does not crash the process",
    arguments: JournalSample.extremes.keys.sorted())
  func extremes(name: String) async {
    await #expect(processExitsWith: .success) { [name] in
      let records = JournalSample.extremes[name] ?? []
      _ = try JournalScratch().verdict(on: JournalSample(records: records).bytes)
    }
  }

  private func expectDamage(
    _ records: [JournalRecord], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let verdict = try JournalScratch().verdict(on: JournalSample(records: records).bytes)
    guard case .refused(let error) = verdict else {
      Issue.record("believed: \(verdict)", sourceLocation: sourceLocation)
      return
    }
    #expect(error.kind == .journalConflict, sourceLocation: sourceLocation)
  }
}

@Suite("Journal: damage and torn tails")
struct JournalDamageStateTests {
  @Test("a journal truncated at any byte is read up to its last complete record")
  func cut() throws {
    let sample = JournalSample.whole
    let bytes = sample.bytes
    let ends = sample.ends
    let scratch = try JournalScratch()
    for byteCount in sample.telltalePlaces {
      let verdict = try scratch.verdict(on: Array(bytes.prefix(byteCount)))
      guard let whole = ends.lastIndex(where: { $0 <= byteCount }) else {
        expectRefused(verdict)
        continue
      }
      let expected = try scratch.verdict(on: Array(bytes.prefix(ends[whole])))
      // If the record's last block is whole, its padding may contain any bytes. A truncated block
      // means that the append did not complete.
      let nextAppend = (ends[whole] + 4095) / 4096 * 4096
      #expect(
        verdict == expected.torn(byteCount > ends[whole] && byteCount != nextAppend),
        "cut to \(byteCount) bytes")
    }
  }

  @Test(
    "a flipped bit is a torn tail in the last record, damage before it, and harmless in padding")
  func flippedBits() throws {
    let sample = JournalSample.whole
    let bytes = sample.bytes
    let ends = sample.ends
    let scratch = try JournalScratch()
    let whole = try scratch.verdict(on: bytes)
    let withoutLast = try scratch.verdict(on: Array(bytes.prefix(ends[ends.count - 2])))
    let unread = Self.unread(of: sample)
    let lastStart = bytes.count - (sample.recordBytes.last?.count ?? 0)
    for byte in sample.telltalePlaces {
      // Flips only some bits. Other tests flip every bit of the header and of individual records.
      for bit in byte % 8 == 0 ? [0, 3, 7] : [byte % 8] {
        var damaged = bytes
        damaged[byte] ^= 1 << bit
        let verdict = try scratch.verdict(on: damaged)
        let place: Comment = "bit \(bit) of byte \(byte)"
        if unread.contains(byte) {
          #expect(verdict == whole, place)
        } else if byte >= lastStart {
          #expect(verdict == withoutLast.torn(true), place)
        } else if case .refused(let error) = verdict {
          #expect(error.kind == .journalConflict, place)
        } else {
          Issue.record("believed: \(verdict), \(place)")
        }
      }
    }
  }

  @Test("a journal with a missing, repeated or swapped record is treated as damaged")
  func otherOrder() throws {
    let sample = JournalSample.whole
    let records = sample.recordBytes
    let scratch = try JournalScratch()
    for index in records.indices.dropLast() {
      var missing = records
      missing.remove(at: index)
      try expectRefused(scratch.verdict(on: sample.header.encoded + missing.flatMap { $0 }))
      var twice = records
      twice.insert(records[index], at: index)
      try expectRefused(scratch.verdict(on: sample.header.encoded + twice.flatMap { $0 }))
      var swapped = records
      swapped.swapAt(index, index + 1)
      // Skips a swap of the last two records, after which the only valid record at the end is an
      // older one.
      if index + 1 < records.count - 1 {
        try expectRefused(scratch.verdict(on: sample.header.encoded + swapped.flatMap { $0 }))
      }
    }
  }

  @Test("records of another journal after the last record count only as a torn tail")
  func otherJournalBehind() throws {
    var other = JournalSample.whole
    other.header.madeSeconds += 1
    let scratch = try JournalScratch()
    let whole = try scratch.verdict(on: JournalSample.whole.bytes)
    let strange = Array(other.bytes.dropFirst(other.header.encoded.count))
    #expect(try scratch.verdict(on: JournalSample.whole.bytes + strange) == whole.torn(true))
  }

  @Test("garbage or zeros after the last record count only as a torn tail")
  func garbageBehind() throws {
    let seed = Seed.current
    var generator = seed.generator
    let scratch = try JournalScratch()
    let bytes = JournalSample.whole.bytes
    let whole = try scratch.verdict(on: bytes)
    for byteCount in [1, 7, 8, 23, 24, 25, 1000, 300_000] {
      let garbage = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(try scratch.verdict(on: bytes + garbage) == whole.torn(true), "\(seed)")
      let zeroes = [UInt8](repeating: 0, count: byteCount)
      #expect(try scratch.verdict(on: bytes + zeroes) == whole.torn(true))
    }
  }

  /// Returns the byte offsets of the padding after the records' payloads.
  private static func unread(of sample: JournalSample) -> Set<Int> {
    var unread: Set<Int> = []
    var start = sample.header.encoded.count
    for record in sample.recordBytes {
      let used =
        RecordFrame.byteCount
        + (RecordFrame(RawSpan(_elements: record.span))?.payloadByteCount ?? 0)
      unread.formUnion(start + used..<start + record.count)
      start += record.count
    }
    return unread
  }

  private func expectRefused(
    _ verdict: JournalScratch.Verdict, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard case .refused(let error) = verdict else {
      Issue.record("believed: \(verdict)", sourceLocation: sourceLocation)
      return
    }
    #expect(error.kind == .journalConflict, sourceLocation: sourceLocation)
  }
}

extension JournalScratch.Verdict {
  /// Returns this verdict with its torn-tail flag set or cleared.
  fileprivate func torn(_ isTorn: Bool) -> Self {
    guard case .believed(var believed) = self else { return self }
    believed.hasTornEnd = isTorn
    return .believed(believed)
  }
}

extension JournalSample {
  /// Journal records, by name: one normal set, and others with extreme values that no merge would
  /// write.
  static let extremes: [String: [JournalRecord]] = [
    "none": whole.records,
    "sweep number": [
      JournalSample.checkpoint(sweep: .max, watermark: 0, [JournalSample.entry(0, 512)])
    ],
    "watermark": [
      JournalSample.checkpoint(watermark: .max, [JournalSample.entry(0, 512)]), JournalSample.run,
    ],
    "byte count": (0..<4).map {
      JournalSample.checkpoint(sweep: $0, watermark: 0, [JournalSample.entry(0, UInt64(Int64.max))])
    },
    "time forward": [
      JournalSample.checkpoint(watermark: 0, [], seconds: .max), JournalSample.run,
      JournalSample.checkpoint(watermark: 0, [], seconds: .max), JournalSample.run,
      .finished(seconds: .max),
    ],
    "time back": [.finished(seconds: .min), .verified(seconds: .max), .finished(seconds: .min)],
  ]
}
