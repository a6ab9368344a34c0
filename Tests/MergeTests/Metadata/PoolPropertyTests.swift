import Fixtures
import Foundation
import Testing

@Suite("Random pools: the command agrees with a simple model of a merge", .waitsForPrograms)
struct PoolPropertyTests {
  static let mergesPerDepth = 10
  static let plansPerDepth = 10

  @Test(
    "merging a random pool leaves the origin with the content that the model predicts",
    arguments: 1...4)
  func merges(depth: Int) throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ UInt64(depth))
    for round in 1...Self.mergesPerDepth {
      let random = RandomMerge(depth: depth, using: &generator)
      let comment: Comment = "depth \(depth), round \(round): \(random); \(seed)"
      let pool = try PoolOnDisk(random.builder.build(), origin: random.model.originBefore)
      let files = try pool.folder.names()

      let merge = try pool.merge(3, random.options + random.transferOptions)

      try #require(
        merge.exitStatus == (random.model.isRefused ? 2 : 0), "\(merge.standardError)\(comment)")
      let origin = try pool.originContent()
      try #require(origin.count == random.model.mergedOriginByteCount, comment)
      try #require(
        firstDifference(origin, random.model.originAfter) == nil, comment)
      if random.model.isRefused { #expect(try pool.folder.names() == files, comment) }
    }
  }

  @Test("a plan predicts the same number of bytes to write as the model", arguments: 1...4)
  func plans(depth: Int) throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ UInt64(depth))
    for round in 1...Self.plansPerDepth {
      let random = RandomMerge(depth: depth, using: &generator)
      let comment: Comment = "depth \(depth), round \(round): \(random); \(seed)"
      let pool = try PoolOnDisk(
        random.builder.build(), origin: random.model.originBefore, fillingData: false)
      let plan = try pool.planForOrigin(3, random.options)
      guard !random.model.isRefused else {
        #expect(plan.exitStatus == 2, comment)
        continue
      }
      let promised = try report(of: plan)
      #expect(promised["mapped_blocks"]?.integer == random.model.mappings.count, comment)
      #expect(promised["bytes"]?.integer == random.model.writtenByteCount, comment)
      #expect(
        promised["thin_size_assumed"] == .boolean(random.model.thinByteCount == nil), comment)
    }
  }

  @Test("a plan reports the correct number of runs for over a million mappings")
  func millionMappings() throws {
    let seed = Seed.current
    var generator = seed.generator
    var thinBlock: UInt64 = 0
    var dataBlock: UInt64 = 0
    let mappings = (0..<1_100_000).map { _ in
      let draw = generator.next()
      thinBlock += draw & 1 == 0 ? 1 : 1 + draw >> 1 & 7
      dataBlock += draw >> 8 & 3 == 0 ? 2 : 1
      return ThinMapping(thinBlock, dataBlock)
    }
    var builder = PoolImageBuilder(devices: [ThinDevice(1, mappings)])
    builder.dataBlockCount = Int(dataBlock) + 1
    builder.leafEntryCount = 215
    builder.internalEntryCount = 60
    builder.placement = .shuffled(seed: seed.value)
    let pool = try PoolOnDisk(builder.build(), origin: Data(), fillingData: false)

    let plan = try report(of: pool.plan(1))

    #expect(plan["mapped_blocks"]?.integer == mappings.count, "\(seed)")
    #expect(plan["runs"]?.integer == MappedRun.runs(of: mappings).count, "\(seed)")
    #expect(plan["bytes"]?.integer == mappings.count * builder.blockByteCount, "\(seed)")
  }

  /// Returns the byte offset of the first difference, for use in a failure message.
  private func firstDifference(_ found: Data, _ expected: Data) -> Int? {
    guard found != expected else { return nil }
    return zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
  }
}
