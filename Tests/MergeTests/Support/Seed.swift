import Fixtures
import Foundation

/// The number that determines every choice of a random test.
struct Seed: CustomStringConvertible, Sendable {
  let value: UInt64

  /// The seed of this test run: THIN_MERGE_SEED if set, otherwise a constant.
  ///
  /// With a constant, a change that passed does not fail elsewhere in code that it did not touch.
  static let current: Seed = {
    let given = ProcessInfo.processInfo.environment["THIN_MERGE_SEED"].flatMap { UInt64($0) }
    return Seed(value: given ?? 20_261_124)
  }()

  /// Instructions to repeat the same test, for every message of a random test.
  var description: String { "replay with THIN_MERGE_SEED=\(value)" }

  var generator: SeededGenerator { SeededGenerator(seed: value) }
}
