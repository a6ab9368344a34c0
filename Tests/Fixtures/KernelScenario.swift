import Foundation

/// A pool made by a real kernel, with the bytes that the kernel read from its thin devices.
package struct KernelScenario: Sendable, Codable {
  /// A thin device and the kernel's answer.
  package struct Device: Sendable, Codable {
    package let devId: Int
    package let thinBytes: Int
    package let mappedBlocks: Int
    /// The digest of the origin after the merge.
    package let mergedOriginSha256: String
    /// The digest of the whole thin device.
    package let thinSha256: String
  }

  /// The unpacked images of a scenario.
  package struct Images: Sendable {
    package let metadata: String
    package let data: String
    package let origin: String
  }

  /// An error of a scenario.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// The names of all scenarios.
  package static let all = ["basic", "big-blocks", "deep", "no-snap", "short-origin", "snapshots"]

  package let scenario: String
  package let blockSize: Int
  package let originBytes: Int
  package let metaBytes: Int
  package let dataBytes: Int
  package let devices: [Device]
  package let metadataSnapHeld: Bool
  package let originSha256: String

  /// Reads the description of a scenario.
  package static func load(_ name: String) throws -> KernelScenario {
    let description = folder(of: name).appendingPathComponent("expected.json")
    return try JSONDecoder().decode(KernelScenario.self, from: Data(contentsOf: description))
  }

  /// Returns every device of every scenario small enough for each test to unpack.
  package static func smallDevices() throws -> [KernelDevice] {
    try all.filter { $0 != "deep" }.map(load).flatMap { scenario in
      try scenario.devices.map { try KernelDevice(scenario, $0.devId) }
    }
  }

  /// Returns the device with this id.
  package func device(_ devId: Int) throws -> Device {
    guard let device = devices.first(where: { $0.devId == devId }) else {
      throw Failure(description: "scenario \(scenario) has no device \(devId)")
    }
    return device
  }

  /// Unpacks the three images, sparsely, into an existing folder.
  package func unpack(into folder: String) throws -> Images {
    Images(
      metadata: try unpackMetadata(into: folder),
      data: try unpack("data.img", into: folder),
      origin: try unpack("origin-before.img", into: folder))
  }

  /// Unpacks only the image of the metadata device, and returns its path.
  package func unpackMetadata(into folder: String) throws -> String {
    try unpack("meta.img", into: folder)
  }

  private func unpack(_ image: String, into folder: String) throws -> String {
    let packed = Self.folder(of: scenario).appendingPathComponent(image + ".zst")
    let path = folder + "/" + image
    _ = try Self.zstd(["-q", "-d", "-f", "--sparse", packed.path, "-o", path])
    return path
  }

  /// Returns the output of `thin_dump` for the metadata snapshot, if one was held.
  package func thinDump() throws -> ThinDump {
    let plain = Self.folder(of: scenario).appendingPathComponent("thin_dump.xml")
    if FileManager.default.fileExists(atPath: plain.path) {
      return try ThinDump(xml: String(contentsOf: plain, encoding: .utf8))
    }
    let packed = plain.appendingPathExtension("zst")
    return try ThinDump(
      xml: String(decoding: Self.zstd(["-q", "-d", "-c", packed.path]), as: UTF8.self))
  }

  private static func folder(of name: String) -> URL {
    Bundle.module.bundleURL.appendingPathComponent("Scenarios").appendingPathComponent(name)
  }

  /// Runs zstd and returns its standard output.
  private static func zstd(_ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["zstd"] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "zstd \(arguments) ended with \(process.terminationStatus)")
    }
    return bytes
  }
}

/// A device of a scenario, as the argument of a test.
package struct KernelDevice: Sendable, CustomStringConvertible {
  package let scenario: KernelScenario
  package let device: KernelScenario.Device

  /// Creates the device with this id of a scenario.
  package init(_ scenario: KernelScenario, _ devId: Int) throws {
    self.scenario = scenario
    device = try scenario.device(devId)
  }

  package var description: String { "\(scenario.scenario) dev \(device.devId)" }
}
