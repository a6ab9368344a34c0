internal import MergeEngine
internal import Synchronization

/// Calls devices of LVM in texts for people as LVM does: `vg/base`, and not `/dev/mapper/vg-base-real`.
///
/// Commands in a sentence keep what they have: those in quotes, and what follows `dmsetup`, which knows no other names.
struct VolumeNames: Sendable {
  /// The name in LVM of the volume that a node shows, whole or by a layer under it; nil for another device, or none.
  let volumeName: @Sendable (_ node: String) -> String?

  /// Those of this system, as sysfs tells or has told: what was activated for a run is gone when its report is written.
  static let system = VolumeNames { node in
    let now = volumeName(of: node)
    return seen.withLock { seen in
      if let now { seen[node] = now }
      return seen[node]
    }
  }

  private static let seen = Mutex<[String: String]>([:])

  /// Has a node called by that name where no device is there.
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

  /// The text with the names that volumes have in LVM.
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
        // A semicolon parts the command from what else is said.
        isCommand = !word.hasSuffix(";")
        return String(word)
      }
      // What ends a part of a sentence is no part of a name.
      let end = word.lastIndex { !",.:;)".contains($0) }.map(word.index(after:)) ?? word.startIndex
      let start = word.prefix { $0 == "(" }.endIndex
      guard start < end, let name = volume(String(word[start..<end])) else { return String(word) }
      return word[..<start] + name + word[end...]
    }.joined(separator: " ")
  }

  /// The name in LVM of a volume, whole or by a layer under it, whose node or mapped name a word is.
  private func volume(_ word: String) -> String? {
    let isPool = word.hasSuffix(Self.poolSuffix)
    guard word.hasPrefix(Self.folder) || isPool && !word.contains("/") else { return nil }
    return volumeName(word.hasPrefix("/") ? word : Self.folder + word)
  }
}

extension StatusReport {
  /// Has texts call the origin by its name in LVM, which the journal tells where the origin is not active.
  func rememberOriginName() {
    guard let originName else { return }
    // A handover may have renamed it.
    let name = isHandedOver ? handover?.finalFullName ?? originName : originName
    VolumeNames.remember(name, of: originPath)
    guard let mappedName = ThinDeviceName(originName).mappedName else { return }
    // It may be known by another layer now.
    for layer in ["", "-real"] {
      VolumeNames.remember(name, of: "/dev/mapper/\(mappedName)\(layer)")
    }
  }
}
