extension VolumeHandover {
  /// The thin volume, identified by its UUIDs.
  var thin: KnownVolume {
    KnownVolume(group: groupName, name: thinName, groupUUID: groupUUID, uuid: thinUUID)
  }

  var origin: KnownVolume {
    KnownVolume(group: groupName, name: originName, groupUUID: groupUUID, uuid: originUUID)
  }

  /// Returns the first step that is not yet done according to LVM's metadata; nil if all are done.
  ///
  /// - Throws: `MergeError` (`refused`) if the next step would affect a volume other than
  ///   the recorded one.
  func nextStep(_ volumes: LogicalVolumes) throws(MergeError) -> HandoverStep? {
    guard let now = volumes[uuid: originUUID] else {
      throw .volumeGone(originFullName, uuid: originUUID)
    }
    if let left = volumes[uuid: thinUUID] {
      guard left.name == thinName else {
        throw .volumeRenamed(thinFullName, now: volumes.name(of: left))
      }
      return .removeThinVolume
    }
    // LVM may have made the volume a thin volume since, on an origin of its own.
    guard volumes.externalOrigin(of: now) == nil else {
      throw .originNotPlain(originFullName)
    }
    if now.isReadOnly { return .makeOriginWritable }
    guard takesName, now.name != thinName else { return nil }
    guard now.name == originName else {
      throw .volumeRenamed(originFullName, now: volumes.name(of: now))
    }
    guard volumes[thinName] == nil else { throw .volumeNameTaken(thinFullName) }
    return .renameOrigin
  }

  /// Returns the command for a step.
  ///
  /// - `groupName`: the group's current name.
  ///
  /// Running `lvremove -y` on an external origin also removes all thin volumes on it, without
  /// asking. The volume is therefore selected by its UUID and its name: nothing is removed if
  /// either belongs to another volume.
  func command(for step: HandoverStep, in groupName: String) -> [String] {
    switch step {
    case .removeThinVolume:
      [
        "lvremove", "-y", "--select",
        "vg_uuid=\"\(groupUUID)\" && lv_uuid=\"\(thinUUID)\" && lv_name=\"\(thinName)\"", "--",
        groupName,
      ]
    case .makeOriginWritable:
      ["lvchange", "-prw", "--select", origin.selection, "--", groupName]
    case .renameOrigin:
      ["lvrename", "--", groupName, originName, thinName]
    }
  }
}

/// The two volumes of a merge, as LVM's metadata describes them.
struct MergedVolumes {
  let volumes: LogicalVolumes
  let thin, origin: LogicalVolumes.Volume

  /// - Returns: nil if the thin volume has no external origin.
  init?(_ volumes: LogicalVolumes, thin: LogicalVolumes.Volume) {
    guard let origin = volumes.externalOrigin(of: thin) else { return nil }
    self.volumes = volumes
    self.thin = thin
    self.origin = origin
  }

  /// The UUIDs of the origin.
  var originUUIDs: VolumeUUIDs { volumes.known(origin).uuids }

  /// The names of the other volumes on the thin volume or its origin, each with the name of the
  /// volume that it is on.
  var others: [(name: String, on: String)] {
    let onOrigin =
      volumes.thinVolumes(on: origin).filter { $0 != thin } + volumes.classicSnapshots(of: origin)
    return onOrigin.map { (volumes.name(of: $0), volumes.name(of: origin)) }
      + volumes.classicSnapshots(of: thin).map { (volumes.name(of: $0), volumes.name(of: thin)) }
  }

  /// Returns the handover of these volumes.
  ///
  /// - `staysActive`: whether the origin ends up active.
  /// - Throws: `MergeError` (`refused`) if another volume would be lost, or if LVM would refuse the
  ///   handover.
  func handover(takesName: Bool, staysActive: Bool) throws(MergeError) -> VolumeHandover {
    let (thinName, originName) = (volumes.name(of: thin), volumes.name(of: origin))
    guard others.isEmpty else { throw .volumesOnOrigin(originName, thinName, others) }
    guard thin.byteCount <= origin.byteCount else {
      throw .originShorterThanVolume(
        originName, origin.byteCount, thinName: thinName, thinByteCount: thin.byteCount)
    }
    return VolumeHandover(
      groupName: volumes.group, thinName: thin.name, originName: origin.name,
      groupUUID: volumes.groupUUID, thinUUID: thin.uuid, originUUID: origin.uuid,
      takesName: takesName, staysActive: staysActive)
  }
}
