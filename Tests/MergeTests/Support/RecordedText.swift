import Foundation
import Testing

/// A file in the package that records the expected output of a test.
enum RecordedText {
  /// True if THIN_MERGE_RECORD=1 is set, so that files are rewritten rather than compared.
  static let isRecording = ProcessInfo.processInfo.environment["THIN_MERGE_RECORD"] == "1"

  /// Compares text with a recorded file, or rewrites the file if ``isRecording`` is true.
  ///
  /// The file's path is relative to the package folder.
  static func expect(
    _ text: String, in name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let url = URL(filePath: PackageFolder.path(name))
    if isRecording { return try Data(text.utf8).write(to: url) }
    let recorded = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    guard text != recorded else { return }
    Issue.record(
      """
      \(name) says something else; if that is meant, write it anew with THIN_MERGE_RECORD=1:
      \(difference(from: recorded, to: text))
      """, sourceLocation: sourceLocation)
  }

  /// Returns the lines that differ, each preceded by the heading that it falls under.
  static func difference(from old: String, to new: String) -> String {
    let oldLines = old.split(separator: "\n", omittingEmptySubsequences: false)
    let newLines = new.split(separator: "\n", omittingEmptySubsequences: false)
    var shown: [(place: Int, text: String)] = []
    for change in newLines.difference(from: oldLines) {
      switch change {
      case .remove(let place, let line, _):
        shown.append((place, heading(of: place, in: oldLines) + "- \(line)"))
      case .insert(let place, let line, _):
        shown.append((place, heading(of: place, in: newLines) + "+ \(line)"))
      }
    }
    return shown.sorted { $0.place < $1.place }.map(\.text).joined(separator: "\n")
  }

  private static func heading(of place: Int, in lines: [Substring]) -> String {
    let heading = lines[...place].last { $0.hasPrefix("## ") }
    return heading.map { "(\($0.dropFirst(3))) " } ?? ""
  }
}
