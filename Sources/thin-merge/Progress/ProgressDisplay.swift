internal import FoundationEssentials
internal import MergeEngine
internal import Synchronization

/// Shows a verb's progress on standard error, and keeps other lines there from getting mixed up
/// with it.
///
/// If a bar cannot be drawn in place, lines are shown instead.
///
/// The window may be resized at any moment, and no bar of the old width may remain on the screen.
/// So the width is read before each redraw. The cursor is left at the bar's beginning: it stays
/// there if the terminal wraps the bar or cuts it off, and from there all rows of the bar can be
/// cleared. If the bar has become too wide since the width was read, it is cut off at the last
/// column instead of wrapping.
final class ProgressDisplay: Sendable {
  /// The style of the progress display, after `auto` is resolved.
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

  /// The functions with which the display reads and sets the state of signals.
  struct Requests: Sendable {
    /// Returns true if a status line was requested since the last call.
    var takeStatus: @Sendable () -> Bool
    /// Returns true if the verb was asked to stop.
    var isStopping: @Sendable () -> Bool
    /// Returns true if the verb was asked to stop without draining transfers in flight.
    var isNotDraining: @Sendable () -> Bool
    /// Records whether a bar is shown, so that the cursor is moved off the bar when the process
    /// ends.
    var barIsShown: @Sendable (Bool) -> Void

    /// The functions for the signals that this process receives.
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

  /// Creates a display in `style` that also reports to `service`.
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

  /// Returns the style for a mode and an output format, depending on whether there is a terminal.
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
    // Stopping can take a while, because transfers in flight must complete and be recorded.
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
      // The first line would have nothing to report, but the first bar shows that the verb is
      // running.
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

  /// Clears the bar to make room for other text.
  func clear() {
    state.withLock { clearBar(&$0) }
  }

  /// Shows the final state of the progress, and leaves the cursor on a new line.
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
    // Planning usually takes only a moment, and then it does not deserve a line of its own.
    if line.progress.phase == .planning, state.isBarOnScreen || state.shownAt == nil {
      return clearBar(&state)
    }
    // A bar is redrawn one last time, because it stays on the screen and the window may have been
    // resized.
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

  /// The sequence that clears from the cursor to the end of the screen, including any wrapped rows
  /// of the bar.
  private static let clearToEnd = "\u{1B}[J"
  private static let noWrap = "\u{1B}[?7l"
  private static let wrap = "\u{1B}[?7h"
}
