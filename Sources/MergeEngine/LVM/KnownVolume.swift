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

extension MappedDevice {
  /// Volume group and name of the pool of LVM that the device is; nil where it is none.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

  /// The name in LVM of the volume that a mapped device shows, by itself or as the layer that LVM puts under an external
  /// origin or over a pool's devices; nil for anything else, a pool's hidden volumes among them.
  package static func volumeName(mappedName: String, uuid: String) -> String? {
    guard uuid.hasPrefix("LVM-"), uuid.utf8.count >= 4 + 2 * 32 else { return nil }
    let layer = String(uuid.dropFirst(4 + 2 * 32))
    guard ["", "-real", "-tpool"].contains(layer), mappedName.hasSuffix(layer),
      let (group, volume) = ThinDeviceName.logicalVolume(
        mappedName: String(mappedName.dropLast(layer.count)))
    else { return nil }
    return "\(group)/\(volume)"
  }

  /// The volume's name in LVM; nil for what is no volume of LVM, and for a layer of one.
  var logicalVolumeName: String? {
    knownVolume?.fullName
  }

  /// The uuids of group and volume, as LVM prints them, that a device is of: the volume itself or a layer of it, such as
  /// `-real` or `-tpool`; nil for what is not LVM's.
  var uuidsInLVM: (group: String, volume: String)? { Self.uuidsInLVM(of: uuid[...]) }

  /// The same of a device that an identity tells from others.
  static func uuidsInLVM(identity: String) -> (group: String, volume: String)? {
    identity.hasPrefix("dm-") ? uuidsInLVM(of: identity.dropFirst(3)) : nil
  }

  private static func uuidsInLVM(of uuid: Substring) -> (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), uuid.utf8.count >= 4 + 2 * 32 else { return nil }
    let uuids = uuid.dropFirst(4)
    return (inLVMsForm(uuids.prefix(32)), inLVMsForm(uuids.dropFirst(32).prefix(32)))
  }

  /// The volume of LVM that the device is; nil for what is none, and for a layer of one.
  var knownVolume: KnownVolume? {
    // The uuids of group and volume follow; behind those of a layer, what it is.
    guard uuid.hasPrefix("LVM-"), uuid.utf8.count == 4 + 2 * 32,
      let (group, volume) = ThinDeviceName.logicalVolume(mappedName: name)
    else { return nil }
    let uuids = uuid.dropFirst(4)
    return KnownVolume(
      group: group, name: volume, groupUUID: Self.inLVMsForm(uuids.prefix(32)),
      uuid: Self.inLVMsForm(uuids.dropFirst(32)))
  }

  /// A uuid as LVM prints it, and wants it: its 32 characters with dashes between.
  private static func inLVMsForm(_ characters: Substring) -> String {
    var rest = characters
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }
}

extension MappedDevices {
  /// Returns whether a volume of LVM is active.
  func shows(_ volume: KnownVolume) -> Bool {
    pool(volume) != nil || lowestLayer(of: volume) != nil
  }

  /// The pool that a volume of LVM is; nil where it is none or not active.
  ///
  /// LVM puts a layer over it, but where it has just made it.
  func pool(_ volume: KnownVolume) -> MappedDevice? {
    ["-tpool", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }
      .first { $0.poolTarget != nil }
  }

  /// The lowest device that shows a volume of LVM; nil where it is not active.
  func lowestLayer(of volume: KnownVolume) -> MappedDevice? {
    ["-real", ""].lazy.compactMap { device(uuid: volume.mappedUUID(layer: $0)) }.first
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
