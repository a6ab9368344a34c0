import Foundation
import MergeEngine

/// A simulated LVM volume group that answers queries and change commands.
struct SimulatedLVM: Sendable {
  struct Volume: Sendable {
    /// The volume name, in brackets if the volume is hidden, as in the output of LVM.
    var name: String
    var pool = ""
    var origin = ""
    var thinID = ""
    var transactionID = ""
    var data = ""
    var byteCount = UInt64(ActivePool.blockCount * ActivePool.blockByteCount)
    var isReadOnly = false
    /// The name that the UUID is derived from; nil to use the volume's own name.
    var uuidName: String?
  }

  static let group = "vg"
  static let groupUUID = String(repeating: "g", count: 32)
  var volumes: [Volume]
  /// True if LVM answers commands at all.
  var answers = true

  init(_ volumes: [Volume]) { self.volumes = volumes }

  /// Creates a group that contains the pool of ``ActivePool`` as `pool`, thin device 5 as `vm`, and
  /// the origin as `base`.
  ///
  /// - `transactionID`: the transaction ID of the pool according to LVM.
  init(_ others: [Volume], transactionID: UInt64) {
    volumes =
      [
        Volume(name: "pool", transactionID: "\(transactionID)", data: "[pool_tdata]"),
        Volume(name: "base"), Volume(name: "vm", pool: "pool", origin: "base", thinID: "5"),
      ] + others
  }

  /// Returns the device-mapper UUID of a volume.
  static func mappedUUID(_ name: String, layer: String = "") -> String {
    "LVM-" + groupUUID + characters(name) + layer
  }

  static func known(_ name: String) -> KnownVolume {
    KnownVolume(
      group: group, name: name, groupUUID: printed(groupUUID), uuid: printed(characters(name)))
  }

  private static func characters(_ name: String) -> String {
    let plain = name.filter { $0.isLetter || $0.isNumber }
    return plain + String(repeating: "x", count: 32 - plain.utf8.count)
  }

  private static func printed(_ uuid: String) -> String {
    var rest = uuid[...]
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }

  /// Answers a command line the way LVM's query programs do.
  func run(_ words: [String]) -> MergeEngine.Program.End {
    guard answers else { return .noAnswer }
    guard words.first == "lvs", isSelected(words) else { return .failed(words: "") }
    let rows = volumes.map { volume in
      [
        ("vg_name", Self.group), ("vg_uuid", Self.printed(Self.groupUUID)),
        ("lv_name", volume.name),
        ("lv_uuid", Self.printed(Self.characters(volume.uuidName ?? volume.name))),
        ("lv_size", "\(volume.byteCount)"), ("pool_lv", volume.pool), ("origin", volume.origin),
        ("thin_id", volume.thinID), ("transaction_id", volume.transactionID),
        ("data_lv", volume.data),
        ("lv_permissions", volume.isReadOnly ? "read-only" : "writeable"),
      ].map { "\"\($0)\":\"\($1)\"" }.joined(separator: ", ")
    }
    return .succeeded(
      output: #"  {"report": [{"lv": [{\#(rows.joined(separator: "},\n{"))}]}]}"#)
  }

  private func isSelected(_ words: [String]) -> Bool {
    words.last?.hasPrefix("vg_name") == true || words.suffix(2) == ["--", Self.group]
      || words.suffix(2) == ["--select", "vg_uuid=\"\(Self.printed(Self.groupUUID))\""]
  }

  /// A change that an LVM command requests.
  enum Change {
    case activate(String)
    case deactivate(String)
    case remove(String)
    case makeWritable(String)
    case rename(String, to: String)

    var text: String {
      switch self {
      case .activate(let name): "+\(name)"
      case .deactivate(let name): "-\(name)"
      case .remove(let name): "remove \(name)"
      case .makeWritable(let name): "writable \(name)"
      case .rename(let name, let new): "rename \(name) \(new)"
      }
    }
  }

  /// Returns the change that a command requests, or nil if it changes nothing or selects no volume
  /// of this group.
  func change(_ words: [String]) -> Change? {
    if words.first == "lvrename", words.count == 5, words[1] == "--", words[2] == Self.group {
      return volumes.contains { $0.name == words[3] } ? .rename(words[3], to: words[4]) : nil
    }
    guard let index = words.firstIndex(of: "--select"),
      let name = volumes.first(where: { isSelected($0, by: words[index + 1]) })?.name
    else { return nil }
    switch (words[0], words.contains("-ay"), words.contains("-an"), words.contains("-prw")) {
    case ("lvchange", true, false, false): return .activate(name)
    case ("lvchange", false, true, false): return .deactivate(name)
    case ("lvchange", false, false, true): return .makeWritable(name)
    case ("lvremove", false, false, false): return .remove(name)
    default: return nil
    }
  }

  private func isSelected(_ volume: Volume, by selection: String) -> Bool {
    selection.components(separatedBy: " && ").allSatisfy { condition in
      [
        "vg_uuid=\"\(Self.printed(Self.groupUUID))\"",
        "lv_uuid=\"\(Self.printed(Self.characters(volume.uuidName ?? volume.name)))\"",
        "lv_name=\"\(volume.name)\"",
      ].contains(condition)
    }
  }

  mutating func setReadOnly(_ name: String, _ isReadOnly: Bool) {
    for index in volumes.indices where volumes[index].name == name {
      volumes[index].isReadOnly = isReadOnly
    }
  }

  /// Renames a volume without changing its UUID.
  mutating func rename(_ name: String, to new: String) {
    for index in volumes.indices where volumes[index].name == name {
      volumes[index].uuidName = volumes[index].uuidName ?? name
      volumes[index].name = new
    }
  }
}

extension ActivePool {
  /// Turns the pool and origin into `vg/pool` and `vg/base`.
  ///
  /// Of the origin's devices, only the `-real` layer that LVM puts under a thin volume is mapped.
  func become(_ lvm: SimulatedLVM, isOriginReadOnly: Bool = false) throws {
    mapper.mapped[0].name = "vg-pool-tpool"
    poolUUID = SimulatedLVM.mappedUUID("pool", layer: "-tpool")
    mapper.mapped[0].uuid = poolUUID
    try addBase(isReadOnly: isOriginReadOnly)
    mapper.mapped[1].name = "vg-base-real"
    mapper.mapped[1].uuid = SimulatedLVM.mappedUUID("base", layer: "-real")
    runProgram = { lvm.run($0) }
  }
}
