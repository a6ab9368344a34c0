internal import MergeEngine

/// The thin devices of a pool, for people: a table.
struct DevicesText {
  var devices: [ThinDevice]

  var text: String {
    guard !devices.isEmpty else { return "There is no thin device in this pool.\n" }
    let heads = ["dev id", "mapped blocks", "transaction", "created", "snapshotted"]
    let rows =
      [heads]
      + devices.map { device in
        [
          "\(device.deviceID)", "\(device.mappedBlockCount)", "\(device.transactionID)",
          "\(device.creationTime)", "\(device.snapshottedTime)",
        ]
      }
    let widths = heads.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      zip(row, widths)
        .map { cell, width in String(repeating: " ", count: width - cell.count) + cell }
        .joined(separator: "  ") + "\n"
    }
    .joined()
  }
}
