internal import ArgumentParser
internal import MergeEngine

/// Lists the thin devices in a pool's metadata.
struct Devices: Verb {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "List the thin devices in a pool's metadata.",
    usage: """
      thin-merge devices --pool <name> [<options>]
      thin-merge devices --metadata <path> [<options>]
      """,
    discussion: "In an active pool, takes a metadata snapshot for the list and releases it at once."
  )

  /// The pool or metadata device whose thin devices are listed.
  struct Source: ParsableArguments {
    @Option(
      help: ArgumentHelp("Active pool.", valueName: "name"), completion: Completions.pools)
    var pool: String?

    @Option(
      help: ArgumentHelp("The pool's metadata device, or an image of it.", valueName: "path"),
      completion: .file())
    var metadata: String?

    @OptionGroup var mapping: MappingArguments

    /// An operand, parsed only to give a better error message.
    @Argument(help: .private)
    var operand: String?
  }

  @OptionGroup(title: "Source") var source: Source
  @OptionGroup(title: "Output") var output: OutputArguments

  var outputOptions: OutputArguments { output }
  var onlyReports: Bool { true }
  var progressMode: ProgressMode { .nothing }

  func check() throws {
    if let operand = source.operand {
      let isNamed = source.pool != nil || source.metadata != nil
      throw ValidationError(
        "unexpected argument '\(operand)': "
          + (isNamed
            ? "the pool is already given"
            : "give a pool as --pool \(operand.shellQuoted), a device or an image as --metadata "
              + operand.shellQuoted))
    }
    guard source.pool != nil || source.metadata != nil else {
      throw ValidationError("no pool given; give --pool <name> or --metadata <path>")
    }
    try source.pool.checkPath(of: "--pool <name>")
    try source.metadata.checkPath(of: "--metadata <path>")
    guard source.pool == nil || (source.metadata == nil && !source.mapping.inactive) else {
      throw ValidationError(
        "--pool names an active pool and cannot be combined with --metadata or --inactive")
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    let devices =
      if let pool = source.pool {
        try merger.devices(
          pool: pool, mappings: source.mapping.mappingsOfActivePool,
          ignoresNeedsCheck: source.mapping.ignoreNeedsCheck)
      } else {
        try merger.devices(
          metadataPath: source.metadata.path(of: "--metadata <path>"),
          mappings: source.mapping.mappings, ignoresNeedsCheck: source.mapping.ignoreNeedsCheck)
      }
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(DevicesDocument(devices)) : DevicesText(devices: devices).text,
      failure: nil, exitStatus: .done)
  }
}
