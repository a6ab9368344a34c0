internal import ArgumentParser
internal import MergeEngine

/// Says what a merge would do.
struct Plan: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what a merge would do; writes nothing.",
    usage: SourceArguments.usage(
      "plan", origin: " [--origin <path>]", optionalOrigin: " [--origin <path>]"),
    discussion: "Without an origin, nothing is said of its end and of the journal's place.")

  @OptionGroup(title: "Source") var sourceArguments: SourceArguments

  @Option(
    help: ArgumentHelp("What would be written to.", valueName: "path"), completion: .file())
  var origin: String?

  @Option(
    help: ArgumentHelp("Where the journal would be.", valueName: "path"), completion: .file())
  var journal: String?

  @OptionGroup(title: "Active pools") var pool: PoolArguments
  @OptionGroup(title: "Ends") var extent: ExtentArguments
  @OptionGroup(title: "Transfers") var io: IOSizeArguments
  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .auto }

  func validate() throws {
    try sourceArguments.checkOrigin(origin, isOptional: true)
    try journal.checkPath(of: "--journal <path>")
    if journal != nil, origin == nil, case .devices = try sourceArguments.source() {
      throw ValidationError(
        "--journal says where the journal of a merge would be: give --origin too")
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let source = try sourceArguments.source()
    let merger = session.merger()
    let found = try source.found(by: merger)
    let originPath = origin ?? found.originPath
    let transfer = TransferOptions(
      ioByteCount: io.ioSize?.byteCount ?? IOSizeArguments.byteCountDefault)
    let report = try merger.plan(
      found.source, onto: originPath, extent: found.extent(extent.options), transfer: transfer,
      journalPath: journal, pool: pool.options)
    let text = PlanText(
      report: report, metadataPath: found.source.metadataPath, originPath: originPath,
      mergeCommand: originPath.map { _ in
        .merge(
          source, originPath: origin, extent: extent.options, pool: pool.options,
          journalPath: journal)
      }, glyphs: Surroundings.glyphs, columnCount: Terminal.reportColumnCount)
    return Outcome(
      report: outputFormat == .json ? JSONText.report(PlanDocument(report)) : text.text,
      failure: nil, exitStatus: .done)
  }
}
