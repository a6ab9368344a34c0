import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Command: resuming from a journal", .waitsForPrograms)
struct JournalTests {
  @Test("repeating the merge command resumes an interrupted merge")
  func goesOn() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let recorded = try merge.status()["done_bytes"]?.integer
    let result = try merge.merge(["--output", "json"])
    expectSuccess(result)
    #expect(try result.report()["resumed_from_bytes"]?.integer == recorded)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a torn write after the last record is removed when the merge resumes")
  func tornEnd() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let torn = Data(repeating: 0xAB, count: 4096)
    let journal = try FileHandle(forUpdating: URL(filePath: merge.journal))
    // The torn write is so far past the end that no record of the next run overwrites it.
    try journal.seek(
      toOffset: UInt64(JournalOnDisk.state(of: merge.journal).endByteOffset) + 512 << 10)
    try journal.write(contentsOf: torn)
    try journal.close()
    try merge.interruptMerge()
    #expect(try Data(contentsOf: URL(filePath: merge.journal)).range(of: torn) == nil)
    expectSuccess(try merge.resume(["--yes"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge can be resumed given only its journal")
  func resume() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a resume accepts new paths for files that have moved")
  func movedFiles() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let place = merge.folder.path("moved")
    try Program.mustRun("mkdir", place)
    try Program.mustRun("mv", merge.metadataFile, merge.dataFile, merge.originFile, place)
    let result = try merge.resume([
      "--origin", "\(place)/origin.img", "--metadata", "\(place)/metadata.img",
      "--data", "\(place)/data.img",
    ])
    expectSuccess(result)
    try Program.mustRun("mv", "\(place)/origin.img", "\(place)/data.img", merge.folder.path)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("the I/O size and queue depth may change between runs")
  func otherOptions() throws {
    let merge = try MergeCase()
    try merge.interruptMerge(afterCheckpoints: 2, ["--io-size", "24k"])
    expectSuccess(try merge.merge(["--io-size", "1M", "--queue-depth", "1"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a block overwritten in the source between two runs is merged with its new content")
  func sourceOverwritten() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try overwrite(
      merge.dataFile, at: Int(merge.mappings[0].dataBlock) * merge.blockByteCount,
      with: Data(repeating: 0x5a, count: 4096))
    expectSuccess(try merge.merge())
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "an origin restored between runs is refused with no writes, and --restart merges it in full")
  func originRestored() throws {
    for goOn in [{ try $0.merge($1) }, { try $0.resume($1) }]
      as [(MergeCase, [String]) throws -> CommandResult]
    {
      let merge = try MergeCase()
      try merge.interruptMerge()
      try merge.restoreOrigin()
      let journal = try content(of: merge.journal)
      for options in [[], ["--same-origin"], ["--trust-earlier-runs"]] {
        expectError(try goOn(merge, options), exitStatus: 4, naming: merge.originFile)
      }
      #expect(try merge.changedSectors() == [])
      #expect(try content(of: merge.journal) == journal)
      expectSuccess(try merge.merge(["--restart"]))
      #expect(try merge.wrongSectors() == [])
    }
  }

  @Test("with --trust-earlier-runs, a resume does not notice that a recorded block was lost")
  func trust() throws {
    let merge = try MergeCase()
    try merge.interruptMerge(afterCheckpoints: 4)
    let first = try #require(try JournalOnDisk.entries(of: merge.journal).first)
    let range = Int(first.start)..<Int(first.end)
    try overwrite(merge.originFile, at: range.lowerBound, with: merge.before[range])
    expectSuccess(try merge.merge(["--trust-earlier-runs"]))
    #expect(try merge.wrongSectors().first == range.lowerBound)
  }

  @Test("--restart sets the earlier journal aside and merges everything again")
  func restart() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let journal = try content(of: merge.journal)
    let result = try merge.merge(["--restart", "--output", "json"])
    expectSuccess(result)
    #expect(try result.report()["bytes_written"]?.integer == merge.mappedByteCount)
    #expect(try content(of: merge.journal + ".old").starts(with: journal))
  }
}

@Suite("Command: journals of other merges", .waitsForPrograms)
struct OtherJournalTests {
  @Test("a resume is refused if one mapping has changed")
  func mappingChanged() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    var mappings = merge.mappings
    mappings[mappings.count - 1].dataBlock += 1
    try replacePool(of: merge, mappings: mappings)
    try expectRefused(merge, naming: merge.journal)
  }

  @Test("a resume is refused if one mapping was added")
  func mappingAdded() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let mappings = merge.mappings + [ThinMapping((merge.mappings.last?.thinBlock ?? 0) + 1, 200)]
    try replacePool(of: merge, mappings: mappings)
    try expectRefused(merge, naming: merge.journal)
  }

  @Test("a merge resumes after its metadata snapshot was released and taken again")
  func takenAgain() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    var builder = PoolImageBuilder(devices: [ThinDevice(0, merge.mappings, transactionID: 9)])
    builder.transactionID = 12
    builder.time = 3
    builder.placement = .shuffled(seed: 5)
    builder.leafEntryCount = 12
    try builder.build().metadata.data.write(to: URL(filePath: merge.metadataFile))
    expectSuccess(try merge.merge())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge is refused if the origin was replaced by another file")
  func originReplaced() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try replaceByCopy(merge.originFile, in: merge)
    try expectRefused(merge, naming: merge.originFile)
  }

  @Test("a merge is refused if the data file was replaced by another file")
  func dataReplaced() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try replaceByCopy(merge.dataFile, in: merge)
    try expectRefused(merge, naming: merge.dataFile)
  }

  @Test("resuming onto a different file is refused")
  func resumeOntoOther() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let other = merge.folder.path("other.img")
    try Program.mustRun("cp", merge.originFile, other)
    let before = try content(of: other)
    let result = try merge.resume(["--origin", other])
    expectError(result, exitStatus: 4, naming: other)
    #expect(try content(of: other) == before)
  }

