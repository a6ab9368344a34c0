internal import MergeEngine

/// A command of this program, as it can be pasted into a shell.
struct ShellCommand: Equatable {
  private var words: [String]

  private init(_ verb: String, _ words: [String]) { self.words = ["thin-merge", verb] + words }

  /// The command, quoted where the shell would take a word apart.
  var text: String { words.map { $0.shellQuoted }.joined(separator: " ") }

  /// Goes on with a merge; with `again`, with one that is finished; with `finish`, with its handover in LVM, and with
  /// `rename`, by which the origin gets the thin volume's name.
  static func resume(
    journalPath: String, again: Bool = false, finish: Bool = false, rename: Bool = false
  ) -> ShellCommand {
    resume(
      (again ? ["--again"] : []) + (finish ? ["--finish"] : []) + (rename ? ["--rename"] : [])
        + [journalPath])
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

  /// The merge that was asked for, with an option more; or one of that thin device, or of one that is not known here.
  static func merged(_ thinDevice: String? = nil, adding option: String) -> ShellCommand {
    given("merge", adding: option)
      ?? merge((thinDevice.map { [$0] } ?? ["THIN-DEVICE", "--origin", "ORIGIN"]) + [option])
  }

  /// The command that was given, with an option more; nil where it was of another verb.
  ///
  /// What that option cannot go with is left out, and what keeps a merge from being carried out.
  static func given(
    _ verb: String, adding option: String, to typed: [String] = ProcessArguments.typed
  ) -> ShellCommand? {
    // It takes the same options.
    guard typed.first == verb || verb == "merge" && typed.first == "plan" else { return nil }
    let others: Set = [
      option, "--dry-run", "-n", "--again", "--no-compare", "--restart", "--same-data",
      "--trust-earlier-runs",
    ]
    return ShellCommand(verb, [option] + typed.dropFirst().filter { !others.contains($0) })
  }

  /// What an option of the command that was given has as its value.
  static func givenValue(
    of option: String, in typed: [String] = ProcessArguments.typed
  ) -> String? {
    typed.firstIndex(of: option).flatMap { typed.dropFirst($0 + 1).first }
  }

  private static func origin(_ path: String?) -> [String] {
    path.map { ["--origin", $0] } ?? []
  }
}
