import SystemPackage
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: shell commands suggested by hints")
struct CommandInHintTests {
  /// File and device names that would make a pasted command run `reboot` if they were not quoted.
  private static let names = ["x;reboot", "a b;reboot", "it's;reboot;", "$(reboot)", "\n;reboot;"]

  @Test(
    "in a suggested command, a shell treats a name as one word, even if quotes enclose the command")
  func quoted() {
    for name in Self.names {
      let texts = Self.texts(name)
      // Makes sure that the texts contain commands at all.
      #expect(texts.count { !Self.commands(in: $0).isEmpty } > 60)
      for text in texts {
        for command in Self.commands(in: text) {
          #expect(!Self.unquoted(command).contains("reboot"), "\(text)")
        }
      }
    }
  }

  @Test("each command in a hint is on its own line, indented by two spaces, below a line of prose")
  func lines() {
    for hint in Self.hints("PATH") + Self.hints("a b") {
      #expect(hint.split(separator: "\n").first?.hasPrefix("  ") == false, "\(hint)")
      for line in hint.split(separator: "\n") {
        guard !line.hasPrefix("  ") else {
          let program = line.dropFirst(2).prefix { $0 != " " }
          #expect(Self.programs.contains(String(program)), "\(hint)")
          continue
        }
        // A line of prose contains no command, whether in quotes or after a colon.
        #expect(!Self.hasCommand(line), "\(hint)")
        #expect(!line.hasSuffix("."), "\(hint)")
      }
    }
    #expect(Self.hasCommand("see 'lsof /dev/x'"))
    #expect(Self.hasCommand("continue with: thin-merge resume J"))
  }

  @Test(
    "a name in a hint's command is quoted exactly once, and a shell reads it as a single word")
  func quotedOnce() {
    for name in Self.names {
      let commands = Self.hints(name).flatMap { Self.ownLines(in: $0) }
      #expect(commands.count > 60)
      for command in commands {
        let words = ShellWords(command).words
        #expect(words != nil, "\(command)")
        for word in words ?? [] where word.contains("reboot") {
          #expect(word == name, "\(command)")
        }
      }
    }
  }

  @Test("the command-line parser accepts every thin-merge command in a hint, including its options")
  func commandsAreTaken() throws {
    var verbs: Set<String> = []
    for hint in Self.hints("/srv/a b/J") {
      for command in Self.ownLines(in: hint) where command.hasPrefix("thin-merge ") {
        let words = try #require(ShellWords(command).words, "\(command)").dropFirst()
        verbs.formUnion(words.prefix(1))
        #expect(throws: Never.self, "\(command)") { try ThinMerge.checked(Array(words)) }
      }
    }
    #expect(verbs == ["devices", "merge", "resume", "settle", "status", "verify"])
    // Confirms that the parser rejects invalid command lines.
    for words in [
      ["merge", "J", "--restart", "--again"], ["resume", "J", "--restart"], ["go", "J"],
    ] {
      #expect(throws: (any Error).self) { try ThinMerge.checked(words) }
    }
  }

