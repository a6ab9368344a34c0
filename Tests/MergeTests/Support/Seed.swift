import Foundation

/// The number that a random test draws everything from.
struct Seed: CustomStringConvertible, Sendable {
  let value: UInt64

  /// The seed in the environment, if one is set, else a new one.
  static var current: Seed {
    let given = ProcessInfo.processInfo.environment["THIN_MERGE_SEED"].flatMap { UInt64($0) }
    return Seed(value: given ?? .random(in: 0...UInt64(UInt32.max)))
  }

  /// How to run the same test again; put into every message of a random test.
  var description: String { "replay with THIN_MERGE_SEED=\(value)" }

  var generator: SeededGenerator { SeededGenerator(state: value) }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
struct SeededGenerator: RandomNumberGenerator {
  fileprivate var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
