internal import FoundationEssentials
internal import MergeEngine

/// What the command is told by the system that it runs on.
enum ProcessEnvironment {
  /// The engine's environment, with `observer` to tell, if anybody is to be told.
  static func environment(observer: (any MergeObserver)?) -> MergeEngine.Environment {
    MergeEngine.Environment(
      stateFolder: stateFolder,
      interruption: Signals.interruption, observer: observer)
  }

  /// The folder of the journals here.
  static var stateFolder: String {
    stateFolder(variables: ProcessInfo.processInfo.environment)
  }

  /// The folder of the journals: what systemd made for the service, else the usual place.
  static func stateFolder(variables: [String: String]) -> String {
    // A service may have several; the first is its own.
    let first = variables["STATE_DIRECTORY"]?.split(separator: ":").first
    return first.map { String($0) } ?? "/var/lib/thin-merge"
  }

  /// What bars and maps are drawn with here.
  static var glyphs: Glyphs { .suited(to: ProcessInfo.processInfo.environment) }

  /// Whether the terminal can move its cursor.
  static func terminalIsCapable(variables: [String: String]) -> Bool {
    variables["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
  }
}