  @Test(
    "a command suggested for a retry gains the new option and drops the options it conflicts with")
  func repeated() {
    #expect(
      ShellCommand.merged("vg/vm1", adding: "--restart").text
        == "thin-merge merge vg/vm1 --restart")
    let again = ShellCommand.given(
      "merge", adding: "--restart",
      to: ["plan", "vg/vm1", "--again", "--origin", "a b", "--dry-run"])
    #expect(again?.text == "thin-merge merge --restart vg/vm1 --origin 'a b'")
    #expect(ShellCommand.given("merge", adding: "--again", to: ["resume", "J"]) == nil)
    #expect(
      ShellCommand.given("resume", adding: "--again", to: ["resume", "J"])?.text
        == "thin-merge resume --again J")
    #expect(ShellCommand.givenValue(of: "--pool", in: ["merge", "--pool", "vg/pool"]) == "vg/pool")
    #expect(ShellCommand.givenValue(of: "--pool", in: ["merge", "--pool"]) == nil)
  }

  @Test(
    "a missing volume device node gets a hint to activate the volume; a missing file does not")
  func inactiveVolume() {
    func hint(_ path: String) -> String? {
      MergeError.cannotOpen(path, "origin", .noSuchFileOrDirectory, isRoot: true).inCommandTerms
        .hint
    }
    let activate = "if it is an LVM volume, activate it with:\n  lvchange -ay no-vg/base"
    #expect(hint("no-vg/base") == activate)
    #expect(hint("/dev/no-vg/base") == activate)
    #expect(hint("/dev/mapper/no--vg-base") == activate)
    for path in ["base.img", "./base.img", "/tmp/base.img", "/dev/loop99999"] {
      #expect(hint(path) == nil)
    }
  }

  @Test("a command within a sentence is quoted unless the command already contains quotes")
  func sentence() {
    #expect("lsof /dev/x".commandInSentence == "'lsof /dev/x'")
    #expect("lsof \("a b".shellQuoted)".commandInSentence == "lsof 'a b'")
  }

  @Test("the shell check used by these tests detects a name that a shell would run as a command")
  func seen() {
    for text in ["'lsof 'x;reboot'' shows which", "see: lsof x;reboot", "lsof \"$(reboot)\""] {
      #expect(
        Self.commands(in: text).contains { Self.unquoted($0).contains("reboot") }, "\(text)")
    }
  }

  // MARK: Texts

  /// Returns the hints for errors about a file or device with the given name: one set for every
  /// error code, and those of errors that the engine creates.
  private static func hints(_ name: String) -> [String] {
    let context = MergeError.Context(
      path: name, journalPath: name, pool: name, deviceID: 5, name: name)
    let circumstances: [Set<MergeError.Context.Circumstance>] = [
      [], [.isResumed], [.isInactive], [.holdsMetadataSnapshot], [.isFinished], [.isSameThinDevice],
    ]
    let ofCommand = MergeError.Code.allCases.flatMap { code in
      circumstances.map { circumstances in
        var context = context
        context.circumstances = circumstances
        return MergeError(code, .journalConflict, "w", at: name, because: "w", context: context)
      }
    }
    let errors = ofCommand + ofEngine(name)
    return errors.flatMap { [$0.hint, $0.inCommandTerms.hint] }.compactMap { $0 }
  }

  /// Returns the hints, notes and commands about a file or device with the given name.
  private static func texts(_ name: String) -> [String] {
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
    return hints(name) + notes.map(\.text) + notes.map(\.textInCommandTerms) + commands.map(\.text)
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
      .originReadOnlyForGood(
        name, kind: "raid", isMirror: true, volumeName: name,
        kinds: ["linear"]),
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

  // MARK: Shell words

  /// Returns each command in a text, together with any quote before it and everything after it,
  /// since a user may copy that much.
  private static func commands(in text: String) -> [Substring] {
    text.matches(
      of:
        #/
        '?\b(?:dmsetup|lsof|lsblk|losetup|blockdev|swapoff|lvchange|vgimport|vgs|thin_check
        |thin_repair|thin-merge|qemu-img)\b
        /#
    ).map { text[$0.range.lowerBound...] }
  }

  /// Returns the commands in a hint, without their indentation.
  private static func ownLines(in hint: String) -> [String] {
    hint.split(separator: "\n").filter { $0.hasPrefix("  ") }.map { String($0.dropFirst(2)) }
  }

  /// The programs that a command in a hint may start with.
  private static let programs: Set = [
    "blockdev", "dmsetup", "findmnt", "losetup", "ls", "lsattr", "lsblk", "lsof", "lvchange",
    "lvconvert",
    "lvextend", "lvremove", "lvrename", "lvs", "modprobe", "mount", "ps", "qemu-img", "rm",
    "swapoff", "sysctl", "thin-merge", "thin_check", "thin_dump", "thin_metadata_unpack",
    "thin_repair", "thin_restore", "truncate", "ulimit", "vgimport", "vgs",
  ]

  /// Returns true if the prose contains a command.
  private static func hasCommand(_ words: some StringProtocol) -> Bool {
    String(words).contains(
      #/
      ['":]\ ?(?:blockdev|dmsetup|losetup|lsattr|lsblk|lsof|lvchange|lvremove|lvs|mount|qemu-img|swapoff|thin-merge
      |thin_\w+|truncate|vgimport|vgs)\b
      |\bthin-merge\ (?:devices|merge|plan|resume|settle|status|verify)\b
      /#)
  }

  /// Returns the text outside single quotes, including text in double quotes, since a shell expands
  /// that.
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
