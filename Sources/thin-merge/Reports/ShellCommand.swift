internal import MergeEngine

/// A command of this program, as it can be pasted into a shell.
struct ShellCommand: Equatable {
  private var words: [String]

  private init(_ verb: String, _ words: [String]) { self.words = ["thin-merge", verb] + words }

  /// The command, quoted where the shell would take a word apart.
  var text: String { words.map { $0.shellQuoted }.joined(separator: " ") }

  /// Goes on with a merge; with `again`, with one that is finished; with `finish`, with its handover in LVM.
  static func resume(
    journalPath: String, again: Bool = false, finish: Bool = false
  ) -> ShellCommand {
    resume((again ? ["--again"] : []) + (finish ? ["--finish"] : []) + [journalPath])
  }

  /// Goes on with a merge, as those words say.
  static func resume(_ words: [String]) -> ShellCommand { ShellCommand("resume", words) }

  /// Says how far a merge is.
  static func status(journalPath: String) -> ShellCommand {
    ShellCommand("status", [journalPath])
  }

  /// Undoes what is left in a pool; with nil, in all of them and at origins.
  static func settle(pool: String? = nil) -> ShellCommand {
    ShellCommand("settle", pool.map { ["--pool", $0] } ?? [])
  }

  /// Compares the origin with the checksums of a journal.
  static func verify(journalPath: String) -> ShellCommand {
    ShellCommand("verify", ["--journal", journalPath])
  }

  /// Compares the origin with a source.
  static func verify(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions
  ) -> ShellCommand {
    ShellCommand("verify", source.words + origin(originPath) + extent.words)
  }

  /// Merges, as those words say.
  static func merge(_ words: [String]) -> ShellCommand { ShellCommand("merge", words) }

  /// Merges a source; with `again`, although that merge is finished; with `restarts`, from the beginning.
  static func merge(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions, again: Bool = false,
    restarts: Bool = false
  ) -> ShellCommand {
    merge(
      source.words + origin(originPath) + extent.words + (again ? ["--again"] : [])
        + (restarts ? ["--restart"] : []))
  }

  private static func origin(_ path: String?) -> [String] {
    path.map { ["--origin", $0] } ?? []
  }
}
