import Foundation

@testable import MergeEngine

/// Journal files, read in-process with the engine's own reader.
enum JournalOnDisk {
  static func reader(of path: String) throws -> JournalReader<LinuxAIO> {
    let file = try OpenFile(path, role: "journal", access: .readOnly, direct: false)
    return try JournalReader(
      path: path, byteCount: file.byteCountNow(),
      io: LinuxAIO(
        requestCount: 0, slabByteCount: JournalReader<LinuxAIO>.slabByteCount,
        files: [.journal: file], clock: ThisSystem.clock))
  }

  static func state(of path: String) throws -> JournalState {
    var reader = try reader(of: path)
    return try JournalState(reading: &reader)
  }

  /// Returns the byte ranges of a journal's records, stopping before the first invalid record.
  static func recordRanges(of path: String) throws -> [Range<Int>] {
    try placedRecords(of: path).map { Int($0.byteOffset)..<Int($0.endByteOffset) }
  }

  /// Returns a journal's records, stopping before the first invalid record.
  static func records(of path: String) throws -> [JournalRecord] {
    try placedRecords(of: path).map(\.record)
  }

  private static func placedRecords(
    of path: String
  ) throws -> [JournalReader<LinuxAIO>.Placed] {
    var reader = try reader(of: path)
    var records: [JournalReader<LinuxAIO>.Placed] = []
    var end = reader.headerByteCount
    while let record = try reader.record(following: end, sequence: UInt64(records.count) + 1) {
      end = record.endByteOffset
      records.append(record)
    }
    return records
  }

  /// Returns the entries of all checkpoints in a journal, in record order.
  static func entries(of path: String) throws -> [JournalEntry] {
    try records(of: path).flatMap { record -> [JournalEntry] in
      guard case .checkpoint(let checkpoint) = record else { return [] }
      return checkpoint.entries
    }
  }

  /// Replaces the records of a journal, appending each new record separately.
  static func rewrite(_ path: String, _ records: [JournalRecord]) throws {
    let reader = try reader(of: path)
    var bytes = try content(of: path).prefix(Int(reader.headerByteCount))
    var encoder = JournalEncoder(
      endByteOffset: reader.headerByteCount, nextSequence: 1,
      headerChecksum: reader.headerChecksum, dataBlockByteCount: reader.header.dataBlockByteCount)
    for record in records {
      encoder.add(record)
      bytes += encoder.appendBytes()
      encoder.advance()
    }
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: 0)
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }

  /// Returns the number of bytes that a journal records as merged; 0 if there is no journal.
  ///
  /// The merge may still be running.
  static func recordedByteCount(of path: String) throws -> Int {
    guard FileManager.default.fileExists(atPath: path) else { return 0 }
    return try Int(state(of: path).doneByteCount)
  }
}
