internal import FoundationEssentials

/// The volumes of a volume group, including hidden ones, as LVM's metadata describes them.
///
/// For an inactive volume, the metadata contains facts found in no table: the volume's size, its
/// device ID in the pool, and its external origin.
package struct LogicalVolumes: Sendable {
  /// The selection of a volume group.
  package enum Selection: Sendable {
    case name(String)
    /// The UUID as LVM prints it; the group's name may now belong to another group.
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
    /// The volume's name, without the brackets that LVM prints around hidden volumes.
    package let name: String
    package let uuid: String
    package let byteCount: UInt64
    /// The name of the thin volume's pool; nil for any other kind of volume.
    package let pool: String?
    /// The volume's device ID in its thin pool.
    package let deviceID: UInt32?
    /// The name of the volume's external origin, or of the volume that it is a snapshot of.
    package let origin: String?
    /// The transaction ID that LVM has recorded for a thin pool; nil for any other volume.
    package let transactionID: UInt64?
    /// The name of a thin pool's data volume.
    package let data: String?
    /// The name of the cache volume that LVM uses to cache the volume; nil if the volume is not
    /// cached or is cached by a cache pool.
    package let cacheVolume: String?
    /// True if the volume is read-only in LVM, as an external origin is.
    package let isReadOnly: Bool
  }

  package let group: String
  package let groupUUID: String
  package let all: [Volume]

  /// Queries `lvs` through `run`, which is given a program with its arguments.
  ///
  /// - Returns: nil if there is no LVM, or no such group.
  /// - Throws: `NoAnswer` if LVM did not answer in time, as may happen while a device is suspended.
  package init?(
    _ selection: Selection, run: ([String]) -> Program.End
  ) throws(NoAnswer) {
    self.init(try Self.rows(selection.words, run: run))
  }

  /// Queries all volume groups.
  ///
  /// - Returns: no groups if there is no LVM.
  /// - Throws: `NoAnswer` if LVM did not answer in time.
  package static func allGroups(
    run: ([String]) -> Program.End
  ) throws(NoAnswer) -> [LogicalVolumes] {
    let rows = try rows([], run: run)
    return Set(rows.map(\.vg_uuid)).sorted().compactMap { uuid in
      LogicalVolumes(rows.filter { $0.vg_uuid == uuid })
    }
  }

  /// - `rows`: the rows of one group.
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

  /// The failure of LVM to answer a query in time.
  package struct NoAnswer: Error {}

  package subscript(name: String) -> Volume? { all.first { $0.name == name } }

  package subscript(uuid uuid: String) -> Volume? { all.first { $0.uuid == uuid } }

  /// Returns a volume's full name, as used in LVM commands.
  package func name(of volume: Volume) -> String { "\(group)/\(volume.name)" }

  /// Returns the thin volumes of a pool.
  package func thinVolumes(in pool: Volume) -> [Volume] { all.filter { $0.pool == pool.name } }

  /// Returns the thin volume with a device ID in a pool; nil if LVM knows none.
  package func volume(_ deviceID: UInt32, in pool: Volume) -> Volume? {
    thinVolumes(in: pool).first { $0.deviceID == deviceID }
  }

  /// Returns the thin pool of a thin volume.
  package func pool(of volume: Volume) -> Volume? { volume.pool.flatMap { self[$0] } }

  /// Returns the thin pool whose data is stored in the given hidden volume.
  package func pool(withData volume: Volume) -> Volume? { all.first { $0.data == volume.name } }

  /// Returns the external origin of a thin volume, which a snapshot inherits from its original.
  ///
  /// The external origin may be a thin volume of another pool. A thin volume of the same pool is
  /// the original of a snapshot.
  package func externalOrigin(of volume: Volume) -> Volume? {
    var origin = volume.origin.flatMap { self[$0] }
    // The number of volumes limits the search, in case the listing has a cycle.
    for _ in all {
      guard let found = origin, found.pool == volume.pool else { return origin }
      origin = found.origin.flatMap { self[$0] }
    }
    return nil
  }

  /// Returns the thin volumes, of any pool, whose external origin is `origin`.
  package func thinVolumes(on origin: Volume) -> [Volume] {
    all.filter { $0.pool != nil && externalOrigin(of: $0) == origin }
  }

  /// Returns the classic snapshots of `origin`; writes to the layer under it do not reach them.
  package func classicSnapshots(of origin: Volume) -> [Volume] {
    all.filter { $0.pool == nil && $0.origin == origin.name }
  }

  /// Returns the volume in the form used outside this listing.
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
    // For a cached volume, this field has the name of the cache.
    pool = deviceID == nil ? nil : plain(row.pool_lv)
    cacheVolume =
      deviceID == nil ? plain(row.pool_lv).flatMap { $0.hasSuffix("_cvol") ? $0 : nil } : nil
    origin = plain(row.origin)
    transactionID = UInt64(row.transaction_id)
    data = plain(row.data_lv)
    // The other values, such as read-only-override, start with the same letters.
    isReadOnly = row.lv_permissions.hasPrefix("read-only")
  }
}
