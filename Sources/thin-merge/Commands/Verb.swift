internal import ArgumentParser
internal import MergeEngine

/// A subcommand: options in, one call of the engine, one report out.
protocol Verb: ParsableCommand {
  /// The format, amount and color of what is printed.
  var outputOptions: OutputArguments { get }
  /// The way progress is shown.
  var progressMode: ProgressMode { get }
  /// True if the report is the purpose of the command, so that it is printed even if quiet.
  var onlyReports: Bool { get }
  /// Checks the typed options together.
  ///
  /// The parser's `validate` does not serve: it runs before the parser reports an unknown option. A
  /// misspelled option leaves a value without an option, and `validate` would complain about that
  /// value instead.
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
  /// The failure for standard error, after the report.
  var failure: Failure?
  /// The exit status of the command.
  var exitStatus: ExitStatus
}

/// The surroundings of one run of a verb.
struct Session {
  /// The display of progress and messages.
  let display: ProgressDisplay
  /// The volumes that are active only for the verb.
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

  /// Returns the engine, with `confirmation` to ask before anything is written.
  ///
  /// `isApproved`: false to refuse every write without a question.
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
