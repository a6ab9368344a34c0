import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// The command's type, since the test runner has one of the same name.
typealias ExitStatus = thin_merge.ExitStatus

/// An error as the command reports it.
struct ReportedError: Equatable, Sendable {
  var code: String
  /// The text: what failed, on what, and why.
  var message: String
  /// The hints: a line of words, each followed by its commands.
  var hints: [String]
  var exitStatus: Int32

  init(code: String, message: String, hints: [String] = [], exitStatus: Int32) {
    self.code = code
    self.message = message
    self.hints = hints
    self.exitStatus = exitStatus
  }

  /// Reads the only error from a command's standard error, in text or as the last line of JSON.
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

  /// Text has no code, except that of an invalid command line.
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

  /// Creates the error as the command words it.
  init(_ error: MergeError) { self.init(Failure(error)) }

  /// Creates the error with which the command ends.
  init(_ failure: Failure) {
    self.init(
      code: failure.code, message: failure.message,
      hints: Self.hints(in: failure.hints.joined(separator: "\n")),
      exitStatus: failure.exitStatus.rawValue)
  }

  private static let errorPrefix = "thin-merge: error: "
  private static let hintPrefix = "hint: "
  private static let commandPrefix = "  "

  /// Returns the parts of a hint: each line of words with the commands below it.
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

  /// The lines of the error, as the command prints them.
  var lines: [String] {
    ["error: \(message)"] + hints.flatMap { "hint: \($0)".components(separatedBy: "\n") }
  }

  /// Returns the error, after following its hints if a follower is set.
  func followed() throws -> ReportedError {
    try HintFollower.current?.follow(self)
    return self
  }

  /// Returns the error with fixed names in place of texts that vary from run to run.
  func naming(_ names: [(String, String)]) -> ReportedError {
    func named(_ text: String) -> String {
      // Replaces the longest first, since `/dev/loop12` contains `/dev/loop1`.
      names.sorted { $0.0.count > $1.0.count }
        .reduce(text) { text, name in
          let parts = text.components(separatedBy: name.0)
          return parts.dropFirst().reduce(parts[0]) { text, part in
            // Skips a match within the longer path of a device without a fixed name.
            let isLonger = name.0.last?.isNumber == true && part.first?.isNumber == true
            return text + (isLonger ? name.0 : name.1) + part
          }
        }
    }
    return ReportedError(
      code: code, message: named(message), hints: hints.map(named), exitStatus: exitStatus)
  }
}
