internal import CArguments
internal import MergeEngine

/// The command line of this process.
enum ProcessArguments {
  /// The arguments after the command's name, as strings that preserve every byte.
  static var typed: [String] {
    (1..<max(1, carguments_count())).map { index in
      // SAFETY: each argument is zero-terminated and lives as long as the process.
      guard let argument = unsafe carguments_at(index) else { return "" }
      return unsafe FileSystem.text(ofSystemPath: argument)
    }
  }
}
