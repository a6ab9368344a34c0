import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// The command's; the test runner has one of its own.
typealias ExitStatus = thin_merge.ExitStatus

/// An error as the person who called the command sees it.
struct SaidError: Equatable, Sendable {
  /// What, where, why.
  var message: String
  /// What to do, a line each.
  var hints: [String]
  var exitStatus: Int32
  var code: String

  init(_ message: String, hints: [String], exitStatus: Int32, code: String = "") {
    self.code = code
    self.message = message
    self.hints = hints
    self.exitStatus = exitStatus
  }

  /// The one error on a command's standard error.
  init(_ result: CommandResult) throws {
    let lines = result.standardError.split(separator: "\n").map(String.init)
    if let last = lines.last, last.hasPrefix("{") {
      let line = try JSONValue(parsing: last)
      message = line["message"]?.string ?? ""
      code = line["code"]?.string ?? ""
      hints = (line["hint"]?.string ?? "").components(separatedBy: "; to go on: ")
      if hints.count == 2 { hints[1] = "to go on: " + hints[1] }
      if hints == [""] { hints = [] }
      exitStatus = result.exitStatus
      return
    }
    code = "usage"
    let errors = lines.indices.filter { lines[$0].hasPrefix(Self.errorPrefix) }
    guard errors.count == 1, let error = errors.first else {
      throw SupportError("not one error:\n\(result.standardError)")
    }
    message = String(lines[error].dropFirst(Self.errorPrefix.count))
    hints = try lines[(error + 1)...].map { line in
      guard line.hasPrefix(Self.hintPrefix) else { throw SupportError("no hint: \(line)") }
      return String(line.dropFirst(Self.hintPrefix.count))
    }
    exitStatus = result.exitStatus
  }

  /// The error as the command words it.
  init(_ error: MergeError) { self.init(Failure(error)) }

  /// What the command ends with.
  init(_ failure: Failure) {
    self.init(
      failure.message, hints: failure.hints, exitStatus: failure.exitStatus.rawValue,
      code: failure.code)
  }

  private static let errorPrefix = "thin-merge: error: "
  private static let hintPrefix = "hint: "

  /// With what differs from run to run called by a fixed name.
  func naming(_ names: [(String, String)]) -> SaidError {
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
    return SaidError(named(message), hints: hints.map(named), exitStatus: exitStatus, code: code)
  }
}

/// A situation that a user can meet, and the exact words that it ends with.
struct ErrorRow: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let expected: SaidError
  /// Brings the situation about; nil where no test can.
  let meet: (@Sendable () throws -> SaidError)?

  init(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    meet: @escaping @Sendable () throws -> SaidError
  ) {
    testDescription = situation
    expected = SaidError(message, hints: hints, exitStatus: exitStatus.rawValue)
    let once = Once(meet)
    self.meet = { try once.said() }
  }

  /// A row that only states the words, which `EveryErrorTests` holds against the source.
  ///
  /// Thirteen of all rows are so, two of them mistakes of the program.
  init(
    onlyStated reason: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = []
  ) {
    testDescription = reason
    expected = SaidError(message, hints: hints, exitStatus: exitStatus.rawValue)
    meet = nil
  }

  /// Whether a test can bring the situation about.
  var canBeMet: Bool { meet != nil }

  /// Brings the situation about and compares every word.
  func check() throws {
    guard let meet else { throw SupportError("this can only be stated") }
    let said = try meet()
    #expect(said.exitStatus == expected.exitStatus)
    #expect(said.message == expected.message)
    #expect(said.hints == expected.hints)
  }
}

/// A situation that is brought about once, whoever asks for what is said.
private final class Once: @unchecked Sendable {
  private let lock = NSLock()
  private let meet: @Sendable () throws -> SaidError
  private var result: Result<SaidError, any Error>?

  init(_ meet: @escaping @Sendable () throws -> SaidError) { self.meet = meet }

  func said() throws -> SaidError {
    lock.lock()
    defer { lock.unlock() }
    if let result { return try result.get() }
    let result = Result {
      try ThinMergeCommand.$extraArguments.withValue(["--output", "json"]) { try meet() }
    }
    self.result = result
    return try result.get()
  }
}

extension ErrorRow {
  /// A command over image files; their folder is called `FOLDER`.
  init(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    command: @escaping @Sendable (MergeCase) throws -> CommandResult
  ) {
    self.init(situation, exitStatus, message, hints: hints) {
      let merge = try MergeCase(scatteredBlocks: 8)
      return try SaidError(command(merge)).naming([(merge.folder.path, "FOLDER")])
    }
  }

  /// A command line alone.
  init(
    _ arguments: [String], _ exitStatus: ExitStatus, _ message: String, hints: [String] = []
  ) {
    self.init(
      arguments.isEmpty ? "nothing" : arguments.joined(separator: " "), exitStatus, message,
      hints: hints
    ) {
      try ThinMergeCommand.$extraArguments.withValue([]) {
        try SaidError(ThinMergeCommand.run(arguments))
      }
    }
  }
}

extension MergeCase {
  /// Runs the command while the system refuses all of these calls on one file, as strace makes it.
  func run(
    _ arguments: [String], refusing calls: String, on path: String, with errno: String
  ) throws -> CommandResult {
    try ThinMergeCommand.run(
      arguments,
      under: [
        "strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", "trace=\(calls)", "-e",
        "inject=\(calls):error=\(errno)",
      ])
  }

  /// A merge of few blocks that is interrupted long before it would be done.
  @discardableResult
  func interruptEarly(_ options: [String] = []) throws -> CommandResult {
    try interruptMerge(afterCheckpoints: 1, ["--rate-limit", "64k"] + options)
  }
}
