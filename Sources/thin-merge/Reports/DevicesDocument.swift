internal import MergeEngine

/// The thin devices of a pool, as JSON for programs.
struct DevicesDocument: Encodable {
  private let schema = "thin-merge/devices/1"
  private let devices: [DeviceDocument]

  init(_ devices: [ThinDevice]) { self.devices = devices.map { DeviceDocument($0) } }

  private enum CodingKeys: CodingKey { case schema, devices }
}

private struct DeviceDocument: Encodable {
  let deviceID: UInt32
  let mappedBlockCount: UInt64
  let transactionID: UInt64
  let creationTime, snapshottedTime: UInt32

  init(_ device: ThinDevice) {
    deviceID = device.deviceID
    mappedBlockCount = device.mappedBlockCount
    transactionID = device.transactionID
    creationTime = device.creationTime
    snapshottedTime = device.snapshottedTime
  }

  enum CodingKeys: String, CodingKey {
    case deviceID = "dev_id"
    case mappedBlockCount = "mapped_blocks"
    case transactionID = "transaction_id"
    case creationTime = "creation_time"
    case snapshottedTime = "snapshotted_time"
  }
}
