internal import ArgumentParser
internal import FoundationEssentials
internal import MergeEngine

/// Shell completions for the values of options and operands.
enum Completions {
  /// Thin devices by every name: device-mapper's names for active devices, and LVM's names for
  /// active and inactive ones.
  static let thinDevices = CompletionKind.shellCommand(
    "\(mappedDevices(target: "thin")) | sed -e p -e 's,^,/dev/mapper/,'; "
      + "lvs --noheadings --separator / -o vg_name,lv_name -S segtype=thin 2>/dev/null "
      + "| xargs -r -n 1 | sed -e p -e 's,^,/dev/,'")
  /// Active pools, by their names in device-mapper.
  static let pools = CompletionKind.shellCommand(mappedDevices(target: "thin-pool"))
  /// Journal files; ``CompletionScript`` refines this completion.
  static let journals = CompletionKind.file(extensions: ["journal", "thin-merge"])
  /// The ids of the thin devices in the metadata that the command line names.
  static let deviceIDs = CompletionKind.custom { words, _, _ in
    TypedMetadata(words: words).deviceIDs().map { String($0) }
  }

  // If there are no such devices, dmsetup prints a message on a line that contains no tab.
  private static func mappedDevices(target: String) -> String {
    "dmsetup ls --target \(target) 2>/dev/null | cut -s -f 1"
  }
}

/// The pool metadata that an incomplete command line names.
struct TypedMetadata: Equatable {
  /// The metadata's path; nil if the command line names no metadata, or names it by its pool.
  var path: String?
  /// The mapping tree to read.
  var mappings: MergeSource.Mappings

  /// Parses the words of a command line as the shell passes them, which may still be quoted.
  init(words: [String]) {
    let words = words.map { Self.unquoted($0) }
    var path: String?
    for (index, word) in words.enumerated() {
      if word == "--metadata" {
        // Some shells split `--metadata=PATH` into three words.
        let rest = words[(index + 1)...].drop { $0 == "=" }
        path = rest.first ?? path
      } else if word.hasPrefix("--metadata=") {
        path = String(word.dropFirst("--metadata=".count))
      }
    }
    self.path = path.map { Self.expanded($0) }
    mappings = words.contains("--inactive") ? .inactivePool : .metadataSnapshot(block: nil)
  }

  /// Returns the ids of the thin devices; an empty array if the metadata cannot be read.
  func deviceIDs() -> [UInt32] {
    guard let path, !path.isEmpty else { return [] }
    // There is no observer, because nothing may be printed while a command line is being typed.
    let merger = Merger(environment: ProcessEnvironment.environment(observer: nil))
    let devices = try? merger.devicesAsTheyAre(metadataPath: path, mappings: mappings)
    return (devices ?? []).map(\.deviceID)
  }

  private static func unquoted(_ word: String) -> String {
    var text = ""
    var quote: Character?
    var isEscaped = false
    for character in word {
      if isEscaped {
        text.append(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "'" || character == "\"" {
        quote = character
      } else {
        text.append(character)
      }
    }
    return text
  }

  private static func expanded(_ path: String) -> String {
    guard path.hasPrefix("~/"), let home = ProcessInfo.processInfo.environment["HOME"] else {
      return path
    }
    return home + path.dropFirst()
  }
}
