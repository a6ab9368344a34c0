import Foundation
import Testing

@Suite("Command: a thin device that was written to after its merge stopped", .waitsForPrograms)
struct WrittenSinceTests {
  @Test("no verb sends into a refusal, and each names what merges from the start")
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
      #expect(said.contains("was written to, or made anew"), "\(name): \(said)")
      #expect(said.contains("--restart"), "\(name): \(said)")
      #expect(!said.contains("thin-merge resume"), "\(name): \(said)")
    }
    // Only the journal is read: what it names first may be refused, and what is named beside it is not.
    let status = try ThinMergeCommand.run(["status", merge.journal]).standardOutput
    #expect(status.contains("thin-merge resume") && status.contains("--restart"), "\(status)")
    expectSuccess(try merge.merge(["--restart"]))
    expectSuccess(try merge.verify())
  }

  @Test("a merge whose thin device is as it was is gone on with")
  func unchanged() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let said = try merge.verify().standardOutput
    #expect(said.contains("thin-merge resume") && !said.contains("--restart"), "\(said)")
    expectSuccess(try merge.resume())
  }
}
