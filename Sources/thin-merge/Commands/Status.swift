internal import ArgumentParser
internal import MergeEngine

/// Reports the progress of merges.
struct Status: Verb {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say how far a merge is, how fast it was, what is left and what to do next.",
    discussion: """
      Reads journals only, also while a merge runs. Without an argument it lists all merges whose \
      journals are in the usual folder.
      """)

  @Argument(
    help: ArgumentHelp(
      "The journal of the merge, or the volume that is merged or merged onto.",
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
