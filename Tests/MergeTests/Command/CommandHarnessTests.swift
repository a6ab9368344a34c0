import Fixtures
import Foundation
import Testing

@Suite("Command: the tests' own tools", .waitsForPrograms, .needsZstd)
struct CommandHarnessTests {
  @Test(
    "the checksum of the expected origin matches that of the data read by the kernel",
    arguments: try KernelScenario.smallDevices().filter { $0.scenario.metadataSnapHeld })
  func expectedOrigin(kernel: KernelDevice) throws {
    let merge = try MergeCase(kernel: kernel.scenario.scenario, deviceID: kernel.device.devId)
    try overwrite(merge.originFile, with: merge.expectedOrigin())
    #expect(try sha256(ofFile: merge.originFile) == kernel.device.mergedOriginSha256)
  }

  @Test("changedSectors returns the offset of a changed sector")
  func changedSectors() throws {
    let merge = try MergeCase(scatteredBlocks: 2)
    try overwrite(merge.originFile, at: 1000, with: Data([0xff]))
    #expect(try merge.changedSectors() == [512])
  }

  @Test("merging a generated pool changes every sector of each mapped block")
  func builtPool() throws {
    let merge = try MergeCase(scatteredBlocks: 1)
    let sectorCount = merge.blockByteCount / 512
    #expect(
      try differingSectors(merge.before, merge.expectedOrigin(), limit: .max).count == sectorCount)
  }
}
