internal import ArgumentParser
internal import MergeEngine

/// The options that `merge` and `plan` share.
struct MergeArguments: ParsableArguments {
  /// Options for the merge's target, its journal, and the treatment of earlier runs.
  struct Target: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Block device or file to write to, if no table names it.", valueName: "path"),
      completion: .file())
    var origin: String?

    @Option(
      help: ArgumentHelp("Path of the journal.", valueName: "path"),
      completion: .file())
    var journal: String?

    @Flag(help: "Write to a qcow2, VMDK, VHD, VHDX or VDI file, or over a LUKS header.")
    var forceFormat = false

    @Flag(help: "Set an earlier journal aside and start over.")
    var restart = false

    @Flag(help: "Do not compare a merge that is already finished.")
    var noCompare = false
  }

  @OptionGroup(title: "Source") var source: SourceArguments
  @OptionGroup(title: "Target") var target: Target
  @OptionGroup(title: "Safety") var consent: ConsentArguments
  @OptionGroup(title: "Afterwards") var finish: FinishArguments
  @OptionGroup(title: "Active pools") var pool: PoolArguments
  @OptionGroup(title: "Ends") var extent: ExtentArguments
  @OptionGroup(title: "Transfers") var pace: PaceArguments<DefaultTransfer>
  @OptionGroup(title: "Output") var report: ReportArguments

  /// Checks that the typed options are valid in combination.
  func check(originIsOptional: Bool) throws {
    try source.checkOrigin(target.origin, isOptional: originIsOptional)
    try target.journal.checkPath(of: "--journal <path>")
    try pool.check(inactive: source.mapping.inactive)
    if target.restart, consent.trustEarlierRuns {
      throw ValidationError(
        "--restart sets earlier runs aside, and --trust-earlier-runs relies on them; use one")
    }
    if target.restart, consent.sameData {
      throw ValidationError(
        "--restart sets earlier runs aside, and --same-data resumes them; use one")
    }
    if target.restart, consent.again {
      throw ValidationError(
        "--restart sets the journal aside, and --again continues with it; use one")
    }
    if target.noCompare, consent.again || consent.verify || finish.finish {
      throw ValidationError(
        "--no-compare cannot be combined with --again, --verify or --finish, which compare")
    }
    if finish.finish, extent.options.pastEnd != .refuse {
      throw ValidationError(
        "--finish removes the thin volume, and --past-end skips part of it; use one")
    }
  }

  /// The options in the form that the engine takes.
  var options: MergeOptions {
    var options = MergeOptions(
      extent: extent.options, transfer: pace.transfer, journalPath: target.journal,
      restarts: target.restart, mergesAgain: consent.again, comparesFinished: !target.noCompare,
      trustsEarlierRuns: consent.trustEarlierRuns, verifies: consent.verify,
      originIsTheSame: consent.sameOrigin, dataIsTheSame: consent.sameData,
      forcesFormat: target.forceFormat, handsOver: finish.finish, takesName: finish.rename,
      pool: pool.options)
    if let interval = pace.checkpointInterval { options.checkpointInterval = interval.duration }
    return options
  }

  /// Returns the engine's options for merging a thin device that has been resolved.
  func options(of found: ResolvedThinDevice) -> MergeOptions {
    var options = options
    options.extent = found.extent(options.extent)
    return options
  }

  /// Returns the command-line words that specify the same options for the given source.
  func words(_ source: NamedSource) -> [String] {
    source.words + (target.origin.map { ["--origin", $0] } ?? []) + extent.words + pool.words
      + (target.journal.map { ["--journal", $0] } ?? [])
      + [
        (target.forceFormat, "--force-format"), (target.restart, "--restart"),
        (target.noCompare, "--no-compare"),
      ].filter(\.0).map(\.1) + consent.words + finish.words + pace.words + report.words
  }
}

/// The option to report what a verb would write, without writing anything.
struct DryRunArguments: ParsableArguments {
  @Flag(
    name: [.customShort("n"), .long],
    help: "Show what would be done, and exit with that status; write nothing to the origin.")
  var dryRun = false
}
