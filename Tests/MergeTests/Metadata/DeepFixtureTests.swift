import Fixtures
import Foundation
import Testing

/// Unpacks a scenario once for all tests of a suite.
struct UnpackedScenario: SuiteTrait, TestScoping {
  @TaskLocal static var images: KernelScenario.Images?

  let name: String

  @concurrent
  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    let images = try KernelScenario.load(name).unpack(into: folder.path)
    try await Self.$images.withValue(images) { try await function() }
    withExtendedLifetime(folder) {}
  }
}

extension Trait where Self == UnpackedScenario {
  /// Returns a trait that unpacks a scenario once for the suite.
  static func unpacked(_ name: String) -> Self { UnpackedScenario(name: name) }
}

@Suite(
  "Kernel fixtures: a tree of three levels and 62000 scattered mappings", .waitsForPrograms,
  .needsZstd, .unpacked("deep"), .serialized)
struct DeepFixtureTests {
  let kernel: KernelDevice
  let pool: PoolOnDisk

  init() throws {
    let scenario = try KernelScenario.load("deep")
    kernel = try KernelDevice(scenario, 0)
    pool = try PoolOnDisk(sharing: #require(UnpackedScenario.images))
  }

  @Test("a plan counts the mappings that thin_dump lists")
  func planAgreesWithDump() throws {
    let mappings = try kernel.mappings()
    let plan = try report(of: pool.plan(0))
    #expect(plan["mapped_blocks"]?.integer == mappings.count)
    #expect(plan["runs"]?.integer == MappedRun.runs(of: mappings).count)
    #expect(plan["bytes"]?.integer == mappings.count * kernel.scenario.blockSize)
  }

  @Test("a merge refuses mappings past the origin's end by default")
  func refusedByDefault() throws {
    let refused = try pool.merge(0)
    #expect(refused.exitStatus == 2)
    #expect(errorLines(refused).count == 1)
    #expect(try sha256(ofFile: pool.origin) == kernel.scenario.originSha256)
  }

  @Test("verify before a clipped merge lists the first hundred differing ranges")
  func verifyBeforeMerge() throws {
    let differing = try kernel.model().differences(data: pool.data, origin: pool.origin)
    let found = try report(of: pool.verify(0, kernel.options), status: 1)
    #expect(found["differing_bytes"]?.integer == differing.byteCount)
    #expect(try byteRanges(found["differences"]) == Array(differing.ranges.prefix(100)))
  }

  @Test("a clipped merge matches the kernel's reads up to the end of the origin")
  func clippedMerge() throws {
    let merge = try pool.merge(0, kernel.options)
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == kernel.device.mergedOriginSha256)
  }

  @Test("a merge that may grow the origin makes it the whole thin device")
  func grownMerge() throws {
    let merge = try pool.merge(
      0, ["--past-end", "grow", "--thin-size", String(kernel.device.thinBytes)])
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == kernel.device.thinSha256)
  }
}
