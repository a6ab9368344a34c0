import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: journals that other users may have written", .waitsForPrograms, .needsTracing)
struct JournalTrustErrorTests {
  @Test(
    "every untrusted journal causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "every untrusted journal that takes root to set up causes the expected code and exit status",
    .needsRoot, arguments: asRoot)
  func ofRoot(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations: [ErrorSituation] = [
    ErrorSituation(
      "only the journal names the target, and nobody can be asked", "usage", .usage,
      command: { merge in
        try merge.interruptEarly()
        return try ThinMergeCommand.run(["resume", merge.journal])
      }),
    ErrorSituation(
      "only a journal in a strange place names the target", "target-not-trusted", .refused,
      command: { merge in
        try Program.mustRun("mkdir", merge.folder.path("other"))
        merge.journal = merge.folder.path("other/journal")
        try merge.interruptEarly(["--journal", merge.journal])
        return try merge.resume()
      }),
  ]

  static let asRoot: [ErrorSituation] = [
    changed("the journal belongs to another user", "chown", "65534"),
    changed("the group of the journal may write to it", "chmod", "0660"),
    ErrorSituation(
      "the journal has two names", "journal-not-trusted", .refused,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("ln", merge.journal, merge.folder.path("other name"))
        return try merge.resume()
      }),
    ErrorSituation(
      "the journal belongs neither to root nor to the user", "journal-not-trusted", .refused,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("chown", "1", merge.journal)
        try Program.mustRun("chmod", "0644", merge.journal)
        return try ThinMergeCommand.runAsNobody(
          ["resume", merge.journal, "--yes"], in: merge.folder)
      }),
  ]

  /// Returns a situation in which a program such as chmod alters the journal of an unfinished
  /// merge.
  private static func changed(
    _ name: String, _ program: String, _ argument: String
  ) -> ErrorSituation {
    ErrorSituation(
      name, "journal-not-trusted", .refused,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun(program, argument, merge.journal)
        return try merge.resume()
      })
  }
}
