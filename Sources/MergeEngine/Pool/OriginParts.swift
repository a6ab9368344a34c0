/// A description of the components of origins that have no identity: their tables, and the devices
/// and files under them.
///
/// Until the next reboot, the components distinguish such an origin from another device that has
/// since been given its number.
struct OriginParts {
  let text: String

  /// - `device`: a mapped thin device, whose table refers to its origin by number.
  /// - Returns: nil if there is a component with no identity, no table and no backing file.
  init?(of device: MappedDevice, _ devices: MappedDevices) {
    var texts: [String] = []
    for origin in Self.origins(of: device) where DeviceIdentity.name(origin).isEmpty {
      guard let text = Self.text(of: origin, devices) else { return nil }
      texts.append(text)
    }
    text = texts.joined(separator: "; ")
  }

  /// Returns whether a thin device has an origin that lacks an identity, so its components are
  /// needed to recognize it.
  static func areNeeded(for device: MappedDevice) -> Bool {
    origins(of: device).contains { DeviceIdentity.name($0).isEmpty }
  }

  private static func origins(of device: MappedDevice) -> [DeviceNumber] {
    device.thinTargets.compactMap(\.origin)
  }

  private static func text(of number: DeviceNumber, _ devices: MappedDevices) -> String? {
    let name = DeviceIdentity.name(number)
    if !name.isEmpty { return name }
    switch LoopDevice.backing(of: number) {
    case .file(let device, let inode): return "file \(inode) on \(device)"
    case .device(let below): return text(of: below, devices)
    case nil: break
    }
    guard let table = devices[number]?.liveTable, !table.isEmpty else { return nil }
    var parts: [String] = []
    for line in table {
      parts.append("\(line.startSector) \(line.sectorCount) \(line.kind) \(line.arguments)")
      for below in line.words.compactMap({ DeviceNumber(text: String($0)) }) {
        guard let part = text(of: below, devices) else { return nil }
        parts.append(part)
      }
    }
    return "(\(parts.joined(separator: ", ")))"
  }
}
