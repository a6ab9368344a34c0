internal import MergeEngine

/// The source of a merge in the form in which the command line names it.
enum NamedSource: Equatable {
  /// A source given as the pool's metadata and data devices, or as images of them.
  case devices(MergeSource)
  /// A source given by its name in device-mapper or LVM.
  case thinDevice(
    ThinDeviceReference, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool,
    ignoresMappingCount: Bool = false)

  /// Resolves the source to its devices.
  func found(by merger: Merger) throws -> ResolvedThinDevice {
    switch self {
    case .devices(let source):
      return ResolvedThinDevice(source: source)
    case .thinDevice(let selection, let mappings, let ignoresNeedsCheck, let ignoresMappingCount):
      var found = try merger.resolve(
        selection, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
      found.source.ignoresMappingCount = ignoresMappingCount
      return found
    }
  }

  /// The name of the thin device; nil if the source was not given by name.
  var name: String? {
    if case .thinDevice(.device(let name), _, _, _) = self { name } else { nil }
  }

  /// The words that name the source on a command line.
  var words: [String] {
    switch self {
    case .devices(let source):
      ["--metadata", source.metadataPath, "--data", source.dataPath, "--dev-id"]
        + [String(source.deviceID)]
        + Self.words(source.mappings, source.ignoresNeedsCheck, source.ignoresMappingCount)
    case .thinDevice(let reference, let mappings, let ignoresNeedsCheck, let ignoresMappingCount):
      Self.words(reference) + Self.words(mappings, ignoresNeedsCheck, ignoresMappingCount)
    }
  }

  private static func words(_ reference: ThinDeviceReference) -> [String] {
    switch reference {
    case .device(let name): [name]
    case .member(let pool, let deviceID): ["--pool", pool, "--dev-id", String(deviceID)]
    }
  }

  private static func words(
    _ mappings: MergeSource.Mappings, _ ignoresNeedsCheck: Bool, _ ignoresMappingCount: Bool
  ) -> [String] {
    let mapping: [String] =
      switch mappings {
      case .metadataSnapshot(let block?): ["--metadata-snap", String(block)]
      case .metadataSnapshot(nil), .ownMetadataSnapshot: []
      case .inactivePool: ["--inactive"]
      }
    return mapping + (ignoresNeedsCheck ? ["--ignore-needs-check"] : [])
      + (ignoresMappingCount ? ["--ignore-mapping-count"] : [])
  }
}

extension ResolvedThinDevice {
  /// Returns the origin that was typed, or else the one named in the thin device's table.
  func originPath(typed: String?, by merger: Merger) throws -> String {
    guard let path = try typed.map(merger.originPath) ?? originPath else {
      throw Failure(
        .noOrigin, .refused,
        message: "no origin, \(source.nameInMessages): "
          + (originHint?.code == .originNotActive
            ? "its external origin is not active"
            : "neither a table nor LVM names its external origin"),
        hints: [
          originHint?.hint
            ?? "if it has one, give its path with --origin PATH"
        ])
    }
    // The origin may be active only for this run, so its name is saved for the report.
    _ = VolumeNames.system.inText(path)
    return path
  }

  /// Returns the extent options as typed, with the thin device's size filled in if it is known and
  /// was not typed.
  func extent(_ typed: ExtentOptions) -> ExtentOptions {
    var extent = typed
    if extent.thinByteCount == nil { extent.thinByteCount = thinByteCount }
    return extent
  }
}
