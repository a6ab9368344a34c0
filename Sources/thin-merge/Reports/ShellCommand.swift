internal import MergeEngine

/// A command of this program, ready to paste into a shell.
struct ShellCommand: Equatable {
  private var words: [String]

  private init(_ verb: String, _ words: [String]) { self.words = ["thin-merge", verb] + words }

  /// The command as text, with quotes around words that a shell would not take literally.
  var text: String { words.map { $0.shellQuoted }.joined(separator: " ") }

  /// Returns the command that resumes a merge.
  ///
  /// `again` resumes a finished merge, `finish` carries out the handover in LVM, and `rename` makes
  /// the handover give the origin the thin volume's name.
  static func resume(
    journalPath: String, again: Bool = false, finish: Bool = false, rename: Bool = false
  ) -> ShellCommand {
    resume(
      (again ? ["--again"] : []) + (finish ? ["--finish"] : []) + (rename ? ["--rename"] : [])
        + [journalPath])
  }

  /// Returns the `resume` command with the given words.
  static func resume(_ words: [String]) -> ShellCommand { ShellCommand("resume", words) }

  /// Returns the command that reports a merge's status.
  static func status(journalPath: String) -> ShellCommand {
    ShellCommand("status", [journalPath])
  }

  /// Returns the command that undoes leftovers in the given pool; if `pool` is nil, in all pools
  /// and at all origins.
  static func settle(pool: String? = nil) -> ShellCommand {
    ShellCommand("settle", pool.map { ["--pool", $0] } ?? [])
  }

  /// Returns the command that compares the origin with the checksums of a journal.
  static func verify(journalPath: String) -> ShellCommand {
    ShellCommand("verify", ["--journal", journalPath])
  }

  /// Returns the command that compares the origin with a source.
  static func verify(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions
  ) -> ShellCommand {
    ShellCommand("verify", source.words + origin(originPath) + extent.words)
  }

  /// Returns the command that compares the origin with the source that a report is about.
  static func verify(_ source: ReportedSource, originPath: String) -> ShellCommand {
    let devices = [
      "--metadata", source.metadataPath, "--data", source.dataPath, "--dev-id",
      "\(source.deviceID)",
    ]
    return ShellCommand("verify", (source.name.map { [$0] } ?? devices) + origin(originPath))
  }

  /// Returns the `merge` command with the given words.
  static func merge(_ words: [String]) -> ShellCommand { ShellCommand("merge", words) }

  /// Returns the command that merges a source; `again` repeats a finished merge, and `restarts`
  /// starts from the beginning.
  static func merge(
    _ source: NamedSource, originPath: String?, extent: ExtentOptions, again: Bool = false,
    restarts: Bool = false
  ) -> ShellCommand {
    merge(
      source.words + origin(originPath) + extent.words + (again ? ["--again"] : [])
        + (restarts ? ["--restart"] : []))
  }

  /// Returns the typed merge command with one more option; if none was typed, a merge command for
  /// the given thin device, or with placeholders if that is nil.
  static func merged(_ thinDevice: String? = nil, adding option: String) -> ShellCommand {
    given("merge", adding: option)
      ?? merge((thinDevice.map { [$0] } ?? ["THIN-DEVICE", "--origin", "ORIGIN"]) + [option])
  }

  /// Returns the typed command with one more option; nil if a different verb was typed.
  ///
  /// Options that conflict with the new one, or that prevent the merge, are dropped.
  static func given(
    _ verb: String, adding option: String, to typed: [String] = ProcessArguments.typed
  ) -> ShellCommand? {
    // `plan` takes the options of `merge`.
    guard typed.first == verb || verb == "merge" && typed.first == "plan" else { return nil }
    let others: Set = [
      option, "--dry-run", "-n", "--again", "--no-compare", "--restart", "--same-data",
      "--trust-earlier-runs",
    ]
    return ShellCommand(verb, [option] + typed.dropFirst().filter { !others.contains($0) })
  }

  /// Returns the value of an option on the typed command line.
  static func givenValue(
    of option: String, in typed: [String] = ProcessArguments.typed
  ) -> String? {
    typed.firstIndex(of: option).flatMap { typed.dropFirst($0 + 1).first }
  }

  private static func origin(_ path: String?) -> [String] {
    path.map { ["--origin", $0] } ?? []
  }
}
