/// A mapped device as people write it.
///
/// A path to its node, a logical volume as `VG/LV` or `/dev/VG/LV`, or device-mapper's own name.
package struct ThinDeviceName: Equatable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  /// Volume group and logical volume, where the text can be read so.
  package var logicalVolume: (group: String, volume: String)? {
    let name = text.hasPrefix("/dev/") ? text.dropFirst(5) : text[...]
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("-") }) else {
      return nil
    }
    if parts[0] == "mapper" { return Self.logicalVolume(mappedName: String(parts[1])) }
    return (String(parts[0]), String(parts[1]))
  }

  /// Whether the text can only be a path: `VG/LV` is a volume, whatever is in the current folder.
  var isPath: Bool {
    text.contains("/")
      && (["/", "./", "../"].contains(where: text.hasPrefix) || logicalVolume == nil)
  }

  /// The name that device-mapper has, or would have, for it.
  package var mappedName: String? {
    if text.hasPrefix("/dev/mapper/") { return String(text.dropFirst(12)) }
    if let (group, volume) = logicalVolume {
      return Self.mappedName(group: group, volume: volume)
    }
    return text.contains("/") ? nil : text
  }

  /// As LVM names devices: dashes of the names doubled, one dash between.
  package static func mappedName(group: String, volume: String) -> String {
    [group, volume].map { $0.split(separator: "-", omittingEmptySubsequences: false) }
      .map { $0.joined(separator: "--") }.joined(separator: "-")
  }

  static func logicalVolume(mappedName: String) -> (group: String, volume: String)? {
    var parts = [""]
    var rest = mappedName[...]
    while let character = rest.first {
      rest.removeFirst()
      guard character == "-" else {
        parts[parts.count - 1].append(character)
        continue
      }
      if rest.first == "-" {
        rest.removeFirst()
        parts[parts.count - 1].append("-")
      } else {
        parts.append("")
      }
    }
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    return (parts[0], parts[1])
  }
}
