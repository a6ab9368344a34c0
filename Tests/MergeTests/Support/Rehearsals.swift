import Foundation

/// Commands that were run dry before the real run.
final class Rehearsals: @unchecked Sendable {
  /// The ends of a dry run and of the real run after it.
  struct Pair: Sendable, CustomStringConvertible {
    var what: String
    var dry: End
    var real: End

    var description: String { "\(what): \(real); dry: \(dry)" }
  }

  /// The end of a run.
  struct End: Equatable, Sendable, CustomStringConvertible {
    var exitStatus: Int32
    /// Nil if no error was reported.
    var code: String?
    var message: String?

    var description: String { "\(exitStatus) \(code ?? "") \(message ?? "")" }
  }

  private let lock = NSLock()
  private var collected: [Pair] = []

  /// All pairs so far.
  var pairs: [Pair] { lock.withLock { collected } }

  /// Adds the ends of a dry run and of the real run.
  func append(_ what: String, dry: End, real: End) {
    lock.withLock { collected.append(Pair(what: what, dry: dry, real: real)) }
  }
}

extension Rehearsals.End {
  /// Creates the end of a command run with `--output json`.
  init(_ result: CommandResult) {
    let error = try? result.messages().last { $0["type"]?.string == "error" }
    self.init(
      exitStatus: result.exitStatus, code: error?["code"]?.string,
      message: error?["message"]?.string)
  }
}
