internal import ArgumentParser
internal import MergeEngine

/// Reports what a merge would do.
struct Plan: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show what a merge would do; a dry run.",
    usage: SourceArguments.usage(
      "plan", origin: " [--origin <path>]", optionalOrigin: " [--origin <path>]"),
    discussion: """
      Takes the same options as merge, and exits with status 0 even if the merge would be refused. \
      Without an origin, the plan covers neither the origin's end nor the journal's path. In an \
      active pool, takes a metadata snapshot for the plan and releases it at once.
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
        "--journal names the journal of a merge and needs --origin")
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
      // For image files, the origin of a merge is given on the command line.
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
