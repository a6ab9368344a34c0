internal import ArgumentParser
internal import MergeEngine

/// Lists the system's thin devices that have an external origin.
struct List: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the thin devices that have an external origin, and how far their merges are.",
    discussion: """
      Asks device-mapper and LVM, and reads the journals in the usual folder; changes nothing. \
      Volumes that are not active are listed too.
      """)

  @OptionGroup(title: "Output") var output: OutputArguments

  var outputOptions: OutputArguments { output }
  var onlyReports: Bool { true }
  var progressMode: ProgressMode { .nothing }

  func check() throws {}

  func perform(in session: Session) throws -> Outcome {
    let devices = try session.merger().thinDevices()
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(ListDocument(devices))
        : ListText(devices: devices, style: outputOptions.style).text,
      failure: nil, exitStatus: .done)
  }
}
