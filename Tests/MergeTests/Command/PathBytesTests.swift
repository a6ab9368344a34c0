import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite("Command: paths that are not UTF-8", .waitsForPrograms)
struct PathBytesTests {
  @Test(
    "merging onto a path with an invalid byte does not touch the path spelled with U+FFFD")
  func twins() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try bash(
      """
      cp origin.img $'base-\\xe9.img'; cp origin.img $'base-\\xef\\xbf\\xbd.img'
      \(merge.command("merge", origin: "$'base-\\xe9.img'")) || exit
      cmp origin.img $'base-\\xef\\xbf\\xbd.img' || exit 90
      mv $'base-\\xe9.img' origin.img
      """, in: merge)
    expectSuccess(result)
    #expect(result.standardOutput.contains(#"into base-\xE9.img."#), "\(result.standardOutput)")
    #expect(try merge.wrongSectors() == [])
  }

  @Test("the printed resume command works in a folder whose name is not valid UTF-8")
  func resumed() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try bash(
      """
      mkdir $'caf\\xe9'; mv origin.img $'caf\\xe9'; cd $'caf\\xe9'
      prlimit --fsize=1048576 \(merge.command("merge", origin: "origin.img")) 2> ../said
      test $? = 3 || exit 91
      command=$(sed -n 's/^  thin-merge //p' ../said)
      cd /
      eval "\(ThinMergeCommand.binaryPath.shellQuoted) $command --yes" || exit
      mv \(merge.folder.path)/$'caf\\xe9'/origin.img \(merge.folder.path)
      """, in: merge)
    expectSuccess(result)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a JSON report gives a path that is not valid UTF-8 in base64")
  func documents() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try bash(
      """
      mv origin.img $'o\\xe9.img'
      \(merge.command("merge", origin: "$'o\\xe9.img'")) > /dev/null || exit
      \(ThinMergeCommand.binaryPath.shellQuoted) status --output json $'o\\xe9.img.thin-merge'
      """, in: merge)
    let report = try result.report()
    let folder = try #require(FileSystem.resolved(merge.folder.path))
    #expect(report["origin"] == .string(folder + "/o\u{FFFD}.img"))
    let base64 = try #require(report["origin_base64"]?.string)
    #expect(Data(base64Encoded: base64) == Data((folder + "/o").utf8 + [0xE9] + ".img".utf8))
    #expect(report["journal_base64"] != nil && report["data_base64"] == nil)
    #expect(try JSONSchema.complaints(of: [("status", result.standardOutput)]) == [])
  }

  @Test("the command line can be read even if /proc is not available", .needsRoot)
  func withoutProc() throws {
    let result = try Program.run([
      "unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$0\" --version",
      ThinMergeCommand.binaryPath,
    ])
    #expect(result.standardOutput.hasPrefix("thin-merge "), "\(result.standardError)")
  }

  /// Runs a bash script in the folder of the given merge.
  private func bash(_ script: String, in merge: MergeCase) throws -> CommandResult {
    try Program.run([
      "bash", "-c", "cd \(merge.folder.path.shellQuoted) || exit 99\n" + script,
    ])
  }
}

extension MergeCase {
  /// Returns a shell command line that contains `origin` verbatim, in shell syntax.
  fileprivate func command(_ verb: String, origin: String) -> String {
    ([ThinMergeCommand.binaryPath, verb] + sourceArguments).map(\.shellQuoted)
      .joined(separator: " ") + " --origin \(origin)"
  }
}
