internal import FoundationEssentials

/// All volumes of a volume group, hidden ones among them, as LVM lists them.
///
/// LVM's metadata tells of an inactive volume what no table does: its number in the pool and its external origin.
package struct LogicalVolumes: Sendable {
  /// A volume of the group.
  package struct Volume: Equatable, Sendable {
    /// Without the brackets that LVM prints around the names of hidden volumes.
    package let name: String
    package let uuid: String
    /// The name of its thin pool; nil for a volume of another kind.
    package let pool: String?
    /// Its number in that pool.
    package let deviceID: UInt32?
    /// The name of its external origin, or of the volume that it is a snapshot of.
    package let origin: String?
    /// Of a thin pool, how many transactions LVM has counted; nil for another volume.
    package let transactionID: UInt64?
  }

  package let group: String
  package let groupUUID: String
  package let all: [Volume]

  /// Asks `lvs`, through `run`, which gets a program with its arguments.
  ///
  /// - `groupUUID`: as LVM prints it.
  /// - Returns: nil where there is no LVM, or no such group.
  /// - Throws: `LogicalVolume.NoAnswer` where LVM did not answer in time.
  package init?(
    groupUUID: String, run: ([String]) -> Program.End
  ) throws(LogicalVolume.NoAnswer) {
    let end = run([
      "lvs", "-a", "--reportformat", "json", "-o",
      "vg_name,lv_name,lv_uuid,pool_lv,origin,thin_id,transaction_id", "--select",
      "vg_uuid=\"\(groupUUID)\"",
    ])
    if end == .noAnswer { throw LogicalVolume.NoAnswer() }
    guard case .succeeded(let text) = end,
      let report = try? JSONDecoder().decode(Report.self, from: Data(text.utf8))
    else { return nil }
    let rows = report.report.flatMap(\.lv)
    guard let group = rows.first?.vg_name else { return nil }
    self.group = group
    self.groupUUID = groupUUID
    all = rows.map(Volume.init)
  }

  /// The name that LVM's users know a volume by.
  package func name(of volume: Volume) -> String { "\(group)/\(volume.name)" }

  package subscript(uuid uuid: String) -> Volume? { all.first { $0.uuid == uuid } }

  private subscript(name name: String) -> Volume? { all.first { $0.name == name } }

  /// The thin volume that has this number in a pool; nil where LVM knows none.
  package func volume(_ deviceID: UInt32, in pool: Volume) -> Volume? {
    all.first { $0.pool == pool.name && $0.deviceID == deviceID }
  }

  /// The external origin of a thin volume, which a snapshot has from the volume that it was made of.
  package func externalOrigin(of volume: Volume) -> Volume? {
    var origin = volume.origin.flatMap { self[name: $0] }
    // No longer than there are volumes, whatever the listing says.
    for _ in all {
      guard let found = origin, found.pool != nil else { return origin }
      origin = found.origin.flatMap { self[name: $0] }
    }
    return nil
  }

  /// The thin volumes, of whatever pool, whose external origin is `origin`.
  package func thinVolumes(on origin: Volume) -> [Volume] {
    all.filter { $0.pool != nil && externalOrigin(of: $0) == origin }
  }

  /// The uuid of the mapped device that shows a volume, or would.
  package func mappedUUID(of volume: Volume, layer: String = "") -> String {
    "LVM-" + (groupUUID + volume.uuid).filter { $0 != "-" } + layer
  }

  /// The classic snapshots of `origin`: what is written to the layer under it does not reach them.
  package func classicSnapshots(of origin: Volume) -> [Volume] {
    all.filter { $0.pool == nil && $0.origin == origin.name }
  }

  fileprivate struct Report: Decodable {
    struct Volumes: Decodable {
      var lv: [Row]
    }

    var report: [Volumes]
  }

  fileprivate struct Row: Decodable {
    var vg_name, lv_name, lv_uuid, pool_lv, origin, thin_id, transaction_id: String
  }
}

extension LogicalVolumes.Volume {
  fileprivate init(_ row: LogicalVolumes.Row) {
    func plain(_ name: String) -> String? {
      let text = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
      return text.isEmpty ? nil : text
    }
    name = plain(row.lv_name) ?? ""
    uuid = row.lv_uuid
    pool = plain(row.pool_lv)
    deviceID = UInt32(row.thin_id)
    origin = plain(row.origin)
    transactionID = UInt64(row.transaction_id)
  }
}
