internal import MergeEngine
internal import Synchronization

/// Tells a service manager that the work has begun, how far it is, and that it goes on.
///
/// Started is a merge once its checks are behind it, so that starting a service fails where a merge is
/// refused. What keeps the watchdog quiet is progress, not a timer: one that ran beside a merge that
/// hangs would say that all is well.
final class ServiceStatus: Sendable {
  /// How seldom the status is told anew.
  private static let interval = Duration.seconds(1)

  private struct State {
    var isReady = false
    var toldAt: Duration?
    var aliveAt: Duration?
    var isStopping = false
  }

  private let send: @Sendable (String) -> Bool
  private let now: @Sendable () -> Duration
  private let watchdogInterval: Duration?
  private let state = Mutex(State())

  /// Tells by `send`, which says whether it was taken; `watchdog` is the time within which the manager
  /// wants to hear of the service.
  init(
    watchdog: Duration?, now: @escaping @Sendable () -> Duration,
    send: @escaping @Sendable (String) -> Bool
  ) {
    self.send = send
    self.now = now
    watchdogInterval = watchdog.map { $0 / 2 }
  }

  /// Tells the manager that the variables of a service name; nil without one.
  convenience init?(variables: [String: String], processID: Int32) {
    guard let address = variables["NOTIFY_SOCKET"], let socket = NotifySocket(address: address)
    else { return nil }
    let start = SuspendingClock.now
    self.init(
      watchdog: Self.watchdog(variables: variables, processID: processID),
      now: { start.duration(to: .now) }, send: { socket.send($0) })
  }

  /// The time within which a manager wants to hear of this process; nil if it does not.
  static func watchdog(variables: [String: String], processID: Int32) -> Duration? {
    guard let microseconds = variables["WATCHDOG_USEC"].flatMap({ Int64($0) }), microseconds > 0
    else { return nil }
    if let process = variables["WATCHDOG_PID"], process != String(processID) { return nil }
    return .microseconds(microseconds)
  }

  /// Tells of one moment.
  func progress(_ line: ProgressLine, isStopping: Bool) {
    let now = now()
    state.withLock { state in
      var message: [String] = []
      let isReady = state.isReady || line.progress.phase != .planning
      let stops = isStopping && !state.isStopping
      if isReady, !state.isReady { message.append("READY=1") }
      if stops { message.append("STOPPING=1") }
      if let watchdogInterval, Self.isDue(state.aliveAt, now, watchdogInterval) {
        message.append("WATCHDOG=1")
      }
      let tells = Self.isDue(state.toldAt, now, Self.interval) || !message.isEmpty
      guard tells else { return }
      message.append("STATUS=\(line.sentence)")
      // What was not taken is said again with the next moment.
      guard send(message.joined(separator: "\n")) else { return }
      state.isReady = isReady
      state.isStopping = state.isStopping || isStopping
      state.toldAt = now
      if message.contains("WATCHDOG=1") { state.aliveAt = now }
    }
  }

  /// Tells that all was done, which may have taken no time.
  func finish() {
    state.withLock { state in
      _ = send(state.isReady ? "STATUS=done" : "READY=1\nSTATUS=done")
      state.isReady = true
    }
  }

  private static func isDue(_ last: Duration?, _ now: Duration, _ interval: Duration) -> Bool {
    last.map { now - $0 >= interval } ?? true
  }
}
