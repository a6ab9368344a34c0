/// An LVM volume, identified by the UUID of its mapped device.
///
/// The volume may have been renamed, and its recorded name may now belong to another volume.
package struct KnownVolume: Equatable, Sendable, Codable {
  /// The names of the group and the volume when they were recorded.
  package var group, name: String
  /// The UUIDs as LVM prints them.
  package var groupUUID, uuid: String

  package init(group: String, name: String, groupUUID: String, uuid: String) {
    self.group = group
    self.name = name
    self.groupUUID = groupUUID
    self.uuid = uuid
  }

  package var uuids: VolumeUUIDs { VolumeUUIDs(group: groupUUID, volume: uuid) }

  /// The volume's full name, as used in LVM commands.
  package var fullName: String { "\(group)/\(name)" }

  /// Returns the name of the mapped device that shows the volume if it is active.
  ///
  /// - `layer`: the suffix of a layer below, such as `-real`.
  package func mappedName(layer: String = "") -> String {
    ThinDeviceName.mappedName(group: group, volume: name) + layer
  }

  /// Returns the UUID of the mapped device that shows the volume if it is active.
  package func mappedUUID(layer: String = "") -> String {
    "LVM-" + (groupUUID + uuid).filter { $0 != "-" } + layer
  }

  /// The LVM selection criteria that match only this volume.
  ///
  /// The criteria include the group's UUID because a copy of the group, which may now have the
  /// group's name, contains volumes with the same UUIDs.
  var selection: String { "vg_uuid=\"\(groupUUID)\" && lv_uuid=\"\(uuid)\"" }

  /// The command that activates the volume, regardless of its activation settings.
  ///
  /// If the group has no such volume, the command succeeds and does nothing.
  var activation: [String] {
    ["lvchange", "-ay", "-K", "--select", selection, "--", group]
  }

  /// The command that deactivates the volume; LVM refuses to deactivate an open volume.
  var deactivation: [String] { ["lvchange", "-an", "--select", selection, "--", group] }
}

extension KnownVolume {
  /// Creates the volume that a mapped device shows; nil for a layer of a volume and for any other
  /// device.
  package init?(mappedName: String, uuid: String) {
    guard let uuids = VolumeUUIDs(mappedUUID: uuid), VolumeUUIDs.layer(ofMappedUUID: uuid).isEmpty,
      let (group, volume) = ThinDeviceName.logicalVolume(mappedName: mappedName)
    else { return nil }
    self.init(group: group, name: volume, groupUUID: uuids.group, uuid: uuids.volume)
  }

  /// Returns the LVM name of the volume that a mapped device shows, directly or as a layer; nil for
  /// any other device, such as a pool's hidden volumes.
  ///
  /// The layers are the one that LVM puts under an external origin and the one over a pool's
  /// devices.
  package static func fullName(mappedName: String, uuid: String) -> String? {
    guard VolumeUUIDs(mappedUUID: uuid) != nil else { return nil }
    let layer = VolumeUUIDs.layer(ofMappedUUID: uuid)
    guard ["", "-real", "-tpool"].contains(layer), mappedName.hasSuffix(layer),
      let (group, volume) = ThinDeviceName.logicalVolume(
        mappedName: String(mappedName.dropLast(layer.count)))
    else { return nil }
    return "\(group)/\(volume)"
  }
}

extension KnownVolume {
  /// Returns the former LVM name of an origin from its recorded path; nil for any other device.
  static func fullName(path: String, identity: DeviceIdentity) -> String? {
    guard VolumeUUIDs(identity: identity) != nil, path.hasPrefix("/dev/mapper/") else { return nil }
    var name = path.dropFirst("/dev/mapper/".count)
    // Dashes in the volume's own name are doubled.
    if name.hasSuffix("-real") { name = name.dropLast("-real".count) }
    return ThinDeviceName.logicalVolume(mappedName: String(name)).map { "\($0.group)/\($0.volume)" }
  }
}

/// The UUIDs within the UUID of a mapped LVM device.
///
/// That UUID is `LVM-`, then the UUIDs of the group and the volume without their dashes, 32
/// characters each, then for a layer its suffix, such as `-real` or `-tpool`.
extension VolumeUUIDs {
  /// Creates the UUIDs of the volume that a mapped device is, or is a layer of; nil for a device
  /// that is not LVM's.
  init?(mappedUUID uuid: String) { self.init(of: uuid[...]) }

  /// Creates the UUIDs from a device's identity; nil for a device that is not LVM's.
  init?(identity: DeviceIdentity) {
    guard identity.name.hasPrefix("dm-") else { return nil }
    self.init(of: identity.name.dropFirst(3))
  }

  private init?(of uuid: Substring) {
    guard uuid.hasPrefix("LVM-"), uuid.utf8.count >= 4 + 2 * 32 else { return nil }
    let uuids = uuid.dropFirst(4)
    self.init(
      group: Self.inLVMsForm(uuids.prefix(32)),
      volume: Self.inLVMsForm(uuids.dropFirst(32).prefix(32)))
  }

  /// Returns the suffix after the two UUIDs; empty for the volume itself.
  static func layer(ofMappedUUID uuid: String) -> Substring { uuid.dropFirst(4 + 2 * 32) }

  /// Returns a UUID as LVM prints and accepts it: its 32 characters grouped by dashes.
  private static func inLVMsForm(_ characters: Substring) -> String {
    var rest = characters
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }
}

extension ActivationFailure {
  /// Creates the reason why a volume is not in the state requested of LVM.
  init(_ end: Program.End, of volume: KnownVolume) {
    self =
      switch end {
      case .succeeded: .noneSelected(uuid: volume.uuid, group: volume.group)
      case .failed(let words): .failed(words: words)
      case .noAnswer: .tookTooLong(Program.changeTimeMax)
      }
  }
}
