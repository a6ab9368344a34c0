/// The progress of the handover from a merged thin volume to its origin.
public enum HandoverState: Equatable, Sendable {
  /// The handover was not requested, but this handover is available.
  case proposed(VolumeHandover)
  /// The handover is complete.
  case done(VolumeHandover)
  /// The handover was requested, but this error prevented it.
  case stopped(MergeError)
}

/// The changes made in LVM once a merge is finished: the thin volume is removed, and its external
/// origin becomes an ordinary volume, which may take the thin volume's name.
///
/// Volumes are identified by their uuids, as LVM prints them, since a name may be reused.
public struct VolumeHandover: Equatable, Sendable {
  /// The name of the volume group.
  public var groupName: String
  /// The names of both volumes in the group, without the group's name.
  public var thinName, originName: String
  package var groupUUID, thinUUID, originUUID: String
  /// True if the origin gets the thin volume's name.
  public var takesName: Bool
  /// True if the origin is active afterwards, as the thin volume was.
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

  /// The shell commands that carry out the handover.
  ///
  /// Running `lvremove` on an external origin also removes all thin volumes on that origin.
  /// Selecting by uuid prevents this if the thin volume's name now belongs to another volume.
  public var commands: [String] {
    let select =
      "vg_name=\(groupName) && lv_uuid=\(thinUUID) && lv_name=\(thinName)".shellQuoted
    let rename = takesName ? ["lvrename \(groupName) \(originName) \(thinName)"] : []
    return [
      "lvremove -y --select \(select) \(groupName)", "lvchange -prw \(originFullName)",
    ] + rename
  }

  /// The thin volume's full name, as in LVM commands.
  public var thinFullName: String { "\(groupName)/\(thinName)" }

  /// The origin's full name during the merge.
  public var originFullName: String { "\(groupName)/\(originName)" }

  /// The origin's full name after the handover.
  public var finalFullName: String { takesName ? thinFullName : originFullName }
}

/// A handover and its remaining work.
package struct PlannedHandover: Equatable, Sendable {
  package var handover: VolumeHandover
  /// True if the thin volume still has to be compared and removed.
  package var thinVolumeIsThere: Bool

  package init(_ handover: VolumeHandover, thinVolumeIsThere: Bool) {
    self.handover = handover
    self.thinVolumeIsThere = thinVolumeIsThere
  }
}

/// A change in LVM's metadata by which an external origin takes the place of a merged thin volume.
package enum HandoverStep: Equatable, Sendable {
  case removeThinVolume
  case makeOriginWritable
  case renameOrigin
}
