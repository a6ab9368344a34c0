internal import ArgumentParser
internal import MergeEngine

/// Says how far a merge is.
struct Status: Verb {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say how far a merge is, how fast it was, what is left and what to do next.",
    discussion: "Reads the journal only, also while the merge runs.")

  @Argument(
    help: ArgumentHelp("The journal of the merge.", valueName: "journal"),
    completion: Completions.journals)
  var journal: String

  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .nothing }

  func check() throws {
    _ = try Optional(journal).path(of: "<journal>")
  }

  func perform(in session: Session) throws -> Outcome {
    let report = try session.merger().status(journalPath: journal)
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(StatusDocument(report)) : StatusText(report: report).text,
      failure: nil, exitStatus: .done)
  }
}
