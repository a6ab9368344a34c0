import Foundation
import Testing

@testable import thin_merge

/// The source text of one manual page.
private struct ManualPage: Sendable, CustomStringConvertible {
  /// The commands of an example in the manual, and their exit status.
  struct Example {
    /// The commands, as a shell script.
    var script: String
    /// The exit status of the last command.
    var exitStatus: Int32
  }

  /// The verb that the page describes; nil for the main page of the command.
  let verb: String?
  let lines: [String]

  static let verbs = ["merge", "resume", "verify", "plan", "list", "status", "devices", "settle"]

  static func all() throws -> [ManualPage] {
    try [ManualPage(verb: nil)] + verbs.map { try ManualPage(verb: $0) }
  }

  init(verb: String?) throws {
    self.verb = verb
    lines = try String(contentsOfFile: Self.path(verb), encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  var path: String { Self.path(verb) }

  var description: String { Self.name(verb) }

  static func name(_ verb: String?) -> String { verb.map { "thin-merge-\($0)" } ?? "thin-merge" }

  private static func path(_ verb: String?) -> String {
    PackageFolder.path("man/\(name(verb)).8")
  }

  /// The options that have their own entry on the page, including dashes, in sorted order.
  var options: [String] {
    lines.filter { $0.hasPrefix(".It Fl ") }
      .flatMap { $0.matches(of: #/\bFl (-?[a-z-]+)/#).map { "-\($0.output.1)" } }.sorted()
  }

  /// The exit statuses that have their own entry on the page.
  var exitStatuses: [Int32] {
    lines.filter { $0.hasPrefix(".It ") }.compactMap { Int32($0.dropFirst(".It ".count)) }
  }

  /// The commands of this program in the page's displays, each on one line.
  var commands: [String] {
    var isDisplay = false
    let source = lines.joined(separator: "\n").replacing(#/\\e\n */#, with: "")
    return source.replacing("\\-", with: "-").split(separator: "\n").compactMap { line in
      if line.hasPrefix(".Bd") || line.hasPrefix(".Ed") { isDisplay = line.hasPrefix(".Bd") }
      return isDisplay && line.hasPrefix("thin-merge ") ? String(line) : nil
    }
  }

  /// The examples: displays that follow a comment with an exit status.
  var examples: [Example] {
    lines.indices.compactMap { index -> Example? in
      guard let comment = lines[index].firstMatch(of: #/^\.\\" example: (\d+)$/#),
        let exitStatus = Int32(comment.output.1)
      else { return nil }
      let display = lines[(index + 1)...].drop { $0.hasPrefix(".Bd") }.prefix { $0 != ".Ed" }
      let script = display.joined(separator: "\n")
        .replacing("\\-", with: "-").replacing("\\e", with: "\\")
      return Example(script: script, exitStatus: exitStatus)
    }
  }
}

@Suite("Command: the manual", .waitsForPrograms, .needsZstd)
struct ManualTests {
  @Test("each manual page has an entry for exactly the options listed in the help")
  func options() throws {
    for page in try ManualPage.all() {
      let result = try ThinMergeCommand.run((page.verb.map { [$0] } ?? []) + ["--help"])
      expectSuccess(result)
      let documented = result.standardOutput.split(separator: "\n")
        .compactMap { $0.firstMatch(of: #/^  (?:(-[a-z]), )?(--[a-z-]+)/#)?.output }
        .flatMap { [$0.1, $0.2].compactMap { $0.map { String($0) } } }
      #expect(page.options == documented.sorted(), "\(page)")
    }
  }

  @Test("every manual page has the standard sections and lists only exit statuses that exist")
  func sections() throws {
    let known = ExitStatus.allCases.map(\.rawValue)
    for page in try ManualPage.all() {
      for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
        #expect(page.lines.contains(".Sh \(section)"), "\(page)")
      }
      #expect(page.exitStatuses.allSatisfy(known.contains), "\(page)")
      #expect(!page.examples.isEmpty, "\(page)")
    }
    #expect(try ManualPage(verb: nil).exitStatuses == known)
    #expect(try ManualPage(verb: "merge").exitStatuses == known)
    #expect(try ManualPage(verb: "plan").exitStatuses == [0, 2, 3, 4, 5, 64, 70, 74])
    #expect(try ManualPage(verb: "status").exitStatuses == [0, 2, 4, 5, 64, 70, 74])
  }

  @Test("the manual page of the command links to the pages of its verbs")
  func verbs() throws {
    let help = try ThinMergeCommand.run(["--help"]).standardOutput
    let named = try #require(help.split(separator: "SUBCOMMANDS:\n").last).split(separator: "\n")
      .compactMap { $0.firstMatch(of: #/^  ([a-z]+) /#).map { String($0.output.1) } }
    #expect(named == ManualPage.verbs)
    let page = try ManualPage(verb: nil)
    for verb in ManualPage.verbs {
      #expect(page.lines.contains(".It Cm \(verb)"))
      #expect(page.lines.contains(".Xr thin-merge-\(verb) 8 ."))
    }
  }

  @Test("the manual and the changelog give the program's current version")
  func version() throws {
    let version = try ThinMergeCommand.run(["--version"]).standardOutput.trimmingCharacters(
      in: .newlines)
    for page in try ManualPage.all() { #expect(page.lines.contains(".Os \(version)"), "\(page)") }
    let changes = try String(contentsOfFile: PackageFolder.path("CHANGELOG.md"), encoding: .utf8)
    let newest = try #require(changes.split(separator: "\n## ").dropFirst().first)
    #expect("thin-merge \(newest)".hasPrefix(version))
  }

  @Test("every manual page passes mandoc lint", .needsMandoc)
  func lint() throws {
    for page in try ManualPage.all() {
      let result = try Program.run(["mandoc", "-T", "lint", "-W", "warning", page.path])
      #expect(result.exitStatus == 0, "\(result.standardOutput)")
    }
  }

  @Test("every command shown in the manual is accepted by the command-line parser")
  func commandsAreTaken() throws {
    for page in try ManualPage.all() {
      #expect(!page.commands.isEmpty, "\(page)")
      for command in page.commands { try TypedScript.expectAccepted(command, in: "\(page)") }
    }
  }

  @Test("the examples in the manual exit with the statuses that the pages give")
  func examples() throws {
    // Only root can query the system's pools.
    for page in try ManualPage.all() where page.verb != "settle" || geteuid() == 0 {
      let merge = try MergeCase(kernel: "snapshots")
      // The resume and status verbs need a merge that has been stopped.
      if ["resume", "status"].contains(page.verb) { try merge.interruptMerge() }
      for example in page.examples {
        let result = try TypedScript.run(example.script, in: merge.folder)
        #expect(
          result.exitStatus == example.exitStatus,
          "\(page): \(example.script)\n\(result.standardError)")
      }
      if page.verb == "resume" { #expect(try merge.wrongSectors() == []) }
    }
  }
}
