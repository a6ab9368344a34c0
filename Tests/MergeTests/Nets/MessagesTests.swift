import Foundation
import MergeEngine
import Testing

@testable import thin_merge

/// All user-facing messages, collected into one text.
private struct AllMessages {
  private(set) var text = "All that thin-merge says to people, written by a test.\n"

  mutating func begin(_ title: String) { text += "\n# \(title)\n" }

  mutating func add(_ heading: String, _ lines: [String]) {
    text += "\n## \(heading)\n" + lines.map { $0.isEmpty ? "\n" : $0 + "\n" }.joined()
  }

  /// Adds an error under a heading that contains the error's code.
  mutating func add(_ name: String, _ error: ReportedError) {
    add("\(name) [\(error.code)]", ["exit \(error.exitStatus)"] + error.lines)
  }
}

@Suite(
  "Messages: all user-facing text", .waitsForPrograms, .needsLoopDevices, .needsSwap, .needsTmpfs,
  .needsExt4, .needsPython, .needsTracing)
struct MessagesTests {
  @Test("all user-facing messages match the record in Tests/Messages.txt")
  func messages() async throws {
    var messages = AllMessages()
    messages.begin("Errors")
    for (area, situations) in ErrorSituations.all {
      for (situation, error) in zip(situations, try await Self.reported(situations)) {
        messages.add("\(area): \(situation.testDescription)", error)
      }
    }
    for (name, error) in ErrorSamples.notBroughtAbout {
      messages.add("not brought about: \(name)", error)
    }
    messages.begin("Help")
    for verb in [""] + ThinMerge.verbs {
      let words = (verb.isEmpty ? [] : [verb]) + ["--help"]
      messages.add("thin-merge \(words.joined(separator: " "))", try Self.said(words))
    }
    messages.begin("Reports and notes")
    for sample in SampleRun.all { messages.add(sample.name, try sample.lines()) }
    for isList in [true, false] {
      let text = SettleText(left: .samples, isList: isList, poolName: nil).text
      messages.add(
        isList ? "what is left in pools" : "what is undone in pools",
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }
    messages.begin("Notes")
    for note in ErrorSamples.notes {
      messages.add(note.code.rawValue, ["note: \(note.textInCommandTerms)"])
    }
    for note in [Note.stopping, .notDraining] { messages.add(note.code, ["note: \(note.text)"]) }
    messages.begin("The library's own words, where the command has others")
    for error in ErrorSamples.ofLibrary {
      messages.add(
        error.code.rawValue,
        ["error: \(error.message)"] + (error.hint.map { TerminalText.lines(ofHint: $0) } ?? []))
    }
    for note in ErrorSamples.notes where note.text != note.textInCommandTerms {
      messages.add(note.code.rawValue, ["note: \(note.text)"])
    }
    try RecordedText.expect(messages.text, in: "Tests/Messages.txt")
  }

  /// Runs the situations in parallel, and returns the error from each of them, in the same order.
  private static func reported(_ situations: [ErrorSituation]) async throws -> [ReportedError] {
    try await withThrowingTaskGroup(of: (Int, ReportedError).self) { group in
      for (index, situation) in situations.enumerated() {
        group.addTask { (index, try situation.reported()) }
      }
      return try await group.reduce(into: [Int: ReportedError]()) { $0[$1.0] = $1.1 }
        .sorted { $0.key < $1.key }.map(\.value)
    }
  }

  private static func said(_ arguments: [String]) throws -> [String] {
    let result = try ThinMergeCommand.run(arguments, environment: ["COLUMNS": "80"])
    return (result.standardOutput + result.standardError)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}

/// A sample run of the command on files, whose output is added to the recorded messages.
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
    SampleRun("a dry run that puts a journal aside") {
      try stop($0)
      return try $0.merge(["--restart", "--dry-run"])
    },
    SampleRun("a dry run over a finished merge") {
      expectSuccess(try $0.merge())
      return try $0.merge(["--again", "--yes", "--dry-run"])
    },
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
      return try $0.merge(["--restart", "--yes"])
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

  /// Runs a merge that stops when it tries to write past the first 1 MiB of the origin.
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
      // Removes the rate, which is printed only if a run took a measurable amount of time.
      .replacing(#/, [\d.]+ (bytes|KiB|MiB|GiB)/s( on average)?/#, with: "")
      .replacing(#/\b[\d.]+ (µs|ms|s|min|h)\b/#, with: "TIME")
      .replacing(#/"(\w*seconds\w*|bytes_per_second)" ?: ?[\d.]+/#) { "\"\($0.output.1)\": NUMBER" }
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      // Removes lines that appear only in slow runs, and the padding that aligns columns.
      .filter {
        !$0.contains(#/^  submitting |^thin-merge: (merging|rechecking|retrying|verifying):/#)
      }
      .map { $0.replacing(#/(\S) {2,}/#) { "\($0.output.1)  " } }
  }
}
