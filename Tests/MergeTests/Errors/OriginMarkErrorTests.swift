import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite(
  "Errors: origins marked by unfinished merges", .waitsForPrograms, .needsTracing)
struct OriginMarkErrorTests {
  @Test(
    "if an origin mark blocks a command, the error has the expected code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = marked + notMarked

  private static let marked: [ErrorSituation] = [
    ErrorSituation(
      "the journal that the origin's mark names is gone", "mark-without-journal", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try Program.remove(merge.journal)
        return try merge.merge()
      }),
    ErrorSituation(
      "another journal is where the origin's mark names one", "mark-without-journal",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try Program.remove(merge.journal)
        try Data(JournalSample().bytes).write(to: URL(filePath: merge.journal))
        return try merge.merge(["--journal", merge.folder.path("other.journal")])
      }),
    ErrorSituation(
      "the journal that the origin's mark names can be written to by others",
      "mark-without-journal", .journalConflict,
      command: { merge in
        merge.journal = merge.folder.path("kept.journal")
        try merge.interruptEarly(["--journal", merge.journal])
        try Program.mustRun("chmod", "0666", merge.journal)
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin is a copy of a file that is half merged", "mark-without-journal",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        merge.origin = merge.folder.path("copy.img")
        try Program.mustRun("cp", "--preserve=all", merge.originFile, merge.origin)
        return try merge.merge()
      }),
    ErrorSituation(
      "another version marked the origin", "mark-without-journal", .journalConflict,
      command: { merge in
        try MergeCase.set(
          ["user.thin-merge.0-end": Array("thin-merge 9\n".utf8)], of: merge.originFile)
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin's mark had no room for the journal's path", "mark-without-journal",
      .journalConflict,
      command: { merge in
        let file = try OpenFile(
          merge.originFile, role: "file", access: .readOnly, direct: false)
        let mark = OriginMark(
          journalID: "1", identity: DeviceIdentity(file).name, bootID: "", journalPath: "")
        try MergeCase.set(["user.thin-merge.0-end": mark.encoded], of: merge.originFile)
        return try merge.merge()
      }),
  ]

  private static let notMarked: [ErrorSituation] = [
    ErrorSituation(
      "the origin cannot be marked", "cannot-mark-origin", .refused,
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "fsetxattr", on: merge.origin, with: "EIO")
      })
  ]
}
