internal import MergeEngine

/// The reason for an exit status other than 0, in words for the person who called the command.
struct Failure: Error, Equatable, Sendable {
  /// The reason, for programs: a code of the engine, or one of ``FailureCode``.
  var code: String
  /// What could not be done, where, and why.
  var message: String
  /// What to do about it: words, with commands under them as ``MergeError/hint`` has them.
  var hints: [String]
  /// How the command ends.
  var exitStatus: ExitStatus

  /// All hints as one; nil where there is none.
  var hint: String? { hints.isEmpty ? nil : hints.joined(separator: "\n") }
}

/// Why the command fails where the engine does not.
///
/// The raw value stands in the JSON. It stays what it is; later versions add others.
enum FailureCode: String, CaseIterable, Sendable {
  /// The command line makes no sense.
  case usage = "usage"
  /// The report cannot be written.
  case reportNotWritten = "report-not-written"
  /// The external origin of the thin device is not known.
  case noOrigin = "no-origin"
  /// Only a journal names what is to be written to, and anybody may have put it there.
  case targetNotTrusted = "target-not-trusted"
  /// A question was answered with no.
  case notAgreed = "not-agreed"
  /// Not all that was done to a pool for a merge is undone.
  case notPutBack = "not-put-back"
  /// A mistake in the command.
  case bug = "bug"
}

extension Failure {
  /// A failure of the command itself.
  init(
    _ code: FailureCode, _ exitStatus: ExitStatus, message: String, hints: [String] = []
  ) {
    self.init(code: code.rawValue, message: message, hints: hints, exitStatus: exitStatus)
  }

  /// A failure of the engine.
  init(_ error: MergeError) {
    let error = error.inCommandTerms
    var hints = error.hint.map { [$0] } ?? []
    if error.kind == .bug {
      hints.append(Self.pleaseReport)
    }
    self.init(
      code: error.code.rawValue, message: error.message, hints: hints,
      exitStatus: ExitStatus(error.kind))
  }

  /// A mistake in the command.
  static func bug(_ why: String) -> Failure {
    Failure(
      .bug, .bug, message: "could not go on, the command line: \(why)", hints: [pleaseReport])
  }

  private static let pleaseReport =
    "this is a mistake in thin-merge; please report it with the whole command"

  /// What stopped a merge that `journalPath` can go on with.
  init(stopping error: MergeError, journalPath: String) {
    self.init(error)
    if error.kind != .bug { exitStatus = .stopped }
    if !hints.contains(where: { $0.contains("thin-merge resume") }) {
      hints.append("to go on".above(ShellCommand.resume(journalPath: journalPath).text))
    }
  }

  /// A report that did not come to standard output.
  ///
  /// `status`: how the command ends, since something else may have failed too.
  static func reportLost(_ status: ExitStatus, because reason: String) -> Failure {
    Failure(
      .reportNotWritten, status,
      message: "could not write the report, standard output: \(reason)",
      hints: ["what was done is done, and only its report is lost"])
  }

  /// A command line that makes no sense.
  static func usage(_ message: String, hint: String? = nil) -> Failure {
    Failure(.usage, .usage, message: message, hints: hint.map { [$0] } ?? [])
  }
}
