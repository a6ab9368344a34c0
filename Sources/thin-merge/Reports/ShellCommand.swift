internal import MergeEngine

/// A command of this program, as it can be pasted into a shell.
struct ShellCommand: Equatable {
  private var words: [String]

  private init(_ verb: String, _ words: [String]) { self.words = ["thin-merge", verb] + words }

  /// The command, quoted where the shell would take a word apart.
  var text: String { words.map { ShellWord.quoted($0) }.joined(separator: " ") }

  /// Goes on with a merge.
  static func resume(journalPath: String) -> ShellCommand {
    ShellCommand("resume", [journalPath])
  }

  /// Compares the origin with the checksums of a journal.
  static func verify(journalPath: String) -> ShellCommand {
    ShellCommand("verify", ["--journal", journalPath])
  }

  /// Compares the origin with a source.
  static func verify(
    _ source: MergeSource, originPath: String, extent: ExtentOptions
  ) -> ShellCommand {
    ShellCommand("verify", words(source) + ["--origin", originPath] + words(extent))
  }

  /// Merges a source.
  static func merge(
    _ source: MergeSource, originPath: String, extent: ExtentOptions, journalPath: String? = nil
  ) -> ShellCommand {
    let journal = journalPath.map { ["--journal", $0] } ?? []
    return ShellCommand(
      "merge", words(source) + ["--origin", originPath] + words(extent) + journal)
  }

  private static func words(_ source: MergeSource) -> [String] {
    var words = [
      "--metadata", source.metadataPath, "--data", source.dataPath, "--dev-id",
      String(source.deviceID),
    ]
    switch source.mappings {
    case .metadataSnapshot(let block?): words += ["--metadata-snap", String(block)]
    case .metadataSnapshot(nil): break
    case .inactivePool: words.append("--inactive")
    }
    if source.ignoresNeedsCheck { words.append("--ignore-needs-check") }
    return words
  }

  private static func words(_ extent: ExtentOptions) -> [String] {
    var words: [String] = []
    if let byteCount = extent.thinByteCount { words += ["--thin-size", String(byteCount)] }
    if extent.pastEnd != .refuse { words += ["--past-end", extent.pastEnd.rawValue] }
    return words
  }
}
