internal import MergeEngine
internal import Synchronization

/// Gives devices LVM's names in texts for people: `vg/base` in place of `/dev/mapper/vg-base-real`.
///
/// Commands in a sentence keep their names: commands in quotes, and the words after `dmsetup`,
/// which knows no LVM names.
struct VolumeNames: Sendable {
  /// Returns the LVM name of the volume that a node shows, whole or by a layer below it; nil for
  /// another device, or none.
  let volumeName: @Sendable (_ node: String) -> String?

  /// The names on this system, from sysfs now or earlier in this run: a volume that was activated
  /// for a run is gone when the report is written.
  static let system = VolumeNames { node in
    let now = volumeName(of: node)
    return seen.withLock { seen in
      if let now { seen[node] = now }
      return seen[node]
    }
  }

  private static let seen = Mutex<[String: String]>([:])

  /// Uses a name for a node if no name is known from a device there.
  static func remember(_ name: String, of node: String) {
    seen.withLock { $0[node] = $0[node] ?? name }
  }

  private static func volumeName(of node: String) -> String? {
    guard let number = FileSystem.blockDevice(at: node),
      let name = FileSystem.text(of: "/sys/dev/block/\(number)/dm/name"),
      let uuid = FileSystem.text(of: "/sys/dev/block/\(number)/dm/uuid")
    else { return nil }
    return KnownVolume.fullName(mappedName: name, uuid: uuid)
  }

  private static let folder = "/dev/mapper/"
  /// LVM's pools have this at the end of their names in device-mapper, without a path.
  private static let poolSuffix = "-tpool"

  /// Returns the text with LVM's names for volumes.
  func inText(_ text: String) -> String {
    guard text.contains(Self.folder) || text.contains(Self.poolSuffix) else { return text }
    return text.split(separator: "'", omittingEmptySubsequences: false).enumerated().map {
      $0.offset.isMultiple(of: 2) ? outsideQuotes($0.element) : String($0.element)
    }.joined(separator: "'")
  }

  private func outsideQuotes(_ text: Substring) -> String {
    var isCommand = false
    return text.split(separator: " ", omittingEmptySubsequences: false).map { word in
      if word == "dmsetup" { isCommand = true }
      guard !isCommand else {
        // A semicolon ends the command within the sentence.
        isCommand = !word.hasSuffix(";")
        return String(word)
      }
      // Punctuation at a word's end is not part of the name.
      let end = word.lastIndex { !",.:;)".contains($0) }.map(word.index(after:)) ?? word.startIndex
      let start = word.prefix { $0 == "(" }.endIndex
      guard start < end, let name = volume(String(word[start..<end])) else { return String(word) }
      return word[..<start] + name + word[end...]
    }.joined(separator: " ")
  }

  /// Returns the LVM name of the volume that a word names, by node or mapped name, whole or by a
  /// layer.
  private func volume(_ word: String) -> String? {
    let isPool = word.hasSuffix(Self.poolSuffix)
    guard word.hasPrefix(Self.folder) || isPool && !word.contains("/") else { return nil }
    return volumeName(word.hasPrefix("/") ? word : Self.folder + word)
  }
}

extension StatusReport {
  /// Makes texts use the origin's LVM name, which the journal contains, if the origin is not
  /// active.
  func rememberOriginName() {
    guard let originName else { return }
    // A handover may have renamed the origin.
    let name = isHandedOver ? handover?.finalFullName ?? originName : originName
    VolumeNames.remember(name, of: originPath)
    guard let mappedName = ThinDeviceName(originName).mappedName else { return }
    // The origin may be known by another layer now.
    for layer in ["", "-real"] {
      VolumeNames.remember(name, of: "/dev/mapper/\(mappedName)\(layer)")
    }
  }
}
