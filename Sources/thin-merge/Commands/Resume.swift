internal import ArgumentParser
internal import MergeEngine

/// Resumes a merge that stopped.
struct Resume: Verb {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Resume an interrupted merge.",
    discussion: "Takes everything from the merge's journal; options override it.")

  /// The current paths of the devices in the journal, if they have changed.
  struct Places: ParsableArguments {
    @Option(
      help: ArgumentHelp("Current path of the same origin.", valueName: "path"),
      completion: .file())
    var origin: String?

    @Option(
      help: ArgumentHelp("Current path of the same metadata device.", valueName: "path"),
      completion: .file())
    var metadata: String?

    @Option(
      help: ArgumentHelp("Current path of the same data device.", valueName: "path"),
      completion: .file())
    var data: String?
  }

  @Argument(
    help: ArgumentHelp(
      "Journal of the merge, or its thin volume or origin volume.",
      valueName: "journal"),
    completion: Completions.journals)
  var journal: String

  @OptionGroup(title: "Moved devices") var places: Places
  @OptionGroup(title: "Safety") var consent: ConsentArguments
  @OptionGroup(title: "Afterwards") var finish: FinishArguments
  @OptionGroup(title: "Active pools") var pool: PoolArguments
  @OptionGroup(title: "Transfers") var pace: PaceArguments<RecordedTransfer>
  @OptionGroup(title: "Output") var report: ReportArguments
  @OptionGroup(title: "Safety") var rehearsal: DryRunArguments

  var outputOptions: OutputArguments { report.output }
  var onlyReports: Bool { rehearsal.dryRun }
  var progressMode: ProgressMode { report.shownProgress }

  func check() throws {
    _ = try Optional(journal).path(of: "<journal>")
    try places.metadata.checkPath(of: "--metadata <path>")
    try places.data.checkPath(of: "--data <path>")
    try places.origin.checkPath(of: "--origin <path>")
  }

  /// The command-line words that specify the same options.
  private var words: [String] {
    let moved = [
      ("--origin", places.origin), ("--metadata", places.metadata), ("--data", places.data),
    ].flatMap { option, path in path.map { [option, $0] } ?? [] }
    return [journal] + moved + consent.words + finish.words + pool.words + pace.words + report.words
  }

  /// The options in the form that the engine takes.
  var options: ResumeOptions {
    var options = ResumeOptions()
    options.metadataPath = places.metadata
    options.dataPath = places.data
    options.originPath = places.origin
    options.queueDepth = pace.queue.queueDepth
    options.ioByteCount = pace.queue.io.ioSize?.byteCount
    options.rateLimit = pace.rateLimit?.byteCount
    options.checkpointInterval = pace.checkpointInterval?.duration
    options.mergesAgain = consent.again
    options.trustsEarlierRuns = consent.trustEarlierRuns
    options.verifies = consent.verify
    options.originIsTheSame = consent.sameOrigin
    options.dataIsTheSame = consent.sameData
    options.handsOver = finish.finish
    options.takesName = finish.rename
    options.pool = pool.options
    return options
  }

  func perform(in session: Session) throws -> Outcome {
    // The devices in the question and the report are those named in the journal.
    let merger = session.merger()
    let recorded = try merger.recordedMerge(journalPath: merger.journalPath(named: journal))
    let status = recorded.status
    status.rememberOriginName()
    if status.finishedSeconds != nil, !consent.again, !status.isHandedOver,
      finish.finish || status.handover != nil
    {
      return try Finishing(
        journalPath: status.journalPath, takesName: finish.rename,
        isDry: rehearsal.dryRun
      ).outcome(consent: consent, style: outputOptions.style, messageFormat, in: session)
    }
    if status.finishedSeconds != nil, !consent.again {
      let refusal = session.merger().refusalAsUnsettled(recorded, metadataPath: places.metadata)
      let failure = refusal.map { Failure($0) }
      return Outcome(
        report: outputFormat == .json
          ? JSONText.report(StatusDocument(status))
          : StatusText(report: status, style: outputOptions.style).text,
        failure: failure, exitStatus: failure?.exitStatus ?? .done)
    }
    var options = options
    options.originPath = try places.origin.map(merger.originPath(named:))
    let originPath = options.originPath ?? status.originPath
    var source = ReportedSource(status)
    if let metadata = places.metadata { source.metadataPath = metadata }
    if let data = places.data { source.dataPath = data }
    func confirmation() throws(Failure) -> Confirmation? {
      try Confirmation.needed(
        source, originPath: originPath,
        target: places.origin == nil ? .recorded(journalPath: status.journalPath) : .typed,
        yes: consent.yes, rewriting: consent.again ? .again : nil, format: messageFormat)
    }
    guard !rehearsal.dryRun else {
      return try DryRun(
        source: source, originPath: originPath, command: .resume(words),
        style: outputOptions.style
      ).outcome(consent: confirmation) {
        try session.merger(loops: consent.loops).plan(recorded, options: options)
      }
    }
    let report = try session.merger(confirmation: confirmation(), loops: consent.loops)
      .resume(recorded, options: options)
    let text = MergeText(
      report: report, source: source, originPath: originPath,
      verifyCommand: .verify(journalPath: report.journalPath),
      againCommand: source.name.map { name in
        if case .proposed = report.handover { return .merge([name, "--again"]) }
        // The thin device may now have a different origin.
        let origin = places.origin ?? status.originName ?? status.originPath
        return .merge([name, "--origin", origin, "--again"])
      },
      style: outputOptions.style)
    return Outcome(report, text: text, renames: finish.rename)
  }
}
