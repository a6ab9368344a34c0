import Foundation
import Testing

@testable import MergeEngine

@Suite("System: how devices are told apart")
struct DeviceIdentityTests {
  @Test("System: identities of devices")
  func array() throws {
    let folder = try attributes(["md/uuid": "8d3bb2b6-6d3a-7bd4-5b7c-3ad7c5a4a4a1"])
    #expect(
      DeviceIdentity.name(inFolder: folder.path) == "md-8d3bb2b6-6d3a-7bd4-5b7c-3ad7c5a4a4a1")
  }

  @Test(
    "a UUID or serial number that is empty or all zeros does not identify a device",
    arguments: ["md/uuid", "wwid", "device/wwid", "serial"],
    ["00000000-0000-0000-0000-000000000000", "0", ""])
  func zeroes(attribute: String, text: String) throws {
    let folder = try attributes([attribute: text, "device/serial": "S1"])
    #expect(DeviceIdentity.name(inFolder: folder.path) == "serial-S1")
  }

  @Test("a device is identified by its device-mapper UUID, else its WWID, else its serial number")
  func order() throws {
    let folder = try attributes(["dm/uuid": "LVM-1-real", "wwid": "naa.5", "serial": "S1"])
    #expect(DeviceIdentity.name(inFolder: folder.path) == "dm-LVM-1")
    try Program.remove(folder.path("dm/uuid"))
    #expect(DeviceIdentity.name(inFolder: folder.path) == "wwid-naa.5")
    try Program.remove(folder.path("wwid"))
    #expect(DeviceIdentity.name(inFolder: folder.path) == "serial-S1")
  }

  @Test(
    "a loop device has no identity while a mount hides its backing file",
    .needsLoopDevices, .needsTmpfs)
  func hiddenFile() throws {
    let folder = try TemporaryFolder()
    let inner = folder.path("inner")
    try Program.mustRun("mkdir", inner)
    try Data(count: 1 << 20).write(to: URL(filePath: "\(inner)/file.img"))
    let device = try LoopDevice(backing: "\(inner)/file.img")
    let name = try Self.name(of: device)
    #expect(name.hasPrefix("loop-file-"))
    let mount = try Mount(tmpfsOf: 4 << 20, at: inner)
    try Data(count: 1 << 20).write(to: URL(filePath: "\(inner)/file.img"))
    #expect(try Self.name(of: device).isEmpty)
    mount.unmount()
    #expect(try Self.name(of: device) == name)
  }

  private static func name(of device: LoopDevice) throws -> String {
    DeviceIdentity(try OpenFile(device.path, role: "device", access: .readOnly)).name
  }

  private func attributes(_ texts: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (path, text) in texts {
      let file = URL(filePath: folder.path(path))
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("\(text)\n".utf8).write(to: file)
    }
    return folder
  }
}
