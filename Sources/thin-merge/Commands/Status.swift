internal import ArgumentParser
internal import MergeEngine

/// Reports the status of merges.
struct Status: Verb {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the progress of a merge, or of all merges.",
    discussion: """
      Shows how far a merge is, how fast it was, what is left and what to do next. Only reads \
      journals; also works during a merge. Without an argument, lists all merges that have their \
      journal in the default folder.
      """)

  @Argument(
    help: ArgumentHelp(
      "Journal of the merge, or its thin volume or origin volume.",
      valueName: "journal"),
    completion: Completions.journals)
  var journal: String?

  @OptionGroup(title: "Output") var output: OutputArguments

  var outputOptions: OutputArguments { output }
  var onlyReports: Bool { true }
  var progressMode: ProgressMode { .nothing }

  func check() throws {
    if journal != nil { _ = try journal.path(of: "<journal>") }
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    guard let journal else {
      let journals = merger.journals()
      return Outcome(
        report: outputFormat == .json
          ? JSONText.report(StatusListDocument(journals))
          : StatusListText(journals: journals, style: outputOptions.style).text,
        failure: nil, exitStatus: .done)
    }
    let report = try merger.status(journalPath: merger.journalPath(named: journal))
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(StatusDocument(report))
        : StatusText(report: report, style: outputOptions.style).text,
      failure: nil, exitStatus: .done)
  }
}
