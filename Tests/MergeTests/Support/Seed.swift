import Fixtures
import Foundation

/// The seed that determines every choice in a randomized test.
struct Seed: CustomStringConvertible, Sendable {
  let value: UInt64

  /// The seed for this test run: THIN_MERGE_SEED if set, otherwise a constant.
  ///
  /// The constant makes test runs reproducible: a change that passed once does not later fail in
  /// code that it did not touch.
  static let current: Seed = {
    let given = ProcessInfo.processInfo.environment["THIN_MERGE_SEED"].flatMap { UInt64($0) }
    return Seed(value: given ?? 20_261_124)
  }()

  /// Instructions for repeating the test, included in every failure message of a randomized test.
  var description: String { "replay with THIN_MERGE_SEED=\(value)" }

  var generator: SeededGenerator { SeededGenerator(seed: value) }
}
