import Fixtures
import Foundation
import MergeEngine
import Testing

private enum Environment {
  static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }
}

@Suite("Storms: whatever a seed draws, the merge is right once the weather is fine")
struct StormTests {
  /// Seeds that found a mistake, each of which was mended.
  static let seedsThatFound: [UInt64] = []

  @Test("with seeds that nobody chose", arguments: 0..<4 as Range<UInt64>)
  func storms(part: UInt64) throws {
    let seed = Seed.current
    for number in 0..<UInt64(Effort.of(all: 250, few: 20)) {
      var storm = Storm(seed: seed.value &+ part &* 1_000_000 &+ number)
      try storm.run()
    }
  }

  @Test("with a seed that found a mistake", arguments: seedsThatFound)
  func foundBefore(seed: UInt64) throws {
    var storm = Storm(seed: seed)
    try storm.run()
  }

  @Test(
    "with the seed in THIN_MERGE_STORM", .enabled(if: Environment.number("THIN_MERGE_STORM") != nil)
  )
  func replay() throws {
    var storm = Storm(seed: Environment.number("THIN_MERGE_STORM") ?? 0)
    try storm.run()
  }

  @Test(
    "for as many seconds as THIN_MERGE_SOAK_SECONDS says",
    .enabled(if: Environment.number("THIN_MERGE_SOAK_SECONDS") != nil))
  func soak() throws {
    let seconds = Environment.number("THIN_MERGE_SOAK_SECONDS") ?? 0
    let first = Environment.number("THIN_MERGE_SEED") ?? UInt64.random(in: 0...(.max))
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
