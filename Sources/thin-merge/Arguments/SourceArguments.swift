internal import ArgumentParser
internal import MergeEngine

/// Options that name the source of a merge, which is one thin device in a pool.
struct SourceArguments: ParsableArguments {
  /// The largest id that a thin device in a pool can have.
  static let deviceIDMax: UInt32 = 16_777_215

  /// Returns a verb's usage: three lines, one for each way to name a source.
  static func usage(_ verb: String, origin: String, optionalOrigin: String) -> String {
    """
    thin-merge \(verb) <thin-device>\(optionalOrigin) [<options>]
    thin-merge \(verb) --pool <name> --dev-id <number>\(origin) [<options>]
    thin-merge \(verb) --metadata <path> --data <path> --dev-id <number>\(origin) [<options>]
    """
  }

  @Argument(
    help: ArgumentHelp(
      "LVM volume (VG/LV), active or not; or active thin device (/dev/mapper/NAME or NAME).",
      valueName: "thin-device"),
    completion: Completions.thinDevices)
  var thinDevice: String?

  @Option(
    help: ArgumentHelp("Active pool that contains the thin device.", valueName: "name"),
    completion: Completions.pools)
  var pool: String?

  @Option(
    help: ArgumentHelp("The pool's metadata device, or an image of it.", valueName: "path"),
    completion: .file())
  var metadata: String?

  @Option(
    help: ArgumentHelp("The pool's data device, or an image of it.", valueName: "path"),
    completion: .file())
  var data: String?

  @Option(
    name: .customLong("dev-id"), parsing: .unconditional,
    help: ArgumentHelp("Thin device's number in the pool.", valueName: "number"),
    completion: Completions.deviceIDs, transform: TypedNumber.deviceID)
  var deviceID: UInt32?

  @OptionGroup var mapping: MappingArguments

  @Flag(help: "Accept a mapping count that differs from the device details.")
  var ignoreMappingCount = false

  func validate() throws {
    if let deviceID, deviceID > Self.deviceIDMax {
      throw ValidationError(
        "--dev-id \(deviceID) is above the maximum, \(Self.deviceIDMax)")
    }
  }

  /// True if any of these options was given.
  var isGiven: Bool {
    thinDevice != nil || pool != nil || metadata != nil || data != nil || deviceID != nil
      || mapping.isGiven || ignoreMappingCount
  }

  /// Returns the source that the command line names.
  func source() throws -> NamedSource {
    guard isGiven else {
      throw ValidationError(
        "no source given; give a thin device, or --metadata, --data and --dev-id")
    }
    if let thinDevice {
      guard deviceID == nil || pool == nil && (metadata == nil || data == nil) else {
        throw ValidationError(
          "unexpected argument '\(thinDevice)': the source is already given")
      }
      guard pool == nil, metadata == nil, data == nil, deviceID == nil else {
        throw ValidationError(
          "'\(thinDevice)' names the whole source and cannot be combined with --pool, --metadata, "
            + "--data or --dev-id")
      }
      return try active(.device(Optional(thinDevice).path(of: "<thin-device>")))
    }
    if let pool {
      guard metadata == nil, data == nil else {
        throw ValidationError(
          "--pool names the pool's devices and cannot be combined with --metadata or --data")
      }
      return try active(
        .member(pool: Optional(pool).path(of: "--pool <name>"), deviceID: givenDeviceID()))
    }
    let metadataPath = try metadata.path(of: "--metadata <path>")
    let dataPath = try data.path(of: "--data <path>")
    var source = MergeSource(
      metadataPath: metadataPath, dataPath: dataPath, deviceID: try givenDeviceID(),
      mappings: mapping.mappings, ignoresNeedsCheck: mapping.ignoreNeedsCheck)
    source.ignoresMappingCount = ignoreMappingCount
    return .devices(source)
  }

  /// Checks that the source is named completely and that an origin is given, unless the origin can
  /// be found in a thin device's table.
  func checkOrigin(_ origin: String?, isOptional: Bool) throws {
    let source = try source()
    try origin.checkPath(of: "--origin <path>")
    if case .thinDevice = source { return }
    if !isOptional { _ = try origin.path(of: "--origin <path>") }
  }

  private func givenDeviceID() throws -> UInt32 {
    guard let deviceID else {
      throw ValidationError("--dev-id <number> is missing")
    }
    return deviceID
  }

  private func active(_ selection: ThinDeviceReference) throws -> NamedSource {
    guard !mapping.inactive else {
      throw ValidationError(
        "--inactive needs --metadata and --data, the devices of a pool that is not active")
    }
    return .thinDevice(
      selection, mappings: mapping.mappingsOfActivePool,
      ignoresNeedsCheck: mapping.ignoreNeedsCheck, ignoresMappingCount: ignoreMappingCount)
  }
}
