import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Command: repeating a finished merge", .waitsForPrograms)
struct FinishedMergeCommandTests {
  /// Returns a case whose merge of eight blocks has finished.
  private static func finished() throws -> MergeCase {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try merge.merge())
    return merge
  }

  private static func changeSource(_ merge: MergeCase) throws {
    try overwrite(
      merge.dataFile, at: Int(merge.mappings[3].dataBlock) * merge.blockByteCount + 512,
      with: Data(repeating: 0x5a, count: 512))
  }

  private static func changeOrigin(_ merge: MergeCase) throws {
    try overwrite(
      merge.originFile, at: Int(merge.mappings[5].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 1024))
  }

  /// Expects status 4 and an error with the given words, and no change to the origin or journal.
  private func expectLeftAlone(
    _ merge: MergeCase, says words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let origin = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    let names = try merge.folder.names()
    let result = try merge.merge()
    #expect(result.exitStatus == 4, "\(result.standardError)", sourceLocation: sourceLocation)
    for word in words + ["--again"] {
      #expect(
        result.standardError.contains(word), "\(word): \(result.standardError)",
        sourceLocation: sourceLocation)
    }
    #expect(try content(of: merge.originFile) == origin, sourceLocation: sourceLocation)
    #expect(try content(of: merge.journal) == journal, sourceLocation: sourceLocation)
    #expect(try merge.folder.names() == names, sourceLocation: sourceLocation)
  }

  @Test(
    "repeating a finished merge exits with status 0 and changes nothing if the data still matches")
  func stillEqual() throws {
    let merge = try Self.finished()
    let journal = try content(of: merge.journal)
    let again = try merge.merge(["--output", "json"])
    expectSuccess(again)
    let report = try again.report()
    #expect(report["changed"] == .boolean(false) && report["compared"] == .boolean(true))
    #expect(report["bytes_written"]?.integer == 0)
    #expect(report["rechecked_bytes"]?.integer == merge.mappedByteCount)
    #expect(report["finished_time"]?.integer != nil)
    let text = try merge.merge(["--inactive"])
    expectSuccess(text)
    #expect(
      text.standardOutput.hasPrefix("Already merged, and still identical: thin device 0 into"))
    #expect(text.standardOutput.contains("You can remove the thin device"))
    #expect(try content(of: merge.journal) == journal)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("with --no-compare, a finished merge is neither read nor reported as equal")
  func notCompared() throws {
    let merge = try Self.finished()
    try Self.changeSource(merge)
    try Self.changeOrigin(merge)
    let result = try merge.merge(["--no-compare", "--output", "json"])
    expectSuccess(result)
    #expect(try result.report()["changed"] == .boolean(false))
    #expect(try result.report()["compared"] == .boolean(false))
    let text = try merge.merge(["--no-compare", "--inactive"])
    #expect(text.standardOutput.hasPrefix("Already merged, not compared:"))
    #expect(!text.standardOutput.contains("You can remove"))
  }

  @Test("repeating a merge exits with 4 if the source was written to since, and --again merges it")
  func sourceChanged() throws {
    let merge = try Self.finished()
    try Self.changeSource(merge)
    try expectLeftAlone(
      merge,
      says: ["dev 0 of \(merge.metadata) was written to after the merge", "512 bytes differ"])
    expectSuccess(try merge.merge(["--again", "--yes"]))
    #expect(try merge.wrongSectors() == [])
    #expect(try JournalOnDisk.state(of: merge.journal).attemptCount == 2)
    expectSuccess(try merge.merge())
  }

  @Test("repeating a merge exits with 4 if the origin was written to since; --again overwrites it")
  func originChanged() throws {
    let merge = try Self.finished()
    try Self.changeOrigin(merge)
    try expectLeftAlone(
      merge,
      says: [
        "\(merge.origin) was written to, or restored from a copy, after the merge", "1 KiB differ",
        "do nothing",
      ])
    expectSuccess(try merge.resume(["--again", "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("repeating a merge exits with 4 if the whole origin was restored, and --again merges it")
  func originRestored() throws {
    let merge = try Self.finished()
    try merge.restoreOrigin()
    try expectLeftAlone(merge, says: ["restored from a copy, after the merge"])
    expectSuccess(try merge.merge(["--again", "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("if both the source and the origin were written to after the merge, the error names both")
  func bothChanged() throws {
    let merge = try Self.finished()
    try Self.changeSource(merge)
    try Self.changeOrigin(merge)
    try expectLeftAlone(
      merge, says: ["was written to after the merge, and \(merge.origin) was written to, or"])
  }

  @Test("repeating a merge exits with 4 if mappings changed; --again sets the old journal aside")
  func mappingsChanged() throws {
    let merge = try Self.finished()
    let pool = PoolImageBuilder(devices: [ThinDevice(0, merge.mappings.dropLast())]).build()
    try overwrite(merge.metadataFile, with: pool.metadata.data)
    try expectLeftAlone(merge, says: ["was written to after the merge", "mappings changed"])
    let journal = try content(of: merge.journal)
    expectSuccess(try merge.merge(["--again", "--yes"]))
    #expect(try content(of: merge.journal + ".1") == journal)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("without a terminal to ask for confirmation, --again needs --yes, even for a file")
  func nobodyToAsk() throws {
    let merge = try Self.finished()
    try Self.changeOrigin(merge)
    let origin = try content(of: merge.originFile)
    let resumed = try ThinMergeCommand.run(["resume", merge.journal, "--again"])
    for result in [try merge.merge(["--again"]), resumed] {
      #expect(result.exitStatus == 64, "\(result.standardError)")
    }
    #expect(try content(of: merge.originFile) == origin)
  }

  @Test("without a terminal, --restart of a finished merge needs --yes, even for a file")
  func nobodyToAskOfRestart() throws {
    let merge = try Self.finished()
    try Self.changeOrigin(merge)
    let origin = try content(of: merge.originFile)
    let names = try merge.folder.names()
    let elsewhere = ["--journal", merge.folder.path("elsewhere")]
    for options in [[], ["--dry-run"], elsewhere] {
      let result = try merge.merge(["--restart"] + options)
      #expect(result.exitStatus == 64, "\(options): \(result.standardError)")
      #expect(result.standardError.contains("--restart may overwrite later writes to"))
    }
    #expect(try content(of: merge.originFile) == origin)
    #expect(try merge.folder.names() == names)
    expectSuccess(try merge.merge(["--restart", "--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "resuming an interrupted --again merge reads everything, even with --trust-earlier-runs")
  func interruptedAgain() throws {
    let merge = try Self.finished()
    try Self.changeSource(merge)
    // The new run record cancels the earlier `finished` record.
    let journal = try JournalOnDisk.recordRanges(of: merge.journal)
    expectSuccess(try merge.merge(["--again", "--yes"]))
    let afterRun = try JournalOnDisk.recordRanges(of: merge.journal)[journal.count].upperBound
    try merge.restoreOrigin()
    try Program.mustRun("truncate", "--size", "\(afterRun)", merge.journal)
    expectSuccess(try merge.resume(["--trust-earlier-runs"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("resuming a finished merge prints when it finished, and reads neither pool nor origin")
  func resumeOfFinished() throws {
    let merge = try Self.finished()
    let journal = try content(of: merge.journal)
    for path in [merge.metadataFile, merge.dataFile, merge.originFile] {
      try Program.remove(path)
    }
    let result = try merge.resume()
    expectSuccess(result)
    #expect(
      try /Merge of thin device 0 into .*: finished at 20\d\d-\d\d-\d\dT.*Z/.firstMatch(
        in: result.standardOutput) != nil, "\(result.standardOutput)")
    #expect(!result.standardOutput.contains("You need"))
    let report = try merge.resume(["--output", "json"]).report()
    #expect(report["schema"] == .string("thin-merge/status/1"))
    #expect(report["finished_time"]?.integer != nil)
    #expect(try content(of: merge.journal) == journal)
  }

  @Test("verify suggests a command with --again if the data differs after a finished merge")
  func repair() throws {
    let merge = try Self.finished()
    try Self.changeOrigin(merge)
    let byJournal = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
    #expect(byJournal.standardOutput.contains("thin-merge resume --again \(merge.journal)"))
    let bySource = try merge.verify()
    #expect(bySource.standardOutput.contains("--again"), "\(bySource.standardOutput)")
  }

  @Test(
    "verify after another thin device's merge names it, and suggests no command to overwrite it"
  )
  func verifyAfterAnother() throws {
    let (merge, mergeOfOther) = try JournalMatchErrorTests.twoDevices()
    expectSuccess(try merge.merge())
    let result = try ThinMergeCommand.run(["verify"] + mergeOfOther.dropFirst())
    #expect(result.exitStatus == 1)
    #expect(result.standardOutput.contains("was of thin device 0 of "))
    #expect(result.standardOutput.hasSuffix("\n  thin-merge status \(merge.journal)\n"))
    #expect(!result.standardOutput.contains("thin-merge merge"), "\(result.standardOutput)")
  }

  @Test("verify before any merge says that no merge is recorded, and suggests the merge command")
  func verifyBefore() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try merge.verify()
    #expect(result.exitStatus == 1)
    #expect(result.standardOutput.contains("No journal records a merge of it into this origin."))
    #expect(result.standardOutput.contains("\n  thin-merge merge --metadata"))
  }

  @Test(
    "a finished merge onto a block device is compared without asking for confirmation",
    .needsLoopDevices)
  func device() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let options = ["--journal", merge.journal]
    expectSuccess(try merge.merge(options + ["--yes"]))
    expectSuccess(try merge.merge(options))
    // The comparison works even if the device cannot be opened for writing.
    let holder = try HeldFile.exclusively(device.path)
    expectSuccess(try merge.merge(options))
    try holder.close()
    try overwrite(
      device.path, at: Int(merge.mappings[2].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 4096))
    let result = try merge.merge(options)
    expectError(result, exitStatus: 4, naming: device.path)
    #expect(try merge.merge(options + ["--again"]).exitStatus == 64)
    expectSuccess(try merge.merge(options + ["--again", "--yes"]))
    expectSuccess(try merge.verify())
  }
}
