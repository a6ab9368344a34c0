import Fixtures
import Foundation
import Testing

/// A trait that unpacks the images of a kernel scenario once for all tests in a suite.
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
  /// Returns a trait that unpacks the given kernel scenario once for the whole suite.
  static func unpacked(_ name: String) -> Self { UnpackedScenario(name: name) }
}

@Suite(
  "Kernel fixtures: a three-level tree with 62000 scattered mappings", .waitsForPrograms,
  .needsZstd, .unpacked("deep"), .serialized)
struct DeepFixtureTests {
  let kernel: KernelDevice
  let pool: PoolOnDisk

  init() throws {
    let scenario = try KernelScenario.load("deep")
    kernel = try KernelDevice(scenario, 0)
    pool = try PoolOnDisk(sharing: #require(UnpackedScenario.images))
  }

  @Test("a plan reports as many mapped blocks as thin_dump lists")
  func planAgreesWithDump() throws {
    let mappings = try kernel.mappings()
    let plan = try report(of: pool.plan(0))
    #expect(plan["mapped_blocks"]?.integer == mappings.count)
    #expect(plan["runs"]?.integer == MappedRun.runs(of: mappings).count)
    #expect(plan["bytes"]?.integer == mappings.count * kernel.scenario.blockSize)
  }

  @Test("by default, a merge is refused if mappings extend past the origin's end")
  func refusedByDefault() throws {
    let refused = try pool.merge(0)
    #expect(refused.exitStatus == 2)
    #expect(errorLines(refused).count == 1)
    #expect(try sha256(ofFile: pool.origin) == kernel.scenario.originSha256)
  }

  @Test("before a clipped merge, the verify verb lists the first hundred differing ranges")
  func verifyBeforeMerge() throws {
    let differing = try kernel.model().differences(data: pool.data, origin: pool.origin)
    let found = try report(of: pool.verify(0, kernel.options), status: 1)
    #expect(found["differing_bytes"]?.integer == differing.byteCount)
    #expect(try byteRanges(found["differences"]) == Array(differing.ranges.prefix(100)))
  }

  @Test("a clipped merge yields the bytes that the kernel read, up to the end of the origin")
  func clippedMerge() throws {
    let merge = try pool.merge(0, kernel.options)
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == kernel.device.mergedOriginSha256)
  }

  @Test("with --past-end grow, a merge makes the origin identical to the whole thin device")
  func grownMerge() throws {
    let merge = try pool.merge(
      0, ["--past-end", "grow", "--thin-size", String(kernel.device.thinBytes)])
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == kernel.device.thinSha256)
  }
}
