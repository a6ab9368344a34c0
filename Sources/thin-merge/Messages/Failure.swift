internal import MergeEngine

/// The reason for an exit status other than 0, worded for the person who ran the command.
struct Failure: Error, Equatable, Sendable {
  /// The reason, for programs: one of the engine's error codes, or a ``FailureCode``.
  var code: String
  /// The action that failed, where it failed, and why.
  var message: String
  /// The remedies: text with commands below it, as in ``MergeError/hint``.
  var hints: [String]
  /// The exit status of the command.
  var exitStatus: ExitStatus

  /// All hints joined into one text; nil if there are none.
  var hint: String? { hints.isEmpty ? nil : hints.joined(separator: "\n") }
}

/// The reason for a failure of the command itself, not of the engine.
///
/// The raw value appears in JSON output. Raw values never change, but later versions may add new
/// ones.
enum FailureCode: String, CaseIterable, Sendable {
  /// The command line is invalid.
  case usage = "usage"
  /// The report cannot be written.
  case reportNotWritten = "report-not-written"
  /// The external origin of the thin device is unknown.
  case noOrigin = "no-origin"
  /// Only a journal names the target, and anyone could have created that journal.
  case targetNotTrusted = "target-not-trusted"
  /// The user answered no to a question.
  case notAgreed = "not-agreed"
  /// Some changes that were made to a pool for a merge have not been undone.
  case notPutBack = "not-put-back"
  /// A bug in the command.
  case bug = "bug"
}

extension Failure {
  /// Creates a failure of the command itself.
  init(
    _ code: FailureCode, _ exitStatus: ExitStatus, message: String, hints: [String] = []
  ) {
    self.init(code: code.rawValue, message: message, hints: hints, exitStatus: exitStatus)
  }

  /// Creates a failure from an error that the engine threw.
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

  /// Returns the failure for a bug in the command.
  static func bug(_ why: String) -> Failure {
    Failure(
      .bug, .bug, message: "cannot continue, the command line: \(why)", hints: [pleaseReport])
  }

  private static let pleaseReport =
    "this is a bug in thin-merge; please report it with the whole command"

  /// Creates the failure for a stopped merge, which can be resumed from `journalPath`.
  init(stopping error: MergeError, journalPath: String) {
    self.init(error)
    if error.kind != .bug { exitStatus = .stopped }
    if !hints.contains(where: { $0.contains("thin-merge resume") }) {
      hints.append("resume the merge".above(ShellCommand.resume(journalPath: journalPath).text))
    }
  }

  /// Returns the failure for a report that did not reach standard output.
  ///
  /// `status`: the exit status, which depends on whether something else failed too.
  static func reportLost(_ status: ExitStatus, because reason: String) -> Failure {
    Failure(
      .reportNotWritten, status,
      message: "could not write the report, standard output: \(reason)",
      hints: ["the command did its work; only the report is lost"])
  }

  /// Returns the failure for an invalid command line.
  static func usage(_ message: String, hint: String? = nil) -> Failure {
    Failure(.usage, .usage, message: message, hints: hint.map { [$0] } ?? [])
  }
}
