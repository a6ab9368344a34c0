internal import FoundationEssentials
internal import MergeEngine
internal import Synchronization

/// Shows a verb's progress on standard error, and keeps other lines there from mixing with it.
///
/// If a bar cannot be drawn in place, lines are shown.
///
/// The window may be resized at any moment, and no bar of the old width may remain. So the width is
/// read before each redraw. The cursor rests at the bar's beginning: it stays there if a terminal
/// wraps the bar or cuts it off, and from there all rows of the bar are cleared. A bar that became
/// too wide after the width was read is cut off at the last column instead of wrapping.
final class ProgressDisplay: Sendable {
  /// The style of the display, after `auto` is resolved.
  enum Style: Sendable {
    /// `journalLines`: lines for the systemd journal.
    case bar, lines, journalLines, json, nothing

    /// The time between two updates.
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

  /// The state of signals, as the display reads and sets it.
  struct Requests: Sendable {
    /// Returns true if a status line was requested since the last call.
    var takeStatus: @Sendable () -> Bool
    /// Returns true if the verb was asked to stop.
    var isStopping: @Sendable () -> Bool
    /// Returns true if the verb was asked not to drain.
    var isNotDraining: @Sendable () -> Bool
    /// Records whether a bar is shown, which the cursor must leave at the end of the process.
    var barIsShown: @Sendable (Bool) -> Void

    /// The signals of this process.
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

  /// Creates a display in `style` that also informs `service`.
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

  /// Creates the display that the command line requests.
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

  /// Returns the style for a mode, an output format, and a terminal or none.
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

  /// Records the verb's progress, and shows it if an update is due.
  func progress(_ progress: MergeProgress) {
    // Transfers in flight have to complete and be recorded, which can take a while.
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
      // The first line would be empty of news; the first bar shows that the verb is running.
      let isLines = style == .lines || style == .journalLines
      let shownAt = state.shownAt ?? (isLines ? .zero : .zero - style.interval)
      guard progress.elapsed - shownAt >= style.interval else { return }
      show(line, &state)
    }
  }

  /// Prints a note.
  func note(_ note: Note) {
    state.withLock { state in
      clearBar(&state)
      messages.note(note)
    }
  }

  /// Prints a step of the run.
  func trace(_ step: String) {
    state.withLock { state in
      clearBar(&state)
      messages.trace(step)
    }
  }

  /// Clears the bar, to make room for other text.
  func clear() {
    state.withLock { clearBar(&$0) }
  }

  /// Shows the last moment, and leaves the cursor on a new line.
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
      // A character in the last column would leave the cursor's position undefined.
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
    // Planning is usually over in a moment, and then is not worth its own line.
    if line.progress.phase == .planning, state.isBarOnScreen || state.shownAt == nil {
      return clearBar(&state)
    }
    // A bar is redrawn once more: it stays, and the window may have been resized.
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

  /// Clears from the cursor to the end, including rows that the terminal has wrapped.
  private static let clearToEnd = "\u{1B}[J"
  private static let noWrap = "\u{1B}[?7l"
  private static let wrap = "\u{1B}[?7h"
}
