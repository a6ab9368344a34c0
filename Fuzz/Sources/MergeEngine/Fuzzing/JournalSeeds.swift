extension Seeds {
  /// Returns journals as the engine writes them, from merges that succeeded, were interrupted, or
  /// found bad spots.
  package static func journals(_ memory: FuzzMemory) throws -> [Seed] {
    var seeds: [Seed] = []
    for (name, header, appends) in stories {
      let journal = encoded(header, appends)
      let isWhole = !name.hasPrefix("torn")
      for flags: UInt8 in [4, 8, 16] {
        let choices = [flags] + [UInt8](repeating: 0, count: JournalInput.Choices.byteCount - 1)
        let input = JournalInput(choices: choices, journal: journal)
        input.expand(into: memory)
        // This also proves that the harness's repair leaves a journal written by the engine
        // unchanged.
        guard memory.mediumByteCount == journal.count,
          memory.mediumBytes(0..<journal.count).copiedBytes(at: 0, count: journal.count) == journal
        else { Finding.stop("the seed \(name) is not the journal that it was made from") }
        guard JournalCase(memory).run(input.encoded) else {
          Finding.stop("the seed \(name) is not believed")
        }
        seeds.append(Seed(name: "\(name)-\(flags)", bytes: input.encoded))
        guard isWhole else { continue }
        let torn = JournalInput(choices: choices, journal: Array(journal.dropLast(20)))
        seeds.append(Seed(name: "\(name)-\(flags)-torn", bytes: torn.encoded))
      }
    }
    return seeds
  }

  private static func encoded(_ header: JournalHeader, _ appends: [[JournalRecord]]) -> [UInt8] {
    var journal = header.encoded
    var encoder = JournalEncoder(
      endByteOffset: UInt64(journal.count), nextSequence: 1,
      headerChecksum: CRC32C.checksum(of: RawSpan(_elements: journal.span)),
      dataBlockByteCount: header.dataBlockByteCount)
    for append in appends {
      for record in append { encoder.add(record) }
      journal += encoder.appendBytes()
      encoder.advance()
    }
    return journal
  }

  private static var stories: [(String, JournalHeader, [[JournalRecord]])] {
    let run = JournalRecord.attempt(
      JournalRecord.Attempt(
        seconds: 1_700_000_001, bootID: "boot", metadataPath: "/meta", dataPath: "/data",
        originPath: "/origin"))
    let end: [[JournalRecord]] = [
      [.finished(seconds: 1_700_000_050)], [.verified(seconds: 1_700_000_060)],
    ]
    var inactive = header
    inactive.mappings = .inactivePool
    inactive.thinByteCount = nil
    inactive.grownOriginByteCount = nil
    var stories: [(String, JournalHeader, [[JournalRecord]])] = []
    func story(_ name: String, _ header: JournalHeader, _ appends: [[JournalRecord]]) {
      stories.append((name, header, appends))
    }
    story("made", header, [])
    story("begun", inactive, [[run]])
    story("straight", header, [[run], [checkpoint(0, 0..<40)], [checkpoint(0, 40..<80)]] + end)
    let several = [checkpoint(0, 0..<30), checkpoint(0, 30..<60), checkpoint(0, 60..<80)]
    story("several", inactive, [[run], several] + end)
    let recheck = [
      [checkpoint(1, 10..<20, .recheck, watermark: 50)],
      [checkpoint(1, 30..<33, .recheck, watermark: 50)],
    ]
    story(
      "rechecked", header,
      [[run], [checkpoint(0, 0..<50)], [run]] + recheck + [[checkpoint(2, 50..<80)]] + end)
    let spot = JournalRecord.unreadable([ByteRange(start: 40 << 12, end: 44 << 12)])
    let retry = checkpoint(1, 40..<44, .retry)
    story(
      "unreadable", header,
      [[run], [spot, checkpoint(0, 0..<40)], [checkpoint(0, 44..<80)], [run], [retry]] + end)
    let lost = JournalRecord.unreadable([ByteRange(start: 0, end: 4096)])
    let found = [[checkpoint(1, 5..<9, .recheck)], [checkpoint(2, 0..<1, .retry)]]
    story("lost", header, [[run], [checkpoint(0, 0..<80)], [run], [lost]] + found + end)
    let steps = (0..<20).map { (step: UInt64) in [checkpoint(0, 4 * step..<4 * step + 4)] }
    story("long", header, [[run]] + steps + end)
    return stories
  }

  /// Returns a checkpoint of 4 KiB transfers with the given indexes; only a merge sweep moves the
  /// watermark.
  private static func checkpoint(
    _ sweep: UInt64, _ numbers: Range<UInt64>, _ kind: JournalRecord.SweepKind = .merge,
    watermark: UInt64 = 80
  ) -> JournalRecord {
    .checkpoint(
      JournalRecord.Checkpoint(
        seconds: 1_700_000_002 + Int64(sweep), kind: kind, sweep: sweep,
        watermark: (kind == .merge ? numbers.upperBound : watermark) << 12,
        entries: numbers.map {
          JournalEntry(start: $0 << 12, byteCount: 4096, checksum: UInt32($0) &* 0x9E37_79B1)
        }))
  }

  private static let header = JournalHeader(
    fingerprint: Fingerprint(crc64: 0x0123_4567_89AB_CDEF, crc32c: 0x8765_4321), deviceID: 7,
    dataBlockByteCount: 65_536, endByteOffset: 9_999_999, pastEnd: .clip,
    dataIdentity: DeviceIdentity(name: "wwid-data", byteCount: 16 << 20),
    originIdentity: DeviceIdentity(name: "file-12-3.4", byteCount: 10_000_000),
    grownOriginByteCount: 10_000_001, thinByteCount: 11 << 20, plannedByteCount: 80 << 12,
    metadataPath: "/dev/mapper/pool_tmeta", dataPath: "/dev/mapper/pool_tdata",
    originPath: "/srv/é base.img", mappings: .metadataSnapshot(block: 39),
    ignoresNeedsCheck: true, transactionID: 21, heldRoot: 39, mappingRoot: 40, queueDepth: 64,
    ioByteCount: 1 << 20, rateLimit: 3 << 20, checkpointMilliseconds: 5000, verifies: true,
    bootID: "boot", madeSeconds: 1_700_000_000)
}
