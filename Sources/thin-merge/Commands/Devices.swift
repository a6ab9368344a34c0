internal import ArgumentParser
internal import MergeEngine

/// Lists the thin devices in a pool's metadata.
struct Devices: Verb {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "List the thin devices in a pool's metadata snapshot.",
    usage: "thin-merge devices --metadata <path> [<options>]")

  @OptionGroup(title: "Source") var mapping: MappingArguments
  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .nothing }

  func validate() throws {
    _ = try mapping.metadata.path(of: "--metadata <path>")
  }

  func perform(in session: Session) throws -> Outcome {
    let devices = try session.merger().devices(
      metadataPath: mapping.metadata.path(of: "--metadata <path>"), mappings: mapping.mappings)
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(DevicesDocument(devices)) : DevicesText(devices: devices).text,
      failure: nil, exitStatus: .done)
  }
}
