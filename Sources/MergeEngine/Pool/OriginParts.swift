/// The components of origins without an identity: their tables, and the devices and files under
/// them.
///
/// Within a boot the components tell such an origin from another that was given its number.
struct OriginParts {
  let text: String

  /// - `device`: a thin device, whose table names its origin by number.
  /// - Returns: nil if a component has neither an identity nor a table nor a backing file.
  init?(of device: MappedDevice, _ devices: MappedDevices) {
    var texts: [String] = []
    for origin in Self.origins(of: device) where DeviceIdentity.name(origin).isEmpty {
      guard let text = Self.text(of: origin, devices) else { return nil }
      texts.append(text)
    }
    text = texts.joined(separator: "; ")
  }

  /// Returns whether a thin device has an origin without an identity.
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
