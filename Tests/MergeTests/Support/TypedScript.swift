import Foundation
import Testing

@testable import thin_merge

/// Runs commands from a document as if a user had typed them.
enum TypedScript {
  /// Runs commands in a folder, stopping at the first failure.
  ///
  /// In these commands, `thin-merge` is the binary under test.
  static func run(_ script: String, in folder: TemporaryFolder) throws -> CommandResult {
    let binaries = URL(filePath: ThinMergeCommand.binaryPath).deletingLastPathComponent()
      .path(percentEncoded: false)
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return try ChildProcess(
      ["sh", "-e", "-c", "cd '\(folder.path)'\n\(script)"],
      environment: ["PATH": "\(binaries):\(path)"]
    ).wait()
  }

  /// Expects the argument parser to accept a `thin-merge` command, and returns the command's verb.
  @discardableResult static func expectAccepted(
    _ command: String, in place: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String? {
    let words = Array(
      try #require(
        ShellWords(command).words, "\(place): \(command)", sourceLocation: sourceLocation
      ).dropFirst())
    if words.first == "help" {
      #expect(
        words.dropFirst().allSatisfy(ThinMerge.verbs.contains), "\(place): \(command)",
        sourceLocation: sourceLocation)
    } else {
      #expect(throws: Never.self, "\(place): \(command)", sourceLocation: sourceLocation) {
        try ThinMerge.checked(words)
      }
    }
    return words.first
  }
}
