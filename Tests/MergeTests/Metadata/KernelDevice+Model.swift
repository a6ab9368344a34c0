import Fixtures
import Foundation
import Testing

extension KernelDevice: CustomTestStringConvertible {
  /// The description of the device in test output.
  public var testDescription: String { description }

  /// Returns the devices for which a `thin_dump` listing exists, excluding those of the large
  /// scenario.
  static func withDump() throws -> [KernelDevice] {
    try KernelScenario.smallDevices().filter { $0.scenario.metadataSnapHeld }
  }

  /// The command-line options for merging this device.
  var options: [String] {
    var options = ["--thin-size", String(device.thinBytes)]
    if !scenario.metadataSnapHeld { options.append("--inactive") }
    if device.thinBytes > scenario.originBytes { options += ["--past-end", "clip"] }
    return options
  }

  /// Returns the mappings of the device, as listed by `thin_dump`.
  func mappings() throws -> [ThinMapping] {
    try scenario.thinDump().device(device.devId).mappings
  }

  /// Returns a model of the merge that `options` requests.
  func model() throws -> ThinModel {
    try ThinModel(
      blockByteCount: scenario.blockSize, mappings: mappings(),
      originByteCount: scenario.originBytes, thinByteCount: device.thinBytes,
      pastEnd: .clip, contentSeed: 0)
  }
}

extension ThinModel {
  /// Returns the sector ranges in which the origin differs from the result of the merge.
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
  /// Creates a device, without mappings, from an entry in the JSON output of the `devices` verb.
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
