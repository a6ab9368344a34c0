import Testing

@testable import MergeEngine

@Suite("Journal: encoding and decoding of the header")
struct JournalHeaderTests {
  @Test("a journal header survives an encode/decode round trip")
  func roundTrip() throws {
    var headers = [JournalSample.header]
    headers.append(JournalSample.header)
    headers[1].grownOriginByteCount = nil
    headers[1].thinByteCount = nil
    headers[1].mappings = .inactivePool
    headers[1].pastEnd = .grow
    headers[1].ignoresNeedsCheck = false
    headers[1].verifies = false
    headers[1].madeSeconds = -1
    headers.append(JournalSample.header)
    headers[2].mappings = .metadataSnapshot(block: nil)
    for header in headers {
      let bytes = header.encoded
      #expect(bytes.count.isMultiple(of: 8))
      #expect(try JournalHeader.byteCount(of: Array(bytes.prefix(16))) == bytes.count)
      #expect(try JournalHeader(decoding: bytes) == header)
    }
  }

  @Test("a journal header with any single bit flipped is rejected")
  func flippedBits() {
    let bytes = JournalSample.header.encoded
    for bit in 0..<8 * bytes.count {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: JournalFault.self, "bit \(bit)") { try JournalHeader(decoding: damaged) }
    }
  }

  @Test("a journal header that is truncated or has an extra byte is rejected")
  func cut() {
    let bytes = JournalSample.header.encoded
    for byteCount in 0..<bytes.count {
      #expect(throws: JournalFault.self) {
        try JournalHeader(decoding: Array(bytes.prefix(byteCount)))
      }
    }
    #expect(throws: JournalFault.self) { try JournalHeader(decoding: bytes + [0]) }
  }

  @Test(
    "a journal header with an unknown format version is rejected, and the error states the version")
  func otherVersion() {
    var bytes = JournalSample.header.encoded
    bytes[8] = 2
    let fault = #expect(throws: JournalFault.self) {
      _ = try JournalHeader.byteCount(of: bytes)
    }
    #expect(fault?.reason == "its format version is 2; expected 1")
  }

  @Test("a journal header with impossible values is rejected even if its checksum is valid")
  func impossibleValues() {
    let changes: [(inout JournalHeader) -> Void] = [
      { $0.dataBlockByteCount = 0 }, { $0.ioByteCount = 0 }, { $0.ioByteCount = 5000 },
      { $0.ioByteCount = 1 << 40 }, { $0.queueDepth = 0 }, { $0.queueDepth = .max },
    ]
    for (index, change) in changes.enumerated() {
      var header = JournalSample.header
      change(&header)
      #expect(throws: JournalFault.self, "change \(index)") {
        try JournalHeader(decoding: header.encoded)
      }
    }
  }
}

@Suite("Journal: encoding and decoding of records")
struct JournalRecordTests {
  private static let blockByteCount: UInt64 = 65_536
  private static let headerChecksum: UInt32 = 0xCAFE_F00D

  /// At least one journal record of each kind, including records with extreme contents.
  static let records: [JournalRecord] = [
    JournalSample.run,
    .attempt(
      JournalRecord.Attempt(
        seconds: .min, bootID: "", metadataPath: "", dataPath: "é", originPath: "",
        dataPlace: "inode 5 on 0:40", originPlace: "device 43:1 at /dev/nbd1",
        agreedSharers: [
          OriginSharer(poolName: "LVM-1", deviceID: 2),
          OriginSharer(
            poolName: "LVM-1", deviceID: 16_777_215,
            creation: ThinDeviceCreation(time: .max, transactionID: .max)),
          OriginSharer(
            poolName: "name-pool", deviceID: 1,
            creation: ThinDeviceCreation(time: 0, transactionID: 0), mappedName: "LVM-2"),
          OriginSharer(poolName: "name-pool", deviceID: 1, mappedName: "name-vé"),
        ])),
    JournalSample.checkpoint(watermark: 0, []),
    JournalSample.checkpoint(
      .retry, sweep: 3, watermark: 65_537, [JournalSample.entry(512, 1, .max)]),
    JournalSample.checkpoint(
      .recheck, sweep: JournalRecord.sweepMax, watermark: UInt64(Int64.max) / 65_536 * 65_536,
      [JournalSample.entry(0, 512, 0), JournalSample.entry(512, 1 << 40, 2)], seconds: -1),
    JournalSample.checkpoint(
      watermark: 1 << 40,
      [JournalSample.entry(1 << 40, 4096, 5), JournalSample.entry((1 << 40) + 8192, 777, 6)]),
    .unreadable([]),
    .unreadable([ByteRange(start: 512, end: 513), ByteRange(start: 1024, end: 1 << 50)]),
    .finished(seconds: .max), .verified(seconds: 0),
    .givenUp(
      StatusReport.GivenUp(seconds: -1, deviceID: .max, journalPath: "/srv/é.thin-merge")),
  ]

