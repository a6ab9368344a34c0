import Foundation

@testable import MergeEngine

/// A journal that a test describes, encoded the way the engine writes it.
struct JournalSample {
  var header = Self.header
  var records: [JournalRecord] = []

  /// The bytes of the whole journal file.
  var bytes: [UInt8] { header.encoded + recordBytes.flatMap { $0 } }

  /// The encoded records, each in its own append.
  var recordBytes: [[UInt8]] {
    let encoded = header.encoded
    var encoder = JournalEncoder(
      endByteOffset: UInt64(encoded.count), nextSequence: 1,
      headerChecksum: Self.checksum(encoded), dataBlockByteCount: header.dataBlockByteCount)
    return records.map { record in
      encoder.add(record)
      defer { encoder.advance() }
      return encoder.appendBytes()
    }
  }

  /// The byte offsets at which the header and each record end, excluding the padding that follows.
  var ends: [Int] {
    var start = header.encoded.count
    var ends = [start]
    for record in recordBytes {
      ends.append(start + (RecordFrame(RawSpan(_elements: record.span))?.recordByteCount ?? 0))
      start += record.count
    }
    return ends
  }

  /// The byte offsets worth testing: all bytes that carry information, and some of the padding.
  var telltalePlaces: [Int] {
    let bytes = bytes
    let ends = ends
    return bytes.indices.filter { place in
      let blockStart = place / 4096 * 4096
      let end = place < ends[0] ? 512 : ends.first { $0 > blockStart } ?? 0
      return place < end + 16 || place % 61 == 0 || place % 4096 > 4080
    }
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    CRC32C.checksum(of: RawSpan(_elements: bytes.span))
  }

  /// A sample header with varied field values, so that tests notice swapped fields.
  static let header = JournalHeader(
    fingerprint: Fingerprint(crc64: 0x0123_4567_89AB_CDEF, crc32c: 0x8765_4321), deviceID: 7,
    dataBlockByteCount: 65_536, endByteOffset: 9_999_999, pastEnd: .clip,
    dataIdentity: DeviceIdentity(name: "wwid-data", byteCount: 16 << 20),
    originIdentity: DeviceIdentity(name: "file-12-3.4", byteCount: 10_000_000),
    grownOriginByteCount: 10_000_001, thinByteCount: 11 << 20, plannedByteCount: 5 << 20,
    metadataPath: "/dev/mapper/pool_tmeta", dataPath: "/dev/mapper/pool_tdata",
    originPath: "/srv/é base.img", mappings: .metadataSnapshot(block: 39),
    ignoresNeedsCheck: true, transactionID: 21, heldRoot: 39, mappingRoot: 40, queueDepth: 64,
    ioByteCount: 1 << 20, rateLimit: 3 << 20, checkpointMilliseconds: 5000, verifies: true,
    pool: PoolOptions(reactivates: true, allowsOtherUsers: true), bootID: "boot",
    madeSeconds: 1_700_000_000)

  static let run = JournalRecord.attempt(
    JournalRecord.Attempt(
      seconds: 1_700_000_001, bootID: "boot", metadataPath: "meta", dataPath: "data",
      originPath: "origin"))

  /// Returns a checkpoint record with the given entries.
  static func checkpoint(
    _ kind: JournalRecord.SweepKind = .merge, sweep: UInt64 = 0, watermark: UInt64,
    _ entries: [JournalEntry], seconds: Int64 = 1_700_000_002
  ) -> JournalRecord {
    .checkpoint(
      JournalRecord.Checkpoint(
        seconds: seconds, kind: kind, sweep: sweep, watermark: watermark, entries: entries))
  }

  static func entry(_ start: UInt64, _ byteCount: UInt64, _ checksum: UInt32 = 1) -> JournalEntry {
    JournalEntry(start: start, byteCount: byteCount, checksum: checksum)
  }

  private static var wholeHeader: JournalHeader {
    var header = header
    header.plannedByteCount = 20_480
    return header
  }

  /// The journal of a merge that was interrupted, resumed and verified.
  static let whole = JournalSample(
    header: wholeHeader,
    records: [
      run,
      checkpoint(watermark: 8192, [entry(0, 4096, 11), entry(4096, 4096, 12)]),
      .unreadable([ByteRange(start: 8192, end: 12_288)]),
      checkpoint(watermark: 20_480, [entry(12_288, 8192, 13)]),
      run,
      checkpoint(.recheck, sweep: 1, watermark: 20_480, [entry(0, 4096, 21)]),
      checkpoint(.retry, sweep: 2, watermark: 20_480, [entry(8192, 4096, 31)]),
      .finished(seconds: 1_700_000_003),
      .verified(seconds: 1_700_000_004),
    ])
}

/// A scratch file that a test uses to read one journal after another.
final class JournalScratch {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("journal")
  }

  func reader(of bytes: [UInt8]) throws -> JournalReader<LinuxAIO> {
    try Data(bytes).write(to: URL(filePath: path))
    return try JournalOnDisk.reader(of: path)
  }

  func state(of bytes: [UInt8]) throws -> JournalState {
    var reader = try reader(of: bytes)
    return try JournalState(reading: &reader)
  }

  /// Returns the state that the engine reads from the journal, or the error if it refuses the
  /// journal.
  func verdict(on bytes: [UInt8]) throws -> Verdict {
    do throws(MergeError) {
      return .believed(Believed(try readOrRefuse(bytes).get()))
    } catch {
      return .refused(error)
    }
  }

  private func readOrRefuse(_ bytes: [UInt8]) -> Result<JournalState, MergeError> {
    do {
      return .success(try state(of: bytes))
    } catch let error as MergeError {
      return .failure(error)
    } catch {
      return .failure(MergeError(.bug, .bug, "test support", at: path, because: "\(error)"))
    }
  }

  enum Verdict: Equatable {
    case believed(Believed)
    case refused(MergeError)
  }

  /// The parts of a journal's state that tests compare.
  struct Believed: Equatable {
    var watermark, doneByteCount, endByteOffset, nextSequence: UInt64
    var unreadable: RangeSet
    var isFinished, isVerified, hasTornEnd: Bool

    init(_ state: JournalState) {
      watermark = state.watermark
      doneByteCount = state.doneByteCount
      endByteOffset = state.endByteOffset
      nextSequence = state.nextSequence
      unreadable = state.unreadable
      isFinished = state.isFinished
      isVerified = state.isVerified
      hasTornEnd = state.hasTornEnd
    }
  }
}
