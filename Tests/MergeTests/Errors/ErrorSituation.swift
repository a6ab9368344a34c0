import Foundation
import Testing

@testable import thin_merge

/// A failure that a user can encounter, with the expected error code and exit status.
///
/// The expected text of the error is in `Tests/Messages.txt`, which `MessagesTests` generates from
/// the same situations.
struct ErrorSituation: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// The expected error code, as it appears in JSON output.
  let code: String
  let exitStatus: ExitStatus
  private let once: Once

  /// - `meet`: produces the situation and returns the resulting error.
  init(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    meet: @escaping @Sendable () throws -> ReportedError
  ) {
    testDescription = name
    self.code = code
    self.exitStatus = exitStatus
    once = Once(meet)
  }

  /// Creates a situation in which a command is run on image files.
  ///
  /// The error shows their folder as `FOLDER`.
  init(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    command: @escaping @Sendable (MergeCase) throws -> CommandResult
  ) {
    self.init(name, code, exitStatus) {
      let merge = try MergeCase(scatteredBlocks: 8)
      return try ReportedError(command(merge)).followed().naming([(merge.folder.path, "FOLDER")])
    }
  }

  /// Creates a situation in which the command line is invalid.
  init(_ arguments: [String]) {
    let words = arguments.isEmpty ? "no command" : "'\(arguments.joined(separator: " "))'"
    self.init("\(words) makes no sense", FailureCode.usage.rawValue, .usage) {
      // Uses text output, since requesting JSON would add an option to the command line.
      try ThinMergeCommand.$extraArguments.withValue([]) {
        try ReportedError(ThinMergeCommand.run(arguments))
      }
    }
  }

  /// Returns the command's error.
  ///
  /// The situation is produced only once, for all callers.
  func reported() throws -> ReportedError { try once.reported() }

  /// Produces the situation again, with a dry run before each command, and returns the paired
  /// results.
  func rehearsed() throws -> [Rehearsals.Pair] {
    let rehearsals = Rehearsals()
    try ThinMergeCommand.$rehearsals.withValue(rehearsals) {
      _ = try once.metAgain()
    }
    return rehearsals.pairs
  }

  /// Produces the situation again for each command in its error's hints, runs the command, and
  /// returns the results.
  func followed() throws -> [HintFollower.Step] {
    try HintFollower.commands(in: reported()).indices.flatMap { index in
      let follower = HintFollower(index: index)
      try HintFollower.$current.withValue(follower) { _ = try once.metAgain() }
      return follower.steps
    }
  }

  /// Produces the situation, and checks that the error has the expected code and exit status.
  func check() throws {
    let reported = try reported()
    #expect(reported.code == code, "\(reported.message)")
    #expect(reported.exitStatus == exitStatus.rawValue, "\(reported.message)")
  }
}

private final class Once: @unchecked Sendable {
  private let lock = NSLock()
  private let meet: @Sendable () throws -> ReportedError
  private var result: Result<ReportedError, any Error>?

  init(_ meet: @escaping @Sendable () throws -> ReportedError) { self.meet = meet }

  func reported() throws -> ReportedError {
    lock.lock()
    defer { lock.unlock() }
    if let result { return try result.get() }
    let result = Result { try metAgain() }
    self.result = result
    return try result.get()
  }

  func metAgain() throws -> ReportedError {
    // Requests JSON because text output does not contain the error code.
    try ThinMergeCommand.$extraArguments.withValue(["--output", "json"]) { try meet() }
  }
}

extension MergeCase {
  /// Runs the command while strace makes the given system calls on one file fail.
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

  /// Interrupts a merge of a few blocks long before it ends.
  @discardableResult
  func interruptEarly(_ options: [String] = []) throws -> CommandResult {
    try interruptMerge(afterCheckpoints: 1, ["--rate-limit", "64k"] + options)
  }
}
