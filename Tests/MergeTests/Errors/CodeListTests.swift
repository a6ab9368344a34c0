import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: the documented list of codes")
struct CodeListTests {
  @Test(
    "docs/schema/codes.md lists every error and note code, with the description from the source")
  func list() throws {
    let errors = try Self.rows(
      "MergeEngine/API/MergeErrorCode.swift", of: MergeError.Code.allCases.map(\.rawValue))
    let failures = try Self.rows(
      "thin-merge/Messages/Failure.swift", of: FailureCode.allCases.map(\.rawValue))
    let notes = try Self.rows(
      "MergeEngine/API/MergeNote.swift", of: MergeNote.Code.allCases.map(\.rawValue))
    let ownNotes = try Self.rows(
      "thin-merge/Messages/Messages.swift", of: Note.Code.allCases.map(\.rawValue))
    try RecordedText.expect(
      """
      # The codes of errors and notes

      `code` in a line on standard error, and in `refused`, `stopped_by` and `incomplete` of a report. A code stays
      what it is; later versions add others.

      ## Errors
      \(errors)

      Of the command itself:
      \(failures)

      ## Notes
      \(notes)

      Of the command itself:
      \(ownNotes)

      """, in: "docs/schema/codes.md")
  }

  /// Returns a table of the cases of an enumeration, each with its one-line comment from the source
  /// file.
  private static func rows(_ file: String, of codes: [String]) throws -> String {
    let source = try String(
      contentsOf: URL(filePath: PackageFolder.path("Sources/\(file)")), encoding: .utf8)
    var found: [String] = []
    var rows = ["", "| code | what it says |", "|---|---|"]
    for match in source.matches(of: #/\n *\/\/\/ (.+)\n *case \w+ = "([a-z-]+)"/#)
    where codes.contains(String(match.2)) {
      found.append(String(match.2))
      rows.append("| `\(match.2)` | \(match.1) |")
    }
    #expect(found.sorted() == codes.sorted(), "each code stands below a comment of one line")
    return rows.joined(separator: "\n")
  }
}
