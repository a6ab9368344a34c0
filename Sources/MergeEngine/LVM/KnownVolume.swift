/// A volume of LVM as the uuid of its mapped device tells: it may have another name by now, and another volume its name.
package struct KnownVolume: Equatable, Sendable {
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

  /// What LVM selects the volume by: a copy of its group, which may have the group's name by now, has the same uuids of
  /// volumes.
  var selection: String { "vg_uuid=\"\(groupUUID)\" && lv_uuid=\"\(uuid)\"" }

  /// The command that activates it, whatever is set for its activation.
  ///
  /// It ends with success, and does nothing, where the group has no such volume.
  var activation: [String] {
    ["lvchange", "-ay", "-K", "--select", selection, "--", group]
  }
}

extension MappedDevice {
  /// Volume group and name of the pool of LVM that the device is; nil where it is none.
  var poolName: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), name.hasSuffix("-tpool") else { return nil }
    return ThinDeviceName.logicalVolume(mappedName: String(name.dropLast("-tpool".count)))
  }

  /// The volume's name in LVM; nil for what is no volume of LVM, and for a layer of one.
  var logicalVolumeName: String? {
    knownVolume.map { "\($0.group)/\($0.name)" }
  }

  /// The uuids of group and volume, as LVM prints them, that a device is of: the volume itself or a layer of it, such as
  /// `-real` or `-tpool`; nil for what is not LVM's.
  var uuidsInLVM: (group: String, volume: String)? {
    guard uuid.hasPrefix("LVM-"), uuid.utf8.count >= 4 + 2 * 32 else { return nil }
    let uuids = uuid.dropFirst(4)
    return (Self.inLVMsForm(uuids.prefix(32)), Self.inLVMsForm(uuids.dropFirst(32).prefix(32)))
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
