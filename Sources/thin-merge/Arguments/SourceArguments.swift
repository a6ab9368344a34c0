internal import ArgumentParser
internal import MergeEngine

/// What is merged: one thin device of a pool.
struct SourceArguments: ParsableArguments {
  /// The largest number that a pool gives a thin device.
  static let deviceIDMax: UInt32 = 16_777_215

  /// The words that name a source.
  static let usage = "--metadata <path> --data <path> --dev-id <number>"

  @OptionGroup var mapping: MappingArguments

  @Option(help: ArgumentHelp("The pool's data device, or an image of it.", valueName: "path"))
  var data: String?

  @Option(
    name: .customLong("dev-id"),
    help: ArgumentHelp("The thin device's number in the pool.", valueName: "number"))
  var deviceID: UInt32?

  @Flag(help: "Read the held metadata snapshot of a pool that is marked needs_check.")
  var ignoreNeedsCheck = false

  // The live forms are known here so that they get an answer and not a riddle.
  @Option(help: .hidden) var pool: String?
  @Argument(help: .hidden) var thinDevice: String?

  func validate() throws {
    if let name = pool ?? thinDevice {
      throw ValidationError(
        "'\(name)' is no option here, and thin devices of live pools are not supported yet: give "
          + "--metadata, --data and --dev-id")
    }
    if let deviceID, deviceID > Self.deviceIDMax {
      throw ValidationError(
        "--dev-id \(deviceID) is above \(Self.deviceIDMax), the largest there is")
    }
    if ignoreNeedsCheck, mapping.inactive {
      throw ValidationError(
        "--ignore-needs-check reads a held metadata snapshot and cannot go with --inactive")
    }
  }

  /// Whether anything of this was given.
  var isGiven: Bool { mapping.isGiven || data != nil || deviceID != nil || ignoreNeedsCheck }

  /// The source, if the command line names all of it.
  func source() throws -> MergeSource {
    let metadataPath = try mapping.metadata.path(of: "--metadata <path>")
    let dataPath = try data.path(of: "--data <path>")
    guard let deviceID else {
      throw ValidationError("Missing expected argument '--dev-id <number>'")
    }
    return MergeSource(
      metadataPath: metadataPath, dataPath: dataPath, deviceID: deviceID,
      mappings: mapping.mappings, ignoresNeedsCheck: ignoreNeedsCheck)
  }
}
