import Fixtures
import Foundation
import Testing

@Suite(
  "Kernel fixtures: merging pools that a real kernel created",
  .waitsForPrograms,
  .needsZstd)
struct KernelFixtureTests {
  @Test(
    "a plan reports as many mapped blocks as thin_dump lists",
    arguments: try KernelDevice.withDump())
  func planAgreesWithDump(_ kernel: KernelDevice) throws {
    let pool = try PoolOnDisk(kernel.scenario)
    let mappings = try kernel.mappings()
    let plan = try report(of: pool.plan(kernel.device.devId))
    #expect(plan["block_size"]?.integer == kernel.scenario.blockSize)
    #expect(plan["dev_id"]?.integer == kernel.device.devId)
    #expect(plan["mapped_blocks"]?.integer == mappings.count)
    #expect(plan["runs"]?.integer == MappedRun.runs(of: mappings).count)
    #expect(plan["bytes"]?.integer == mappings.count * kernel.scenario.blockSize)
  }

  @Test(
    "a plan that includes an origin reports the number of bytes to write",
    arguments: try KernelDevice.withDump())
  func planForOrigin(_ kernel: KernelDevice) throws {
    let pool = try PoolOnDisk(kernel.scenario)
    let plan = try report(of: pool.planForOrigin(kernel.device.devId, kernel.options))
    #expect(plan["bytes"]?.integer == (try kernel.model()).writtenByteCount)
  }

  @Test(
    "the devices verb lists the same devices as thin_dump",
    arguments: ["basic", "big-blocks", "deep", "snapshots"])
  func devicesAgreeWithDump(scenario name: String) throws {
    let scenario = try KernelScenario.load(name)
    let folder = try TemporaryFolder()
    let metadata = try scenario.unpackMetadata(into: folder.path)
    let listing = try report(
      of: ThinMergeCommand.run(["devices", "--metadata", metadata, "--output", "json"]))
    let listed = try #require(listing["devices"]?.array).map(ThinDump.Device.init(listed:))
    let expected = try scenario.thinDump().devices.map { device in
      var device = device
      device.mappings = []
      return device
    }
    #expect(listed == expected)
  }

  @Test(
    "before a merge, the verify verb lists exactly the sectors that differ",
    arguments: try KernelDevice.withDump())
  func verifyBeforeMerge(_ kernel: KernelDevice) throws {
    let pool = try PoolOnDisk(kernel.scenario)
    let model = try kernel.model()
    let differing = try model.differences(data: pool.data, origin: pool.origin)
    let found = try report(of: pool.verify(kernel.device.devId, kernel.options), status: 1)
    #expect(found["granularity"]?.string == "sector")
    #expect(found["compared_bytes"]?.integer == model.writtenByteCount)
    #expect(found["differing_bytes"]?.integer == differing.byteCount)
    #expect(try byteRanges(found["differences"]) == Array(differing.ranges.prefix(100)))
  }

  @Test(
    "a merged origin contains the bytes that the kernel read from the thin device",
    arguments: try KernelScenario.smallDevices())
  func mergedOrigin(_ kernel: KernelDevice) throws {
    let pool = try PoolOnDisk(kernel.scenario)
    let merge = try pool.merge(kernel.device.devId, kernel.options)
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == kernel.device.mergedOriginSha256)
  }

  @Test(
    "after a merge, verify finds no differences, whether it uses the pool or only the journal",
    arguments: try KernelScenario.smallDevices())
  func verifyAfterMerge(_ kernel: KernelDevice) throws {
    let pool = try PoolOnDisk(kernel.scenario)
    let merge = try pool.merge(kernel.device.devId, kernel.options)
    try #require(merge.exitStatus == 0, "\(merge.standardError)")

    let withPool = try report(of: pool.verify(kernel.device.devId, kernel.options))
    #expect(withPool["differing_bytes"]?.integer == 0)
    #expect(try byteRanges(withPool["differences"]).isEmpty)

    try FileManager.default.removeItem(atPath: pool.metadata)
    try FileManager.default.removeItem(atPath: pool.data)
    let byJournal = try report(of: pool.verifyByJournal())
    #expect(byJournal["granularity"]?.string == "entry")
    #expect(byJournal["compared_bytes"]?.integer == withPool["compared_bytes"]?.integer)
    #expect(byJournal["differing_bytes"]?.integer == 0)
  }

  @Test("a pool without a metadata snapshot is refused unless --inactive is given")
  func noMetadataSnapshot() throws {
    let pool = try PoolOnDisk(KernelScenario.load("no-snap"))
    let before = try sha256(ofFile: pool.origin)
    for refused in [try pool.merge(0), try pool.run(["plan"] + pool.source(0))] {
      #expect(refused.exitStatus == 2)
      #expect(errorLines(refused).count == 1)
      #expect(refused.standardError.contains("no metadata snapshot is held"))
    }
    #expect(try sha256(ofFile: pool.origin) == before)
  }

  @Test("by default, a merge is refused if blocks are mapped past the end of a short origin")
  func shortOriginRefused() throws {
    let scenario = try KernelScenario.load("short-origin")
    let pool = try PoolOnDisk(scenario)
    let refused = try pool.merge(0)
    #expect(refused.exitStatus == 2)
    #expect(errorLines(refused).count == 1)
    #expect(try sha256(ofFile: pool.origin) == scenario.originSha256)
  }

  @Test("with --past-end grow, a merge makes a short origin identical to the whole thin device")
  func shortOriginGrows() throws {
    let scenario = try KernelScenario.load("short-origin")
    let device = try scenario.device(0)
    let pool = try PoolOnDisk(scenario)
    let merge = try pool.merge(
      0, ["--past-end", "grow", "--thin-size", String(device.thinBytes)])
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try sha256(ofFile: pool.origin) == device.thinSha256)
  }
}
