internal import ArgumentParser
internal import FoundationEssentials
internal import MergeEngine

/// What a shell offers for the values of options and operands.
enum Completions {
  /// Thin devices by all names that they go by: active ones of device-mapper, and those of LVM, active or not.
  static let thinDevices = CompletionKind.shellCommand(
    "\(mappedDevices(target: "thin")) | sed -e p -e 's,^,/dev/mapper/,'; "
      + "lvs --noheadings --separator / -o vg_name,lv_name -S segtype=thin 2>/dev/null "
      + "| xargs -r -n 1 | sed -e p -e 's,^,/dev/,'")
  /// Active pools, by device-mapper's names.
  static let pools = CompletionKind.shellCommand(mappedDevices(target: "thin-pool"))
  /// Journals, of which ``CompletionScript`` has more to say.
  static let journals = CompletionKind.file(extensions: ["journal", "thin-merge"])
  /// The numbers of thin devices in the metadata that the command line names.
  static let deviceIDs = CompletionKind.custom { words, _, _ in
    TypedMetadata(words: words).deviceIDs().map { String($0) }
  }

  // Where there are no such devices, dmsetup says so in a line without a tab.
  private static func mappedDevices(target: String) -> String {
    "dmsetup ls --target \(target) 2>/dev/null | cut -s -f 1"
  }
}

/// The metadata that a command line names which is not complete yet.
struct TypedMetadata: Equatable {
  /// Where it is; nil if it is not named, or by a pool.
  var path: String?
  /// Which mapping tree is read.
  var mappings: MergeSource.Mappings

  /// Looks through the words of a command line as a shell tells them, quotes and all.
  init(words: [String]) {
    let words = words.map { Self.unquoted($0) }
    var path: String?
    for (index, word) in words.enumerated() {
      if word == "--metadata" {
        // Some shells take `--metadata=PATH` apart into three words.
        let rest = words[(index + 1)...].drop { $0 == "=" }
        path = rest.first ?? path
      } else if word.hasPrefix("--metadata=") {
        path = String(word.dropFirst("--metadata=".count))
      }
    }
    self.path = path.map { Self.expanded($0) }
    mappings = words.contains("--inactive") ? .inactivePool : .metadataSnapshot(block: nil)
  }

  /// The numbers of the thin devices in it; none where it cannot be read.
  func deviceIDs() -> [UInt32] {
    guard let path, !path.isEmpty else { return [] }
    // Nobody is told anything while a line is being typed.
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
