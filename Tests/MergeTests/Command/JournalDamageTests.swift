import Fixtures
import Foundation
import MergeEngine
import Testing

/// A merge interrupted in the middle, put back into that state as often as a test likes.
///
/// The files keep their inodes, since the journal recognises the origin by its inode.
private final class InterruptedMerge {
  let merge: MergeCase
  let journalBytes: Data
  /// Where the journal's records stand.
  let records: [Range<Int>]
  private let halfMerged: Data
  private let expected: Data
  private var originIsHalfMerged = true

  init() throws {
    merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptMerge(afterCheckpoints: 3, ["--rate-limit", "512k"])
    journalBytes = try content(of: merge.journal)
    records = try JournalOnDisk.recordRanges(of: merge.journal)
    let end = try #require(records.last?.upperBound)
    try #require(records.count > 3 && (end + 4095) / 4096 * 4096 == journalBytes.count)
    halfMerged = try content(of: merge.originFile)
    expected = try merge.expectedOrigin()
    try #require(halfMerged != expected)
  }

  /// Merges with `journal` in the place of the true one, and says what was wrong, if anything.
  ///
  /// Right is: refused as damaged with the origin untouched, or merged completely. Unless it is to be
  /// done `byCommand`, the engine is called as the command does, which takes far less time.
  func complaint(withJournal journal: Data, byCommand: Bool = true) throws -> String? {
    for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
    if !originIsHalfMerged { try overwrite(merge.originFile, with: halfMerged) }
    try journal.write(to: URL(filePath: merge.journal))
    let result = try byCommand ? mergedByCommand() : mergedByEngine()
    let origin = try content(of: merge.originFile)
    originIsHalfMerged = origin == halfMerged
    switch result.exitStatus {
    case 0 where origin == expected: return nil
    case 4 where originIsHalfMerged: return nil
    case 0: return "exit 0, wrong at \(differingSectors(origin, expected))"
    case 4: return "exit 4, origin changed at \(differingSectors(origin, halfMerged))"
    default: return "exit \(result.exitStatus): \(result.message)"
    }
  }

  private func mergedByCommand() throws -> EngineInProcess.Outcome {
    let result = try merge.merge()
    return EngineInProcess.Outcome(
      exitStatus: result.exitStatus, message: result.standardError)
  }

  private func mergedByEngine() throws -> EngineInProcess.Outcome {
    try EngineInProcess.merge(
      MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0),
      onto: merge.origin)
  }

  /// The positions of one of ``partCount`` parts, which together are all of the first and the last
  /// record, every seventh byte between, and some of what only fills up blocks.
  ///
  /// Journals of two merges may differ in length by an entry or two, so parts are counted from the
  /// nearer end.
  func positions(ofPart part: Int) throws -> [Int] {
    let first = try #require(records.first)
    let last = try #require(records.last)
    let headerFieldsEnd = 1024
    return journalBytes.indices.filter { position in
      let fromEnd = journalBytes.count - 1 - position
      let distance = position < first.upperBound ? position : fromEnd
      let isSampled =
        position < headerFieldsEnd || first.contains(position) || last.contains(position)
        || distance % 7 == 0 && records.contains { $0.contains(position) } || position % 512 == 511
      let step = distance / Self.partCount
      return isSampled && distance % Self.partCount == part
        && step.isMultiple(of: Effort.sampleOneIn)
    }
  }

  static let partCount = 4
  /// As many as make use of a few cores; each has a merge of its own.
  static let parts = 0..<partCount
}

@Suite(
  "Command: a damaged journal is refused or gone on from, and never believed", .waitsForPrograms)
struct JournalDamageTests {
  // Here whole merges run, in part by the command; `JournalStateTests` has every single bit.

  @Test("a journal cut at any byte count", arguments: InterruptedMerge.parts)
  func cut(part: Int) throws {
    let interrupted = try InterruptedMerge()
    for byteCount in try interrupted.positions(ofPart: part) {
      let complaint = try interrupted.complaint(
        withJournal: interrupted.journalBytes.prefix(byteCount), byCommand: byteCount % 16 == part)
      try #require(complaint == nil, "cut to \(byteCount) bytes")
    }
  }

  @Test("a journal with any byte changed", arguments: InterruptedMerge.parts)
  func flipped(part: Int) throws {
    let interrupted = try InterruptedMerge()
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ UInt64(part))
    for position in try interrupted.positions(ofPart: part) {
      let bits = UInt8.random(in: 1...255, using: &generator)
      var journal = interrupted.journalBytes
      journal[position] ^= bits
      let complaint = try interrupted.complaint(
        withJournal: journal, byCommand: position % 16 == part)
      try #require(complaint == nil, "byte \(position), bits \(bits); \(seed)")
    }
  }

  @Test("a journal with a stretch of zeroes, as a file system leaves it after a power cut")
  func zeroed() throws {
    let interrupted = try InterruptedMerge()
    let byteCount = interrupted.journalBytes.count
    let starts = interrupted.records.flatMap { [$0.lowerBound, $0.lowerBound + 25] }
    for start in [0, 8, 16] + starts {
      var journal = interrupted.journalBytes
      journal.replaceSubrange(start..., with: Data(count: byteCount - start))
      let complaint = try interrupted.complaint(withJournal: journal)
      try #require(complaint == nil, "zeroes from byte \(start) on")
    }
  }

  @Test("a journal with something behind its last record")
  func tailOfGarbage() throws {
    let interrupted = try InterruptedMerge()
    let seed = Seed.current
    var generator = seed.generator
    for byteCount in [1, 7, 8, 63, 512, 4096] {
      let garbage = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let complaint = try interrupted.complaint(
        withJournal: interrupted.journalBytes + Data(garbage))
      try #require(complaint == nil, "\(byteCount) bytes of garbage; \(seed)")
    }
  }

  @Test("a damaged record in the middle is named as damage, with both ways on")
  func message() throws {
    let interrupted = try InterruptedMerge()
    let merge = interrupted.merge
    var journal = interrupted.journalBytes
    // The header is longer than this; a header that does not match its checksum is damage.
    journal[40] ^= 0x01
    try overwrite(merge.journal, with: journal)
    let result = try merge.merge()
    expectError(result, exitStatus: 4, naming: merge.journal)
    #expect(result.standardError.contains("--restart"))
  }
}