  @Test("a journal record survives an encode/decode round trip", arguments: records.indices)
  func roundTrip(index: Int) {
    let record = Self.records[index]
    let bytes = encoded(record)
    #expect(bytes.count.isMultiple(of: 8))
    #expect(decoded(bytes) == record)
    #expect(RecordFrame(RawSpan(_elements: bytes.span))?.sequence == 42)
    #expect(RecordFrame(RawSpan(_elements: bytes.span))?.recordByteCount == bytes.count)
  }

  @Test(
    "a record with the maximum number of entries stays within the size limit and can be decoded")
  func largest() {
    let entries = (0..<UInt64(JournalRecord.entryCountMax)).map {
      JournalSample.entry($0 << 42, 1 << 41, UInt32($0))
    }
    let record = JournalSample.checkpoint(watermark: 1 << 62, entries)
    let bytes = encoded(record)
    #expect(bytes.count <= JournalRecord.payloadByteCountMax)
    #expect(decoded(bytes) == record)
  }

  @Test("a run's record has room for over 2000 agreed devices in addition to paths of 4096 bytes")
  func manySharers() throws {
    let sharers = (0..<UInt32(20_000)).map {
      OriginSharer(
        poolName: "LVM-pool", deviceID: $0 * 800,
        creation: ThinDeviceCreation(time: $0 << 12, transactionID: UInt64($0) << 40))
    }
    let path = String(repeating: "p", count: 4096)
    let record = JournalRecord.attempt(
      JournalRecord.Attempt(
        seconds: 1, bootID: "boot", metadataPath: path, dataPath: path, originPath: path,
        dataPlace: path.prefix(240).description, originPlace: path.prefix(240).description,
        agreedSharers: sharers))
    guard case .attempt(let attempt) = decoded(encoded(record)) else {
      Issue.record("it is no record of a run")
      return
    }
    #expect(attempt.agreedSharers.count > 2000)
    #expect(attempt.agreedSharers == Array(sharers.prefix(attempt.agreedSharers.count)))
  }

  @Test("a truncated list of agreed devices yields only its complete elements")
  func cutSharers() {
    let sharers = [
      OriginSharer(poolName: "LVM-1", deviceID: 2),
      OriginSharer(
        poolName: "name-pool", deviceID: 300,
        creation: ThinDeviceCreation(time: 500, transactionID: 700), mappedName: "LVM-2"),
    ]
    let bytes = RecordedSharers.encoded(sharers)
    #expect(RecordedSharers.decoded(bytes) == sharers)
    for count in bytes.indices {
      let cut = RecordedSharers.decoded(Array(bytes.prefix(count)))
      #expect(cut == [] || cut == [sharers[0]], "\(count) bytes")
    }
    #expect(RecordedSharers.decoded([1, 1, 65, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]) == [])
  }

  @Test("entries survive an encode/decode round trip, whatever the lengths of their integers")
  func byteCounts() {
    let sectors: [UInt64] = [1, 127, 128, 16_383, 16_384, 1 << 30]
    for gap in [0] + sectors {
      for count in sectors {
        for entryCount in 1...3 as ClosedRange<UInt64> {
          let entries = (0..<entryCount).map { number in
            JournalSample.entry(
              512 * (number * (gap + count) + gap), 512 * count, .max - UInt32(number))
          }
          let record = JournalSample.checkpoint(watermark: 0, entries)
          #expect(decoded(encoded(record)) == record, "\(gap) and \(count) sectors")
        }
      }
    }
  }

