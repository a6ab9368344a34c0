import Foundation
import Testing

@testable import thin_merge

/// Everything that is said to people, as one text.
private struct AllMessages {
  private(set) var text = "All that thin-merge says to people, written by a test.\n"

  mutating func begin(_ title: String) { text += "\n# \(title)\n" }

  mutating func add(_ heading: String, _ lines: [String]) {
    text += "\n## \(heading)\n" + lines.map { $0.isEmpty ? "\n" : $0 + "\n" }.joined()
  }

  /// Whether words are in the text, however its lines are broken.
  static func flattened(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}

@Suite(
  "Messages: all that is said", .waitsForPrograms, .needsLoopDevices, .needsSwap, .needsTmpfs,
  .needsExt4, .needsPython, .needsTracing)
struct MessagesTests {
  @Test("all messages match Tests/Messages.txt")
  func messages() async throws {
    var messages = AllMessages()
    messages.begin("Errors")
    for (table, rows) in Self.tables {
      for (row, said) in zip(rows, try await Self.met(rows)) {
        let about = row.canBeMet ? "" : " (not brought about)"
        messages.add(
          "\(table): \(row.testDescription)\(about)",
          ["exit \(said.exitStatus)", "code: \(said.code)", "error: \(said.message)"]
            + said.hints.map { "hint: \($0)" })
      }
    }
    messages.begin("Help")
    for verb in [""] + ThinMerge.verbs {
      let words = (verb.isEmpty ? [] : [verb]) + ["--help"]
      messages.add("thin-merge \(words.joined(separator: " "))", try Self.said(words))
    }
    messages.begin("Reports and notes")
    for sample in SampleRun.all { messages.add(sample.name, try sample.lines()) }
    messages.begin("Other words of the sources")
    let said = AllMessages.flattened(messages.text)
    for (file, texts) in try SourceErrors.texts() {
      let others = texts.filter { text in
        !text.filter { !$0.isEmpty }.allSatisfy { said.contains(AllMessages.flattened($0)) }
      }
      if !others.isEmpty { messages.add(file, others.map { $0.joined(separator: "…") }) }
    }
    try RecordedText.expect(messages.text, in: "Tests/Messages.txt")
  }

  /// All rows there are, in the order in which they stand.
  private static let tables = [
    ("command line", WhatIsWrongWithTheCommandLine.rows + WhatIsWrongWithTheCommandLine.ofDevices),
    ("metadata", WhatIsWrongWithTheMetadata.rows),
    ("file", WhyAFileIsNotUsed.rows),
    (
      "journal",
      WhyAJournalIsNotUsed.rows + WhyAJournalIsNotUsed.asRoot + WhyAJournalIsNotUsed.refused
        + WhyAJournalIsNotTrusted.rows + WhyAJournalIsNotTrusted.asRoot
    ),
    ("pool", WhyAPoolIsNotUsed.rows),
    ("rest", WhyAThinDeviceIsNotAtRest.rows),
    (
      "stop",
      WhyAMergeStopped.rows + WhyAMergeStopped.refused + WhyAMergeLostItsFiles.rows
        + [WhyAMergeStopped.refusedToRoot, WhyAMergeStopped.refusedOfDevice]
    ),
  ]

  @Test("every row of the tables of errors is in one of these")
  func complete() {
    let names = Self.tables.flatMap(\.1).map(\.testDescription).sorted()
    #expect(names == EveryError.rows.map(\.testDescription).sorted())
  }

  /// What is said where the rows' situations are brought about; where none can be, what is stated.
  private static func met(_ rows: [ErrorRow]) async throws -> [SaidError] {
    try await withThrowingTaskGroup(of: (Int, SaidError).self) { group in
      for (index, row) in rows.enumerated() {
        group.addTask { (index, try row.meet?() ?? row.expected) }
      }
      return try await group.reduce(into: [Int: SaidError]()) { $0[$1.0] = $1.1 }
        .sorted { $0.key < $1.key }.map(\.value)
    }
  }

