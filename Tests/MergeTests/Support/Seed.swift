import Fixtures
import Foundation

/// The number that a random test draws everything from.
struct Seed: CustomStringConvertible, Sendable {
  let value: UInt64

  /// The seed of this test run: the one in the environment, if one is set, else always the same, so
  /// that a change that passed does not fail elsewhere for what it did not touch.
  static let current: Seed = {
    let given = ProcessInfo.processInfo.environment["THIN_MERGE_SEED"].flatMap { UInt64($0) }
    return Seed(value: given ?? 20_261_124)
  }()

  /// How to run the same test again; put into every message of a random test.
  var description: String { "replay with THIN_MERGE_SEED=\(value)" }

  var generator: SeededGenerator { SeededGenerator(seed: value) }
}
