import Foundation
import Testing

@testable import thin_merge

/// A situation that a user can meet, and the code of the error that it ends with.
///
/// The words of the error stand in `Tests/Messages.txt`, which `MessagesTests` writes from the same
/// situations.
struct ErrorSituation: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// The code as programs read it.
  let code: String
  let exitStatus: ExitStatus
  private let once: Once

  /// `meet`: brings the situation about.
  init(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    meet: @escaping @Sendable () throws -> ReportedError
  ) {
    testDescription = name
    self.code = code
    self.exitStatus = exitStatus
    once = Once(meet)
  }

  /// A command over image files; their folder is called `FOLDER`.
  init(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    command: @escaping @Sendable (MergeCase) throws -> CommandResult
  ) {
    self.init(name, code, exitStatus) {
      let merge = try MergeCase(scatteredBlocks: 8)
      return try ReportedError(command(merge)).followed().naming([(merge.folder.path, "FOLDER")])
    }
  }

  /// A command line that makes no sense.
  init(_ arguments: [String]) {
    let words = arguments.isEmpty ? "no command" : "'\(arguments.joined(separator: " "))'"
    self.init("\(words) makes no sense", FailureCode.usage.rawValue, .usage) {
      // As text: options for JSON would make other command lines of these.
      try ThinMergeCommand.$extraArguments.withValue([]) {
        try ReportedError(ThinMergeCommand.run(arguments))
      }
    }
  }

  /// What the command reports; the situation is brought about once, whoever asks.
  func reported() throws -> ReportedError { try once.reported() }

  /// Brings the situation about once more, and runs each command dry before.
  func rehearsed() throws -> [Rehearsals.Pair] {
    let rehearsals = Rehearsals()
    try ThinMergeCommand.$rehearsals.withValue(rehearsals) {
      _ = try once.metAgain()
    }
    return rehearsals.pairs
  }

  /// Brings the situation about once more, and does what its hints say: for each command what came of it.
  func followed() throws -> [HintFollower.Step] {
    try HintFollower.commands(in: reported()).indices.flatMap { index in
      let follower = HintFollower(index: index)
      try HintFollower.$current.withValue(follower) { _ = try once.metAgain() }
      return follower.steps
    }
  }

  /// Brings the situation about, and compares code and exit status.
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
    // Only JSON has the code.
    try ThinMergeCommand.$extraArguments.withValue(["--output", "json"]) { try meet() }
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
