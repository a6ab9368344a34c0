internal import MergeEngine

/// The leftovers from earlier runs in pools and at origins, as JSON for programs.
struct SettleDocument: Encodable {
  private let schema = "thin-merge/settle/1"
  private let isList: Bool
  private let pools: [PoolDocument]
  private let origins: [OriginDocument]
  private let volumes: [VolumeDocument]

  init(_ left: Leftovers, isList: Bool) {
    self.isList = isList
    pools = left.pools.map { PoolDocument($0) }
    origins = left.origins.map { OriginDocument($0) }
    volumes = left.volumes.map { VolumeDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case schema, pools, origins, volumes
    case isList = "list"
  }
}

private struct PoolDocument: Encodable {
  @Nullable var name: String?
  let state: String
  let record: RecordDocument
  @Nullable var metadataSnapshot: MetadataSnapshotDocument?
  let snapshots: [SnapshotDocument]
  let removedDevices: [RemovedDeviceDocument]
  let journals: [JournalDocument]

  init(_ pool: PoolLeftovers) {
    name = pool.poolName
    state = pool.state.rawValue
    record = RecordDocument(
      pool.recordPath, pool.recordedSeconds, pool.writableLayers, pool.notUndone, pool.error)
    metadataSnapshot = pool.metadataSnapshot.map { MetadataSnapshotDocument($0) }
    snapshots = pool.snapshots.map { SnapshotDocument($0) }
    removedDevices = pool.removedDevices.map { RemovedDeviceDocument($0) }
    journals = pool.journals.map { JournalDocument($0) }
  }

  func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(_name, forKey: .name)
    try values.encode(state, forKey: .state)
    try values.encode(_metadataSnapshot, forKey: .metadataSnapshot)
    try values.encode(snapshots, forKey: .snapshots)
    try values.encode(removedDevices, forKey: .removedDevices)
    try values.encode(journals, forKey: .journals)
  }

  enum CodingKeys: String, CodingKey {
    case name, state, snapshots, journals
    case metadataSnapshot = "metadata_snapshot"
    case removedDevices = "removed_devices"
  }
}

private struct OriginDocument: Encodable {
  let isInUse: Bool
  let record: RecordDocument

  init(_ origin: OriginLeftovers) {
    isInUse = origin.isInUse
    record = RecordDocument(
      origin.recordPath, origin.recordedSeconds, origin.writableLayers, origin.notUndone,
      origin.error)
  }

  func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(isInUse, forKey: .isInUse)
  }

  enum CodingKeys: String, CodingKey {
    case isInUse = "in_use"
  }
}

private struct VolumeDocument: Encodable {
  let name, recordPath: String
  let isInUse, isUndone: Bool
  let notUndone: [NotUndoneDocument]

  init(_ volume: VolumeLeftovers) {
    name = volume.name
    recordPath = volume.recordPath
    isInUse = volume.isInUse
    isUndone = volume.isUndone
    notUndone = volume.notUndone.map {
      NotUndoneDocument(code: $0.code.rawValue, message: $0.textInCommandTerms)
    }
  }

  enum CodingKeys: String, CodingKey {
    case name = "volume"
    case recordPath = "record"
    case isInUse = "in_use"
    case isUndone = "undone"
    case notUndone = "not_undone"
  }
}

/// The fields that the records for pools and for origins have in common.
private struct RecordDocument: Encodable {
  @Nullable var path: String?
  let pathBase64: String?
  @Nullable var changedSeconds: Int64?
  let writableLayers: [WritableLayerDocument]
  let notUndone: [NotUndoneDocument]
  @Nullable var error: NotUndoneDocument?

  init(
    _ path: String?, _ changedSeconds: Int64?, _ layers: [PoolLeftovers.WritableLayer],
    _ notUndone: [MergeNote], _ error: MergeError?
  ) {
    self.path = path
    pathBase64 = JSONText.base64(path)
    self.changedSeconds = changedSeconds
    writableLayers = layers.map { WritableLayerDocument($0) }
    self.notUndone = notUndone.map {
      NotUndoneDocument(code: $0.code.rawValue, message: $0.textInCommandTerms)
    }
    self.error = error.map {
      NotUndoneDocument(code: $0.code.rawValue, message: $0.inCommandTerms.message)
    }
  }

