import Foundation

@testable import thin_merge

/// Runs a command of this program from a hint, in the situation that gave the hint.
final class HintFollower: @unchecked Sendable {
  /// A command that was run, and its result.
  struct Step {
    /// The code of the error whose hint contains the command.
    var code: String
    var command: String
    /// The command's error, or nil if it succeeded.
    var error: ReportedError?
  }

  /// The follower of each error from a situation over image files, if any.
  @TaskLocal static var current: HintFollower?

  /// The index of the command to run.
  let index: Int
  /// The commands that were run.
  private(set) var steps: [Step] = []

  init(index: Int) { self.index = index }

  /// Returns true if a command can be run unchanged: it is of this program and has no placeholder.
  static func canFollow(_ command: String) -> Bool {
    command.hasPrefix("thin-merge ") && !command.hasSuffix(" --help")
      && ShellWords(command).words?.contains { $0.allSatisfy { $0.isUppercase || $0 == "-" } }
        == false
  }

  /// Returns the commands that can be run at once, excluding hints with an earlier manual step.
  static func commands(in error: ReportedError) -> [String] {
    error.hints.filter { !$0.contains(", then ") }.flatMap { hint in
      ReportedError(code: "", message: "", hints: [hint], exitStatus: 0).commands
    }.filter(canFollow)
  }

  /// Runs the command, and up to two times the first command in the hint of the resulting error.
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
    // No one can answer a question in a test.
    if ["merge", "resume"].contains(words.first) { words.append("--yes") }
    let result = try ThinMergeCommand.$rehearsals.withValue(nil) {
      try ThinMergeCommand.run(Array(words))
    }
    return result.exitStatus == 0 ? nil : try ReportedError(result)
  }
}
