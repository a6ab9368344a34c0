internal import ArgumentParser
internal import MergeEngine

/// Compares the origin with the source, or with a journal's checksums.
struct Verify: Verb {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare the origin with the thin device, or with the checksums in a journal.",
    usage: SourceArguments.usage(
      "verify", origin: " --origin <path>", optionalOrigin: " [--origin <path>]")
      + "\nthin-merge verify --journal <path> [--origin <path>] [<options>]",
    discussion: """
      With --journal, no pool is needed: verify compares the origin with the checksums that the \
      merge took of the source. Exits with status 1 if anything differs. Writes nothing to the \
      source or the origin.
      """)

  /// The origin to compare, and the journal to compare the origin with.
  struct Target: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Origin to compare, if neither a table nor the journal names it.", valueName: "path"),
      completion: .file())
    var origin: String?

    @Option(
      help: ArgumentHelp(
        "Compare with the checksums in this journal, or in this volume's journal.",
        valueName: "path"),
      completion: .file())
    var journal: String?
  }

  @OptionGroup(title: "Source") var sourceArguments: SourceArguments
  @OptionGroup(title: "Target") var target: Target
  @OptionGroup(title: "Ends") var extent: ExtentArguments
  @OptionGroup(title: "Transfers") var queue: QueueArguments<DefaultTransfer>
  @OptionGroup(title: "Output") var report: ReportArguments

  var outputOptions: OutputArguments { report.output }
  var progressMode: ProgressMode { report.shownProgress }

  func check() throws {
    try target.journal.checkPath(of: "--journal <path>")
    try target.origin.checkPath(of: "--origin <path>")
    guard target.journal != nil else {
      guard sourceArguments.isGiven else {
        throw ValidationError(
          "nothing to compare with; give a thin device, or --metadata, --data and --dev-id, or "
            + "--journal")
      }
      return try sourceArguments.checkOrigin(target.origin, isOptional: false)
    }
    guard !sourceArguments.isGiven, !extent.isGiven else {
      throw ValidationError(
        "--journal needs no source and cannot be combined with a thin device, --pool, --metadata, "
          + "--data, --dev-id, --metadata-snap, --inactive, --ignore-needs-check, "
          + "--ignore-mapping-count, --thin-size or --past-end"
      )
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    if let typed = target.journal {
      let journal = try merger.journalPath(named: typed)
      let status = try merger.status(journalPath: journal)
      status.rememberOriginName()
      let originPath = try target.origin.map(merger.originPath(named:))
      let report = try merger.verify(
        journalPath: journal, originPath: originPath, transfer: queue.options)
      let text = VerifyText(
        report: report, source: ReportedSource(status),
        originPath: originPath ?? status.originPath,
        journalPath: journal, leavesOut: false,
        repairCommand: .resume(journalPath: journal, again: status.finishedSeconds != nil),
        style: outputOptions.style)
      return Outcome(report, text: text)
    }
    let source = try sourceArguments.source()
    let found = try source.found(by: merger)
    let originPath = try found.originPath(typed: target.origin, by: merger)
    let report = try merger.verify(
      found.source, against: originPath, extent: found.extent(extent.options),
      transfer: queue.options)
    let isMerged =
      merger.finishedMerge(of: found.source, onto: originPath, journalPath: nil) != nil
    let text = VerifyText(
      report: report, source: ReportedSource(found, typed: source), originPath: originPath,
      leavesOut: extent.options.pastEnd == .clip || extent.options.thinByteCount != nil,
      restartCommand: .merge(
        source, originPath: target.origin, extent: extent.options, restarts: true),
      isMerged: isMerged,
      repairCommand: .merge(
        source, originPath: target.origin, extent: extent.options, again: isMerged),
      style: outputOptions.style)
    return Outcome(report, text: text)
  }
}

extension Outcome {
  fileprivate init(_ report: VerifyReport, text: VerifyText) {
    self.init(
      report: text.style.format == .json
        ? JSONText.report(
          VerifyDocument(
            report, source: text.source, originPath: text.originPath,
            journalPath: text.journalPath)) : text.text,
      failure: report.failure, exitStatus: ExitStatus(report))
  }
}

extension VerifyReport {
  /// The failure to print on standard error; nil if the report already contains all of it.
  var failure: Failure? {
    guard let incomplete else { return nil }
    var failure = Failure(incomplete)
    failure.exitStatus = ExitStatus(self)
    return failure
  }
}
