import Foundation

/// Commands from a document, run as a user types them.
enum TypedScript {
  /// Runs commands in a folder, up to the first that fails; `thin-merge` is the one under test.
  static func run(_ script: String, in folder: TemporaryFolder) throws -> CommandResult {
    let binaries = URL(filePath: ThinMergeCommand.binaryPath).deletingLastPathComponent()
      .path(percentEncoded: false)
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return try ChildProcess(
      ["sh", "-e", "-c", "cd '\(folder.path)'\n\(script)"],
      environment: ["PATH": "\(binaries):\(path)"]
    ).wait()
  }
}
