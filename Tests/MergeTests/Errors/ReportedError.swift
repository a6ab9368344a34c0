import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// The command's; the test runner has one of its own.
typealias ExitStatus = thin_merge.ExitStatus

/// An error as the command reports it.
struct ReportedError: Equatable, Sendable {
  var code: String
  /// What, where, why.
  var message: String
  /// What to do: words, each with the commands under it that it is about.
  var hints: [String]
  var exitStatus: Int32

  init(code: String, message: String, hints: [String] = [], exitStatus: Int32) {
    self.code = code
    self.message = message
    self.hints = hints
    self.exitStatus = exitStatus
  }

  /// The one error on a command's standard error, in text or as the last line of JSON.
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

  /// Text does not have the code, except of a command line that makes no sense.
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

  /// The error as the command words it.
  init(_ error: MergeError) { self.init(Failure(error)) }

  /// What the command ends with.
  init(_ failure: Failure) {
    self.init(
      code: failure.code, message: failure.message,
      hints: Self.hints(in: failure.hints.joined(separator: "\n")),
      exitStatus: failure.exitStatus.rawValue)
  }

  private static let errorPrefix = "thin-merge: error: "
  private static let hintPrefix = "hint: "
  private static let commandPrefix = "  "

  /// The parts of a hint: each line of words, with the commands under it.
  static func hints(in text: String) -> [String] {
    text.split(separator: "\n").reduce(into: []) { hints, line in
      if line.hasPrefix(commandPrefix), !hints.isEmpty {
        hints[hints.count - 1] += "\n" + line
      } else {
        hints.append(String(line))
      }
    }
  }

  /// The commands in the hints, without the blanks before them.
  var commands: [String] {
    hints.flatMap { $0.split(separator: "\n").dropFirst().map { String($0.dropFirst(2)) } }
  }

  /// The lines of the error, as the command prints them.
  var lines: [String] {
    ["error: \(message)"] + hints.flatMap { "hint: \($0)".components(separatedBy: "\n") }
  }

  /// Returns the error once its hints are followed, where somebody wants that.
  func followed() throws -> ReportedError {
    try HintFollower.current?.follow(self)
    return self
  }

  /// Returns the error with what differs from run to run called by a fixed name.
  func naming(_ names: [(String, String)]) -> ReportedError {
    func named(_ text: String) -> String {
      // The longest first, or `/dev/loop1` would be found in `/dev/loop12`.
      names.sorted { $0.0.count > $1.0.count }
        .reduce(text) { text, name in
          let parts = text.components(separatedBy: name.0)
          return parts.dropFirst().reduce(parts[0]) { text, part in
            // Nor is it to be found in the path of a device that has no name here.
            let isLonger = name.0.last?.isNumber == true && part.first?.isNumber == true
            return text + (isLonger ? name.0 : name.1) + part
          }
        }
    }
    return ReportedError(
      code: code, message: named(message), hints: hints.map(named), exitStatus: exitStatus)
  }
}
