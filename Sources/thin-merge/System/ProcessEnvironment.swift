internal import FoundationEssentials
internal import MergeEngine

/// The settings that the command takes from the system and its variables.
enum ProcessEnvironment {
  /// Returns the engine's environment, with an observer if somebody is to be informed.
  static func environment(observer: (any MergeObserver)?) -> MergeEngine.Environment {
    var environment = MergeEngine.Environment(
      stateFolder: stateFolder,
      interruption: Signals.interruption, observer: observer)
    environment.poolStateFolder = poolStateFolder(
      stateFolder: stateFolder, isRoot: ThisSystem.isRoot)
    return environment
  }

  /// Returns the folder above the records and locks of pools: for root always the same, regardless
  /// of variables.
  ///
  /// `sudo -E` and the like pass on the variables of another service, and two runs on one pool must
  /// know of each other.
  static func poolStateFolder(stateFolder: String, isRoot: Bool) -> String {
    isRoot ? usualStateFolder : stateFolder
  }

  /// True if the systemd journal reads standard error.
  static var standardErrorIsJournal: Bool {
    StandardStream.errorIsJournal(variables: ProcessInfo.processInfo.environment)
  }

  private static let usualStateFolder = "/var/lib/thin-merge"

  /// The folder of this process's journals.
  static var stateFolder: String {
    stateFolder(variables: ProcessInfo.processInfo.environment)
  }

  /// Returns the folder of the journals: the one that systemd created for the service, or the
  /// default.
  static func stateFolder(variables: [String: String]) -> String {
    // A service may have several folders; the first is its own.
    let first = variables["STATE_DIRECTORY"]?.split(separator: ":").first
    return first.map { String($0) } ?? usualStateFolder
  }

  /// The characters for bars and maps on this terminal.
  static var glyphs: Glyphs { .suited(to: ProcessInfo.processInfo.environment) }

  /// Returns the colors for a stream of this process.
  static func colors(_ mode: ColorMode, isTerminal: Bool) -> Colors {
    .chosen(mode, isTerminal: isTerminal, variables: ProcessInfo.processInfo.environment)
  }

  /// Returns true if the terminal can move its cursor.
  static func terminalIsCapable(variables: [String: String]) -> Bool {
    variables["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
  }
}
