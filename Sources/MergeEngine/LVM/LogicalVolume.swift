internal import FoundationEssentials

/// What LVM knows of a thin volume, active or not.
package struct LogicalVolume: Equatable, Sendable {
  package var group: String
  /// The pool's name in the group.
  package var pool: String
  package var deviceID: UInt32
  package var byteCount: UInt64
  /// The external origin's name in the group; nil if it has none.
  package var externalOrigin: String?
  /// The volume's uuid and that of its group, as LVM prints them.
  private let uuids: [String]

  /// Asks `lvs`, through `run`, which gets a program with its arguments.
  ///
  /// - Returns: nil where there is no LVM, or no thin volume of that name.
  /// - Throws: `NoAnswer` where LVM did not answer in time, as it may where a device is suspended.
  package init?(
    group: String, volume: String, run: ([String]) -> Program.End
  ) throws(NoAnswer) {
    let fields = "lv_size,pool_lv,origin,thin_id,vg_uuid,lv_uuid"
    let end = run([
      "lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields, "--",
      "\(group)/\(volume)",
    ])
    if end == .noAnswer { throw NoAnswer() }
    guard case .succeeded(let text) = end,
      let report = try? JSONDecoder().decode(Report.self, from: Data(text.utf8)),
      let row = report.report.first?.lv.first, let deviceID = UInt32(row.thin_id),
      let byteCount = UInt64(row.lv_size), !row.pool_lv.isEmpty
    else { return nil }
    self.group = group
    pool = row.pool_lv
    self.deviceID = deviceID
    self.byteCount = byteCount
    externalOrigin = row.origin.isEmpty ? nil : row.origin
    uuids = [row.vg_uuid, row.lv_uuid].compactMap { $0 }
  }

  /// Returns whether it is that volume: another one may have its name by now.
  func isSame(as volume: KnownVolume) -> Bool { uuids == [volume.groupUUID, volume.uuid] }

  /// The mapped device of the pool itself, to which messages go.
  package var poolMappedName: String {
    ThinDeviceName.mappedName(group: group, volume: pool) + "-tpool"
  }

  /// Where the external origin would be, the lowest layer that LVM makes first.
  package var originMappedNames: [String] {
    guard let externalOrigin else { return [] }
    let name = ThinDeviceName.mappedName(group: group, volume: externalOrigin)
    return [name + "-real", name]
  }

  /// The numbers of the thin volumes that LVM has in a pool; none where there is no LVM, or no such pool.
  ///
  /// - Throws: `NoAnswer` where LVM did not answer in time.
  static func deviceIDs(
    inPool pool: String, of group: String, run: ([String]) -> Program.End
  ) throws(NoAnswer) -> [UInt32] {
    let end = run([
      "lvs", "--reportformat", "json", "-o", "pool_lv,thin_id", "--", group,
    ])
    if end == .noAnswer { throw NoAnswer() }
    guard case .succeeded(let text) = end,
      let report = try? JSONDecoder().decode(NumberReport.self, from: Data(text.utf8))
    else { return [] }
    return report.report.flatMap(\.lv).filter { $0.pool_lv == pool }.compactMap {
      UInt32($0.thin_id)
    }
  }

  private struct NumberReport: Decodable {
    struct Volumes: Decodable {
      struct Row: Decodable {
        var pool_lv, thin_id: String
      }

      var lv: [Row]
    }

    var report: [Volumes]
  }

  /// LVM was asked and did not answer.
  package struct NoAnswer: Error {}

  private struct Report: Decodable {
    var report: [Volumes]
  }

  private struct Volumes: Decodable {
    var lv: [Row]
  }

  private struct Row: Decodable {
    var lv_size, pool_lv, origin, thin_id: String
    var vg_uuid, lv_uuid: String?
  }
}
