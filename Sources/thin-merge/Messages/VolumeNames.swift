internal import MergeEngine
internal import Synchronization

/// Replaces device paths with LVM names in text for people: `vg/base` instead of
/// `/dev/mapper/vg-base-real`.
///
/// Names inside commands are kept: in quoted commands, and in the words after `dmsetup`, which does
/// not know LVM's names.
struct VolumeNames: Sendable {
  /// Returns the LVM name of the volume that a device node belongs to, whether the node is the
  /// volume or a layer beneath it; nil if the node belongs to no volume or does not exist.
  let volumeName: @Sendable (_ node: String) -> String?

  /// The names on this system, read from sysfs now or earlier in this run, because a volume that
  /// was activated for the run is no longer active when the report is written.
  static let system = VolumeNames { node in
    let now = volumeName(of: node)
    return seen.withLock { seen in
      if let now { seen[node] = now }
      return seen[node]
    }
  }

  private static let seen = Mutex<[String: String]>([:])

  /// Remembers a name to use for a device node if the system does not provide one.
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
  /// The suffix of LVM pool names in device-mapper, which are shown without a path.
  private static let poolSuffix = "-tpool"

  /// Returns the text with the device names of volumes replaced by LVM's names.
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

  /// Returns the LVM name of the volume that a word names; the word may be a device node or a
  /// mapped device's name, of the volume or of one of its layers.
  private func volume(_ word: String) -> String? {
    let isPool = word.hasSuffix(Self.poolSuffix)
    guard word.hasPrefix(Self.folder) || isPool && !word.contains("/") else { return nil }
    return volumeName(word.hasPrefix("/") ? word : Self.folder + word)
  }
}

extension StatusReport {
  /// Makes text for people use the origin's LVM name, taken from the journal, if the origin is not
  /// active.
  func rememberOriginName() {
    guard let originName else { return }
    // A handover may have renamed the origin.
    let name = isHandedOver ? handover?.finalFullName ?? originName : originName
    VolumeNames.remember(name, of: originPath)
    guard let mappedName = ThinDeviceName(originName).mappedName else { return }
    // The origin may now be known by a different layer.
    for layer in ["", "-real"] {
      VolumeNames.remember(name, of: "/dev/mapper/\(mappedName)\(layer)")
    }
  }
}
