internal import FoundationEssentials
internal import MergeEngine

/// What the engine is told of the system that it runs on.
enum Surroundings {
  /// The engine's environment, with `observer` to tell.
  static func environment(observer: any MergeObserver) -> MergeEngine.Environment {
    let start = SuspendingClock.now
    return MergeEngine.Environment(
      clock: MergeEngine.Clock(now: { start.duration(to: .now) }, sleep: Signals.sleep),
      secondsSince1970: { Int64(Date().timeIntervalSince1970) },
      stateFolder: stateFolder(variables: ProcessInfo.processInfo.environment),
      bootID: bootID(),
      processID: ProcessInfo.processInfo.processIdentifier,
      interruption: Signals.interruption,
      observer: observer)
  }

  /// The folder of the journals: what systemd made for the service, else the usual place.
  static func stateFolder(variables: [String: String]) -> String {
    // A service may have several; the first is its own.
    let first = variables["STATE_DIRECTORY"]?.split(separator: ":").first
    return first.map { String($0) } ?? "/var/lib/thin-merge"
  }

  /// Whether the terminal can move its cursor.
  static func terminalIsCapable(variables: [String: String]) -> Bool {
    variables["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
  }

  private static func bootID() -> String {
    let path = "/proc/sys/kernel/random/boot_id"
    // Without it every boot is another one, which only ever asks for more care.
    guard let bytes = FileManager.default.contents(atPath: path) else { return "unknown" }
    return String(decoding: bytes, as: UTF8.self).firstLine
  }
}

extension String {
  /// The text without the line end that the kernel appends.
  fileprivate var firstLine: String { String(prefix { !$0.isNewline }) }
}
