internal import ArgumentParser
internal import MergeEngine

/// Writes a thin device's blocks onto its external origin.
struct Merge: Verb {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Write a thin device's own blocks onto its external origin.",
    usage: SourceArguments.usage(
      "merge", origin: " --origin <path>", optionalOrigin: " [--origin <path>]"),
    discussion: """
      Goes on by itself where an earlier run of the same merge stopped. Ctrl-C stops it in good \
      order. A size is a number with b, s (512 bytes), k, M, G, T or nothing behind it.
      """)

  /// What is written.
  struct Target: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "The block device or file to write to, if no table names it.", valueName: "path"),
      completion: .file())
    var origin: String?

    @Option(
      help: ArgumentHelp("The journal, in another place than the usual.", valueName: "path"),
      completion: .file())
    var journal: String?

    @Flag(help: "Write onto a qcow2, VMDK, VHD, VHDX or VDI file, or over a LUKS header.")
    var forceFormat = false

    @Flag(help: "Put an earlier journal aside and begin again.")
    var restart = false

    @Flag(help: "Do not read and compare what a finished merge has merged.")
    var noCompare = false
  }

  @OptionGroup(title: "Source") var sourceArguments: SourceArguments
  @OptionGroup(title: "Target") var target: Target
  @OptionGroup(title: "Safety") var consent: ConsentArguments
  @OptionGroup(title: "Active pools") var pool: PoolArguments
  @OptionGroup(title: "Ends") var extent: ExtentArguments
  @OptionGroup(title: "Transfers") var pace: PaceArguments<DefaultTransfer>
  @OptionGroup(title: "Output") var report: ReportArguments

  var outputFormat: OutputFormat { report.output.output }
  var progressMode: ProgressMode { report.progress }

  func check() throws {
    try sourceArguments.checkOrigin(target.origin, isOptional: false)
    try target.journal.checkPath(of: "--journal <path>")
    try pool.check(inactive: sourceArguments.mapping.inactive)
    if target.restart, consent.trustEarlierRuns {
      throw ValidationError(
        "--restart puts earlier runs aside and --trust-earlier-runs relies on them: give one")
    }
    if target.restart, consent.sameData {
      throw ValidationError(
        "--restart puts earlier runs aside and --same-data goes on with them: give one")
    }
    if target.restart, consent.again {
      throw ValidationError(
        "--restart puts the journal aside and --again goes on with it: give one")
    }
    if target.noCompare, consent.again || consent.verify {
      throw ValidationError("--no-compare cannot go with --again and --verify, which compare")
    }
  }

  /// What the engine is told.
  var options: MergeOptions {
    var options = MergeOptions(
      extent: extent.options, transfer: pace.transfer, journalPath: target.journal,
      restarts: target.restart, mergesAgain: consent.again, comparesFinished: !target.noCompare,
      trustsEarlierRuns: consent.trustEarlierRuns, verifies: consent.verify,
      originIsTheSame: consent.sameOrigin, dataIsTheSame: consent.sameData,
      forcesFormat: target.forceFormat, pool: pool.options)
    if let interval = pace.checkpointInterval { options.checkpointInterval = interval.duration }
    return options
  }

  func perform(in session: Session) throws -> Outcome {
    let source = try sourceArguments.source()
    let found = try source.found(by: session.merger())
    let originPath = try found.originPath(typed: target.origin)
    let reported = ReportedSource(found, typed: source)
    // Comparing a finished merge needs no consent, for it writes nothing.
    let onlyCompares =
      !target.restart && !consent.again
      && session.merger().finishedMerge(
        of: found.source, onto: originPath, journalPath: target.journal) != nil
    let confirmation =
      onlyCompares
      ? nil
      : try Confirmation.needed(
        reported, originPath: originPath, yes: consent.yes, again: consent.again,
        format: messageFormat)
    var options = options
    options.extent = found.extent(options.extent)
    let report = try session.merger(
      confirmation: confirmation, isApproved: !onlyCompares, loops: consent.loops
    ).merge(found.source, onto: originPath, options: options)
    let text = MergeText(
      report: report, source: reported, originPath: originPath,
      // A copy of the data device may lack what was merged.
      verifyCommand: report.thinDevice == .asMerged && !consent.sameData
        ? .verify(source, originPath: target.origin, extent: extent.options)
        : .verify(journalPath: report.journalPath))
    return Outcome(report, text: text, format: outputFormat)
  }
}

extension Outcome {
  /// The outcome of a merge or a resumed one.
  init(_ report: MergeReport, text: MergeText, format: OutputFormat) {
    self.init(
      report: format == .json
        ? JSONText.report(
          MergeDocument(report, source: text.source, originPath: text.originPath)) : text.text,
      failure: report.failure, exitStatus: ExitStatus(report))
  }
}

extension MergeReport {
  private var undoFailure: Failure? {
    guard !cleanupFailures.isEmpty else { return nil }
    return Failure(
      .notPutBack, .stopped,
      message: "merged, but not everything was put back as it was, the pool: "
        + cleanupFailures.map(\.textInCommandTerms).joined(separator: "; "),
      hints: ["the next run of any verb on that pool tries again"])
  }

  /// What is to be said on standard error; nil if all went well, or if the report says it all.
  var failure: Failure? {
    switch state {
    case .stopped(let error) where !canBeResumed: Failure(error)
    case .stopped(let error): Failure(stopping: error, journalPath: journalPath)
    case .finished: verification?.failure ?? undoFailure
    }
  }
}
