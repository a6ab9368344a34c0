internal import MergeEngine

/// Why the command ends with another status than 0, in words for the person who called it.
struct Failure: Error, Equatable, Sendable {
  /// What could not be done, where, and why.
  var message: String
  /// What to do about it, each a line of its own.
  var hints: [String]
  /// How the command ends.
  var exitStatus: ExitStatus
}

extension Failure {
  /// A failure of the engine.
  init(_ error: MergeError) {
    var hints = error.hint.map { [$0] } ?? []
    if error.kind == .bug {
      hints.append("this is a mistake in thin-merge; please report it with the whole command")
    }
    self.init(message: error.message, hints: hints, exitStatus: ExitStatus(error.kind))
  }

  /// What stopped a merge that `journalPath` can go on with.
  init(stopping error: MergeError, journalPath: String) {
    self.init(error)
    let command = ShellCommand.resume(journalPath: journalPath).text
    if error.kind != .bug { exitStatus = .stopped }
    if !hints.contains(where: { $0.contains("thin-merge resume") }) {
      hints.append("to go on: \(command)")
    }
  }

  /// A command line that makes no sense.
  static func usage(_ message: String, hint: String? = nil) -> Failure {
    Failure(message: message, hints: hint.map { [$0] } ?? [], exitStatus: .usage)
  }
}
