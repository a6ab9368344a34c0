import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// The command's exit status type.
///
/// The alias is needed because the testing library has a type of the same name.
typealias ExitStatus = thin_merge.ExitStatus

/// An error in the form in which the command reports it.
struct ReportedError: Equatable, Sendable {
  var code: String
  /// The message text, which states what failed, on which file or device, and why.
  var message: String
  /// The hints, each of which is a line of prose followed by its commands.
  var hints: [String]
  var exitStatus: Int32

  init(code: String, message: String, hints: [String] = [], exitStatus: Int32) {
    self.code = code
    self.message = message
    self.hints = hints
    self.exitStatus = exitStatus
  }

  /// Parses the single error in a command's standard error, given either as text or as the last
  /// line of JSON.
  init(_ result: CommandResult) throws {
    let lines = result.standardError.split(separator: "\n").map(String.init)
    if let last = lines.last, last.hasPrefix("{") {
      let errors = try lines.filter { try JSONValue(parsing: $0)["type"]?.string == "error" }
      guard errors == [last] else { throw SupportError("not one error:\n\(lines)") }
      self.init(try JSONValue(parsing: last), exitStatus: result.exitStatus)
    } else {
      try self.init(text: lines, exitStatus: result.exitStatus)
    }
  }

  private init(_ line: JSONValue, exitStatus: Int32) {
    self.init(
      code: line["code"]?.string ?? "", message: line["message"]?.string ?? "",
      hints: Self.hints(in: line["hint"]?.string ?? ""), exitStatus: exitStatus)
  }

  /// Parses an error in text form.
  ///
  /// The text does not contain an error code, but an invalid command line implies one.
  private init(text lines: [String], exitStatus: Int32) throws {
    let errors = lines.indices.filter { lines[$0].hasPrefix(Self.errorPrefix) }
    guard errors.count == 1, let error = errors.first else {
      throw SupportError("not one error:\n\(lines.joined(separator: "\n"))")
    }
    self.init(
      code: exitStatus == ExitStatus.usage.rawValue ? FailureCode.usage.rawValue : "",
      message: String(lines[error].dropFirst(Self.errorPrefix.count)),
      hints: Self.hints(
        in: try lines[(error + 1)...].map { line in
          if line.hasPrefix(Self.commandPrefix) { return line }
          guard line.hasPrefix(Self.hintPrefix) else { throw SupportError("no hint: \(line)") }
          return String(line.dropFirst(Self.hintPrefix.count))
        }.joined(separator: "\n")), exitStatus: exitStatus)
  }

  /// Creates the error that the command reports for the given engine error.
  init(_ error: MergeError) { self.init(Failure(error)) }

  /// Creates the error that the command reports for the given failure.
  init(_ failure: Failure) {
    self.init(
      code: failure.code, message: failure.message,
      hints: Self.hints(in: failure.hints.joined(separator: "\n")),
      exitStatus: failure.exitStatus.rawValue)
  }

  private static let errorPrefix = "thin-merge: error: "
  private static let hintPrefix = "hint: "
  private static let commandPrefix = "  "

  /// Splits the text of a hint into its parts, each of which is a line of prose with the commands
  /// below it.
  static func hints(in text: String) -> [String] {
    text.split(separator: "\n").reduce(into: []) { hints, line in
      if line.hasPrefix(commandPrefix), !hints.isEmpty {
        hints[hints.count - 1] += "\n" + line
      } else {
        hints.append(String(line))
      }
    }
  }

  /// The commands in the hints, without their indentation.
  var commands: [String] {
    hints.flatMap { $0.split(separator: "\n").dropFirst().map { String($0.dropFirst(2)) } }
  }

  /// The lines of the error in the form in which the command prints them.
  var lines: [String] {
    ["error: \(message)"] + hints.flatMap { "hint: \($0)".components(separatedBy: "\n") }
  }

  /// Follows the hints of the error if a follower is set, and returns the error itself.
  func followed() throws -> ReportedError {
    try HintFollower.current?.follow(self)
    return self
  }

  /// Returns the error with fixed names in place of strings that vary from run to run.
  func naming(_ names: [(String, String)]) -> ReportedError {
    func named(_ text: String) -> String {
      // Replaces the longest strings first, since `/dev/loop12` contains `/dev/loop1`.
      names.sorted { $0.0.count > $1.0.count }
        .reduce(text) { text, name in
          let parts = text.components(separatedBy: name.0)
          return parts.dropFirst().reduce(parts[0]) { text, part in
            // Skips a match that is only part of the longer path of another device.
            let isLonger = name.0.last?.isNumber == true && part.first?.isNumber == true
            return text + (isLonger ? name.0 : name.1) + part
          }
        }
    }
    return ReportedError(
      code: code, message: named(message), hints: hints.map(named), exitStatus: exitStatus)
  }
}
