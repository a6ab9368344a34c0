import Fixtures
import Foundation
import MergeEngine
import Testing

/// A merge interrupted partway through, which a test can restore to that state any number of times.
///
/// The files keep their inodes, because the journal identifies the origin by its inode.
private final class InterruptedMerge {
  let merge: MergeCase
  let journalBytes: Data
  /// The byte range of each record in the journal.
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

  /// Merges with `journal` in place of the real one, and returns a description of any incorrect
  /// result.
  ///
  /// Two results are correct: the merge is refused because of a damaged journal, with the origin
  /// unchanged, or it completes. Unless `byCommand` is true, the engine is called directly, which
  /// is much faster.
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

  /// Returns the journal positions to test in one of ``partCount`` parts.
  ///
  /// Together the parts cover every byte of the first and last records, every seventh byte between
  /// them, and some of the block padding. The journals of two merges may differ in length by an
  /// entry or two, so positions are counted from the nearer end.
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
  /// The parts into which the test is split to use several cores; each runs its own merge.
  static let parts = 0..<partCount
}

@Suite(
  "Command: damaged journals", .waitsForPrograms)
struct JournalDamageTests {
  // These tests run whole merges, some of them with the command; `JournalStateTests` covers every
  // single bit.

  @Test(
    "a merge whose journal is cut short at any byte is refused or completes correctly",
    arguments: InterruptedMerge.parts)
  func cut(part: Int) throws {
    let interrupted = try InterruptedMerge()
    for byteCount in try interrupted.positions(ofPart: part) {
      let complaint = try interrupted.complaint(
        withJournal: interrupted.journalBytes.prefix(byteCount), byCommand: byteCount % 16 == part)
      try #require(complaint == nil, "cut to \(byteCount) bytes")
    }
  }

  @Test(
    "a merge whose journal has any single byte changed is refused or completes correctly",
    arguments: InterruptedMerge.parts)
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

  @Test(
    "a merge whose journal ends in zeros after a power cut is refused or completes correctly"
  )
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

  @Test("a merge with garbage after the last journal record is refused or completes correctly")
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

  @Test("a journal with a damaged header is refused with status 4, and the hint names --restart")
  func message() throws {
    let interrupted = try InterruptedMerge()
    let merge = interrupted.merge
    var journal = interrupted.journalBytes
    // Byte 40 is inside the header, and a header that does not match its checksum counts as
    // damaged.
    journal[40] ^= 0x01
    try overwrite(merge.journal, with: journal)
    let result = try merge.merge()
    expectError(result, exitStatus: 4, naming: merge.journal)
    #expect(result.standardError.contains("--restart"))
  }
}
