import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: a real terminal", .waitsForPrograms, .needsTmux)
struct TerminalTests {
  /// Options that make a merge so slow that it is always stopped before its end.
  private static let verySlowly = [
    "--rate-limit", "4k", "--io-size", "4k", "--queue-depth", "4", "--checkpoint-interval", "0.2",
  ]

  private static func command(_ arguments: [String]) -> String {
    ([ThinMergeCommand.binaryPath] + arguments).map(\.shellQuoted).joined(separator: " ")
  }

  /// Returns the command line of a merge that prints no notes.
  private static func command(_ merge: MergeCase, _ options: [String] = []) -> String {
    command(merge.mergeArguments(["--thin-size", "\(merge.before.count)b"] + options))
  }

  private static let wide =
    #"merging +\d+% \[.{20,}\] +\S+ of 2.5 MiB  ETA \S+ +\S+ \w+/s +average \S+ \w+/s"#
  private static let narrow =
    #"merging +\d+% \[.{20}\] +\S+ of 2.5 MiB  ETA \S+ +\S+ \w+/s"#

  @Test("the bar shows all figures, takes one row at every width, and leaves room for the report")
  func resized() throws {
    let merge = try MergeCase()
    let session = try TerminalSession(
      columnCount: 200, environment: ["LC_ALL": "C.UTF-8"],
      script: """
        echo before
        \(Self.command(merge, Self.verySlowly))
        echo "merge: $?"
        \(Self.command(["resume", merge.journal, "--yes", "--rate-limit", "1G"]))
        echo "resume: $?"
        """)
    for (columnCount, pattern) in [
      (200, Self.wide), (80, Self.narrow), (40, #"merging +\d+% \[.{10}\]  ETA \S+"#),
      (20, #"merging +\d+% \[.{4}\]"#), (80, Self.narrow), (9, #" +\d+%"#), (200, Self.wide),
      (60, #"merging +\d+% \[.+\] +\S+ of 2.5 MiB  ETA \S+"#), (200, Self.wide),
    ] {
      try session.resize(columnCount: columnCount)
      let bar = try Regex(pattern)
      // If rows wrap, tmux scrolls the rows above them off the screen.
      try session.waitForRows { rows in
        rows.last?.wholeMatch(of: bar) != nil && [[], ["before"]].contains(rows.dropLast())
      }
    }
    try session.press("C-c")
    let rows = try session.waitForRows { $0.last == "resume: 0" }
    let bars = rows.filter { $0.contains("% [") }
    #expect(bars.count == 3, "\(rows)")
    for (row, pattern) in zip(bars, [Self.wide, "merging 100% .+", "rechecking 100% .+"]) {
      #expect(try row.wholeMatch(of: Regex(pattern)) != nil, "\(row)")
    }
    let status = try #require(rows.firstIndex(of: "merge: 3"))
    #expect(Array(rows[(status + 1)...].prefix(2)) == Array(bars.dropFirst()), "\(rows)")
    #expect(rows[status + 3] == "Merged thin device 0 into \(merge.origin).", "\(rows)")
    #expect(!rows.contains { $0.contains("^C") }, "\(rows)")
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a third SIGINT moves the cursor off the progress bar, so later output starts on a new row",
    .needsTracing)
  func thirdInterrupt() throws {
    let merge = try MergeCase()
    let noted = merge.origin + ".process"
    let trace = merge.origin + ".trace"
    let hanging = SystemCallTrace.hanging(trace: trace).joined(separator: " ")
    let session = try TerminalSession(
      columnCount: 80, environment: ["LC_ALL": "C"],
      script: """
        sh -c 'echo $$ > "$0"; exec "$@"' \(noted.shellQuoted) \(hanging) \
        \(Self.command(merge, Self.verySlowly))
        echo "merge: $?"
        """)
    let bar = try Regex(Self.narrow)
    try session.waitForRows { $0.last?.wholeMatch(of: bar) != nil }
    let processID = try #require(
      pid_t(String(contentsOfFile: noted, encoding: .utf8).trimmingCharacters(in: .newlines)))
    try session.waitForRows { _ in
      (try? String(contentsOfFile: trace, encoding: .utf8))?.contains("INJECTED") == true
    }
    for answer in ["stopping after the transfers in flight", "get 5 s"] {
      kill(processID, SIGINT)
      try session.waitForRows { $0.contains { $0.contains(answer) } }
    }
    kill(processID, SIGINT)
    let rows = try session.waitForRows { $0.last == "merge: 3" }
    #expect(rows.filter { $0.contains("merge: 3") } == ["merge: 3"])
  }

  @Test(
    "resume asks before writing to a file that is named only in the journal",
    arguments: [("y", 0), ("n", 2)])
  func recordedTarget(answer: String, exitStatus: Int) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let session = try TerminalSession(
      columnCount: 200, environment: ["LC_ALL": "C"],
      script: Self.command(["resume", merge.journal]) + "\necho \"resume: $?\"")
    try session.waitForRows { $0.last?.hasSuffix(" to \(merge.origin)? [y/N]") == true }
    try session.type(answer)
    try session.press("Enter")
    let rows = try session.waitForRows { $0.last == "resume: \(exitStatus)" }
    #expect(rows.contains("About to merge thin device 0 into \(merge.origin)."), "\(rows)")
    #expect(try merge.wrongSectors().isEmpty == (exitStatus == 0))
  }

  @Test(
    "the progress bar uses characters that the locale supports, and NO_COLOR disables color",
    arguments: [("C.UTF-8", "[█", ""), ("C", "[#", ""), ("C", "[#", "1")])
  func characters(locale: String, cells: String, noColor: String) throws {
    let merge = try MergeCase()
    let session = try TerminalSession(
      columnCount: 80, environment: ["LC_ALL": locale, "NO_COLOR": noColor],
      script: Self.command(merge) + "\necho \"merge: $?\"")
    let rows = try session.waitForRows { $0.last == "merge: 0" }
    #expect(rows.filter { $0.contains("merging 100% \(cells)") }.count == 1, "\(rows)")
    #expect(try (session.rows(colours: true) == rows) == !noColor.isEmpty)
  }

  @Test("progress is shown as lines on a terminal that cannot move its cursor")
  func dumb() throws {
    let merge = try MergeCase()
    let session = try TerminalSession(
      columnCount: 200, script: "TERM=dumb \(Self.command(merge))\necho \"merge: $?\"")
    let rows = try session.waitForRows { $0.last == "merge: 0" }
    #expect(rows[0].hasPrefix("thin-merge: merging: 2.5 MiB of 2.5 MiB (100%)"), "\(rows)")
  }

  @Test(
    "the map in a plan is as wide as the terminal, up to 100 columns",
    arguments: [50, 80, 100, 150])
  func plan(columnCount: Int) throws {
    let merge = try MergeCase(scatteredBlocks: 60)
    let session = try TerminalSession(
      columnCount: columnCount, environment: ["LC_ALL": "C"],
      script: Self.command(["plan"] + merge.sourceArguments) + "\necho \"plan: $?\"")
    let rows = try session.waitForRows { $0.last == "plan: 0" }
    let first = try #require(rows.first { $0.hasPrefix("     0 bytes  ") })
    #expect(first.count <= min(columnCount, 100) && first.count > min(columnCount, 100) - 18)
  }
}
