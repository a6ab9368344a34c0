/// How far the handover from a merged thin volume to its origin is.
public enum HandoverState: Equatable, Sendable {
  /// It was not asked for, and would be this.
  case proposed(VolumeHandover)
  /// This was done.
  case done(VolumeHandover)
  /// It was asked for, and this kept it from being done.
  case stopped(MergeError)
}

/// What is done in LVM once a merge is finished: the thin volume is removed, and its external origin becomes an
/// ordinary volume, which may take the thin volume's name.
///
/// Volumes are known by their uuids, as LVM prints them: a name may be given to another volume.
public struct VolumeHandover: Equatable, Sendable {
  /// The name of the volume group.
  public var groupName: String
  /// The names that both had in the group, without its name.
  public var thinName, originName: String
  package var groupUUID, thinUUID, originUUID: String
  /// Whether the origin gets the thin volume's name.
  public var takesName: Bool
  /// Whether the origin is active afterwards, as the thin volume was.
  package var staysActive: Bool

  package init(
    groupName: String, thinName: String, originName: String, groupUUID: String, thinUUID: String,
    originUUID: String, takesName: Bool, staysActive: Bool
  ) {
    self.groupName = groupName
    self.thinName = thinName
    self.originName = originName
    self.groupUUID = groupUUID
    self.thinUUID = thinUUID
    self.originUUID = originUUID
    self.takesName = takesName
    self.staysActive = staysActive
  }

  /// The commands that do it, for a shell.
  ///
  /// `lvremove` of an external origin removes all thin volumes on it too. The uuid keeps a name that was given to another
  /// volume from doing that.
  public var commands: [String] {
    let select =
      "vg_name=\(groupName) && lv_uuid=\(thinUUID) && lv_name=\(thinName)".shellQuoted
    let rename = takesName ? ["lvrename \(groupName) \(originName) \(thinName)"] : []
    return [
      "lvremove -y --select \(select) \(groupName)", "lvchange -prw \(originFullName)",
    ] + rename
  }

  /// The thin volume, as LVM's users name it.
  public var thinFullName: String { "\(groupName)/\(thinName)" }

  /// The origin as it was named during the merge.
  public var originFullName: String { "\(groupName)/\(originName)" }

  /// The origin as it is named in the end.
  public var finalFullName: String { takesName ? thinFullName : originFullName }
}

/// A handover, and how much of it is left.
package struct PlannedHandover: Equatable, Sendable {
  package var handover: VolumeHandover
  /// Whether the thin volume is still to be compared and removed.
  package var thinVolumeIsThere: Bool

  package init(_ handover: VolumeHandover, thinVolumeIsThere: Bool) {
    self.handover = handover
    self.thinVolumeIsThere = thinVolumeIsThere
  }
}

/// One of the changes in LVM's metadata by which an external origin takes the place of a merged thin volume.
package enum HandoverStep: Equatable, Sendable {
  case removeThinVolume
  case makeOriginWritable
  case renameOrigin
}
