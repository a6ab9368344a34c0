internal import ArgumentParser
internal import MergeEngine

/// Options that select the mapping tree in the pool's metadata.
struct MappingArguments: ParsableArguments {
  @Flag(help: "Read the live mappings; the pool must not be active.")
  var inactive = false

  @Option(
    name: .customLong("metadata-snap"), parsing: .unconditional,
    help: ArgumentHelp("Read the metadata snapshot held at this block.", valueName: "block"),
    transform: TypedNumber.metadataBlock)
  var metadataSnapshotBlock: UInt64?

  @Flag(help: "Read the metadata snapshot held in a pool marked needs_check.")
  var ignoreNeedsCheck = false

  func validate() throws {
    if ignoreNeedsCheck, inactive {
      throw ValidationError(
        "--ignore-needs-check reads a held metadata snapshot and cannot be combined with --inactive"
      )
    }
    if metadataSnapshotBlock != nil, inactive {
      throw ValidationError(
        "--metadata-snap reads the metadata snapshot, and --inactive the live mappings; use one")
    }
  }

  /// The mapping tree to read.
  var mappings: MergeSource.Mappings {
    inactive ? .inactivePool : .metadataSnapshot(block: metadataSnapshotBlock)
  }

  /// The mapping tree to read in an active pool.
  var mappingsOfActivePool: MergeSource.Mappings {
    metadataSnapshotBlock != nil || ignoreNeedsCheck
      ? .metadataSnapshot(block: metadataSnapshotBlock) : .ownMetadataSnapshot
  }

  /// True if any of these options was given.
  var isGiven: Bool { metadataSnapshotBlock != nil || inactive || ignoreNeedsCheck }
}

extension Optional where Wrapped == String {
  /// Returns the path that was given to an option.
  ///
  /// - Throws: A validation error if the path is missing or empty.
  func path(of option: String) throws -> String {
    guard let path = self else { throw ValidationError("\(option) is missing") }
    guard !path.isEmpty else { throw ValidationError(Self.isEmpty(option)) }
    return path
  }

  /// Refuses an empty path, which usually comes from an unset variable in a script.
  func checkPath(of option: String) throws {
    if self == "" { throw ValidationError(Self.isEmpty(option)) }
  }

  private static func isEmpty(_ option: String) -> String {
    "\(option) is empty; is a shell variable unset?"
  }
}
