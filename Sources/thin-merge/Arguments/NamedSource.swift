internal import MergeEngine

/// A source as the command line names it.
enum NamedSource: Equatable {
  /// By the pool's two devices, or images of them.
  case devices(MergeSource)
  /// By a name that device-mapper or LVM knows.
  case thinDevice(
    ThinDeviceReference, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool,
    ignoresMappingCount: Bool = false)

  /// Finds out where it is.
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

  /// The name of a thin device, if that is how the source was given.
  var name: String? {
    if case .thinDevice(.device(let name), _, _, _) = self { name } else { nil }
  }

  /// The words that name it on a command line.
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
  /// The origin that was typed, or else the one that the thin device's table names.
  func originPath(typed: String?, by merger: Merger) throws -> String {
    guard let path = try typed.map(merger.originPath) ?? originPath else {
      throw Failure(
        .noOrigin, .refused,
        message: "no origin, \(source.nameInMessages): "
          + (originHint?.code == .originNotActive
            ? "its external origin is not active"
            : "neither a table nor LVM names an external origin of it"),
        hints: [
          originHint?.hint
            ?? "--origin PATH says what is to be written to, if it has one all the same"
        ])
    }
    // It may be active for this run only, and be named after that.
    _ = VolumeNames.system.inText(path)
    return path
  }

  /// How the ends meet, with the thin device's size if it is known and was not typed.
  func extent(_ typed: ExtentOptions) -> ExtentOptions {
    var extent = typed
    if extent.thinByteCount == nil { extent.thinByteCount = thinByteCount }
    return extent
  }
}
