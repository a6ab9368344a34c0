internal import ArgumentParser
internal import MergeEngine

/// A subcommand, which takes options, calls the engine, and returns a report.
protocol Verb: ParsableCommand {
  /// The options for the format, amount and color of the output.
  var outputOptions: OutputArguments { get }
  /// The mode in which progress is shown.
  var progressMode: ProgressMode { get }
  /// True if the command exists only to print a report, so the report is printed even with
  /// `--quiet`.
  var onlyReports: Bool { get }
  /// Checks that the typed options are valid in combination.
  ///
  /// The parser's `validate` is not suitable because it runs before the parser reports an unknown
  /// option. A misspelled option leaves its value without an option, and `validate` would complain
  /// about that value instead.
  func check() throws
  /// Runs the verb and returns its outcome.
  func perform(in session: Session) throws -> Outcome
}

extension Verb {
  /// The format of the report.
  var outputFormat: OutputFormat { outputOptions.output }

  var onlyReports: Bool { false }

  /// The format of the lines on standard error.
  var messageFormat: OutputFormat {
    Messages.format(output: outputFormat, progress: progressMode)
  }
}

/// The result of a verb.
struct Outcome {
  /// The report, for standard output.
  var report: String
  /// The failure to print on standard error after the report.
  var failure: Failure?
  /// The exit status of the command.
  var exitStatus: ExitStatus
}

/// The context in which a verb runs.
struct Session {
  /// The display of progress and messages.
  let display: ProgressDisplay
  /// The volumes that are activated only while the verb runs.
  let volumes: ActivatedVolumes

  private let verbosity: Verbosity

  init(display: ProgressDisplay, verbosity: Verbosity) {
    self.display = display
    self.verbosity = verbosity
    volumes = Self.environment(
      display, verbosity, Observer(display: display, confirmation: nil, isApproved: false)
    ).makeActivatedVolumes()
  }

  private static func environment(
    _ display: ProgressDisplay, _ verbosity: Verbosity, _ observer: Observer
  ) -> Environment {
    let environment = ProcessEnvironment.environment(observer: observer)
    return verbosity >= .debug ? environment.traced { display.trace($0) } : environment
  }

  /// Returns the engine, set up to ask `confirmation` before anything is written.
  ///
  /// `isApproved`: false to refuse every write without asking.
  func merger(
    confirmation: Confirmation? = nil, isApproved: Bool = true, loops: LoopDeviceArguments? = nil
  ) -> Merger {
    var environment = Self.environment(
      display, verbosity,
      Observer(display: display, confirmation: confirmation, isApproved: isApproved))
    environment.allowsUnseenLoopDevices = loops?.unseenLoopsOk == true
    environment.activatedVolumes = volumes
    return Merger(environment: environment)
  }
}

private struct Observer: MergeObserver {
  let display: ProgressDisplay
  let confirmation: Confirmation?
  let isApproved: Bool

  func note(_ note: MergeNote) { display.note(Note(note)) }

  func progress(_ progress: MergeProgress) { display.progress(progress) }

  func approve(_ plan: PlanReport) -> Bool {
    guard let confirmation else { return isApproved }
    display.clear()
    return confirmation.ask(plan)
  }
}
