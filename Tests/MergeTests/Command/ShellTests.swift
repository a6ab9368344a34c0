import Fixtures
import Foundation
import Testing

@Suite("Command: completion in a terminal", .waitsForPrograms)
struct ShellTests {
  /// A shell that has loaded the completion script.
  enum Shell: String, CaseIterable, Sendable {
    case bash, zsh, fish

    static let prompt = "ready>"

    /// Returns the command that starts the shell in `folder`.
    func start(in folder: String) -> String {
      let binaries = URL(filePath: ThinMergeCommand.binaryPath).deletingLastPathComponent()
        .path(percentEncoded: false)
      // tmux changes PATH, so PATH is set again here.
      let path = "\(folder)/programs:\(binaries):$PATH"
      let begin =
        "cd \(folder) && export HOME=\(folder)/home STATE_DIRECTORY=\(folder)/state PATH=\"\(path)\" &&"
      switch self {
      case .bash: return "\(begin) exec bash --rcfile .shell"
      case .zsh: return "\(begin) ZDOTDIR=\(folder)/home exec zsh"
      case .fish: return "\(begin) exec fish --no-config --init-command 'source .shell'"
      }
    }

    /// The name and content of the shell's startup file.
    var settings: (name: String, text: String) {
      switch self {
      case .bash: (".shell", "PS1='\(Self.prompt) '\nsource ./_thin-merge\n")
      case .zsh:
        (
          "home/.zshrc",
          """
          PS1='\(Self.prompt) '
          fpath=($PWD $fpath)
          autoload -Uz compinit
          compinit -u

          """
        )
      case .fish:
        (
          ".shell",
          """
          function fish_prompt; echo '\(Self.prompt) '; end
          function fish_greeting; end
          set -g fish_autosuggestion_enabled 0
          source ./_thin-merge

          """
        )
      }
    }
  }

  /// The text typed before pressing Tab, and the expected end of the completed line.
  static let lines = [
    ("thin-merge stat", "status"),
    ("thin-merge merge --make", "--make-origin-writable"),
    ("thin-merge merge --past-end c", "clip"),
    ("thin-merge merge --past-end=g", "--past-end=grow"),
    ("thin-merge merge --metadata meta", "--metadata metadata.img"),
    ("thin-merge verify --metadata=meta", "--metadata=metadata.img"),
    ("thin-merge resume dat", "resume data.img"),
    ("thin-merge plan --metadata metadata.img --dev-id ", "--dev-id 4711"),
    ("thin-merge merge --metadata=metadata.img --dev-id=", "--dev-id=4711"),
    ("thin-merge merge --metadata=metadata.img --dev-id=47", "--dev-id=4711"),
    (#"thin-merge verify --metadata "a b/m" --dev-id 4"#, "--dev-id 4711"),
    ("thin-merge merge --metadata=metadata.img --dev-id=4711 --rest", "--restart"),
    ("thin-merge merge vm", "merge vm1"),
    ("thin-merge plan /dev/map", "plan /dev/mapper/vm1"),
    ("thin-merge verify vg/", "verify vg/vm2"),
    ("thin-merge merge /dev/v", "merge /dev/vg/vm2"),
    ("thin-merge devices --pool p", "--pool pool1"),
    // No device ID is offered, because reading an active pool's metadata would require sending the
    // pool a message.
    ("thin-merge merge --pool pool1 --dev-id 47", "--dev-id 47"),
    ("thin-merge resume ", "/state/base.journal"),
    ("thin-merge help res", "help resume"),
  ]

  /// Stand-ins for the programs that completion runs; the one for dmsetup logs its calls.
  static let programs = [
    (
      "dmsetup",
      #"echo "$*" >>"${0%/*}/../dmsetup-calls"; "#
        + #"[ "$*" = 'ls --target thin' ] && printf 'vm1\t(253:4)\n' || printf 'pool1\t(253:3)\n'"#
    ),
    ("lvs", "echo '  vg/vm2'"),
  ]

  @Test(
    "shells complete verbs, options, option values, paths, thin devices, device IDs and journals",
    .needsTmux,
    .needsShells, arguments: Shell.allCases)
  func completes(shell: Shell) throws {
    let folder = try TemporaryFolder()
    _ = try PoolImageBuilder(devices: [ThinDevice(4711, .everyThird(count: 3))]).build()
      .write(to: folder.path)
    let files = FileManager.default
    for name in ["home", "a b", "programs", "state"] {
      try files.createDirectory(atPath: folder.path(name), withIntermediateDirectories: false)
    }
    for (name, script) in Self.programs {
      try "#!/bin/sh\n\(script)\n".write(
        toFile: folder.path("programs/\(name)"), atomically: false, encoding: .utf8)
      try Program.mustRun("chmod", "+x", folder.path("programs/\(name)"))
    }
    try Data().write(to: URL(filePath: folder.path("state/base.journal")))
    try files.copyItem(atPath: folder.path("metadata.img"), toPath: folder.path("a b/m"))
    let script = try ThinMergeCommand.run(["--generate-completion-script", shell.rawValue])
    try script.standardOutput.write(
      toFile: folder.path("_thin-merge"), atomically: false, encoding: .utf8)
    let settings = shell.settings
    try settings.text.write(
      toFile: folder.path(settings.name), atomically: false, encoding: .utf8)

    let session = try TerminalSession(columnCount: 150, script: shell.start(in: folder.path))
    try session.waitForRows { $0.contains { $0.hasPrefix(Shell.prompt) } }
    func complete(_ typed: String, _ completed: String) throws {
      try session.type(typed)
      try session.press("Tab")
      try session.waitForRows { rows in
        rows.contains { $0.hasPrefix("\(Shell.prompt) thin-merge") && $0.hasSuffix(completed) }
      }
      // Clears the line and the screen.
      try session.press("C-u")
      try session.press("C-l")
      try session.waitForRows { $0 == [Shell.prompt] }
    }
    for (typed, completed) in Self.lines { try complete(typed, completed) }
    // The only journal left is next to an origin that is a regular file.
    try files.removeItem(atPath: folder.path("state/base.journal"))
    try Data().write(to: URL(filePath: folder.path("origin.thin-merge")))
    try complete("thin-merge status ", "status origin.thin-merge")
    let calls = try String(contentsOfFile: folder.path("dmsetup-calls"), encoding: .utf8)
      .split(separator: "\n")
    #expect(!calls.isEmpty && calls.allSatisfy { $0.hasPrefix("ls ") }, "\(calls)")
  }
}
