internal import MergeEngine
internal import Synchronization

/// Tells a service manager that the work has begun, how far it has progressed, and that it is still
/// alive.
///
/// A merge is reported as ready only after its checks, so that the service fails to start if the
/// merge is refused. Watchdog messages are triggered by progress and not by a timer, because a
/// timer would keep reporting a hung merge as alive.
final class ServiceStatus: Sendable {
  /// The minimum time between two status messages.
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

  /// Creates a status that is delivered by `send`, which returns whether the message was accepted.
  ///
  /// - `watchdog`: the time within which the manager expects a message.
  init(
    watchdog: Duration?, now: @escaping @Sendable () -> Duration,
    send: @escaping @Sendable (String) -> Bool
  ) {
    self.send = send
    self.now = now
    watchdogInterval = watchdog.map { $0 / 2 }
  }

  /// Creates a status for the service manager named in the environment variables; nil if they name
  /// none.
  convenience init?(variables: [String: String], processID: Int32) {
    guard let address = variables["NOTIFY_SOCKET"], let socket = NotifySocket(address: address)
    else { return nil }
    let start = SuspendingClock.now
    self.init(
      watchdog: Self.watchdog(variables: variables, processID: processID),
      now: { start.duration(to: .now) }, send: { socket.send($0) })
  }

  /// Returns the time within which the service manager expects a watchdog message from this
  /// process; nil if it expects none.
  static func watchdog(variables: [String: String], processID: Int32) -> Duration? {
    guard let microseconds = variables["WATCHDOG_USEC"].flatMap({ Int64($0) }), microseconds > 0
    else { return nil }
    if let process = variables["WATCHDOG_PID"], process != String(processID) { return nil }
    return .microseconds(microseconds)
  }

  /// Reports the current progress.
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
      // A message that was not accepted is sent again with the next progress report.
      guard send(message.joined(separator: "\n")) else { return }
      state.isReady = isReady
      state.isStopping = state.isStopping || isStopping
      state.toldAt = now
      if message.contains("WATCHDOG=1") { state.aliveAt = now }
    }
  }

  /// Reports the end of the work, even if it took no time.
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
