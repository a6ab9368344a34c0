import MergeEngine

/// A volume group as LVM would list it.
struct SimulatedLVM: Sendable {
  struct Volume: Sendable {
    /// With the brackets that LVM prints around the names of hidden volumes.
    var name: String
    var pool = ""
    var origin = ""
    var thinID = ""
    var transactionID = ""
    var data = ""
    var byteCount: UInt64 = 64 << 20
    /// The name that its uuid is made of; nil for its own.
    var uuidName: String?
  }

  static let group = "vg"
  static let groupUUID = String(repeating: "g", count: 32)
  var volumes: [Volume]
  /// Whether it answers at all.
  var answers = true

  init(_ volumes: [Volume]) { self.volumes = volumes }

  /// The pool of ``ActivePool`` as the volume `pool`, its thin device 5 as `vm`, and its origin as `base`.
  ///
  /// - `transactionID`: how many transactions LVM has counted in the pool.
  init(_ others: [Volume], transactionID: UInt64) {
    volumes =
      [
        Volume(name: "pool", transactionID: "\(transactionID)", data: "[pool_tdata]"),
        Volume(name: "base"), Volume(name: "vm", pool: "pool", origin: "base", thinID: "5"),
      ] + others
  }

  /// The uuid of a volume's mapped device.
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

  /// Answers as LVM's programs do that only tell.
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
      ].map { "\"\($0)\":\"\($1)\"" }.joined(separator: ", ")
    }
    return .succeeded(
      output: #"  {"report": [{"lv": [{\#(rows.joined(separator: "},\n{"))}]}]}"#)
  }

  private func isSelected(_ words: [String]) -> Bool {
    words.suffix(2) == ["--", Self.group]
      || words.suffix(2) == ["--select", "vg_uuid=\"\(Self.printed(Self.groupUUID))\""]
  }

  /// The volume that a command of LVM selects, and whether it is to be active; nil for any other command.
  func activation(_ words: [String]) -> (name: String, isActive: Bool)? {
    guard words.first == "lvchange", let index = words.firstIndex(of: "--select"),
      let volume = volumes.first(where: {
        words[index + 1].contains(Self.printed(Self.characters($0.uuidName ?? $0.name)))
      })
    else { return nil }
    return (volume.name, words.contains("-ay"))
  }
}

extension ActivePool {
  /// Has its pool and origin be `vg/pool` and `vg/base`, the origin with only the layer that LVM puts under a thin volume.
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
