import Foundation
import MergeEngine

@testable import thin_merge

/// Helpers that run the engine's side of `settle` on a simulated pool.
enum Settling {
  /// The result of an engine call, and the failure that the command would report for it.
  struct Answer {
    var outcome: ActivePool.Outcome
    var left: Leftovers

    var pools: [PoolLeftovers] { left.pools }
    var failure: Failure? { Failure(settling: left) }
  }

  static func settle(_ pool: ActivePool, name: String? = nil) -> Answer {
    var left = Leftovers(pools: [], origins: [])
    var outcome = ActivePool.Outcome(exitStatus: -1, message: "not run", hint: "", notes: [])
    _ = poll {
      outcome = pool.run { merger throws(MergeError) in left = try merger.settle(pool: name) }
      // As in `ActivePool.run`, a program that another test is starting may briefly keep locks
      // held.
      return !left.pools.contains { $0.error?.code == .poolInUse }
        && !left.origins.contains { $0.isInUse }
    }
    return Answer(outcome: outcome, left: left)
  }

  static func list(
    _ pool: ActivePool, name: String? = nil, isInUse: Bool = false
  ) -> Answer {
    var left = Leftovers(pools: [], origins: [])
    var outcome = ActivePool.Outcome(exitStatus: -1, message: "not run", hint: "", notes: [])
    _ = poll {
      outcome = pool.run { merger throws(MergeError) in left = try merger.leftovers(pool: name) }
      return isInUse
        || !(left.pools.contains { $0.state == .inUse } || left.origins.contains(where: \.isInUse))
    }
    return Answer(outcome: outcome, left: left)
  }

  /// Returns the content of every file in the state folder, keyed by relative path.
  static func files(_ pool: ActivePool) throws -> [String: Data] {
    let names =
      FileManager.default.enumerator(atPath: pool.state)?.compactMap { $0 as? String } ?? []
    var files: [String: Data] = [:]
    for name in names {
      files[name] = try? Data(contentsOf: URL(filePath: "\(pool.state)/\(name)"))
    }
    return files
  }
}
