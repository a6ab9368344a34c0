internal import MergeEngine

/// The thin devices that have an external origin, as a table for people, with anything that
/// prevents a merge.
struct ListText {
  var devices: [ThinDeviceListing]
  var style = ReportStyle.plain

  var text: String {
    guard !devices.isEmpty else {
      return "No thin device on this system has an external origin.\n"
    }
    let table = TextTable(
      heads: [
        ("thin device", .left), ("origin", .left), ("pool", .left), ("size", .right),
        ("own", .right), ("state", .left), ("merge", .left),
      ],
      rows: devices.map { device in
        [
          device.name, device.originName, device.poolName, device.byteCount.formattedByteCount,
          device.ownByteCount?.formattedByteCount ?? "?", Self.state(device), Self.merge(device),
        ].map { TerminalText.forPeople($0) }
      })
    let obstacles = devices.flatMap { device in
      device.obstacles.map { "\(device.name): \($0.text)." }
    }
    guard !obstacles.isEmpty else { return table.text }
    return table.text + "\nObstacles to a merge:\n"
      + obstacles.map { "  \(TerminalText.forPeople($0))\n" }.joined()
  }

  private static func state(_ device: ThinDeviceListing) -> String {
    if let path = device.mountPath { return "mounted at \(path)" }
    if device.openCount > 0 { return "open" }
    return device.isActive ? "active" : "inactive"
  }

  private static func merge(_ device: ThinDeviceListing) -> String {
    guard let merge = device.merge else { return "none" }
    let word = StatusListText.word(merge)
    guard merge.doneByteCount < merge.totalByteCount else { return word }
    return "\(word), \(Amount.percent(merge.doneByteCount, of: merge.totalByteCount))%"
  }
}
