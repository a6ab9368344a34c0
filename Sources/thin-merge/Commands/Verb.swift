internal import ArgumentParser
internal import MergeEngine

/// One thing that the command does: options in, one call of the engine, one report out.
protocol Verb: ParsableCommand {
  /// What the report is made for.
  var outputFormat: OutputFormat { get }
  /// How progress is shown.
  var progressMode: ProgressMode { get }
  /// Looks at what was typed as a whole.
  ///
  /// Not the parser's `validate`, which comes before it says that it does not know an option: a misspelt
  /// one leaves a value without an option, and that would be called wrong instead.
  func check() throws
  /// Does it.
  func perform(in session: Session) throws -> Outcome
}

extension Verb {
  /// What the lines on standard error are made for.
  var messageFormat: OutputFormat {
    Messages.format(output: outputFormat, progress: progressMode)
  }
}

/// What a verb has to say at its end.
struct Outcome {
  /// The report, for standard output.
  var report: String
  /// What is said on standard error afterwards.
  var failure: Failure?
  /// How the command ends.
  var exitStatus: ExitStatus
}

/// What a verb runs in.
struct Session {
  /// Who shows how it goes.
  let display: ProgressDisplay
  /// The volumes that are active only for the verb.
  let volumes: ActivatedVolumes

  init(display: ProgressDisplay) {
    self.display = display
    volumes = ProcessEnvironment.environment(
      observer: Observer(display: display, confirmation: nil, isApproved: false)
    ).makeActivatedVolumes()
  }

  /// The verbs of the engine, with `confirmation` to ask before anything is written.
  ///
  /// `isApproved`: false where nothing is to be written, without a question.
  func merger(
    confirmation: Confirmation? = nil, isApproved: Bool = true, loops: LoopDeviceArguments? = nil
  ) -> Merger {
    let observer = Observer(
      display: display, confirmation: confirmation, isApproved: isApproved)
    var environment = ProcessEnvironment.environment(observer: observer)
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
