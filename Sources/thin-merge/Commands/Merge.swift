internal import ArgumentParser
internal import MergeEngine

/// Writes a thin device's blocks onto its external origin.
struct Merge: Verb {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge a thin device into its external origin.",
    usage: SourceArguments.usage(
      "merge", origin: " --origin <path>", optionalOrigin: " [--origin <path>]"),
    discussion: """
      Resumes an earlier run of the same merge automatically. Ctrl-C stops the merge cleanly, so \
      that it can be resumed. A size is a number with an optional unit: b, s (512 bytes), k, M, \
      G or T.
      """)

  @OptionGroup var arguments: MergeArguments
  @OptionGroup(title: "Safety") var rehearsal: DryRunArguments

  var outputOptions: OutputArguments { arguments.report.output }
  var onlyReports: Bool { rehearsal.dryRun }
  var progressMode: ProgressMode { arguments.report.shownProgress }

  func check() throws { try arguments.check(originIsOptional: false) }

  func perform(in session: Session) throws -> Outcome {
    let (target, consent) = (arguments.target, arguments.consent)
    let source = try arguments.source.source()
    if arguments.finish.finish, !target.restart, !consent.again, let name = source.name,
      let journalPath = try session.merger().handoverJournalPath(named: name)
    {
      // The thin volume has already been removed, so only the handover remains to be done.
      return try Finishing(
        journalPath: journalPath, takesName: arguments.finish.rename,
        isDry: rehearsal.dryRun
      ).outcome(consent: consent, style: outputOptions.style, messageFormat, in: session)
    }
    let found = try source.found(by: session.merger())
    let originPath = try found.originPath(typed: target.origin, by: session.merger())
    let reported = ReportedSource(found, typed: source)
    let isFinished =
      session.merger().finishedMerge(
        of: found.source, onto: originPath, journalPath: target.journal) != nil
    // Comparing a finished merge needs no consent, because it writes nothing.
    let onlyCompares =
      !target.restart && !consent.again && !arguments.finish.finish && isFinished
    let rewriting: Confirmation.Rewriting? =
      target.restart && isFinished ? .restart : consent.again ? .again : nil
    func confirmation() throws(Failure) -> Confirmation? {
      guard !onlyCompares else { return nil }
      return try Confirmation.needed(
        reported, originPath: originPath, yes: consent.yes, rewriting: rewriting,
        format: messageFormat)
    }
    let options = arguments.options(of: found)
    guard !rehearsal.dryRun else {
      return try DryRun(
        source: reported, originPath: originPath,
        command: .merge(arguments.words(source)), style: outputOptions.style
      ).outcome(consent: confirmation) {
        try session.merger(loops: consent.loops)
          .plan(found.source, onto: originPath, options: options)
      }
    }
    let report = try session.merger(
      confirmation: confirmation(), isApproved: !onlyCompares, loops: consent.loops
    ).merge(found.source, onto: originPath, options: options)
    let text = MergeText(
      report: report, source: reported, originPath: originPath,
      // A copy of the data device may lack merged blocks.
      verifyCommand: report.thinDevice == .asMerged && !consent.sameData
        ? .verify(source, originPath: target.origin, extent: arguments.extent.options)
        : .verify(journalPath: report.journalPath),
      againCommand: .merge(
        source, originPath: target.origin, extent: arguments.extent.options, again: true),
      style: outputOptions.style)
    return Outcome(
      report, text: text, renames: arguments.finish.rename)
  }
}

extension Outcome {
  /// Creates the outcome of a new or resumed merge.
  ///
  /// - `renames`: true if the origin was supposed to get the thin volume's name.
  init(_ report: MergeReport, text: MergeText, renames: Bool) {
    self.init(
      report: text.style.format == .json
        ? JSONText.report(
          MergeDocument(report, source: text.source, originPath: text.originPath)) : text.text,
      failure: report.failure(renames: renames), exitStatus: ExitStatus(report))
  }
}

extension MergeReport {
  private var undoFailure: Failure? {
    guard !cleanupFailures.isEmpty else { return nil }
    return Failure(
      .notPutBack, .stopped,
      message: "merged, but some changes could not be undone: "
        + cleanupFailures.map(\.textInCommandTerms).joined(separator: "; "),
      hints: [
        "the next merge or resume retries that; to retry it now, run".above(
          ShellCommand.settle().text)
      ])
  }

  /// Returns the failure to print on standard error; nil if there is none, or if the report already
  /// contains all of it.
  ///
  /// - `renames`: true if the origin was supposed to get the thin volume's name.
  func failure(renames: Bool = false) -> Failure? {
    switch state {
    case .stopped(let error) where !canBeResumed: Failure(error)
    case .stopped(let error): Failure(stopping: error, journalPath: journalPath)
    case .finished: verification?.failure ?? handoverFailure(renames: renames) ?? undoFailure
    }
  }

  private func handoverFailure(renames: Bool) -> Failure? {
    guard case .stopped(let error) = handover else { return nil }
    guard error.code != .notApproved else { return Finishing.notAgreed(error.place) }
    var failure = Failure(error)
    failure.message = "merged, but not finished in LVM: \(failure.message)"
    if error.kind != .bug { failure.exitStatus = .stopped }
    failure.hints.append(
      "continue with".above(
        ShellCommand.resume(journalPath: journalPath, finish: true, rename: renames).text))
    return failure
  }
}
