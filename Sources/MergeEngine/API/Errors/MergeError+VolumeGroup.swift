// The catalogue of errors about volume groups that this system must not use.

extension MergeError {
  static func volumeGroupExported(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupExported, "LVM says that it is \(word)",
      hint: "vgimport \(name.shellQuoted)")
  }

  static func volumeGroupPartial(_ name: String, word: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupPartial, "LVM says that it is \(word): a physical volume is missing",
      hint: "'vgs -o pv_name,vg_missing_pv_count \(name.shellQuoted)' shows which are there")
  }

  /// Returns the error for a group that several systems may use under a lock manager.
  static func volumeGroupShared(_ name: String, lockType: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupShared,
      "it is shared between systems: its vg_lock_type is \(lockType)",
      hint: "lvmlockd(8) says how a volume group that no other system uses becomes a local one")
  }

  /// Returns the error for a group of another system.
  ///
  /// `own`: this system's id; empty where it has none.
  static func volumeGroupForeign(_ name: String, systemID: String, own: String) -> MergeError {
    volumeGroup(
      name, .volumeGroupForeign,
      "it is another system's: its vg_systemid is \(systemID), "
        + (own.isEmpty ? "and this system has none" : "this system's is \(own)"),
      hint: "lvmsystemid(7) says how a volume group changes hands")
  }

  private static func volumeGroup(
    _ name: String, _ code: Code, _ why: String, hint: String
  ) -> MergeError {
    MergeError(
      code, .refused, "cannot use the volume group", at: name, because: why, hint: hint,
      context: Context(name: name))
  }
}
