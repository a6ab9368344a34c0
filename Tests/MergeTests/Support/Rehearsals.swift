import Foundation

/// The outcomes of commands that were first run with a dry run, and then for real.
final class Rehearsals: @unchecked Sendable {
  /// The outcomes of a dry run and of the real run that followed.
  struct Pair: Sendable, CustomStringConvertible {
    var what: String
    var dry: End
    var real: End

    var description: String { "\(what): \(real); dry: \(dry)" }
  }

  /// The outcome of a run.
  struct End: Equatable, Sendable, CustomStringConvertible {
    var exitStatus: Int32
    /// The error code that the run reported; nil if it reported no error.
    var code: String?
    var message: String?

    var description: String { "\(exitStatus) \(code ?? "") \(message ?? "")" }
  }

  private let lock = NSLock()
  private var collected: [Pair] = []

  /// All pairs of a dry run and a real run collected so far.
  var pairs: [Pair] { lock.withLock { collected } }

  /// Records the outcomes of a dry run and of the real run that followed.
  func append(_ what: String, dry: End, real: End) {
    lock.withLock { collected.append(Pair(what: what, dry: dry, real: real)) }
  }
}

extension Rehearsals.End {
  /// Creates the outcome of a command that was run with `--output json`.
  init(_ result: CommandResult) {
    let error = try? result.messages().last { $0["type"]?.string == "error" }
    self.init(
      exitStatus: result.exitStatus, code: error?["code"]?.string,
      message: error?["message"]?.string)
  }
}
