import Foundation
import Testing

@Suite("What the command's tests stand on", .needsZstd)
struct CommandHarnessTests {
  @Test("the expected origin is the one that the kernel read", arguments: Scenario.allCases)
  func expectedOrigin(scenario: Scenario) throws {
    let merge = try MergeCase(scenario)
    try overwrite(merge.originFile, with: merge.expectedOrigin())
    #expect(try sha256(ofFile: merge.originFile) == scenario.mergedDigest())
  }

  @Test("a changed sector is found at its offset")
  func changedSectors() throws {
    let merge = try MergeCase(originByteCount: 1 << 20)
    try overwrite(merge.originFile, at: 1000, with: Data([0xff]))
    #expect(try merge.changedSectors() == [512])
  }
}
