internal import ArgumentParser
internal import MergeEngine

/// Reports what a merge would do.
struct Plan: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what a merge would do, without touching the origin.",
    usage: SourceArguments.usage(
      "plan", origin: " [--origin <path>]", optionalOrigin: " [--origin <path>]"),
    discussion: """
      Takes the options of merge, and ends with status 0 where that would be refused. Without an \
      origin, nothing is said of its end and of the journal's place. In an active pool a metadata \
      snapshot is taken for the plan, and released at once.
      """)

  @OptionGroup var arguments: MergeArguments

  var outputOptions: OutputArguments { arguments.report.output }
  var onlyReports: Bool { true }
  var progressMode: ProgressMode { arguments.report.shownProgress }

  func check() throws {
    try arguments.check(originIsOptional: true)
    if arguments.target.journal != nil, arguments.target.origin == nil,
      case .devices = try arguments.source.source()
    {
      throw ValidationError(
        "--journal says where the journal of a merge would be: give --origin too")
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let source = try arguments.source.source()
    let merger = session.merger(loops: arguments.consent.loops)
    let found = try source.found(by: merger)
    var (originPath, refusal): (String?, Failure?)
    do {
      originPath = try found.originPath(typed: arguments.target.origin, by: merger)
    } catch let failure as Failure {
      // For images, the merge is given the origin on the command line.
      refusal = source.name == nil ? nil : failure
    }
    let report = try merger.plan(
      found.source, onto: originPath, options: arguments.options(of: found))
    return Outcome(
      report, source: ReportedSource(found, typed: source), originPath: originPath,
      command: originPath.map { _ in .merge(arguments.words(source)) }, style: outputOptions.style,
      refusal: refusal)
  }
}
