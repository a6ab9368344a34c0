import SystemPackage
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: commands in hints")
struct CommandInHintTests {
  /// Names as somebody may give them to files and devices, so that root pastes more than is shown.
  private static let names = ["x;reboot", "a b;reboot", "it's;reboot;", "$(reboot)", "\n;reboot;"]

  @Test("a name in a command is one word to a shell, also with the quotes around the command")
  func quoted() {
    for name in Self.names {
      let texts = Self.texts(name)
      // That there are commands at all.
      #expect(texts.count { !Self.commands(in: $0).isEmpty } > 60)
      for text in texts {
        for command in Self.commands(in: text) {
          #expect(!Self.unquoted(command).contains("reboot"), "\(text)")
        }
      }
    }
  }

  @Test("--restart is offered as that of merge, since resume has none")
  func restart() {
    let hints = Self.texts("PATH").filter { $0.contains("--restart") }
    #expect(hints.count > 20)
    for hint in hints { #expect(hint.contains("'thin-merge merge' "), "\(hint)") }
  }

  @Test("a command stands in quotes unless it has some")
  func sentence() {
    #expect("lsof /dev/x".commandInSentence == "'lsof /dev/x'")
    #expect("lsof \("a b".shellQuoted)".commandInSentence == "lsof 'a b'")
  }

  @Test("what a shell takes for words of its own is seen")
  func seen() {
    for text in ["'lsof 'x;reboot'' shows which", "see: lsof x;reboot", "lsof \"$(reboot)\""] {
      #expect(
        Self.commands(in: text).contains { Self.unquoted($0).contains("reboot") }, "\(text)")
    }
  }

  // MARK: What is said

  /// Hints and notes about things of that name: of the command for every code, and of the engine's catalogues.
  private static func texts(_ name: String) -> [String] {
    let context = MergeError.Context(
      path: name, journalPath: name, pool: name, deviceID: 5, name: name)
    let circumstances: [Set<MergeError.Context.Circumstance>] = [
      [], [.isResumed], [.isInactive], [.holdsMetadataSnapshot], [.isFinished],
    ]
    let ofCommand = MergeError.Code.allCases.flatMap { code in
      circumstances.map { circumstances in
        var context = context
        context.circumstances = circumstances
        return MergeError(code, .journalConflict, "w", at: name, because: "w", context: context)
      }
    }
    let errors = ofCommand + ofEngine(name)
    let hints = errors.flatMap { [$0.hint, $0.inCommandTerms.hint] }.compactMap { $0 }
    let making = MergeNote.commandMaking(name, uuid: name, table: name)
    let notes: [MergeNote] = [
      .originNotActive(name), .thinDeviceStaysRemoved("PATH", making),
      .metadataSnapshotHeld(name, .ioError),
      .metadataSnapshotOnlyCopy(name, of: 5, isReplaced: false),
      .snapshotOnlyCopy(9, of: 5, pool: name, isReplaced: false),
    ]
    let commands: [ShellCommand] = [
      .resume(journalPath: name), .status(journalPath: name), .verify(journalPath: name),
      .merge(["--origin", name]),
    ]
    return hints + notes.map(\.text) + notes.map(\.textInCommandTerms) + commands.map(\.text)
  }

  private static func ofEngine(_ name: String) -> [MergeError] {
    [
      .deviceInUse(name, "origin"),
      .deviceReadOnly(name, "origin", mappedName: nil, isLoopDevice: false),
      .deviceReadOnly(name, "origin", mappedName: nil, isLoopDevice: true),
      .deviceUnseen(name, "origin", number: "7:0"),
      .deviceReadOnly(name, "origin", mappedName: name, isLoopDevice: false),
      .originUnderLoopDevice("PATH", name),
      .originLocked(name, file: name), .originPartLocked(name, file: name),
      .originIsSwap(name, file: name), .originIsContainer(name, "qcow2"),
      .originSuspended(name, name: name), .originInUse(name, by: name),
      .originReadOnlyForGood(name, kind: "raid", kinds: ["linear"]),
      .cannotMakeOriginWritable(name, .ioError),
      .volumePoolNotActive(name, mappedName: name, volumeName: name),
      .poolNeedsCheck(name, metadataPath: name, holdsSnapshot: false),
      .poolMismatch(name, found: (1, 1), expected: (2, 2)), .cannotAskPool(name, .ioError),
      .poolFailed(name), .cannotCommitPool(name, .ioError), .poolInUse(name, lockPath: name),
      .poolRecordDamaged(name, name), .metadataSnapshotLeft(name),
      .metadataSnapshotNotCommitted(name),
      .volumeGroupExported(name, word: "exported"), .volumeGroupPartial(name, word: "partial"),
      .lvmSilent(name, after: .seconds(20), suspended: [name]),
      .thinDeviceChanging(name, name: name, deviceID: 5), .thinDeviceSuspended(name, name: name),
      .cannotMakeSnapshot(name, pool: name, .ioError),
      .cannotResumeLeftThinDevice(name, name: name, .ioError),
      .snapshotInUse(name, name: name, deviceID: 5),
      .cannotDeleteSnapshot(name, deviceID: 5, .ioError),
      MetadataFault.needsCheck(name, holdsSnapshot: false).refusal(path: name),
      MetadataFault.notSuperblock(MetadataBlock(0), isEmpty: false, first: []).refusal(path: name),
      MetadataFault.cut(blockCount: 3, there: 1).refusal(path: name),
    ]
  }

  // MARK: What a shell makes of it

  /// Texts from a command on, as somebody may copy them, with the quote before it.
  private static func commands(in text: String) -> [Substring] {
    text.matches(
      of:
        #/
        '?\b(?:dmsetup|lsof|lsblk|losetup|blockdev|swapoff|lvchange|vgimport|vgs|thin_check
        |thin_repair|thin-merge|qemu-img)\b
        /#
    ).map { text[$0.range.lowerBound...] }
  }

  /// What a shell finds outside of quotes, and what it looks at within double ones.
  private static func unquoted(_ text: Substring) -> String {
    var rest = text
    var found = ""
    while let letter = rest.popFirst() {
      switch letter {
      case "\\": _ = rest.popFirst()
      case "$" where rest.first == "'":
        _ = rest.popFirst()
        while let inner = rest.popFirst(), inner != "'" {
          if inner == "\\" { _ = rest.popFirst() }
        }
      case "'":
        while let inner = rest.popFirst(), inner != "'" {}
      default: found.append(letter)
      }
    }
    return found
  }
}
