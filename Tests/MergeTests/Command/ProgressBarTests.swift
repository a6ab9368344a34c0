import Fixtures
import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: the progress bar")
struct ProgressBarTests {
  private static let phases: [MergeProgress.Phase] = [
    .planning, .merging, .retrying, .rechecking, .verifying,
  ]
  private static let merging = ProgressSample.line(
    .merging, done: ProgressSample.gibibyte, of: 4 * ProgressSample.gibibyte, after: .seconds(8))

  private static func text(_ line: ProgressLine, columnCount: Int) -> String {
    ProgressBar(line: line, glyphs: .ascii).text(columnCount: columnCount)
  }

  @Test("the progress bar fits every width, and shows a percentage at 4 columns or more")
  func width() {
    let totals: [UInt64] = [0, 1, 1023, 999 << 20, 1 << 30, 5 << 40, .max / 3]
    for phase in Self.phases {
      for total in totals {
        for done in [0, total / 3, total] {
          for glyphs in [Glyphs.ascii, .blocks] {
            var line = ProgressSample.line(phase, done: done, of: total, after: .seconds(100))
            line.progress.readsInFlight = 4096
            line.progress.unreadableByteCount = done / 2
            for columnCount in 0...200 {
              let text = ProgressBar(line: line, glyphs: glyphs).text(columnCount: columnCount)
              #expect(text.count <= columnCount, "\(columnCount): \(text)")
              #expect(columnCount < 4 || text.contains("%"), "\(columnCount): \(text)")
            }
          }
        }
      }
    }
  }

  @Test("a wide progress bar shows every figure")
  func wide() {
    #expect(
      Self.text(Self.merging, columnCount: 102)
        == "merging  25% [#####----------------]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s     "
        + "average 128 MiB/s")
  }

  @Test(
    "a narrow progress bar drops the least important figures first",
    arguments: [
      (
        100,
        "merging  25% [##########-------------------------------]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s"
      ),
      (79, "merging  25% [#####---------------]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s"),
      (65, "merging  25% [#-----]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s"),
      (62, "merging  25% [####-------------]  1.0 of 4.0 GiB  ETA 0:24"),
      (47, "merging  25%  1.0 of 4.0 GiB  ETA 0:24"),
      (39, "merging  25% [##--------]  ETA 0:24"),
      (30, "merging  25%  ETA 0:24"),
      (20, "merging  25% [#----]"),
      (15, "merging  25%"),
      (11, " 25%"),
      (3, ""),
    ])
  func narrower(columnCount: Int, expected: String) {
    #expect(Self.text(Self.merging, columnCount: columnCount) == expected)
  }

  @Test("the figures in the progress bar stay in the same columns as it updates")
  func calm() {
    var places: Set<[Int]> = []
    for (done, seconds) in [
      (0, 0), (3, 100), (1 << 20, 101), (1000 << 30, 4000), (2 << 40, 90_000),
    ]
      as [(UInt64, Int64)]
    {
      let line = ProgressSample.line(.merging, done: done, of: 2 << 40, after: .seconds(seconds))
      let text = Self.text(line, columnCount: 79)
      places.insert(
        ["]", " of ", "ETA"].map { mark in
          text.firstRange(of: mark).map { text.distance(from: text.startIndex, to: $0.lowerBound) }
            ?? -1
        })
    }
    #expect(places.count == 1 && !places.joined().contains(-1), "\(places)")
  }

  @Test("the progress bar shows the phase and its figures")
  func phases() {
    func text(_ phase: MergeProgress.Phase) -> String {
      Self.text(
        ProgressSample.line(phase, done: 1 << 30, of: 4 << 30, after: .seconds(8)), columnCount: 79)
    }
    #expect(
      text(.planning)
        == "planning  25% [########-------------------------]  1.0 of 4.0 GiB  ETA 0:24")
    #expect(
      text(.rechecking)
        == "rechecking  25% [####-------------]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s")
    #expect(
      text(.verifying)
        == "verifying  25% [####--------------]  1.0 of 4.0 GiB  ETA 0:24      128 MiB/s")
  }

  @Test("the progress bar shows unreadable bytes and the salvaging phase")
  func salvage() {
    var line = Self.merging
    line.progress.isSalvaging = true
    line.progress.unreadableByteCount = 12 << 10
    #expect(
      Self.text(line, columnCount: 79)
        == "salvaging  25% [##-------]  1.0 of 4.0 GiB  12 KiB unreadable      ETA 0:24")
    #expect(Self.text(line, columnCount: 200).contains("  12 KiB unreadable  "))
  }

  @Test("the last progress bar of a phase shows the average speed and no remaining time")
  func leftBehind() {
    func text(after elapsed: Duration) -> String {
      ProgressBar(
        line: ProgressSample.line(.merging, done: 4 << 30, of: 4 << 30, after: elapsed),
        glyphs: .ascii, isLast: true
      ).text(columnCount: 79)
    }
    #expect(
      text(after: .milliseconds(100))
        == "merging 100% [##########################]  4.0 of 4.0 GiB  average 40 GiB/s")
    #expect(
      text(after: .seconds(32))
        == "merging 100% [##########################]  4.0 of 4.0 GiB  average 128 MiB/s")
  }

  @Test("the progress bar shows dashes for unknown figures")
  func nothing() {
    let begun = ProgressLine(
      progress: ProgressSample.progress(.merging, done: 0, of: 10, after: .zero),
      pace: RateEstimator())
    #expect(
      Self.text(begun, columnCount: 79)
        == "merging   0% [--------------------]   0 of 10 bytes  ETA --:--     --")
    let empty = ProgressSample.line(.verifying, done: 0, of: 0, after: .zero)
    #expect(Self.text(empty, columnCount: 79).hasPrefix("verifying 100% [####"))
  }
}

