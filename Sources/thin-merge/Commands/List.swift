internal import ArgumentParser
internal import MergeEngine

/// Lists the system's thin devices that have an external origin.
struct List: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List thin devices that have an external origin, and the progress of their merges.",
    discussion: """
      Asks device-mapper and LVM, and reads the journals in the default folder; changes nothing. \
      Lists inactive volumes too.
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
