internal import ArgumentParser

/// What the report is made for.
struct OutputArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The report, on standard output.",
      valueName: "format"))
  var output: OutputFormat = .text
}

/// How progress is shown on standard error.
enum ProgressMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// A bar on a terminal, lines elsewhere; nothing with JSON output.
  case auto
  /// A line that is drawn again in place.
  case bar
  /// A line every few seconds.
  case lines
  /// A JSON object a second, and every other line as one too.
  case json
  /// Nothing.
  case nothing = "none"
}

/// What is shown while a verb runs, and at its end.
struct ReportArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How progress is shown, on standard error.", valueName: "mode"))
  var progress: ProgressMode = .auto

  @OptionGroup var output: OutputArguments

  /// The words that say the same to the command again.
  var words: [String] {
    (progress == .auto ? [] : ["--progress", progress.rawValue])
      + (output.output == .text ? [] : ["--output", output.output.rawValue])
  }

  func validate() throws {
    if output.output == .json, progress == .bar || progress == .lines {
      throw ValidationError(
        "--progress \(progress.rawValue) is for people and cannot go with --output json: "
          + "use --progress json or none")
    }
  }
}
