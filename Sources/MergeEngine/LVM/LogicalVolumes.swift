internal import FoundationEssentials

/// The volumes of a volume group, hidden ones among them, as LVM's metadata has them.
///
/// The metadata tells of an inactive volume what no table does: its size, its number in the pool, its external origin.
package struct LogicalVolumes: Sendable {
  /// How a volume group is selected.
  package enum Selection: Sendable {
    case name(String)
    /// As LVM prints it: another group may have the name by now.
    case uuid(String)

    fileprivate var words: [String] {
      switch self {
      case .name(let name): ["--", name]
      case .uuid(let uuid): ["--select", "vg_uuid=\"\(uuid)\""]
      }
    }
  }

  /// A volume of the group.
  package struct Volume: Equatable, Sendable {
    /// Without the brackets that LVM prints around the names of hidden volumes.
    package let name: String
    package let uuid: String
    package let byteCount: UInt64
    /// The name of its thin pool; nil for a volume of another kind.
    package let pool: String?
    /// Its number in that pool.
    package let deviceID: UInt32?
    /// The name of its external origin, or of the volume that it is a snapshot of.
    package let origin: String?
    /// Of a thin pool, how many transactions LVM has counted; nil for another volume.
    package let transactionID: UInt64?
    /// Of a thin pool, the name of its data volume.
    package let data: String?
    /// The name of the volume that LVM caches it with; nil where that is a cache pool, or none.
    package let cacheVolume: String?
    /// Whether LVM has it read-only, as it does with an external origin.
    package let isReadOnly: Bool
  }

  package let group: String
  package let groupUUID: String
  package let all: [Volume]

  /// Asks `lvs`, through `run`, which gets a program with its arguments.
  ///
  /// - Returns: nil where there is no LVM, or no such group.
  /// - Throws: `NoAnswer` where LVM did not answer in time, as it may where a device is suspended.
  package init?(
    _ selection: Selection, run: ([String]) -> Program.End
  ) throws(NoAnswer) {
    self.init(try Self.rows(selection.words, run: run))
  }

  /// Asks for all volume groups.
  ///
  /// - Returns: none where there is no LVM.
  /// - Throws: `NoAnswer` where LVM did not answer in time.
  package static func allGroups(
    run: ([String]) -> Program.End
  ) throws(NoAnswer) -> [LogicalVolumes] {
    let rows = try rows([], run: run)
    return Set(rows.map(\.vg_uuid)).sorted().compactMap { uuid in
      LogicalVolumes(rows.filter { $0.vg_uuid == uuid })
    }
  }

  /// - `rows`: of one group.
  private init?(_ rows: [Row]) {
    guard let first = rows.first else { return nil }
    group = first.vg_name
    groupUUID = first.vg_uuid
    all = rows.map(Volume.init)
  }

  private static func rows(
    _ selection: [String], run: ([String]) -> Program.End
  ) throws(NoAnswer) -> [Row] {
    let fields =
      "vg_name,vg_uuid,lv_name,lv_uuid,lv_size,pool_lv,origin,thin_id,transaction_id,data_lv,"
      + "lv_permissions"
    let end = run(
      ["lvs", "-a", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields]
        + selection)
    if end == .noAnswer { throw NoAnswer() }
    guard case .succeeded(let text) = end,
      let report = try? JSONDecoder().decode(Report.self, from: Data(text.utf8))
    else { return [] }
    return report.report.flatMap(\.lv)
  }

  /// LVM was asked and did not answer.
  package struct NoAnswer: Error {}

  package subscript(name: String) -> Volume? { all.first { $0.name == name } }

  package subscript(uuid uuid: String) -> Volume? { all.first { $0.uuid == uuid } }

  /// The name that LVM's users know a volume by.
  package func name(of volume: Volume) -> String { "\(group)/\(volume.name)" }

  /// The thin volumes of a pool.
  package func thinVolumes(in pool: Volume) -> [Volume] { all.filter { $0.pool == pool.name } }

  /// The thin volume that has this number in a pool; nil where LVM knows none.
  package func volume(_ deviceID: UInt32, in pool: Volume) -> Volume? {
    thinVolumes(in: pool).first { $0.deviceID == deviceID }
  }

  /// The thin pool that a thin volume is in.
  package func pool(of volume: Volume) -> Volume? { volume.pool.flatMap { self[$0] } }

  /// The thin pool that has a hidden volume for its data.
  package func pool(withData volume: Volume) -> Volume? { all.first { $0.data == volume.name } }

  /// The external origin of a thin volume, which a snapshot has from the volume that it was made of.
  ///
  /// A thin volume of another pool can be one; a thin volume of the same pool is what a snapshot was made of.
  package func externalOrigin(of volume: Volume) -> Volume? {
    var origin = volume.origin.flatMap { self[$0] }
    // No longer than there are volumes, whatever the listing says.
    for _ in all {
      guard let found = origin, found.pool == volume.pool else { return origin }
      origin = found.origin.flatMap { self[$0] }
    }
    return nil
  }

  /// The thin volumes, of whatever pool, whose external origin is `origin`.
  package func thinVolumes(on origin: Volume) -> [Volume] {
    all.filter { $0.pool != nil && externalOrigin(of: $0) == origin }
  }

  /// The classic snapshots of `origin`: what is written to the layer under it does not reach them.
  package func classicSnapshots(of origin: Volume) -> [Volume] {
    all.filter { $0.pool == nil && $0.origin == origin.name }
  }

  /// The volume as it is known outside of this listing.
  package func known(_ volume: Volume) -> KnownVolume {
    KnownVolume(group: group, name: volume.name, groupUUID: groupUUID, uuid: volume.uuid)
  }

  fileprivate struct Report: Decodable {
    struct Volumes: Decodable {
      var lv: [Row]
    }

    var report: [Volumes]
  }

  fileprivate struct Row: Decodable {
    var vg_name, vg_uuid, lv_name, lv_uuid, lv_size: String
    var pool_lv, origin, thin_id, transaction_id, data_lv, lv_permissions: String
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
    byteCount = UInt64(row.lv_size) ?? 0
    deviceID = UInt32(row.thin_id)
    // A cached volume has the name of its cache there.
    pool = deviceID == nil ? nil : plain(row.pool_lv)
    cacheVolume =
      deviceID == nil ? plain(row.pool_lv).flatMap { $0.hasSuffix("_cvol") ? $0 : nil } : nil
    origin = plain(row.origin)
    transactionID = UInt64(row.transaction_id)
    data = plain(row.data_lv)
    // The other words begin with the same letters: read-only-override.
    isReadOnly = row.lv_permissions.hasPrefix("read-only")
  }
}
