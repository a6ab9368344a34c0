import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Storms: merges under random faults")
struct StormTests {
  /// The random seeds that a test case tries.
  enum Seeds: CustomTestStringConvertible {
    /// A single seed: one that once exposed a bug, or one specified by the user.
    case one(UInt64)
    /// The given number of consecutive seeds, starting with the first value.
    case from(UInt64, count: Int)
    /// Consecutive seeds, starting with the first value, for the given number of seconds.
    case soak(UInt64, seconds: UInt64)

    var testDescription: String {
      switch self {
      case .one(let seed): "seed \(seed)"
      case .from(let first, let count): "\(count) seeds from \(first)"
      case .soak(let first, let seconds): "\(seconds) seconds of seeds from \(first)"
      }
    }
  }

  /// The test cases of this run: by default, seeds that once exposed bugs, then new seeds starting
  /// at `Seed.current`.
  static let seeds: [Seeds] = {
    if let seed = number("THIN_MERGE_STORM") { return [.one(seed)] }
    if let seconds = number("THIN_MERGE_SOAK_SECONDS") {
      return [.soak(number("THIN_MERGE_SEED") ?? .random(in: 0...(.max)), seconds: seconds)]
    }
    let foundMistakes: [UInt64] = [
      20_261_138, 22_261_239, 23_261_241, 23_261_290, 6_969_227_212_945_356_717,
      16_632_181_858_003_406_808,
    ]
    return foundMistakes.map { .one($0) }
      + (0..<4).map {
        .from(Seed.current.value &+ $0 &* 1_000_000, count: Effort.of(all: 500, few: 15))
      }
  }()

  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }

  @Test("every storm of random faults ends with a finished and verified merge", arguments: seeds)
  func storms(_ seeds: Seeds) throws {
    switch seeds {
    case .one(let seed):
      var storm = Storm(seed: seed)
      try storm.run()
    case .from(let first, let count):
      for number in 0..<UInt64(count) {
        var storm = Storm(seed: first &+ number)
        try storm.run()
      }
    case .soak(let first, let seconds):
      try soak(from: first, seconds)
    }
  }

  private func soak(from first: UInt64, _ seconds: UInt64) throws {
    let begin = ContinuousClock.now
    var runCount = 0
    var powerCutCount = 0
    var number: UInt64 = 0
    while ContinuousClock.now - begin < .seconds(seconds) {
      var storm = Storm(seed: first &+ number)
      try storm.run()
      number += 1
      runCount += storm.runCount
      powerCutCount += storm.powerCutCount
    }
    print(
      "soak: \(number) storms from seed \(first), \(runCount) runs, \(powerCutCount) power cuts")
  }
}
