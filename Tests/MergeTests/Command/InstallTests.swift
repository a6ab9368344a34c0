import Foundation
import Testing

@Suite("Command: installation", .waitsForPrograms)
struct InstallTests {
  private static let pages = [
    "", "-merge", "-resume", "-verify", "-plan", "-list", "-status", "-devices", "-settle",
  ]
  .map { "share/man/man8/thin-merge\($0).8" }
  private static let schemas = JSONSchema.names.map { "share/thin-merge/schema/\($0)-1.json" }
  private static let files =
    [
      "lib/systemd/system/thin-merge@.service", "sbin/thin-merge",
      "share/bash-completion/completions/thin-merge",
      "share/fish/vendor_completions.d/thin-merge.fish", "share/zsh/site-functions/_thin-merge",
    ] + pages + schemas

  @Test("install puts every file in the right place, and uninstall removes them all")
  func installing() throws {
    let folder = try TemporaryFolder()
    try script("install", in: folder)
    #expect(try files(in: folder) == Self.files.map { "/opt/\($0)" }.sorted())
    let program = folder.path + "/opt/sbin/thin-merge"
    #expect(try Program.mustRun(program, "--version").hasPrefix("thin-merge "))
    let unit = try String(
      contentsOfFile: folder.path + "/opt/lib/systemd/system/thin-merge@.service", encoding: .utf8)
    #expect(unit.contains("\nExecStart=/opt/sbin/thin-merge resume "))
    #expect(!unit.contains("@sbindir@"))
    try script("uninstall", in: folder)
    #expect(try files(in: folder) == [])
  }

  private func script(_ verb: String, in folder: TemporaryFolder) throws {
    let result = try ChildProcess(
      [PackageFolder.path("scripts/install"), verb],
      environment: [
        "DESTDIR": folder.path, "PREFIX": "/opt", "PROGRAM": ThinMergeCommand.binaryPath,
      ]
    ).wait()
    #expect(result.exitStatus == 0, "\(result.standardError)")
  }

  private func files(in folder: TemporaryFolder) throws -> [String] {
    try Program.mustRun("find", folder.path, "-type", "f").split(separator: "\n")
      .map { String($0.dropFirst(folder.path.count)) }.sorted()
  }
}