  private static func said(_ arguments: [String]) throws -> [String] {
    let result = try ThinMergeCommand.run(arguments, environment: ["COLUMNS": "80"])
    return (result.standardOutput + result.standardError)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}

/// A run of the command over files, and what it says.
private struct SampleRun: Sendable {
  let name: String
  let run: @Sendable (MergeCase) throws -> CommandResult

  init(_ name: String, _ run: @escaping @Sendable (MergeCase) throws -> CommandResult) {
    self.name = name
    self.run = run
  }

  static let all: [SampleRun] = [
    SampleRun("a plan") { try $0.plan() },
    SampleRun("a plan for programs") { try $0.plan(["--output", "json"]) },
    SampleRun("a merge") { try $0.merge() },
    SampleRun("a merge that is verified") { try $0.merge(["--verify"]) },
    SampleRun("a merge onto a shorter file") {
      try Program.mustRun("truncate", "--size", "\($0.before.count / 2)", $0.origin)
      return try $0.merge(["--past-end", "clip"])
    },
    SampleRun("a merge onto a file that grows") {
      try Program.mustRun("truncate", "--size", "\($0.before.count / 2)", $0.origin)
      return try $0.merge(["--past-end", "grow"])
    },
    SampleRun("a merge of what is merged") {
      _ = try $0.merge()
      return try $0.merge()
    },
    SampleRun("a merge that begins anew") {
      _ = try $0.merge()
      return try $0.merge(["--restart"])
    },
    SampleRun("a resume") {
      try stop($0)
      return try $0.resume()
    },
    SampleRun("a plan of a merge that stopped") {
      try stop($0)
      return try $0.plan()
    },
    SampleRun("the status of a merge that stopped") {
      try stop($0)
      return try ThinMergeCommand.run(["status", $0.journal])
    },
    SampleRun("the status of a merge that is finished") {
      _ = try $0.merge()
      return try ThinMergeCommand.run(["status", $0.journal])
    },
    SampleRun("a comparison of what differs") { try $0.verify() },
    SampleRun("a comparison of what is merged") {
      _ = try $0.merge()
      return try $0.verify()
    },
    SampleRun("a comparison with the journal") {
      _ = try $0.merge()
      return try ThinMergeCommand.run(["verify", "--journal", $0.journal])
    },
    SampleRun("the devices of a pool") {
      try ThinMergeCommand.run(["devices", "--metadata", $0.metadata])
    },
  ]

  /// A merge that stops at the first byte past the first 1 MiB of the origin.
  private static func stop(_ merge: MergeCase) throws {
    _ = try merge.merge(
      ["--queue-depth", "1", "--io-size", "64k"], under: ["prlimit", "--fsize=1048576"])
  }

  func lines() throws -> [String] {
    let merge = try MergeCase(scatteredBlocks: 12)
    let result = try run(merge)
    let text = "exit \(result.exitStatus)\n" + result.standardOutput + result.standardError
    return text.replacing(merge.folder.path, with: "FOLDER").replacing("█", with: "#")
      .replacing("·", with: ".")
      .replacing(#/\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( UTC|Z)?/#, with: "DATE")
      // How fast it was, which is not said where it took no time.
      .replacing(#/, [\d.]+ (bytes|KiB|MiB|GiB)/s( on average)?/#, with: "")
      .replacing(#/\b[\d.]+ (µs|ms|s|min|h)\b/#, with: "TIME")
      .replacing(#/"(\w*seconds\w*|bytes_per_second)" ?: ?[\d.]+/#) { "\"\($0.output.1)\": NUMBER" }
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      // Some lines are there only where it takes long, and all others are as wide as the widest.
      .filter {
        !$0.contains(#/^  submitting |^thin-merge: (merging|rechecking|retrying|verifying):/#)
      }
      .map { $0.replacing(#/(\S) {2,}/#) { "\($0.output.1)  " } }
  }
}
