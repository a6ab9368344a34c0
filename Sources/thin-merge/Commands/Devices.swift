internal import ArgumentParser
internal import MergeEngine

/// Lists the thin devices in a pool's metadata.
struct Devices: Verb {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "List the thin devices in a pool's metadata snapshot.",
    usage: """
      thin-merge devices --pool <name> [<options>]
      thin-merge devices --metadata <path> [<options>]
      """)

  @Option(
    help: ArgumentHelp("The active pool.", valueName: "name"), completion: Completions.pools)
  var pool: String?

  @OptionGroup(title: "Source") var mapping: MappingArguments
  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .nothing }

  func validate() throws {
    guard pool != nil else {
      _ = try mapping.metadata.path(of: "--metadata <path>")
      return
    }
    _ = try pool.path(of: "--pool <name>")
    guard mapping.metadata == nil, !mapping.inactive else {
      throw ValidationError(
        "--pool names an active pool: --metadata and --inactive cannot go with it")
    }
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    let devices =
      if let pool {
        try merger.devices(
          pool: pool,
          mappings: mapping.metadataSnapshotBlock.map { .metadataSnapshot(block: $0) }
            ?? .ownMetadataSnapshot)
      } else {
        try merger.devices(
          metadataPath: mapping.metadata.path(of: "--metadata <path>"), mappings: mapping.mappings)
      }
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(DevicesDocument(devices)) : DevicesText(devices: devices).text,
      failure: nil, exitStatus: .done)
  }
}
