import Fixtures
import Foundation

/// The number that a random test draws everything from.
struct Seed: CustomStringConvertible, Sendable {
  let value: UInt64

  /// The seed of this test run: the one in the environment, if one is set, else a new one.
  static let current: Seed = {
    let given = ProcessInfo.processInfo.environment["THIN_MERGE_SEED"].flatMap { UInt64($0) }
    return Seed(value: given ?? .random(in: 0...UInt64(UInt32.max)))
  }()

  /// How to run the same test again; put into every message of a random test.
  var description: String { "replay with THIN_MERGE_SEED=\(value)" }

  var generator: SeededGenerator { SeededGenerator(seed: value) }
}