  @Test("a record with an entry that ends at or past byte offset 2^63 is rejected")
  func pastEveryEnd() {
    // Each gap and count is in sectors. The gap follows an entry that ends at the last sector.
    let lastEnd = UInt64(Int64.max) / 512 * 512
    for (gap, count) in [(0, 1), (1, 1), (0, 16_384), (16_384, 1), (0, UInt64.max >> 9)] {
      var payload = ByteWriter()
      payload.append(5 as Int64)
      payload.append(JournalRecord.SweepKind.merge.rawValue)
      for number in [0, 0, 0, 2, 0, lastEnd / 512] as [UInt64] { payload.appendVariable(number) }
      payload.append(7 as UInt32)
      payload.appendVariable(UInt64(gap))
      payload.appendVariable(count)
      payload.append(8 as UInt32)
      payload.append(0 as UInt64)
      #expect(
        JournalRecord(
          kindCode: JournalSample.checkpoint(watermark: 0, []).kindCode,
          payload: RawSpan(_elements: payload.bytes.span),
          dataBlockByteCount: Self.blockByteCount) == nil, "\(gap) and \(count) sectors")
    }
  }

  @Test("a journal record with any single bit flipped is rejected", arguments: records.indices)
  func flippedBits(index: Int) {
    let bytes = encoded(Self.records[index])
    let payloadByteCount = RecordFrame(RawSpan(_elements: bytes.span))?.payloadByteCount ?? 0
    // Skips the padding to a multiple of 8 bytes, which carries no information.
    for bit in 0..<8 * (RecordFrame.byteCount + payloadByteCount) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      #expect(decoded(damaged) == nil, "bit \(bit)")
    }
  }

  @Test("a journal record truncated at any byte is rejected", arguments: records.indices)
  func cut(index: Int) {
    let bytes = encoded(Self.records[index])
    let byteCount =
      RecordFrame.byteCount + (RecordFrame(RawSpan(_elements: bytes.span))?.payloadByteCount ?? 0)
    for cut in 0..<byteCount { #expect(decoded(Array(bytes.prefix(cut))) == nil) }
  }

  @Test("a record that was written for another journal is rejected", arguments: records.indices)
  func otherJournal(index: Int) {
    let bytes = encoded(Self.records[index])
    for bit in 0..<32 {
      #expect(decoded(bytes, headerChecksum: Self.headerChecksum ^ 1 << UInt32(bit)) == nil)
    }
  }

  @Test(
    "a record whose kind code is replaced with that of another kind is rejected",
    arguments: records.indices)
  func otherKind(index: Int) {
    let record = Self.records[index]
    for kind in 0...7 as ClosedRange<UInt32> where kind != record.kindCode {
      var bytes = encoded(record)
      bytes[4] = UInt8(kind)
      #expect(decoded(bytes) == nil, "as \(kind)")
    }
  }

  @Test("a record with an altered sequence number is rejected")
  func otherSequence() {
    var bytes = encoded(.finished(seconds: 5))
    bytes[8] &+= 1
    #expect(decoded(bytes) == nil)
  }

  @Test("decoding a random payload never traps, and any accepted record survives a round trip")
  func nonsense() {
    let seed = Seed.current
    var generator = seed.generator
    var decodedCount = 0
    for round in 1...20_000 {
      let payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        [0, 1, 2, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &generator)]
          .randomElement(using: &generator) ?? 0
      }
      let kind = UInt32.random(in: 1...6, using: &generator)
      guard
        let record = JournalRecord(
          kindCode: kind, payload: RawSpan(_elements: payload.span),
          dataBlockByteCount: Self.blockByteCount)
      else { continue }
      decodedCount += 1
      // An accepted record can be encoded again, and decodes to the same record.
      #expect(decoded(encoded(record)) == record, "round \(round): \(payload); \(seed)")
    }
    #expect(decodedCount > 0, "\(seed)")
  }

  @Test(
    "decoding an entry on the fast path gives the same result as decoding its integers one by one")
  func shortEntries() {
    let seed = Seed.current
    var generator = seed.generator
    var shortCount = 0
    for round in 1...20_000 {
      // Integers of one to three bytes, including zeros encoded with redundant bytes.
      let bytes = (0..<24).map { _ in
        [
          0, 0x80, UInt8.random(in: 0...0x7F, using: &generator),
          .random(in: 0x80...0xFF, using: &generator),
        ]
        .randomElement(using: &generator) ?? 0
      }
      var packer = RangePacker()
      var reader = ByteReader(RawSpan(_elements: bytes.span))
      let entry = packer.unpackEntry(&reader)
      var slowPacker = RangePacker()
      var slowReader = ByteReader(RawSpan(_elements: bytes.span))
      let range = slowPacker.unpack(&slowReader)
      let checksum = range == nil ? nil : slowReader.next(UInt32.self)
      #expect(entry?.range == range, "round \(round): \(bytes); \(seed)")
      guard let entry else { continue }
      #expect(entry.checksum == checksum, "round \(round): \(bytes); \(seed)")
      #expect(
        reader.remainingByteCount == slowReader.remainingByteCount,
        "round \(round): \(bytes); \(seed)")
      if bytes.count - reader.remainingByteCount <= 8 { shortCount += 1 }
    }
    #expect(shortCount > 1000, "\(seed)")
  }

  private func encoded(_ record: JournalRecord) -> [UInt8] {
    var payload = ByteWriter()
    var writer = ByteWriter()
    RecordFrame.append(
      record, sequence: 42, appendSequence: 41, headerChecksum: Self.headerChecksum,
      dataBlockByteCount: Self.blockByteCount, payload: &payload, to: &writer)
    return writer.bytes
  }

  /// Decodes a record the way a journal reader does, and returns nil if the reader would reject it.
  private func decoded(
    _ bytes: [UInt8], headerChecksum: UInt32 = headerChecksum
  ) -> JournalRecord? {
    guard let frame = RecordFrame(RawSpan(_elements: bytes.span)) else { return nil }
    let payload = Array(bytes.dropFirst(RecordFrame.byteCount).prefix(frame.payloadByteCount))
    guard payload.count == frame.payloadByteCount,
      frame.proves(RawSpan(_elements: payload.span), headerChecksum: headerChecksum)
    else { return nil }
    return JournalRecord(
      kindCode: frame.kindCode, payload: RawSpan(_elements: payload.span),
      dataBlockByteCount: Self.blockByteCount)
  }
}
