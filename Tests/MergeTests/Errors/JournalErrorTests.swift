import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: unusable journals", .waitsForPrograms)
struct JournalErrorTests {
  @Test(
    "every unusable journal causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "every unusable journal that takes root to set up causes the expected code and exit status",
    .needsLoopDevices,
    arguments: asRoot)
  func ofRoot(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "if a system call on the journal is refused, the error has the matching code and exit status",
    .needsTracing,
    arguments: refused)
  func ofSystem(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = notReadable + madeOnPurpose + locked

  private static let notReadable: [ErrorSituation] = [
    ErrorSituation(
      "the journal is another file", "not-journal", .journalConflict,
      command: { merge in
        try ThinMergeCommand.run(["status", merge.metadata])
      }),
    ErrorSituation(
      "the journal to be put aside is another file", "not-journal", .journalConflict,
      command: { merge in
        try Data("these are my notes\n".utf8).write(to: URL(filePath: merge.journal))
        return try merge.merge(["--restart"])
      }),
    damaged("the journal is cut within its first bytes", "journal-header-cut") { $0.prefix(12) },
    damaged("the journal is cut within its header", "journal-header-cut") { $0.prefix(100) },
    damaged("the journal is of a later format", "journal-version-unknown") {
      edited($0, at: 8, to: 2)
    },
    damaged("the journal needs a feature of a newer version", "journal-newer") {
      Data(Array($0.prefix(4096)).settingField(50, to: 1))
    },
    damaged("the journal's header has no bytes", "journal-header-size-invalid") {
      edited(edited($0, at: 12, to: 0), at: 13, to: 0)
    },
    damaged("the journal's header was changed", "journal-header-checksum-wrong") {
      edited($0, at: 40, to: ~$0[40])
    },
    damaged("the journal's header lacks fields", "journal-header-field-invalid") { journal in
      var header = Array(journal.prefix(12)) + [0, 16, 0, 0]
      header += [UInt8](repeating: 0, count: 4096 - 4 - header.count)
      var sum = ByteWriter()
      sum.append(CRC32C.checksum(of: RawSpan(_elements: header.span)))
      return Data(header + sum.bytes)
    },
  ]

  private static let madeOnPurpose = [
    crafted(with: "a record of more ranges than one has", "journal-record-unknown"),
    crafted(with: "data blocks of 512 bytes", "journal-header-field-invalid"),
    crafted(with: "an entry of more than 64 MiB", "journal-entry-too-large"),
    crafted(with: "an entry behind the end", "journal-bytes-outside"),
    crafted(with: "an unreadable range behind the end", "journal-bytes-outside"),
    crafted(with: "entries of more than is planned", "journal-too-many-bytes"),
    crafted(with: "more planned than there is", "journal-header-field-invalid"),
    crafted(with: "two sweeps of the same half, and a watermark at the end", "journal-bytes-twice"),
    crafted(with: "an entry behind its watermark", "journal-beyond-watermark"),
    crafted(with: "entries that go back", "journal-out-of-order"),
    crafted(with: "more unreadable ranges than a merge goes on with", "journal-too-many-ranges"),
    crafted(with: "a record that is gone, before others", "journal-damaged"),
  ]

  private static let locked: [ErrorSituation] = [
    ErrorSituation(
      "a running merge has locked the journal", "journal-locked", .busy,
      command: { merge in
        try merge.interruptEarly()
        return try withExtendedLifetime(HeldFile.withFileLock(merge.journal)) { try merge.resume() }
      })
  ]

  /// Situations that take root to produce, because they use loop devices or switch to an
  /// unprivileged user.
  static let asRoot: [ErrorSituation] = [
    ErrorSituation(
      "the journal may not be renamed by the user", "cannot-rename-journal", .refused,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("chmod", "0666", merge.journal, merge.origin)
        return try ThinMergeCommand.runAsNobody(
          merge.mergeArguments(["--restart"]), in: merge.folder)
      }),
    ErrorSituation(
      "the journal is a block device", "wrong-file-kind", .refused,
      command: { merge in
        let spare = merge.folder.path("spare.img")
        try Program.mustRun("truncate", "--size", "1M", spare)
        let device = try LoopDevice(backing: spare)
        merge.journal = merge.folder.path("node")
        try Program.mustRun("cp", "-a", device.path, merge.journal)
        let said = try merge.merge(["--journal", merge.journal])
        for verb in [["status"], ["resume"], ["verify", "--journal"]] {
          let other = try ThinMergeCommand.run(verb + [merge.journal])
          #expect(try ReportedError(other) == ReportedError(said), "\(verb)")
        }
        return said
      }),
  ]

  /// Situations in which a system call on the journal is refused.
  static let refused: [ErrorSituation] = [
    ErrorSituation(
      "the file system has no room to record that a merge is given up", "cannot-append-journal",
      .refused,
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(["--restart"]), refusing: "pwrite64", on: merge.journal,
          with: "ENOSPC")
      }),
    ErrorSituation(
      "the journal cannot be locked", "cannot-lock-journal", .refused,
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "flock", on: merge.journal, with: "ENOLCK")
      }),
    ErrorSituation(
      "the journal cannot be flushed when it is opened", "cannot-flush-journal", .refused,
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "fsync,fdatasync", on: merge.journal, with: "EIO")
      }),
    ErrorSituation(
      "the journal of a merge that did not begin cannot be removed", "cannot-remove-journal",
      .refused,
      command: { merge in
        try Data(JournalSample().bytes).write(to: URL(filePath: merge.journal))
        return try merge.run(
          merge.mergeArguments(), refusing: "?unlink,unlinkat", on: merge.journal, with: "EROFS")
      }),
    ErrorSituation(
      "the torn end of the journal cannot be cut", "cannot-cut-journal", .refused,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "-1", merge.journal)
        return try merge.run(
          merge.mergeArguments(), refusing: "ftruncate", on: merge.journal, with: "EROFS")
      }),
    ErrorSituation(
      "the journal cannot be read", "cannot-read-journal", .refused,
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          ["status", merge.journal], refusing: "pread64", on: merge.journal, with: "EIO")
      }),
  ]

  // MARK: Preparation

  /// Returns a situation in which the journal of a finished merge is damaged.
  private static func damaged(
    _ name: String, _ code: String,
    _ damage: @escaping @Sendable (Data) throws -> Data
  ) -> ErrorSituation {
    ErrorSituation(
      name, code, .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try damage(content(of: merge.journal)).write(to: URL(filePath: merge.journal))
        return try ThinMergeCommand.run(["status", merge.journal])
      })
  }

  private static func edited(_ journal: Data, at place: Int, to value: UInt8) -> Data {
    var journal = journal
    journal[place] = value
    return journal
  }

  /// Returns a situation in which a crafted journal has valid checksums but impossible contents.
  private static func crafted(with what: String, _ code: String) -> ErrorSituation {
    ErrorSituation("a crafted journal has \(what)", code, .journalConflict) {
      let journal = try #require(CraftedJournalTests.journals[what])
      let scratch = try JournalScratch()
      guard case .refused(let error) = try scratch.verdict(on: journal.bytes) else {
        throw SupportError("believed")
      }
      return ReportedError(error).naming([(error.place, "JOURNAL")])
    }
  }
}
