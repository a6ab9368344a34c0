import Fixtures
import Foundation
import Testing

/// A merge interrupted in the middle, put back into that state as often as a test likes.
///
/// The files keep their inodes, since the journal recognises the origin by its inode.
private final class InterruptedMerge {
  let merge: MergeCase
  let journalBytes: Data
  private let halfMerged: Data
  private let expected: Data

  init() throws {
    merge = try MergeCase(scatteredBlocks: 24)
    try merge.interruptMerge(afterCheckpoints: 3)
    journalBytes = try content(of: merge.journal)
    halfMerged = try content(of: merge.originFile)
    expected = try merge.expectedOrigin()
  }

  /// Merges with `journal` in the place of the true one, and says what was wrong, if anything.
  ///
  /// Right is: refused as damaged with the origin untouched, or merged completely.
  func complaint(withJournal journal: Data) throws -> String? {
    for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
    try overwrite(merge.originFile, with: halfMerged)
    try journal.write(to: URL(filePath: merge.journal))
    let result = try merge.merge()
    let origin = try content(of: merge.originFile)
    switch result.exitStatus {
    case 0 where origin == expected: return nil
    case 4 where origin == halfMerged: return nil
    case 0: return "exit 0, wrong at \(differingSectors(origin, expected))"
    case 4: return "exit 4, origin changed at \(differingSectors(origin, halfMerged))"
    default: return "exit \(result.exitStatus): \(result.standardError)"
    }
  }

  /// Positions in the journal: all of a short one; of a long one all near both ends, and every
  /// seventh between.
  var positions: [Int] {
    let nearEnd = 4096
    return (0..<journalBytes.count).filter { position in
      position < nearEnd || position >= journalBytes.count - nearEnd || position % 7 == 0
    }
  }
}

@Suite("Command: a damaged journal is refused or gone on from, and never believed")
struct JournalDamageTests {
  @Test("a journal cut at any byte count")
  func cut() throws {
    let interrupted = try InterruptedMerge()
    for byteCount in interrupted.positions {
      let complaint = try interrupted.complaint(
        withJournal: interrupted.journalBytes.prefix(byteCount))
      try #require(complaint == nil, "cut to \(byteCount) bytes")
    }
  }

  @Test("a journal with any byte changed")
  func flipped() throws {
    let interrupted = try InterruptedMerge()
    let seed = Seed.current
    var generator = seed.generator
    for position in interrupted.positions {
      let bits = UInt8.random(in: 1...255, using: &generator)
      var journal = interrupted.journalBytes
      journal[position] ^= bits
      let complaint = try interrupted.complaint(withJournal: journal)
      try #require(complaint == nil, "byte \(position), bits \(bits); \(seed)")
    }
  }

  @Test("a journal with a stretch of zeroes, as a file system leaves it after a power cut")
  func zeroed() throws {
    let interrupted = try InterruptedMerge()
    let byteCount = interrupted.journalBytes.count
    for start in stride(from: 0, to: byteCount, by: max(1, byteCount / 64)) {
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
