internal import ArgumentParser

/// The amount of text that a verb prints.
enum Verbosity: Comparable, Sendable {
  /// Only errors, and the reports of verbs that exist only to report.
  case quiet
  case normal
  /// The usual output, plus details that few readers need.
  case verbose
  /// Verbose output, plus each change in device-mapper and each program that is run.
  case debug
}

/// Options for the format, amount and color of the output.
struct OutputArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("Format of the report on standard output.", valueName: "format"))
  var output: OutputFormat = .text

  @Flag(
    name: .shortAndLong, help: "Print only errors, and the report of a command that only reports.")
  var quiet = false

  @Flag(
    name: .shortAndLong,
    help: "Print details too: fingerprint, transaction, checksums, submit time.")
  var verbose = false

  @Flag(help: "Print each step in device-mapper and LVM too, on standard error.")
  var debug = false

  @Option(help: ArgumentHelp("When to use color; NO_COLOR is honored.", valueName: "when"))
  var color: ColorMode = .auto

  var verbosity: Verbosity {
    quiet ? .quiet : debug ? .debug : verbose ? .verbose : .normal
  }

  /// The layout of the report on standard output.
  var style: ReportStyle {
    ReportStyle(
      format: output, columnCount: Terminal.outputColumnCount, showsDetails: verbosity >= .verbose,
      colors: ProcessEnvironment.colors(color, isTerminal: Terminal.isStandardOutput))
  }

  /// The command-line words that specify the same options.
  var words: [String] {
    (output == .text ? [] : ["--output", output.rawValue]) + (quiet ? ["--quiet"] : [])
      + (verbose ? ["--verbose"] : []) + (debug ? ["--debug"] : [])
      + (color == .auto ? [] : ["--color", color.rawValue])
  }

  func validate() throws {
    if quiet, verbose || debug {
      throw ValidationError("--quiet cannot go with --verbose or --debug: give one")
    }
  }
}

/// The mode in which progress is shown on standard error.
enum ProgressMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// A bar on a terminal, lines otherwise; nothing with JSON output.
  case auto
  /// A progress bar that is redrawn in place.
  case bar
  /// A new line every few seconds.
  case lines
  /// One JSON object per second; all other lines on standard error are JSON too.
  case json
  /// No progress.
  case nothing = "none"
}

/// Options for the progress display and the report.
struct ReportArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How progress is shown, on standard error.", valueName: "mode"))
  var progress: ProgressMode = .auto

  @OptionGroup var output: OutputArguments

  /// The command-line words that specify the same options.
  var words: [String] {
    (progress == .auto ? [] : ["--progress", progress.rawValue]) + output.words
  }

  /// The mode in which progress is shown, taking other options into account.
  var shownProgress: ProgressMode {
    output.verbosity == .quiet && progress == .auto ? .nothing : progress
  }

  func validate() throws {
    if output.output == .json, progress == .bar || progress == .lines {
      throw ValidationError(
        "--progress \(progress.rawValue) is for people and cannot go with --output json: "
          + "use --progress json or none")
    }
  }
}
