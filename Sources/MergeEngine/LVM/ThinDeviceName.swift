/// A user's name for a mapped device.
///
/// The name is a path to the device's node, a logical volume as `VG/LV` or `/dev/VG/LV`, or
/// device-mapper's own name.
package struct ThinDeviceName: Equatable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  /// The volume group and logical volume, if the text can name them.
  package var logicalVolume: (group: String, volume: String)? {
    let name = text.hasPrefix("/dev/") ? text.dropFirst(5) : text[...]
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("-") }) else {
      return nil
    }
    if parts[0] == "mapper" { return Self.logicalVolume(mappedName: String(parts[1])) }
    return (String(parts[0]), String(parts[1]))
  }

  /// True if the text can only be a path: `VG/LV` is a volume, whatever is in the current
  /// directory.
  var isPath: Bool {
    text.contains("/")
      && (["/", "./", "../"].contains(where: text.hasPrefix) || logicalVolume == nil)
  }

  /// The device-mapper name for the text, whether or not such a device exists.
  package var mappedName: String? {
    if text.hasPrefix("/dev/mapper/") { return String(text.dropFirst(12)) }
    if let (group, volume) = logicalVolume {
      return Self.mappedName(group: group, volume: volume)
    }
    return text.contains("/") ? nil : text
  }

  /// Returns a device name as LVM forms it: dashes in the two names are doubled, and a single dash
  /// separates the names.
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
