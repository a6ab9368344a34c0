internal import MergeEngine

/// What earlier runs left in pools, for programs.
struct SettleDocument: Encodable {
  private let schema = "thin-merge/settle/1"
  private let isList: Bool
  private let pools: [PoolDocument]

  init(_ pools: [PoolLeftovers], isList: Bool) {
    self.isList = isList
    self.pools = pools.map { PoolDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case schema, pools
    case isList = "list"
  }
}

private struct PoolDocument: Encodable {
  @Nullable var name: String?
  let state: String
  @Nullable var recordPath: String?
  let recordBase64: String?
  @Nullable var recordedSeconds: Int64?
  @Nullable var metadataSnapshot: MetadataSnapshotDocument?
  let snapshots: [SnapshotDocument]
  let removedDevices: [RemovedDeviceDocument]
  let writableLayers: [WritableLayerDocument]
  let journals: [JournalDocument]
  let notUndone: [NotUndoneDocument]
  @Nullable var error: NotUndoneDocument?

  init(_ pool: PoolLeftovers) {
    name = pool.poolName
    state = pool.state.rawValue
    recordPath = pool.recordPath
    recordBase64 = JSONText.base64(pool.recordPath)
    recordedSeconds = pool.recordedSeconds
    metadataSnapshot = pool.metadataSnapshot.map { MetadataSnapshotDocument($0) }
    snapshots = pool.snapshots.map { SnapshotDocument($0) }
    removedDevices = pool.removedDevices.map { RemovedDeviceDocument($0) }
    writableLayers = pool.writableLayers.map { WritableLayerDocument($0) }
    journals = pool.journals.map { JournalDocument($0) }
    notUndone = pool.notUndone.map {
      NotUndoneDocument(code: $0.code.rawValue, message: $0.textInCommandTerms)
    }
    error = pool.error.map {
      NotUndoneDocument(code: $0.code.rawValue, message: $0.inCommandTerms.message)
    }
  }

  enum CodingKeys: String, CodingKey {
    case name, state, snapshots, journals, error
    case recordPath = "record"
    case recordBase64 = "record_base64"
    case recordedSeconds = "recorded_time"
    case metadataSnapshot = "metadata_snapshot"
    case removedDevices = "removed_devices"
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
