internal import FoundationEssentials

/// A check that LVM lets this system use a volume group.
package enum VolumeGroup {
  /// Refuses a volume group that belongs to another system or is shared between systems, exported
  /// or partial.
  ///
  /// If there is no LVM, or no such group, nothing is refused: the next request fails instead.
  ///
  /// - `run`: runs a program with its arguments and returns its output.
  /// - Throws: `MergeError` (`refused`) with LVM's term for the group's state.
  package static func check(
    _ name: String, run: ([String]) throws(MergeError) -> String?
  ) throws(MergeError) {
    // Without the first two options vgs skips other systems' groups.
    guard
      let text = try run([
        "vgs", "--foreign", "--shared", "--reportformat", "json", "-o",
        "vg_lock_type,vg_systemid,vg_exported,vg_partial", "--", name,
      ]), let report = try? JSONDecoder().decode(Report.self, from: Data(text.utf8)),
      let group = report.report.first?.vg.first
    else { return }
    if !group.vg_exported.isEmpty { throw .volumeGroupExported(name, word: group.vg_exported) }
    if !group.vg_partial.isEmpty { throw .volumeGroupPartial(name, word: group.vg_partial) }
    if !["", "none"].contains(group.vg_lock_type) {
      throw .volumeGroupShared(name, lockType: group.vg_lock_type)
    }
    if !group.vg_systemid.isEmpty {
      let own = try systemID(run)
      guard group.vg_systemid == own else {
        throw .volumeGroupForeign(name, systemID: group.vg_systemid, own: own)
      }
    }
  }

  /// Returns this system's LVM system ID; empty if it has none.
  private static func systemID(
    _ run: ([String]) throws(MergeError) -> String?
  ) throws(MergeError) -> String {
    let line = try run(["lvm", "systemid"])?.split(separator: "\n").first {
      $0.contains("system ID:")
    }
    return line?.split(separator: ":", maxSplits: 1).last?
      .split(separator: " ").first.map(String.init) ?? ""
  }

  private struct Report: Decodable {
    var report: [Groups]
  }

  private struct Groups: Decodable {
    var vg: [Row]
  }

  private struct Row: Decodable {
    var vg_lock_type, vg_systemid, vg_exported, vg_partial: String
  }
}
