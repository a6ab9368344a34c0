import Foundation

/// What was run dry before it was run.
final class Rehearsals: @unchecked Sendable {
  /// How both ended.
  struct Pair: Sendable, CustomStringConvertible {
    var what: String
    var dry: End
    var real: End

    var description: String { "\(what): \(real); dry: \(dry)" }
  }

  /// How a run ended.
  struct End: Equatable, Sendable, CustomStringConvertible {
    var exitStatus: Int32
    /// Nil where no error was reported.
    var code: String?
    var message: String?

    var description: String { "\(exitStatus) \(code ?? "") \(message ?? "")" }
  }

  private let lock = NSLock()
  private var collected: [Pair] = []

  /// All so far.
  var pairs: [Pair] { lock.withLock { collected } }

  /// Takes in how something ended.
  func append(_ what: String, dry: End, real: End) {
    lock.withLock { collected.append(Pair(what: what, dry: dry, real: real)) }
  }
}

extension Rehearsals.End {
  /// The end of a command with output for programs.
  init(_ result: CommandResult) {
    let error = try? result.messages().last { $0["type"]?.string == "error" }
    self.init(
      exitStatus: result.exitStatus, code: error?["code"]?.string,
      message: error?["message"]?.string)
  }
}
