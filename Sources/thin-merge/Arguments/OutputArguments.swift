internal import ArgumentParser

/// The format of the report.
struct OutputArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The report, on standard output.",
      valueName: "format"))
  var output: OutputFormat = .text
}

/// The way progress is shown on standard error.
enum ProgressMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// A bar on a terminal, lines elsewhere; nothing with JSON output.
  case auto
  /// A line that is redrawn in place.
  case bar
  /// A line every few seconds.
  case lines
  /// A JSON object per second, and every other line as JSON too.
  case json
  /// Nothing.
  case nothing = "none"
}

/// The display of progress, and the report.
struct ReportArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How progress is shown, on standard error.", valueName: "mode"))
  var progress: ProgressMode = .auto

  @OptionGroup var output: OutputArguments

  /// The words that give the command the same options again.
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
