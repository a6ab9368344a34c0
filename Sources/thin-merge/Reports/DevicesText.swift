internal import MergeEngine

/// The thin devices of a pool, as a table for people.
struct DevicesText {
  var devices: [ThinDevice]

  var text: String {
    guard !devices.isEmpty else { return "This pool has no thin devices.\n" }
    return TextTable(
      heads: ["dev id", "mapped blocks", "transaction", "created", "snapshotted"].map {
        ($0, .right)
      },
      rows: devices.map { device in
        [
          "\(device.deviceID)", "\(device.mappedBlockCount)", "\(device.transactionID)",
          "\(device.creationTime)", "\(device.snapshottedTime)",
        ]
      }
    ).text
  }
}
