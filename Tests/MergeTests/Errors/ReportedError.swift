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
  /// What to do, a line each.
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
    // What the command adds to a hint of the engine is a line of its own in text.
    let added = "; to go on: "
    let hint = line["hint"]?.string ?? ""
    let parts = hint.components(separatedBy: added)
    self.init(
      code: line["code"]?.string ?? "", message: line["message"]?.string ?? "",
      hints: hint.isEmpty
        ? [] : [parts[0]] + parts.dropFirst().map { added.dropFirst(2) + $0 },
      exitStatus: exitStatus)
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
      hints: try lines[(error + 1)...].map { line in
        guard line.hasPrefix(Self.hintPrefix) else { throw SupportError("no hint: \(line)") }
        return String(line.dropFirst(Self.hintPrefix.count))
      }, exitStatus: exitStatus)
  }

  /// The error as the command words it.
  init(_ error: MergeError) { self.init(Failure(error)) }

  /// What the command ends with.
  init(_ failure: Failure) {
    self.init(
      code: failure.code, message: failure.message, hints: failure.hints,
      exitStatus: failure.exitStatus.rawValue)
  }

  private static let errorPrefix = "thin-merge: error: "
  private static let hintPrefix = "hint: "

  /// The lines of the error, as the command prints them.
  var lines: [String] { ["error: \(message)"] + hints.map { "hint: \($0)" } }

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
