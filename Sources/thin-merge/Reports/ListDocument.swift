internal import MergeEngine

/// The thin devices that have an external origin, as JSON for programs.
struct ListDocument: Encodable {
  private let schema = "thin-merge/list/1"
  private let devices: [DeviceDocument]

  init(_ devices: [ThinDeviceListing]) { self.devices = devices.map { DeviceDocument($0) } }

  private enum CodingKeys: String, CodingKey {
    case schema
    case devices = "thin_devices"
  }

  private struct DeviceDocument: Encodable {
    let name, poolName, originName: String
    let deviceID: UInt32
    let byteCount: UInt64
    @Nullable var ownByteCount: UInt64?
    let isActive: Bool
    let openCount: Int
    @Nullable var mountPath: String?
    @Nullable var merge: MergeSummary?
    @Nullable var journalPath: String?
    let journalBase64: String?
    let obstacles: [ObstacleDocument]

    init(_ device: ThinDeviceListing) {
      name = device.name
      poolName = device.poolName
      originName = device.originName
      deviceID = device.deviceID
      byteCount = device.byteCount
      ownByteCount = device.ownByteCount
      isActive = device.isActive
      openCount = device.openCount
      mountPath = device.mountPath
      merge = device.merge.map { MergeSummary($0) }
      journalPath = device.merge.map { FileSystem.absolute($0.journalPath) }
      journalBase64 = JSONText.base64(device.merge.map { FileSystem.absolute($0.journalPath) })
      obstacles = device.obstacles.map { ObstacleDocument(code: $0.code.rawValue, text: $0.text) }
    }

    private enum CodingKeys: String, CodingKey {
      case merge, obstacles
      case journalPath = "journal"
      case journalBase64 = "journal_base64"
      case name = "thin_device"
      case poolName = "pool"
      case originName = "origin"
      case deviceID = "dev_id"
      case byteCount = "bytes"
      case ownByteCount = "own_bytes"
      case isActive = "active"
      case openCount = "open_count"
      case mountPath = "mounted_at"
    }
  }

  private struct ObstacleDocument: Encodable {
    let code, text: String
  }
}
