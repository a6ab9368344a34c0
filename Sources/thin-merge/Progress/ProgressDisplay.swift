internal import FoundationEssentials
internal import MergeEngine
internal import Synchronization

/// Shows on standard error how a verb goes on, and keeps other lines there from mixing with it.
///
/// No colours anywhere: a terminal that asks for none (`NO_COLOR`) gets what every other gets. Where a bar
/// cannot be drawn in place, lines are shown.
///
/// The window may change its size at any moment, and no bar of another width may be left behind. So the width
/// is asked before each redraw; the cursor rests at the bar's beginning, where it stays when a terminal breaks
/// the bar into rows or cuts it off, and from where all rows of it are cleared; and a bar that has become too
/// wide since the width was asked goes on in the last column, not in another row.
final class ProgressDisplay: Sendable {
  /// How it is shown, once `auto` has been decided.
  enum Style: Sendable {
    /// `journalLines`: lines that the journal of systemd keeps.
    case bar, lines, journalLines, json, nothing

    /// How long a shown moment stays.
    var interval: Duration {
      switch self {
      case .bar: .milliseconds(200)
      case .lines: .seconds(5)
      case .journalLines: .seconds(60)
      case .json, .nothing: .seconds(1)
      }
    }
  }

  private struct State {
    var line: ProgressLine?
    var shownAt: Duration?
    var isShown = false
    var isBarOnScreen = false
  }

  /// What the display asks about signals, and what they are told.
  struct Requests: Sendable {
    /// Whether a status line was asked for since the last call.
    var takeStatus: @Sendable () -> Bool
    /// Whether the verb was asked to stop.
    var isStopping: @Sendable () -> Bool
    /// Whether the verb was asked not to drain.
    var isNotDraining: @Sendable () -> Bool
    /// Is told whether there is a bar that the end of the process would leave the cursor on.
    var barIsShown: @Sendable (Bool) -> Void

    /// What came to this process.
    static let process = Requests(
      takeStatus: { Signals.takeStatusRequest() },
      isStopping: { Signals.interruption.isRequested },
      isNotDraining: { Signals.interruption.isWithoutDraining },
      barIsShown: { Signals.barIsShown($0) })
  }

  private let style: Style
  private let messages: Messages
  private let glyphs: Glyphs
  private let columnCount: @Sendable () -> Int
  private let requests: Requests
  private let service: ServiceStatus?
  private let hasSaidStopping = Atomic<Bool>(false)
  private let hasSaidNotDraining = Atomic<Bool>(false)
  private let state = Mutex(State())

  /// Shows progress in `style`, and tells `service` of it.
  init(
    style: Style, messages: Messages, glyphs: Glyphs,
    columnCount: @escaping @Sendable () -> Int, requests: Requests, service: ServiceStatus? = nil
  ) {
    self.style = style
    self.messages = messages
    self.glyphs = glyphs
    self.columnCount = columnCount
    self.requests = requests
    self.service = service
  }

  /// Shows progress as the command line asks for.
  convenience init(_ mode: ProgressMode, messages: Messages) {
    let process = ProcessInfo.processInfo
    let capable = ProcessEnvironment.terminalIsCapable(variables: process.environment)
    self.init(
      style: Self.style(
        mode, format: messages.format, canMoveCursor: Terminal.isStandardError && capable,
        isForJournal: messages.isForJournal),
      messages: messages, glyphs: ProcessEnvironment.glyphs, columnCount: { Terminal.columnCount },
      requests: .process,
      service: ServiceStatus(
        variables: process.environment, processID: process.processIdentifier))
  }

  /// What a mode means for an output, and for a terminal or none.
  static func style(
    _ mode: ProgressMode, format: OutputFormat, canMoveCursor: Bool, isForJournal: Bool = false
  ) -> Style {
    switch mode {
    case .auto where format == .json: .nothing
    case .auto where canMoveCursor, .bar where canMoveCursor: .bar
    case .auto, .bar, .lines: isForJournal ? .journalLines : .lines
    case .json: .json
    case .nothing: .nothing
    }
  }

