import Foundation
import Testing

@Suite(
  "Command: an unidentifiable data device", .waitsForPrograms, .needsLoopDevices)
struct UnidentifiedDataTests {
  @Test(
    "a merge is not resumed if an unidentifiable data device no longer has the recorded bytes",
    arguments: [[], ["--trust-earlier-runs"], ["--same-origin"]])
  func otherBytes(options: [String]) throws {
    let (merge, device) = try MergeCase.stoppedOnUnidentifiedData()
    let stopped = try content(of: merge.originFile)
    try overwrite(device.path, with: Data(repeating: 0x5a, count: merge.dataBefore.count))
    for result in [
      try merge.resume(options), try merge.merge(["--journal", merge.journal] + options),
    ] {
      expectError(result, exitStatus: 4, naming: device.path)
      #expect(result.standardError.contains("--restart"), "\(result.standardError)")
    }
    #expect(try merge.resume(options + ["--dry-run"]).exitStatus == 4)
    #expect(try differingSectors(content(of: merge.originFile), stopped) == [])
    try overwrite(device.path, with: merge.dataBefore)
    expectSuccess(try merge.resume(options))
    #expect(try merge.wrongSectors() == [])
  }
}

extension MergeCase {
  /// Returns a stopped merge from a loop device whose backing file was deleted, so nothing
  /// identifies the device.
  static func stoppedOnUnidentifiedData() throws -> (merge: MergeCase, device: LoopDevice) {
    let merge = try MergeCase(scatteredBlocks: 8)
    let file = merge.folder.path("unnamed.img")
    try Program.mustRun("cp", merge.dataFile, file)
    let device = try LoopDevice(backing: file)
    try Program.remove(file)
    merge.data = device.path
    try merge.interruptMerge(["--rate-limit", "256k"])
    return (merge, device)
  }
}
