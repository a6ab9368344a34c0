internal import MergeEngine

/// A command of this program, as it can be pasted into a shell.
struct ShellCommand: Equatable {
  private var words: [String]

  private init(_ verb: String, _ words: [String]) { self.words = ["thin-merge", verb] + words }

  /// The command, quoted where the shell would take a word apart.
  var text: String { words.map { $0.shellQuoted }.joined(separator: " ") }

  /// Goes on with a merge; with `again`, with one that is finished.
  static func resume(journalPath: String, again: Bool = false) -> ShellCommand {
    ShellCommand("resume", (again ? ["--again"] : []) + [journalPath])
  }

  /// Says how far a merge is.
  static func status(journalPath: String) -> ShellCommand {
    ShellCommand("status", [journalPath])
  }

  /// Undoes what is left in a pool.
  static func settle(pool: String) -> ShellCommand {
    ShellCommand("settle", ["--pool", pool])
  }

  /// Compares the origin with the checksums of a journal.
  static func verify(journalPath: String) -> ShellCommand {
    ShellCommand("verify", ["--journal", journalPath])
  }

  /// Compares the origin with a source.
  static func verify(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions
  ) -> ShellCommand {
    ShellCommand("verify", source.words + origin(originPath) + words(extent))
  }

  /// Merges a source.
  static func merge(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions,
    pool: PoolOptions = PoolOptions(), journalPath: String? = nil, again: Bool = false,
    unseenLoopsOk: Bool = false
  ) -> ShellCommand {
    let journal = journalPath.map { ["--journal", $0] } ?? []
    return ShellCommand(
      "merge",
      source.words + origin(originPath) + words(extent) + words(pool) + journal
        + (again ? ["--again"] : []) + (unseenLoopsOk ? ["--unseen-loops-ok"] : []))
  }

  private static func origin(_ path: String?) -> [String] {
    path.map { ["--origin", $0] } ?? []
  }

  private static func words(_ pool: PoolOptions) -> [String] {
    [
      (pool.allowsOpenThinDevice, "--snapshot"), (pool.mergesThinDeviceItself, "--no-snapshot"),
      (pool.reactivates, "--reactivate"),
      (pool.makesOriginWritable, "--make-origin-writable"),
      (pool.allowsOtherUsers, "--other-users-ok"),
    ].filter(\.0).map(\.1)
  }

  private static func words(_ extent: ExtentOptions) -> [String] {
    var words: [String] = []
    if let byteCount = extent.thinByteCount { words += ["--thin-size", String(byteCount)] }
    if extent.pastEnd != .refuse { words += ["--past-end", extent.pastEnd.rawValue] }
    return words
  }
}
