internal import ArgumentParser
internal import MergeEngine

/// Where the pool's metadata is, and which mapping tree in it is read.
struct MappingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("The pool's metadata device, or an image of it.", valueName: "path"),
    completion: .file())
  var metadata: String?

  @Option(
    name: .customLong("metadata-snap"),
    help: ArgumentHelp(
      "Use the metadata snapshot that is held, which must be at this block.", valueName: "block"))
  var metadataSnapshotBlock: UInt64?

  @Flag(help: "The pool is not active: read the live mappings, no metadata snapshot needed.")
  var inactive = false

  func validate() throws {
    if metadataSnapshotBlock != nil, inactive {
      throw ValidationError(
        "--metadata-snap reads the metadata snapshot and --inactive the live mappings: give one")
    }
  }

  /// Which mapping tree is read.
  var mappings: MergeSource.Mappings {
    inactive ? .inactivePool : .metadataSnapshot(block: metadataSnapshotBlock)
  }

  /// Whether anything of this was given.
  var isGiven: Bool { metadata != nil || metadataSnapshotBlock != nil || inactive }
}

extension Optional where Wrapped == String {
  /// The path, which must be there and not empty.
  func path(of option: String) throws -> String {
    guard let path = self else { throw ValidationError("\(option) is missing") }
    guard !path.isEmpty else { throw ValidationError(Self.isEmpty(option)) }
    return path
  }

  /// Refuses an empty path, which is nearly always a variable of a script that was not set.
  func checkPath(of option: String) throws {
    if self == "" { throw ValidationError(Self.isEmpty(option)) }
  }

  private static func isEmpty(_ option: String) -> String {
    "\(option) is empty: was a variable of a script not set?"
  }
}
