import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// What others could have written, and what only a journal names.
enum WhyAJournalIsNotTrusted {
  static let rows: [ErrorRow] = [
    ErrorRow(
      "that alone names the target, and nobody to be asked", .usage,
      """
      only the journal names FOLDER/origin.img and nobody can be asked: --yes or --origin is required
      """,
      hints: [
        """
        see what the journal names with 'thin-merge status FOLDER/origin.img.thin-merge', then give \
        --yes
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        return try ThinMergeCommand.run(["resume", merge.journal])
      }),
    ErrorRow(
      "elsewhere, that alone names the target", .refused,
      """
      cannot take the target from the journal, FOLDER/other/journal: it lies neither beside \
      FOLDER/origin.img nor in /var/lib/thin-merge
      """,
      hints: [
        """
        if that target is right: thin-merge resume FOLDER/other/journal --origin FOLDER/origin.img
        """
      ],
      command: { merge in
        try Program.mustRun("mkdir", merge.folder.path("other"))
        merge.journal = merge.folder.path("other/journal")
        try merge.interruptEarly(["--journal", merge.journal])
        return try merge.resume()
      }),
    ErrorRow(
      onlyStated: "an error of fstat, which cannot be told from those of other calls", .refused,
      "cannot look at the journal, JOURNAL: Input/output error",
      hints: ["the kernel's log may say more"]),
  ]

  static let asRoot: [ErrorRow] = [
    row("of another user", "it belongs to user 65534", "chown", "65534"),
    row(
      "that a group may write to", "others than its owner may write to it (mode 660)", "chmod",
      "0660"),
    ErrorRow(
      "with two names", .refused,
      "cannot trust the journal, FOLDER/origin.img.thin-merge: it has 2 names; one is expected",
      hints: [hint],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("ln", merge.journal, merge.folder.path("other name"))
        return try merge.resume()
      }),
    ErrorRow(
      "of another user than the one who asks", .refused,
      """
      cannot trust the journal, FOLDER/origin.img.thin-merge: it belongs to user 1, neither to root nor \
      to you
      """, hints: [hint],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("chown", "1", merge.journal)
        try Program.mustRun("chmod", "0644", merge.journal)
        return try ThinMergeCommand.runAsNobody(
          ["resume", merge.journal, "--yes"], in: merge.folder)
      }),
  ]

  private static let hint =
    "'thin-merge status FOLDER/origin.img.thin-merge' shows what it names; if that is right, resume a "
    + "copy that is your own"

  private static func row(
    _ situation: String, _ reason: String, _ program: String, _ argument: String
  ) -> ErrorRow {
    ErrorRow(
      situation, .refused, "cannot trust the journal, FOLDER/origin.img.thin-merge: \(reason)",
      hints: [hint],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun(program, argument, merge.journal)
        return try merge.resume()
      })
  }
}

@Suite("Errors: why a journal is not trusted", .waitsForPrograms, .needsTracing)
struct TrustErrorTests {
  @Test("in these words", arguments: WhyAJournalIsNotTrusted.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }

  @Test(
    "as root brings them about, in these words", .needsRoot,
    arguments: WhyAJournalIsNotTrusted.asRoot)
  func wordsAsRoot(row: ErrorRow) throws { try row.check() }
}