@Suite("Command: the progress bar in a window")
struct ProgressBarInWindowTests {
  /// A progress display, its terminal, and the terminal width as the display knows it.
  private final class Window: Sendable {
    private let terminal: Mutex<TerminalModel>
    private let knownColumnCount: Atomic<Int>
    private let barIsShown = Atomic(false)

    init(_ kind: TerminalModel.Kind, columnCount: Int) {
      terminal = Mutex(TerminalModel(kind, columnCount: columnCount))
      knownColumnCount = Atomic(columnCount)
    }

    var rows: [String] { terminal.withLock { $0.rows } }
    var columnCount: Int { terminal.withLock { $0.columnCount } }
    var hasBar: Bool { barIsShown.load(ordering: .relaxed) }

    func write(_ text: String) { terminal.withLock { $0.write(text) } }

    func resize(columnCount: Int, isKnown: Bool = true) {
      terminal.withLock { $0.resize(columnCount: columnCount) }
      if isKnown { knownColumnCount.store(columnCount, ordering: .relaxed) }
    }

    func display() -> ProgressDisplay {
      ProgressDisplay(
        style: .bar, messages: Messages(format: .text) { [self] text, _ in write(text) },
        glyphs: .ascii,
        columnCount: { [self] in knownColumnCount.load(ordering: .relaxed) },
        requests: ProgressDisplay.Requests(
          takeStatus: { false }, isStopping: { false }, isNotDraining: { false },
          barIsShown: { [self] in barIsShown.store($0, ordering: .relaxed) }))
    }
  }

  private static func progress(_ second: Int) -> MergeProgress {
    ProgressSample.progress(
      .merging, done: UInt64(second) << 20, of: 1000 << 20, after: .seconds(second))
  }

  @Test(
    "the progress bar takes one row at every width and leaves no traces of earlier bars",
    arguments: TerminalModel.Kind.allCases)
  func everyWidth(kind: TerminalModel.Kind) throws {
    let window = Window(kind, columnCount: 200)
    let display = window.display()
    let widths = Array(1...200)
    for (second, columnCount) in (widths.reversed() + widths).enumerated() {
      window.resize(columnCount: columnCount)
      display.progress(Self.progress(second))
      try expectOneBar(in: window, above: [], "\(columnCount)")
    }
    display.finish()
    try expectOneBar(in: window, above: [], "finished")
  }

  @Test(
    "the progress bar stays on one row no matter when the width changes",
    arguments: TerminalModel.Kind.allCases)
  func anyWidth(kind: TerminalModel.Kind) throws {
    let seed = Seed.current
    var generator = seed.generator
    let window = Window(kind, columnCount: 120)
    // This line fits at every width, so it is never wrapped or truncated.
    window.write("before\n")
    let display = window.display()
    for second in 0..<500 {
      let columnCount = Int.random(in: 6...200, using: &generator)
      // The terminal width may change just after the display has read it.
      window.resize(columnCount: columnCount, isKnown: false)
      if Bool.random(using: &generator) { display.progress(Self.progress(2 * second)) }
      window.resize(columnCount: columnCount)
      display.progress(Self.progress(2 * second + 1))
      try expectOneBar(in: window, above: ["before"], "\(columnCount); \(seed)")
    }
  }

