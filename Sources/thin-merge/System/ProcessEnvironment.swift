internal import FoundationEssentials
internal import MergeEngine

/// Settings that the command takes from the system and from environment variables.
enum ProcessEnvironment {
  /// Returns the engine's environment, with an observer if events are to be reported.
  static func environment(observer: (any MergeObserver)?) -> MergeEngine.Environment {
    var environment = MergeEngine.Environment(
      stateFolder: stateFolder,
      interruption: Signals.interruption, observer: observer)
    environment.poolStateFolder = poolStateFolder(
      stateFolder: stateFolder, isRoot: ThisSystem.isRoot)
    return environment
  }

  /// Returns the folder that contains the records and locks of pools; for root, it is always the
  /// same, regardless of environment variables.
  ///
  /// Commands such as `sudo -E` can pass on another service's variables, and two runs on the same
  /// pool must be aware of each other.
  static func poolStateFolder(stateFolder: String, isRoot: Bool) -> String {
    isRoot ? usualStateFolder : stateFolder
  }

  /// True if standard error goes to the systemd journal.
  static var standardErrorIsJournal: Bool {
    StandardStream.errorIsJournal(variables: ProcessInfo.processInfo.environment)
  }

  private static let usualStateFolder = "/var/lib/thin-merge"

  /// The folder for the merge journals that this process creates.
  static var stateFolder: String {
    stateFolder(variables: ProcessInfo.processInfo.environment)
  }

  /// Returns the folder for merge journals: the one that systemd created for the service, or the
  /// default.
  static func stateFolder(variables: [String: String]) -> String {
    // A service may have several state folders; the first one is used.
    let first = variables["STATE_DIRECTORY"]?.split(separator: ":").first
    return first.map { String($0) } ?? usualStateFolder
  }

  /// The characters used to draw bars and maps on this terminal.
  static var glyphs: Glyphs { .suited(to: ProcessInfo.processInfo.environment) }

  /// Returns the colors to use for one of this process's output streams.
  static func colors(_ mode: ColorMode, isTerminal: Bool) -> Colors {
    .chosen(mode, isTerminal: isTerminal, variables: ProcessInfo.processInfo.environment)
  }

  /// Returns true if the terminal can move its cursor.
  static func terminalIsCapable(variables: [String: String]) -> Bool {
    variables["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
  }
}
