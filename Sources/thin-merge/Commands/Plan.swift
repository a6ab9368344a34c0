internal import ArgumentParser
internal import MergeEngine

/// Says what a merge would do.
struct Plan: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what a merge would do; writes nothing.",
    usage: SourceArguments.usage(
      "plan", origin: " [--origin <path>]", optionalOrigin: " [--origin <path>]"),
    discussion: """
      Without an origin, nothing is said of its end and of the journal's place. In an active pool a \
      metadata snapshot is taken for the plan, and released at once.
      """)

  /// What would be written.
  struct Target: ParsableArguments {
    @Option(
      help: ArgumentHelp("What would be written to, if no table names it.", valueName: "path"),
      completion: .file())
    var origin: String?

    @Option(
      help: ArgumentHelp("The journal, in another place than the usual.", valueName: "path"),
      completion: .file())
    var journal: String?

    @Flag(help: "Take an origin as it is that is a container, or has a LUKS header.")
    var forceFormat = false
  }

  @OptionGroup(title: "Source") var sourceArguments: SourceArguments
  @OptionGroup(title: "Target") var target: Target
  @OptionGroup(title: "Safety") var loops: LoopDeviceArguments
  @OptionGroup(title: "Active pools") var pool: PoolArguments
  @OptionGroup(title: "Ends") var extent: ExtentArguments
  @OptionGroup(title: "Transfers") var io: IOSizeArguments<DefaultTransfer>
  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .auto }

  func check() throws {
    try sourceArguments.checkOrigin(target.origin, isOptional: true)
    try target.journal.checkPath(of: "--journal <path>")
    try pool.check(inactive: sourceArguments.mapping.inactive)
    if target.journal != nil, target.origin == nil, case .devices = try sourceArguments.source() {
      throw ValidationError(
        "--journal says where the journal of a merge would be: give --origin too")
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let source = try sourceArguments.source()
    let merger = session.merger(loops: loops)
    let found = try source.found(by: merger)
    let originPath = target.origin ?? found.originPath
    let transfer = TransferOptions(
      ioByteCount: io.ioSize?.byteCount ?? DefaultTransfer.ioByteCount)
    let report = try merger.plan(
      found.source, onto: originPath, extent: found.extent(extent.options), transfer: transfer,
      journalPath: target.journal, forcesFormat: target.forceFormat, pool: pool.options)
    let reported = ReportedSource(found, typed: source)
    let text = PlanText(
      report: report, source: reported, originPath: originPath,
      mergeCommand: originPath.map { _ in
        .merge(
          source, originPath: target.origin, extent: extent.options, pool: pool.options,
          journalPath: target.journal, unseenLoopsOk: loops.unseenLoopsOk)
      }, glyphs: ProcessEnvironment.glyphs, columnCount: Terminal.reportColumnCount)
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(PlanDocument(report, source: reported, originPath: originPath))
        : text.text,
      failure: nil, exitStatus: .done)
  }
}
