import Fixtures
import Foundation
import Testing

extension KernelDevice: CustomTestStringConvertible {
  /// The name of the device in a test's report.
  public var testDescription: String { description }

  /// Returns the devices whose mappings `thin_dump` printed, without the large scenario.
  static func withDump() throws -> [KernelDevice] {
    try KernelScenario.smallDevices().filter { $0.scenario.metadataSnapHeld }
  }

  /// The command's options for a merge of this device.
  var options: [String] {
    var options = ["--thin-size", String(device.thinBytes)]
    if !scenario.metadataSnapHeld { options.append("--inactive") }
    if device.thinBytes > scenario.originBytes { options += ["--past-end", "clip"] }
    return options
  }

  /// Returns the mappings of the device as `thin_dump` printed them.
  func mappings() throws -> [ThinMapping] {
    try scenario.thinDump().device(device.devId).mappings
  }

  /// Returns the model of the merge that `options` request.
  func model() throws -> ThinModel {
    try ThinModel(
      blockByteCount: scenario.blockSize, mappings: mappings(),
      originByteCount: scenario.originBytes, thinByteCount: device.thinBytes,
      pastEnd: .clip, contentSeed: 0)
  }
}

extension ThinModel {
  /// Returns the sectors where the origin differs from the merge's result.
  func differences(data: String, origin: String) throws -> DifferingRanges {
    let dataFile = try FileHandle(forReadingFrom: URL(filePath: data))
    let originFile = try FileHandle(forReadingFrom: URL(filePath: origin))
    var differing = DifferingRanges()
    for write in writes {
      try dataFile.seek(toOffset: UInt64(write.sourceByteOffset))
      try originFile.seek(toOffset: UInt64(write.target.lowerBound))
      let source = try #require(try dataFile.read(upToCount: write.target.count))
      let target = try #require(try originFile.read(upToCount: write.target.count))
      differing.compare(source, with: target, at: write.target.lowerBound)
    }
    try dataFile.close()
    try originFile.close()
    return differing
  }
}

extension ThinDump.Device {
  /// Creates a device from the listing of the `devices` verb, which has no mappings.
  init(listed device: JSONValue) throws {
    func number(_ name: String) throws -> UInt64 {
      UInt64(try #require(device[name]?.integer, "no \(name) in \(device)"))
    }
    try self.init(
      devID: number("dev_id"), mappedBlocks: number("mapped_blocks"),
      transactionID: number("transaction_id"), creationTime: number("creation_time"),
      snapshottedTime: number("snapshotted_time"))
  }
}
