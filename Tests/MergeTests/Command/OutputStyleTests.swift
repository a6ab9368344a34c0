import Synchronization
import Testing

@testable import thin_merge

@Suite("Command: layout, color and amount of output")
struct OutputStyleTests {
  private static let text = {
    var text = ReportText("Merged thin device 0 into /dev/vg/base.", ReportStyle(columnCount: 40))
    text.add("merged", "768 KiB, 12 mapped blocks of 64 KiB in 12 runs")
    text.add("journal", "/var/lib/thin-merge/a-path-that-is-longer-than-the-line.journal")
    text.addNext("Keep the thin device until you have verified the origin:", .settle(pool: "a"))
    return text
  }()

  @Test("a report wraps between words, with each value's later lines indented to match its first")
  func wrapped() {
    #expect(
      Self.text.text == """
        Merged thin device 0 into /dev/vg/base.

          merged   768 KiB, 12 mapped blocks of
                   64 KiB in 12 runs
          journal  /var/lib/thin-merge/a-path-that-is-longer-than-the-line.journal

        Keep the thin device until you have
        verified the origin:
          thin-merge settle --pool a

        """)
  }

  @Test(
    "no line of a wrapped report is wider than the terminal, unless a single word is",
    arguments: 30...120)
  func widths(columnCount: Int) {
    let words = (0..<60).map { String(repeating: "w", count: $0 % 13 + 1) }.joined(separator: " ")
    var text = ReportText(words, ReportStyle(columnCount: columnCount))
    text.add("a label", words)
    text.add("", words)
    text.addNext(words)
    let lines = text.text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= columnCount })
    #expect(lines.joined(separator: " ").split(separator: " ").count == 4 * 60 + 2)
  }

  @Test("a number and its unit of bytes stay on one line", arguments: 24...60)
  func units(columnCount: Int) {
    let text = "a journal of up to 306.3 KiB, written at 31 MiB/s, with 12 bytes left"
    let lines = TerminalText.wrapped(text, at: columnCount, indent: 2)
    #expect(lines.allSatisfy { $0.last?.isNumber == false }, "\(lines)")
  }

  @Test("a report with no width limit prints each value on one line")
  func unwrapped() {
    var text = ReportText("Merged.")
    text.add("merged", String(repeating: "word ", count: 100) + "end")
    #expect(text.text.split(separator: "\n").count == 2)
  }

  @Test("a report includes details only if they are requested")
  func details() {
    for shown in [false, true] {
      var text = ReportText("Merged.", ReportStyle(showsDetails: shown))
      text.addDetail("fingerprint", "dad4d875625ef13e")
      #expect(text.text.contains("fingerprint") == shown)
    }
  }

  @Test(
    "color can be forced on or off; by default it needs a capable terminal and no NO_COLOR",
    arguments: [
      (ColorMode.auto, true, ["TERM": "xterm"], true),
      (.auto, true, ["TERM": "xterm", "NO_COLOR": "1"], false),
      (.auto, true, ["TERM": "xterm", "NO_COLOR": ""], true),
      (.auto, true, ["TERM": "dumb"], false), (.auto, false, ["TERM": "xterm"], false),
      (.always, false, ["NO_COLOR": "1"], true), (.never, true, ["TERM": "xterm"], false),
    ])
  func colors(mode: ColorMode, isTerminal: Bool, variables: [String: String], isColored: Bool) {
    let colors = Colors.chosen(mode, isTerminal: isTerminal, variables: variables)
    #expect((colors == .ansi) == isColored)
  }

  @Test("color affects only the first words of an error")
  func coloredError() {
    let failure = Failure.usage("no origin", hint: "name one:\n  thin-merge plan --origin PATH")
    let plain = Self.lines(colors: .none) { $0.failure(failure) }
    let colored = Self.lines(colors: .ansi) { $0.failure(failure) }
    #expect(colored.hasPrefix("\u{1B}[1;31mthin-merge: error:\u{1B}[0m no origin\n"))
    #expect(colored.replacing(/\u{1B}\[[0-9;]*m/, with: "") == plain)
  }

  @Test("a long error message wraps, but the command in its hint stays on one line")
  func wrappedError() {
    let command = "thin-merge plan --origin /a/very/long/path/to/an/origin"
    let failure = Failure.usage(
      "the thin device has no origin in its table", hint: "name it:\n  \(command)")
    let lines = Self.lines(columnCount: 40) { $0.failure(failure) }
    #expect(
      lines == """
        thin-merge: error: the thin device has
          no origin in its table
        hint: name it:
          \(command)

        """)
  }

  @Test("a command with --quiet prints errors but no notes")
  func quiet() {
    let printed = Self.lines(verbosity: .quiet) { messages in
      messages.note(.stopping)
      messages.failure(.usage("no origin", hint: nil))
    }
    #expect(printed == "thin-merge: error: no origin\n")
  }

  @Test("a merge with --quiet prints nothing, but a dry run with --quiet still prints its report")
  func quietReports() throws {
    let merge = try MergeCase()
    let plan = try merge.merge(["--dry-run", "--quiet"])
    #expect(plan.standardError == "")
    #expect(plan.standardOutput.contains("from"))
    let merged = try merge.merge(["-q"])
    #expect(merged.exitStatus == 0)
    #expect(merged.standardOutput + merged.standardError == "")
  }

  @Test("device-mapper changes and programs that are run are printed only with --debug")
  func debug() {
    #expect(Self.lines { $0.trace("run: lvs") } == "thin-merge: debug: run: lvs\n")
    #expect(Self.lines(format: .json) { $0.trace("run: lvs") } == "")
  }

  @Test("--quiet and --verbose together are a usage error")
  func contradiction() {
    #expect(throws: (any Error).self) { _ = try ThinMerge.checked(["status", "-q", "-v"]) }
    #expect(throws: (any Error).self) { _ = try ThinMerge.checked(["status", "-q", "--debug"]) }
  }

  @Test("the color setting is determined even if the rest of the command line is invalid")
  func askedColor() {
    #expect(Messages.color(askedIn: ["merge", "--wrong", "--color", "never"]) == .never)
    #expect(Messages.color(askedIn: ["--color=always", "-x"]) == .always)
    #expect(Messages.color(askedIn: ["--color"]) == .auto)
    #expect(Messages.color(askedIn: ["--", "--color", "never"]) == .auto)
  }

  private static func lines(
    format: OutputFormat = .text, verbosity: Verbosity = .normal, colors: Colors = .none,
    columnCount: Int? = nil, _ print: (Messages) -> Void
  ) -> String {
    let printed = Mutex("")
    print(
      Messages(
        format: format, verbosity: verbosity, colors: colors, columnCount: columnCount,
        isForJournal: false, write: { text, _ in printed.withLock { $0 += text } }))
    return printed.withLock { $0 }
  }
}
