/// A volume of LVM as the uuid of its mapped device tells: it may have another name by now, and another volume its name.
package struct KnownVolume: Equatable, Sendable, Codable {
  /// The names that group and volume had.
  package var group, name: String
  /// As LVM prints them.
  package var groupUUID, uuid: String

  package init(group: String, name: String, groupUUID: String, uuid: String) {
    self.group = group
    self.name = name
    self.groupUUID = groupUUID
    self.uuid = uuid
  }

  package var uuids: VolumeUUIDs { VolumeUUIDs(group: groupUUID, volume: uuid) }

  /// The name that LVM's users know the volume by.
  package var fullName: String { "\(group)/\(name)" }

  /// The name of the mapped device that shows the volume, or would; `layer` is that of a layer below, such as `-real`.
  package func mappedName(layer: String = "") -> String {
    ThinDeviceName.mappedName(group: group, volume: name) + layer
  }

  /// The uuid of that mapped device.
  package func mappedUUID(layer: String = "") -> String {
    "LVM-" + (groupUUID + uuid).filter { $0 != "-" } + layer
  }

  /// What LVM selects the volume by: a copy of its group, which may have the group's name by now, has the same uuids of
  /// volumes.
  var selection: String { "vg_uuid=\"\(groupUUID)\" && lv_uuid=\"\(uuid)\"" }

  /// The command that activates it, whatever is set for its activation.
  ///
  /// It ends with success, and does nothing, where the group has no such volume.
  var activation: [String] {
    ["lvchange", "-ay", "-K", "--select", selection, "--", group]
  }

  /// The command that deactivates it; LVM refuses that while somebody has it open.
  var deactivation: [String] { ["lvchange", "-an", "--select", selection, "--", group] }
}

extension KnownVolume {
  /// The volume that a mapped device shows; nil for what is no volume of LVM, and for a layer of one.
  package init?(mappedName: String, uuid: String) {
    guard let uuids = VolumeUUIDs(mappedUUID: uuid), VolumeUUIDs.layer(ofMappedUUID: uuid).isEmpty,
      let (group, volume) = ThinDeviceName.logicalVolume(mappedName: mappedName)
    else { return nil }
    self.init(group: group, name: volume, groupUUID: uuids.group, uuid: uuids.volume)
  }

  /// The name in LVM of the volume that a mapped device shows, by itself or as the layer that LVM puts under an external
  /// origin or over a pool's devices; nil for anything else, a pool's hidden volumes among them.
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
  /// The name in LVM that an origin had by the path that was recorded of it; nil for what is no volume of LVM.
  static func fullName(path: String, identity: DeviceIdentity) -> String? {
    guard VolumeUUIDs(identity: identity) != nil, path.hasPrefix("/dev/mapper/") else { return nil }
    var name = path.dropFirst("/dev/mapper/".count)
    // Dashes of the volume's own name are doubled.
    if name.hasSuffix("-real") { name = name.dropLast("-real".count) }
    return ThinDeviceName.logicalVolume(mappedName: String(name)).map { "\($0.group)/\($0.volume)" }
  }
}

/// The uuid of a mapped device of LVM is `LVM-`, the uuids of group and volume without their dashes, 32 characters each,
/// and for a layer of a volume what it is, such as `-real` or `-tpool`.
extension VolumeUUIDs {
  /// The uuids of the volume that a mapped device is, or is a layer of; nil for what is not LVM's.
  init?(mappedUUID uuid: String) { self.init(of: uuid[...]) }

  /// The same of a device that an identity tells from others.
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

  /// What follows the two uuids; empty for the volume itself.
  static func layer(ofMappedUUID uuid: String) -> Substring { uuid.dropFirst(4 + 2 * 32) }

  /// A uuid as LVM prints it, and wants it: its 32 characters with dashes between.
  private static func inLVMsForm(_ characters: Substring) -> String {
    var rest = characters
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }
}

extension ActivationFailure {
  /// Why a volume is not as LVM was told to make it.
  init(_ end: Program.End, of volume: KnownVolume) {
    self =
      switch end {
      case .succeeded: .noneSelected(uuid: volume.uuid, group: volume.group)
      case .failed(let words): .failed(words: words)
      case .noAnswer: .tookTooLong(Program.changeTimeMax)
      }
  }
}
