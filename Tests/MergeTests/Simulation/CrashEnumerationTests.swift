import Fixtures
import MergeEngine
import Testing

@Suite(
  "Power cuts: after every operation, with every subset of surviving writes")
struct CrashEnumerationTests {
  /// A merge to interrupt with power cuts, and the atomic write size of the devices.
  struct Case: CustomTestStringConvertible {
    var name: String
    var sectorByteCount: Int
    var transfer: TransferOptions
    var resumed: TransferOptions
    var testDescription: String { name }
  }

  static let cases = [
    Case(
      name: "sectors of 512 bytes, four transfers at once", sectorByteCount: 512,
      transfer: TransferOptions(queueDepth: 4, ioByteCount: 16_384),
      resumed: TransferOptions(queueDepth: 4, ioByteCount: 65_536)),
    Case(
      name: "sectors of 512 bytes, one large transfer after the other", sectorByteCount: 512,
      transfer: TransferOptions(queueDepth: 1, ioByteCount: 65_536),
      resumed: TransferOptions(queueDepth: 8, ioByteCount: 8192)),
    Case(
      name: "sectors of 4096 bytes, two small transfers at once", sectorByteCount: 4096,
      transfer: TransferOptions(queueDepth: 2, ioByteCount: 16_384),
      resumed: TransferOptions(queueDepth: 16, ioByteCount: 1 << 20)),
  ]

  @Test("a merge resumes correctly after a power cut at any of its operations", arguments: cases)
  func merge(of example: Case) throws {
    let seed = Seed.current
    var enumeration = try CrashEnumeration(
      MergeHarness(Self.merge(example), seed: seed.value), seed: seed, salt: 0x1_0000)
    enumeration.options.transfer = example.transfer
    enumeration.resumeOptions.transfer = example.resumed
    try enumeration.run(example.name)
  }

  @Test(
    "a re-check of changed devices resumes correctly after a power cut at any of its operations")
  func recheck() throws {
    let seed = Seed.current
    let example = Self.cases[2]
    let harness = MergeHarness(Self.merge(example), seed: seed.value)
    try harness.expectMerged(try harness.run(), "\(seed)")
    var disturbance = Disturbance(earlierSource: harness.disk[.data])
    // The journal's records of these ranges become stale once they are written again.
    for block in [1, 4, 7] {
      let changed = harness.overwriteSource(block: block)
      if let range = harness.merge.originRange(ofData: changed) { disturbance.origin.insert(range) }
    }
    disturbance.origin.insert(harness.restoreOrigin(sector: 9 * 128 + 5))
    var enumeration = try CrashEnumeration(harness, seed: seed, salt: 0x2_0000)
    enumeration.disturbance = disturbance
    enumeration.options.transfer = example.transfer
    enumeration.resumeOptions.transfer = example.resumed
    try enumeration.run("re-check")
  }

  /// Returns a merge of eight blocks and an unaligned tail, with gaps and scattered data blocks.
  private static func merge(_ example: Case) -> SimulatedMerge {
    var merge = InterruptedMergeTests.merge(example.transfer)
    merge.sectorByteCount = example.sectorByteCount
    return merge
  }
}
