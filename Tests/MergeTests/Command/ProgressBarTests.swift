import Fixtures
import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: the bar")
struct ProgressBarTests {
  private static let phases: [MergeProgress.Phase] = [
    .planning, .merging, .retrying, .rechecking, .verifying,
  ]
  private static let merging = ProgressSample.line(
    .merging, done: ProgressSample.gibibyte, of: 4 * ProgressSample.gibibyte, after: .seconds(8))

  private static func text(_ line: ProgressLine, columnCount: Int) -> String {
    ProgressBar(line: line, glyphs: .ascii).text(columnCount: columnCount)
  }

  @Test("is never wider than it may be, and tells at least how much is done")
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

  @Test("has every figure in words where there is room")
  func words() {
    #expect(
      Self.text(Self.merging, columnCount: 150)
        == "merging  25% [#####------------------]       1 GiB of 4 GiB     128 MiB/s  "
        + "average    128 MiB/s  ETA 0:24      1 read, 2 writes     checkpoint 2s ago")
  }

  @Test("says that there is no checkpoint yet in the place of its age")
  func noCheckpoint() {
    var line = Self.merging
    line.progress.sinceCheckpoint = nil
    let wide = ProgressBar(line: line, glyphs: .ascii).text(columnCount: 150)
    #expect(wide.hasSuffix("  no checkpoint yet"), "\(wide)")
    let narrow = ProgressBar(line: line, glyphs: .ascii).text(columnCount: 79)
    #expect(narrow.hasSuffix("   cp --"), "\(narrow)")
  }

  @Test(
    "leaves out what matters least where it is narrow",
    arguments: [
      (79, "merging  25% [##------] 1.0G/4.0G 128M/s avg 128M/s ETA 0:24     r1 w2   cp 2s"),
      (74, "merging  25% [##---------] 1.0G/4.0G 128M/s avg 128M/s ETA 0:24     cp 2s"),
      (65, "merging  25% [##-------] 1.0G/4.0G 128M/s avg 128M/s ETA 0:24"),
      (55, "merging  25% [##--------] 1.0G/4.0G 128M/s ETA 0:24"),
      (39, "merging  25% [#---] 128M/s ETA 0:24"),
      (38, "merging  25% 128M/s ETA 0:24"),
      (30, "merging  25% ETA 0:24"),
      (20, "merging  25% [#----]"),
      (15, "merging  25%"),
      (11, " 25%"),
      (3, ""),
    ])
  func narrower(columnCount: Int, expected: String) {
    #expect(Self.text(Self.merging, columnCount: columnCount) == expected)
  }

  @Test("has the same figures in the same places from one moment to the next")
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
        ["]", "/", "avg", "ETA", "r1", "cp"].map { mark in
          text.firstRange(of: mark).map { text.distance(from: text.startIndex, to: $0.lowerBound) }
            ?? -1
        })
    }
    #expect(places.count == 1 && !places.joined().contains(-1), "\(places)")
  }

  @Test("tells the phase, and what the phase has")
  func phases() {
    func text(_ phase: MergeProgress.Phase) -> String {
      Self.text(
        ProgressSample.line(phase, done: 1 << 30, of: 4 << 30, after: .seconds(8)), columnCount: 79)
    }
    #expect(
      text(.planning)
        == "planning  25% [#######---------------------]       1 GiB of 4 GiB  ETA 0:24")
    #expect(
      text(.rechecking)
        == "rechecking  25% [#----] 1.0G/4.0G 128M/s avg 128M/s ETA 0:24     r1 w2   cp 2s")
    #expect(
      text(.verifying)
        == "verifying  25% [####-------------] 1.0G/4.0G 128M/s avg 128M/s ETA 0:24     r1")
  }

  @Test("tells of bad spots, and that they are being read piece by piece")
  func salvage() {
    var line = Self.merging
    line.progress.isSalvaging = true
    line.progress.unreadableByteCount = 12 << 10
    #expect(
      Self.text(line, columnCount: 79)
        == "salvaging  25% [#----] 1.0G/4.0G bad 12K  128M/s avg 128M/s ETA 0:24     cp 2s")
    #expect(Self.text(line, columnCount: 200).contains("  12 KiB unreadable  "))
  }

  @Test("that is left behind tells how fast the phase was, and no time that is left")
  func leftBehind() {
    func text(after elapsed: Duration) -> String {
      ProgressBar(
        line: ProgressSample.line(.merging, done: 4 << 30, of: 4 << 30, after: elapsed),
        glyphs: .ascii, isLast: true
      ).text(columnCount: 79)
    }
    #expect(
      text(after: .milliseconds(100))
        == "merging 100% [############################] 4.0G/4.0G avg  40G/s r1 w2   cp 2s")
    #expect(
      text(after: .seconds(32))
        == "merging 100% [#####################] 4.0G/4.0G 128M/s avg 128M/s r1 w2   cp 2s")
  }

  @Test("tells nothing that cannot be known")
  func nothing() {
    let begun = ProgressLine(
      progress: ProgressSample.progress(.merging, done: 0, of: 10, after: .zero),
      pace: RateEstimator())
    #expect(
      Self.text(begun, columnCount: 79)
        == "merging   0% [---------]   0B/10B     -- avg     -- ETA --:--    r1 w2   cp 2s")
    let empty = ProgressSample.line(.verifying, done: 0, of: 0, after: .zero)
    #expect(Self.text(empty, columnCount: 79).hasPrefix("verifying 100% [####"))
  }

  @Test("a byte count takes four columns")
  func shortBytes() {
    let expected: [(UInt64, String)] = [
      (0, "0B"), (999, "999B"), (1000, "1.0K"), (1023, "1.0K"), (1536, "1.5K"), (10_188, "9.9K"),
      (10_189, "10K"), (1_023_487, "999K"), (1_023_488, "1.0M"), (1 << 40, "1.0T"), (.max, "16E"),
    ]
    for (byteCount, text) in expected { #expect(Amount.shortBytes(byteCount) == text) }
  }

  @Test("a time takes three columns")
  func shortTime() {
    let expected = [
      (0, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (359_999, "99h"),
      (360_000, "4d"),
    ]
    for (seconds, text) in expected { #expect(Amount.shortTime(seconds) == text) }
  }
}

@Suite("Command: the bar in a window")
struct ProgressBarInWindowTests {
  /// A display, the terminal that it writes to, and what it takes that one's width to be.
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
    "is one row at every width, and nothing is left of those before",
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

  @Test("survives widths that come at any moment", arguments: TerminalModel.Kind.allCases)
  func anyWidth(kind: TerminalModel.Kind) throws {
    let seed = Seed.current
    var generator = seed.generator
    let window = Window(kind, columnCount: 120)
    // No width is so small that this is broken, or cut.
    window.write("before\n")
    let display = window.display()
    for second in 0..<500 {
      let columnCount = Int.random(in: 6...200, using: &generator)
      // The display may have asked for the width just before it changed.
      window.resize(columnCount: columnCount, isKnown: false)
      if Bool.random(using: &generator) { display.progress(Self.progress(2 * second)) }
      window.resize(columnCount: columnCount)
      display.progress(Self.progress(2 * second + 1))
      try expectOneBar(in: window, above: ["before"], "\(columnCount); \(seed)")
    }
  }

  @Test("makes way for a note, and is left behind at the end")
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

  @Test("of each phase stays, but for that of planning")
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

  @Test("has no colours")
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
    "is drawn only where the cursor can be moved",
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

  @Test("needs a terminal that says what it is, and is not a dumb one")
  func capable() {
    #expect(ProcessEnvironment.terminalIsCapable(variables: ["TERM": "xterm"]))
    for term in [nil, "", "dumb"] as [String?] {
      #expect(!ProcessEnvironment.terminalIsCapable(variables: term.map { ["TERM": $0] } ?? [:]))
    }
  }

  /// Fails at the first: the rest would be the same.
  private func expectOneBar(
    in window: Window, above: [String], _ comment: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = window.rows
    try #require(
      Array(rows.prefix(above.count)) == above, "\(comment): \(rows)",
      sourceLocation: sourceLocation)
    let bars = rows.dropFirst(above.count)
    // In four columns there is no room for anything.
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
