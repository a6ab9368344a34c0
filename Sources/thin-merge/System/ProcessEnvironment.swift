internal import FoundationEssentials
internal import MergeEngine

/// What the command is told by the system that it runs on.
enum ProcessEnvironment {
  /// The engine's environment, with `observer` to tell, if anybody is to be told.
  static func environment(observer: (any MergeObserver)?) -> MergeEngine.Environment {
    var environment = MergeEngine.Environment(
      stateFolder: stateFolder,
      interruption: Signals.interruption, observer: observer)
    environment.poolStateFolder = poolStateFolder(
      stateFolder: stateFolder, isRoot: ThisSystem.isRoot)
    return environment
  }

  /// The folder with that of the records and locks of pools: root has one, whatever the variables say.
  ///
  /// `sudo -E` and the like bring along the variables of somebody else's service, and two runs on one pool must
  /// know of each other.
  static func poolStateFolder(stateFolder: String, isRoot: Bool) -> String {
    isRoot ? usualStateFolder : stateFolder
  }

  /// Whether the journal of systemd reads standard error.
  static var standardErrorIsJournal: Bool {
    StandardStream.errorIsJournal(variables: ProcessInfo.processInfo.environment)
  }

  private static let usualStateFolder = "/var/lib/thin-merge"

  /// The folder of the journals here.
  static var stateFolder: String {
    stateFolder(variables: ProcessInfo.processInfo.environment)
  }

  /// The folder of the journals: what systemd made for the service, else the usual place.
  static func stateFolder(variables: [String: String]) -> String {
    // A service may have several; the first is its own.
    let first = variables["STATE_DIRECTORY"]?.split(separator: ":").first
    return first.map { String($0) } ?? usualStateFolder
  }

  /// What bars and maps are drawn with here.
  static var glyphs: Glyphs { .suited(to: ProcessInfo.processInfo.environment) }

  /// Whether the terminal can move its cursor.
  static func terminalIsCapable(variables: [String: String]) -> Bool {
    variables["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
  }
}
