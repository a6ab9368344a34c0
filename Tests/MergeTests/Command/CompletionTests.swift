import Fixtures
import Foundation
import Testing

@testable import thin_merge

@Suite("Command: completion in shells", .waitsForPrograms)
struct CompletionTests {
  @Test(
    "bash completes the IDs of the thin devices in the metadata named on the command line",
    .needsZstd)
  func deviceIDs() throws {
    let merge = try MergeCase(kernel: "snapshots")
    let line = ["merge", "--metadata", merge.metadata, "--dev-id", ""]
    #expect(try bash(line) == ["0", "1", "2"])
    #expect(try bash(line.dropLast() + ["2"]) == ["2"])
    #expect(try bash(["plan", "--metadata", "=", merge.metadata, "--dev-id", ""]).count == 3)
    #expect(try bash(["merge", "--dev-id", ""]).isEmpty)
    #expect(try bash(["merge", "--metadata", merge.origin, "--dev-id", ""]).isEmpty)
  }

  @Test("without a metadata snapshot, bash completes device IDs only after --inactive", .needsZstd)
  func inactive() throws {
    let merge = try PoolOnDisk(KernelScenario.load("no-snap"))
    let line = ["verify", "--metadata", merge.metadata, "--dev-id", ""]
    #expect(try bash(line).isEmpty)
    #expect(try !bash(["verify", "--inactive"] + line.dropFirst()).isEmpty)
  }

  @Test("bash completes file names for paths, and keywords for policies, options and verbs")
  func filesAndWords() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: URL(filePath: folder.path("one.journal")))
    #expect(try bash(["resume", folder.path("on")]) == [folder.path("one.journal")])
    #expect(try bash(["merge", "--origin", folder.path("")]) == [folder.path("one.journal")])
    #expect(try bash(["merge", "--past-end", ""]) == ["refuse", "clip", "grow"])
    #expect(try bash(["merge", "--make"]) == ["--make-origin-writable"])
    #expect(try bash(["stat"]) == ["status"])
  }

  @Test("completion scripts for bash, zsh and fish all cover verbs, options and pools")
  func scripts() throws {
    for shell in ["bash", "zsh", "fish"] {
      let script = try ThinMergeCommand.run(["--generate-completion-script", shell])
      expectSuccess(script)
      for word in ["merge", "resume", "dev-id", "dmsetup ls --target thin-pool"] {
        #expect(script.standardOutput.contains(word), "\(shell)")
      }
      guard Machine.has(shell) else { continue }
      let folder = try TemporaryFolder()
      try script.standardOutput.write(
        toFile: folder.path("script"), atomically: false, encoding: .utf8)
      try Program.mustRun(shell, "-n", folder.path("script"))
    }
  }

  @Test(
    "quotes around the metadata path are removed the way a shell would",
    arguments: [
      ["--metadata", "'/a b/m'"], ["--metadata", "\"/a b/m\""], ["--metadata", #"/a\ b/m"#],
      ["--metadata=/a' 'b/m"], ["--metadata", "=", "/a\\ b/m"],
    ])
  func quotes(words: [String]) {
    #expect(TypedMetadata(words: ["thin-merge", "plan"] + words).path == "/a b/m")
  }

  /// Returns the completions that bash offers for the last of `words`.
  private func bash(_ words: [String]) throws -> [String] {
    let script = """
      source <("$0" --generate-completion-script bash)
      COMP_WORDS=("$0" "$@")
      COMP_CWORD=$#
      COMP_LINE="${COMP_WORDS[*]}"
      COMP_POINT=${#COMP_LINE}
      COMPREPLY=()
      _thin-merge "$0" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      for reply in "${COMPREPLY[@]}"; do printf '%s\\n' "$reply"; done
      """
    let result = try Program.run(["bash", "-c", script, ThinMergeCommand.binaryPath] + words)
    #expect(result.standardError.isEmpty, "\(result.standardError)")
    return result.standardOutput.split(separator: "\n").map(String.init)
  }
}
