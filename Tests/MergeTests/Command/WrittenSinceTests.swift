import Foundation
import Testing

@Suite("Command: thin devices written to after a merge stopped", .waitsForPrograms)
struct WrittenSinceTests {
  @Test("after writes to the thin device, all verbs except status suggest --restart and not resume")
  func noCircle() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    try merge.replaceMappings(merge.mappings.dropLast())
    let verbs: [(name: String, result: CommandResult)] = [
      ("merge", try merge.merge()), ("resume", try merge.resume()),
      ("merge --dry-run", try merge.merge(["--dry-run"])),
      ("resume --dry-run", try merge.resume(["--dry-run"])), ("plan", try merge.plan()),
      ("verify", try merge.verify()),
    ]
    for (name, result) in verbs {
      let said = result.standardOutput + result.standardError
      #expect(said.contains("was written to"), "\(name): \(said)")
      #expect(said.contains("--restart"), "\(name): \(said)")
      #expect(!said.contains("thin-merge resume"), "\(name): \(said)")
    }
    // The status verb reads only the journal, so the resume that it suggests may be refused. The
    // restart that it also suggests is not.
    let status = try ThinMergeCommand.run(["status", merge.journal]).standardOutput
    #expect(status.contains("thin-merge resume") && status.contains("--restart"), "\(status)")
    expectSuccess(try merge.merge(["--restart"]))
    expectSuccess(try merge.verify())
  }

  @Test("a merge of an unchanged thin device can be resumed")
  func unchanged() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let said = try merge.verify().standardOutput
    #expect(said.contains("thin-merge resume") && !said.contains("--restart"), "\(said)")
    expectSuccess(try merge.resume())
  }
}