  @Test(
    "a merge onto another device's unfinished merge is refused, with resume and --restart hints")
  func otherDevice() throws {
    let merge = try twoDevices()
    try merge.interruptMerge()
    let before = try content(of: merge.originFile)
    let result = try ThinMergeCommand.run(mergeOfDevice1(merge))
    #expect(result.exitStatus == 4, "\(result.standardError)")
    #expect(result.standardError.contains("dev 0"))
    #expect(result.standardError.contains("thin-merge resume"))
    #expect(result.standardError.contains("--restart"))
    #expect(try content(of: merge.originFile) == before)
  }

  @Test("a merge sets aside the journal of another device's finished merge")
  func finishedOtherDevice() throws {
    let merge = try twoDevices()
    expectSuccess(try merge.merge())
    let journal = try content(of: merge.journal)
    expectSuccess(try ThinMergeCommand.run(mergeOfDevice1(merge)))
    #expect(try content(of: merge.journal + ".1") == journal)
    #expect(try content(of: merge.journal) != journal)
  }

  // MARK: Setup

  private func twoDevices() throws -> MergeCase {
    let builder = PoolImageBuilder(devices: [
      ThinDevice(0, .everyThird(count: 40)),
      ThinDevice(1, .everyThird(count: 40, startingAt: 1, dataBlock: 100)),
    ])
    return try MergeCase(pool: builder.build(), originByteCount: 120 * 65_536)
  }

  private func mergeOfDevice1(_ merge: MergeCase) -> [String] {
    [
      "merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "1",
      "--origin", merge.origin,
    ]
  }

  private func replacePool(of merge: MergeCase, mappings: [ThinMapping]) throws {
    let pool = PoolImageBuilder(devices: [ThinDevice(0, mappings)]).build()
    try overwrite(merge.metadataFile, with: pool.metadata.data)
  }

  private func replaceByCopy(_ path: String, in merge: MergeCase) throws {
    let copy = merge.folder.path("copy")
    try Program.mustRun("cp", path, copy)
    try Program.mustRun("mv", copy, path)
  }

  private func expectRefused(
    _ merge: MergeCase, naming name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    expectError(try merge.merge(), exitStatus: 4, naming: name, sourceLocation: sourceLocation)
    #expect(try content(of: merge.originFile) == before, sourceLocation: sourceLocation)
    #expect(try content(of: merge.journal) == journal, sourceLocation: sourceLocation)
  }
}

@Suite("Command: verify and journals", .waitsForPrograms)
struct FinishedJournalTests {
  @Test("verify --journal works without the pool")
  func verifyWithoutPool() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    try Program.remove(merge.dataFile)
    try Program.remove(merge.metadataFile)
    expectSuccess(try ThinMergeCommand.run(["verify", "--journal", merge.journal]))
  }

  @Test("verify --journal finds a changed byte on the origin")
  func verifyFindsChange() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    let offset = Int(merge.mappings[3].thinBlock) * merge.blockByteCount + 777
    try overwrite(merge.originFile, at: offset, with: Data([0]))
    let result = try ThinMergeCommand.run([
      "verify", "--journal", merge.journal, "--output", "json",
    ])
    #expect(result.exitStatus == 1, "\(result.standardError)")
    let entry = try result.report()["differences"]?.array?.first
    let start = try #require(entry?["offset"]?.integer)
    let byteCount = try #require(entry?["length"]?.integer)
    #expect((start..<(start + byteCount)).contains(offset))
  }

  @Test("verify of a half-merged origin suggests resume, or status while the merge is running")
  func verifyHalfMerged() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let stopped = try merge.verify()
    #expect(stopped.exitStatus == 1)
    #expect(
      stopped.standardError.contains(
        "note: \(merge.origin): a merge of dev 0 into it is unfinished\n"))
    #expect(
      stopped.standardOutput.hasSuffix(
        """
        Keep the thin device. A merge into this origin is unfinished. To resume it:
          thin-merge resume \(merge.journal)

        """))
    let running = try withExtendedLifetime(HeldFile.withFileLock(merge.journal)) {
      try merge.verify()
    }
    #expect(
      running.standardOutput.hasSuffix(
        """
        Keep the thin device. A merge into this origin is running. To see its progress:
          thin-merge status \(merge.journal)

        """))
    expectSuccess(try merge.resume())
    let finished = try merge.verify()
    expectSuccess(finished)
    #expect(!finished.standardError.contains("unfinished"))
  }

  @Test("verify --journal of an unfinished merge with no differences exits with status 3")
  func verifyUnfinished() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let result = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
    #expect(result.exitStatus == 3, "\(result.standardError)")
  }

  @Test("verify --journal exits with 1 if recorded ranges of an unfinished merge differ")
  func verifyUnfinishedFindsChange() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try merge.restoreOrigin()
    let result = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
    #expect(result.exitStatus == 1, "\(result.standardError)")
  }
}