  @Test("the progress bar makes room for a note, and the last bar stays on the screen")
  func notes() throws {
    let window = Window(.breaking, columnCount: 60)
    let display = window.display()
    display.progress(Self.progress(0))
    display.note(Note(code: "something", text: "something"))
    #expect(window.rows == ["thin-merge: note: something"])
    #expect(!window.hasBar)
    display.progress(Self.progress(1))
    try expectOneBar(in: window, above: ["thin-merge: note: something"], "")
    #expect(window.hasBar)
    display.finish()
    #expect(!window.hasBar)
    window.write("The report.\n")
    #expect(window.rows.count == 3 && window.rows.last == "The report.", "\(window.rows)")
    #expect(window.rows[1].hasPrefix("merging   0% ["))
  }

  @Test("the final bar of each phase except planning stays on the screen")
  func phases() {
    let window = Window(.breaking, columnCount: 60)
    let display = window.display()
    for phase in [.planning, .merging, .verifying] as [MergeProgress.Phase] {
      display.progress(ProgressSample.progress(phase, done: 1, of: 2, after: .zero))
      display.progress(ProgressSample.progress(phase, done: 2, of: 2, after: .milliseconds(10)))
    }
    display.finish()
    #expect(window.rows.map { $0.prefix(14) } == ["merging 100% [", "verifying 100%"])
  }

  @Test("the progress bar uses no colors")
  func colours() {
    let written = Mutex("")
    let display = ProgressDisplay(
      style: .bar, messages: Messages(format: .text) { text, _ in written.withLock { $0 += text } },
      glyphs: .blocks, columnCount: { 80 },
      requests: ProgressDisplay.Requests(
        takeStatus: { true }, isStopping: { true }, isNotDraining: { false },
        barIsShown: { _ in }))
    for second in 0...3 { display.progress(Self.progress(second)) }
    display.finish()
    let text = written.withLock { $0 }
    #expect(text.contains("\u{1B}["))
    #expect(!text.contains(#/\u{1B}\[[0-9;]*m/#))
  }

  @Test(
    "a progress bar is drawn only if the terminal can move the cursor",
    arguments: [
      (.auto, .text, true, .bar), (.auto, .text, false, .lines), (.auto, .json, true, .nothing),
      (.bar, .text, true, .bar), (.bar, .text, false, .lines), (.lines, .text, true, .lines),
      (.nothing, .text, true, .nothing), (.json, .json, true, .json),
    ] as [(ProgressMode, OutputFormat, Bool, ProgressDisplay.Style)])
  func style(
    mode: ProgressMode, format: OutputFormat, canMoveCursor: Bool, style: ProgressDisplay.Style
  ) {
    #expect(
      ProgressDisplay.style(mode, format: format, canMoveCursor: canMoveCursor) == style)
  }

  @Test("a terminal is considered capable if TERM is set, not empty and not dumb")
  func capable() {
    #expect(ProcessEnvironment.terminalIsCapable(variables: ["TERM": "xterm"]))
    for term in [nil, "", "dumb"] as [String?] {
      #expect(!ProcessEnvironment.terminalIsCapable(variables: term.map { ["TERM": $0] } ?? [:]))
    }
  }

  /// Expects exactly one bar below `above`.
  ///
  /// Stops at the first failure, because later ones would only repeat it.
  private func expectOneBar(
    in window: Window, above: [String], _ comment: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = window.rows
    try #require(
      Array(rows.prefix(above.count)) == above, "\(comment): \(rows)",
      sourceLocation: sourceLocation)
    let bars = rows.dropFirst(above.count)
    // Four columns or fewer have no room for anything more.
    guard window.columnCount > 4 else {
      try #require(bars.isEmpty, "\(comment): \(rows)", sourceLocation: sourceLocation)
      return
    }
    try #require(bars.count == 1, "\(comment): \(rows)", sourceLocation: sourceLocation)
    try #require(
      bars.first?.contains(#/^(merging)? *\d+%/#) == true, "\(comment): \(rows)",
      sourceLocation: sourceLocation)
  }
}
