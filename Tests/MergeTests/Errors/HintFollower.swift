import Foundation

@testable import thin_merge

/// Runs a thin-merge command from a hint, in the situation that produced the hint.
final class HintFollower: @unchecked Sendable {
  /// A command from a hint that was run, and its result.
  struct Step {
    /// The code of the error whose hint contains the command.
    var code: String
    var command: String
    /// The error that the command reported, or nil if it succeeded.
    var error: ReportedError?
  }

  /// The follower for the hints of errors from situations on image files; nil if hints are not
  /// followed.
  @TaskLocal static var current: HintFollower?

  /// The index of the command to run, among those in the error's hints.
  let index: Int
  /// The commands that were run so far, with their results.
  private(set) var steps: [Step] = []

  init(index: Int) { self.index = index }

  /// Returns true if a command can be run unchanged: it calls thin-merge and contains no
  /// placeholder.
  static func canFollow(_ command: String) -> Bool {
    command.hasPrefix("thin-merge ") && !command.hasSuffix(" --help")
      && ShellWords(command).words?.contains { $0.allSatisfy { $0.isUppercase || $0 == "-" } }
        == false
  }

  /// Returns the commands that can be run right away.
  ///
  /// Hints that require a manual step first are skipped.
  static func commands(in error: ReportedError) -> [String] {
    error.hints.filter { !$0.contains(", then ") }.flatMap { hint in
      ReportedError(code: "", message: "", hints: [hint], exitStatus: 0).commands
    }.filter(canFollow)
  }

  /// Runs the command.
  ///
  /// If a command fails, the first command in the hints of its error is run next, up to three
  /// commands in all.
  func follow(_ error: ReportedError) throws {
    let commands = Self.commands(in: error)
    guard commands.indices.contains(index) else { return }
    var (command, code) = (commands[index], error.code)
    for _ in 0..<3 {
      let end = try run(command)
      steps.append(Step(code: code, command: command, error: end))
      guard let end, let next = Self.commands(in: end).first else { return }
      (command, code) = (next, end.code)
    }
  }

  private func run(_ command: String) throws -> ReportedError? {
    var words = ShellWords(command).words?.dropFirst() ?? []
    // A test cannot answer a confirmation prompt.
    if ["merge", "resume"].contains(words.first) { words.append("--yes") }
    let result = try ThinMergeCommand.$rehearsals.withValue(nil) {
      try ThinMergeCommand.run(Array(words))
    }
    return result.exitStatus == 0 ? nil : try ReportedError(result)
  }
}
