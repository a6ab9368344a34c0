import Foundation

@testable import thin_merge

/// Runs a command of this program that a hint names, where the hint was given.
final class HintFollower: @unchecked Sendable {
  /// A command that was run, and what came of it.
  struct Step {
    /// The code of the error whose hint named the command.
    var code: String
    var command: String
    /// What it ended with; nil where it did what it was to do.
    var error: ReportedError?
  }

  /// The one that is told of each error that a situation over image files ends with.
  @TaskLocal static var current: HintFollower?

  /// Which of the commands is run.
  let index: Int
  /// What was run.
  private(set) var steps: [Step] = []

  init(index: Int) { self.index = index }

  /// Whether a command can be run as it is: it is of this program, and has no word to be replaced.
  static func canFollow(_ command: String) -> Bool {
    command.hasPrefix("thin-merge ") && !command.hasSuffix(" --help")
      && ShellWords(command).words?.contains { $0.allSatisfy { $0.isUppercase || $0 == "-" } }
        == false
  }

  /// The commands that can be run at once: words may say that something has to be done before.
  static func commands(in error: ReportedError) -> [String] {
    error.hints.filter { !$0.contains(", then ") }.flatMap { hint in
      ReportedError(code: "", message: "", hints: [hint], exitStatus: 0).commands
    }.filter(canFollow)
  }

  /// Runs the command, and where that fails with a hint, the first that this one names.
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
    // Nobody can be asked.
    if ["merge", "resume"].contains(words.first) { words.append("--yes") }
    let result = try ThinMergeCommand.$rehearsals.withValue(nil) {
      try ThinMergeCommand.run(Array(words))
    }
    return result.exitStatus == 0 ? nil : try ReportedError(result)
  }
}