  enum CodingKeys: String, CodingKey {
    case error
    case path = "record"
    case pathBase64 = "record_base64"
    case changedSeconds = "recorded_time"
    case writableLayers = "writable_layers"
    case notUndone = "not_undone"
  }
}

private struct MetadataSnapshotDocument: Encodable {
  @Nullable var block: UInt64?
  let owner: String
  @Nullable var maybeOnlyCopyOf: UInt32?
  let isUndone: Bool

  init(_ snapshot: PoolLeftovers.MetadataSnapshot) {
    block = snapshot.block
    owner = snapshot.owner.rawValue
    maybeOnlyCopyOf = snapshot.maybeOnlyCopyOf
    isUndone = snapshot.isUndone
  }

  enum CodingKeys: String, CodingKey {
    case block, owner
    case maybeOnlyCopyOf = "maybe_only_copy_of"
    case isUndone = "undone"
  }
}

private struct SnapshotDocument: Encodable {
  let deviceID, originalID: UInt32
  @Nullable var originName: String?
  let use: String
  @Nullable var isThere: Bool?
  @Nullable var byteCount: UInt64?
  @Nullable var suspendedDevicePath: String?
  let isUndone: Bool

  init(_ snapshot: PoolLeftovers.Snapshot) {
    deviceID = snapshot.deviceID
    originalID = snapshot.originalID
    originName = snapshot.originName
    use = snapshot.use.rawValue
    isThere = snapshot.isThere
    byteCount = snapshot.byteCount
    suspendedDevicePath = snapshot.suspendedDevicePath
    isUndone = snapshot.isUndone
  }

  enum CodingKeys: String, CodingKey {
    case use
    case deviceID = "dev_id"
    case originalID = "snapshot_of"
    case originName = "origin_identity"
    case isThere = "there"
    case byteCount = "bytes"
    case suspendedDevicePath = "suspended_device"
    case isUndone = "undone"
  }
}

private struct RemovedDeviceDocument: Encodable {
  let path: String
  @Nullable var volumeName: String?
  let isPutBack, isActive, isUndone: Bool

  init(_ device: PoolLeftovers.RemovedDevice) {
    path = device.path
    volumeName = device.volumeName
    isPutBack = device.isPutBack
    isActive = device.isActive
    isUndone = device.isUndone
  }

  enum CodingKeys: String, CodingKey {
    case path = "device"
    case volumeName = "volume"
    case isPutBack = "put_back"
    case isActive = "active"
    case isUndone = "undone"
  }
}

private struct WritableLayerDocument: Encodable {
  let path: String
  @Nullable var isWritable: Bool?
  let isUndone: Bool

  init(_ layer: PoolLeftovers.WritableLayer) {
    path = layer.path
    isWritable = layer.isWritable
    isUndone = layer.isUndone
  }

  enum CodingKeys: String, CodingKey {
    case path = "device"
    case isWritable = "writable"
    case isUndone = "undone"
  }
}

private struct JournalDocument: Encodable {
  let path, originPath: String
  let pathBase64, originBase64: String?
  let deviceID: UInt32

  init(_ journal: PoolLeftovers.Journal) {
    path = journal.path
    originPath = journal.originPath
    pathBase64 = JSONText.base64(path)
    originBase64 = JSONText.base64(originPath)
    deviceID = journal.deviceID
  }

  enum CodingKeys: String, CodingKey {
    case path = "journal"
    case pathBase64 = "journal_base64"
    case originPath = "origin"
    case originBase64 = "origin_base64"
    case deviceID = "dev_id"
  }
}

private struct NotUndoneDocument: Encodable {
  let code, message: String
}
