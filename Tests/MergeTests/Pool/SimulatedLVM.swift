import MergeEngine

/// A volume group as LVM would list it, with the pool of ``ActivePool`` as its volume `pool`, and its origin as `base`.
struct SimulatedLVM: Sendable {
  struct Volume: Sendable {
    var name: String
    var pool = ""
    var origin = ""
    var thinID = ""
    var transactionID = ""
  }

  static let groupUUID = String(repeating: "g", count: 32)
  var volumes: [Volume]
  /// Whether it answers at all.
  var answers = true

  /// - `transactionID`: how many transactions LVM has counted in the pool.
  init(_ others: [Volume], transactionID: UInt64) {
    volumes =
      [
        Volume(name: "pool", transactionID: "\(transactionID)"), Volume(name: "[base]"),
        Volume(name: "vm", pool: "pool", origin: "base", thinID: "5"),
      ] + others
  }

  /// The uuid of a volume's mapped device.
  static func mappedUUID(_ name: String, layer: String = "") -> String {
    "LVM-" + groupUUID + uuid(name) + layer
  }

  private static func uuid(_ name: String) -> String {
    let plain = name.filter(\.isLetter) + String(name.filter(\.isNumber))
    return plain + String(repeating: "x", count: 32 - plain.utf8.count)
  }

  private static func printed(_ uuid: String) -> String {
    var rest = uuid[...]
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }

  /// Answers as LVM's programs do.
  func run(_ words: [String]) -> MergeEngine.Program.End {
    guard answers else { return .noAnswer }
    guard words.first == "lvs", let index = words.firstIndex(of: "--select"),
      words[index + 1] == "vg_uuid=\"\(Self.printed(Self.groupUUID))\""
    else { return .failed }
    let rows = volumes.map { volume in
      #"{"vg_name":"vg","lv_name":"\#(volume.name)","lv_uuid":"\#(Self.printed(Self.uuid(volume.name)))","#
        + #""pool_lv":"\#(volume.pool)","origin":"\#(volume.origin)","thin_id":"\#(volume.thinID)","#
        + #""transaction_id":"\#(volume.transactionID)"}"#
    }
    return .succeeded(output: #"{"report":[{"lv":[\#(rows.joined(separator: ","))]}]}"#)
  }
}