  /// Shows how far the verb is, if it is time to.
  func progress(_ progress: MergeProgress) {
    // What is in flight has to arrive and be recorded, which can take a while.
    if requests.isStopping(), !hasSaidStopping.exchange(true, ordering: .relaxed) {
      note(.stopping)
    }
    if requests.isNotDraining(), !hasSaidNotDraining.exchange(true, ordering: .relaxed) {
      note(.notDraining)
    }
    state.withLock { state in
      if let last = state.line?.progress,
        last.phase != progress.phase || last.elapsed > progress.elapsed
      {
        showLast(&state)
        state = State()
      }
      var line = ProgressLine(progress: progress, pace: state.line?.pace ?? RateEstimator())
      line.pace.record(progress)
      state.line = line
      state.isShown = false
      service?.progress(line, isStopping: requests.isStopping())
      if requests.takeStatus() { showStatus(line, &state) }
      // The first line says nothing; the first moment of a bar shows that it is alive.
      let isLines = style == .lines || style == .journalLines
      let shownAt = state.shownAt ?? (isLines ? .zero : .zero - style.interval)
      guard progress.elapsed - shownAt >= style.interval else { return }
      show(line, &state)
    }
  }

  /// Says something worth knowing that is no failure.
  func note(_ note: Note) {
    state.withLock { state in
      clearBar(&state)
      messages.note(note)
    }
  }

  /// Takes the bar away, for something else to be shown.
  func clear() {
    state.withLock { clearBar(&$0) }
  }

  /// Shows the last moment, and leaves the cursor on a fresh line.
  func finish(isDone: Bool = true) {
    if isDone { service?.finish() }
    state.withLock { state in
      showLast(&state)
      state = State()
    }
  }

  private func show(_ line: ProgressLine, isLast: Bool = false, _ state: inout State) {
    switch style {
    case .bar:
      // A character in the last column would leave the cursor in no certain place.
      let text = ProgressBar(line: line, glyphs: glyphs, isLast: isLast)
        .text(columnCount: columnCount() - 1)
      messages.raw("\r\(Self.noWrap)\(text)\(Self.clearToEnd)\(Self.wrap)\r")
      setBar(onScreen: true, &state)
    case .lines, .journalLines: messages.progress(line, as: .text)
    case .json: messages.progress(line, as: .json)
    case .nothing: break
    }
    state.shownAt = line.progress.elapsed
    state.isShown = true
  }

  private func showLast(_ state: inout State) {
    guard let line = state.line else { return }
    // Planning is over in a moment as a rule, and then is not worth a line of its own.
    if line.progress.phase == .planning, state.isBarOnScreen || state.shownAt == nil {
      return clearBar(&state)
    }
    // A bar is drawn once more: it will stay, and the window may have changed.
    if !state.isShown || state.isBarOnScreen { show(line, isLast: true, &state) }
    guard state.isBarOnScreen else { return }
    messages.raw("\n")
    setBar(onScreen: false, &state)
  }

  private func showStatus(_ line: ProgressLine, _ state: inout State) {
    clearBar(&state)
    switch (messages.format, style) {
    case (.json, _), (_, .json): messages.progress(line, as: .json)
    default: messages.progress(line, as: .text)
    }
  }

  private func clearBar(_ state: inout State) {
    guard state.isBarOnScreen else { return }
    messages.raw("\r\(Self.clearToEnd)")
    setBar(onScreen: false, &state)
    state.shownAt = nil
  }

  private func setBar(onScreen isOnScreen: Bool, _ state: inout State) {
    state.isBarOnScreen = isOnScreen
    requests.barIsShown(isOnScreen)
  }

  /// Clears from the cursor on, also what the terminal has broken into further rows.
  private static let clearToEnd = "\u{1B}[J"
  private static let noWrap = "\u{1B}[?7l"
  private static let wrap = "\u{1B}[?7h"
}
