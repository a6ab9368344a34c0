import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Command: refused merges and earlier journals", .waitsForPrograms)
struct RefusedRestartTests {
  @Test("declining a restart leaves the unfinished journal in place")
  func notAgreed() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try expectKept(merge) {
      let outcome = try EngineInProcess.merge(
        MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0),
        onto: merge.origin, options: MergeOptions(restarts: true), answer: { false })
      #expect(outcome.exitStatus == 2, "\(outcome.message)")
    }
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("declining a merge of another device leaves the finished journal in place")
  func otherDeviceNotAgreed() throws {
    let merge = try MergeCase(
      pool: PoolImageBuilder(devices: [
        ThinDevice(0, .everyThird(count: 8)),
        ThinDevice(1, .everyThird(count: 8, startingAt: 1, dataBlock: 50)),
      ]).build(), originByteCount: 24 * 65_536)
    expectSuccess(try merge.merge())
    try expectKept(merge) {
      let outcome = try EngineInProcess.merge(
        MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 1),
        onto: merge.origin, answer: { false })
      #expect(outcome.exitStatus == 2, "\(outcome.message)")
    }
  }

  @Test("a restart refused because the origin is in use leaves the unfinished journal in place")
  func inUse() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let holder = try HeldFile.withOpenFileLock(merge.originFile)
    try expectKept(merge) {
      expectError(try merge.merge(["--restart"]), exitStatus: 5, naming: merge.originFile)
    }
    try holder.close()
  }

  @Test(
    "a restart refused because the thin device is missing leaves the unfinished journal in place")
  func noSuchDevice() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try expectKept(merge) {
      let result = try ThinMergeCommand.run([
        "merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "7", "--origin",
        merge.origin, "--restart",
      ])
      expectError(result, exitStatus: 2, naming: merge.metadata)
    }
  }

  /// Expects that `refused` changes neither the origin nor the journal, and creates no files.
  private func expectKept(
    _ merge: MergeCase, sourceLocation: SourceLocation = #_sourceLocation,
    _ refused: () throws -> Void
  ) throws {
    let origin = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    let names = try merge.folder.names()
    try refused()
    #expect(try content(of: merge.originFile) == origin, sourceLocation: sourceLocation)
    #expect(try content(of: merge.journal) == journal, sourceLocation: sourceLocation)
    #expect(try merge.folder.names() == names, sourceLocation: sourceLocation)
  }
}

@Suite("Command: merges that fail before they start", .waitsForPrograms)
struct NeverBegunTests {
  /// Resource limits under which a merge makes some progress but may not complete.
  static let limits: [[String]] =
    (3...12).map { ["prlimit", "--nofile=\($0)"] }
    + [32, 48, 64, 80, 96, 128].map { ["prlimit", "--as=\($0 << 20)"] }

  @Test(
    "a merge that fails under a resource limit leaves no journal that blocks another merge",
    .enabled("prlimit is not installed") { Machine.has("prlimit") }, arguments: limits)
  func limited(wrapper: [String]) throws {
    let merge = try MergeCase(
      pool: PoolImageBuilder(devices: [
        ThinDevice(0, .everyThird(count: 8)),
        ThinDevice(1, .everyThird(count: 8, startingAt: 1, dataBlock: 50)),
      ]).build(), originByteCount: 24 * 65_536)
    let result = try merge.merge(["--io-size", "16M", "--queue-depth", "64"], under: wrapper)
    guard result.exitStatus != 0 else {
      #expect(try merge.wrongSectors() == [])
      return
    }
    #expect(try merge.changedSectors() == [], "\(wrapper): \(result.standardError)")
    // If the loader or the runtime fails, the program prints no message of its own.
    if !result.errorLines.isEmpty {
      #expect([2, 5].contains(result.exitStatus), "\(wrapper): \(result.standardError)")
    }
    if FileManager.default.fileExists(atPath: merge.journal) {
      #expect(try JournalOnDisk.state(of: merge.journal).attemptCount == 0, "\(wrapper)")
    }
    let other = try ThinMergeCommand.run([
      "merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "1", "--origin",
      merge.origin,
    ])
    expectSuccess(other)
  }

  @Test("a journal that records no run is replaced by another merge's journal")
  func headerAlone() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try merge.restoreOrigin()
    try MergeCase.removeMarks(of: merge.originFile)
    let reader = try JournalOnDisk.reader(of: merge.journal)
    var header = reader.header
    header.deviceID = 5
    try Data(header.encoded).write(to: URL(filePath: merge.journal))
    expectSuccess(try merge.merge())
    #expect(try merge.wrongSectors() == [])
    #expect(try merge.newFiles() == [URL(filePath: merge.journal).lastPathComponent])
  }
}

@Suite("Command: journals outside the default location", .waitsForPrograms)
struct JournalElsewhereTests {
  @Test("--journal does not hide an unfinished journal in the default location")
  func hidden() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let origin = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    let elsewhere = merge.folder.path("elsewhere")
    expectError(
      try merge.merge(["--journal", elsewhere]), exitStatus: 4, naming: merge.journal)
    #expect(try content(of: merge.originFile) == origin)
    #expect(try content(of: merge.journal) == journal)
    #expect(!FileManager.default.fileExists(atPath: elsewhere))

    expectSuccess(try merge.merge(["--journal", elsewhere, "--restart"]))
    #expect(try merge.wrongSectors() == [])
    #expect(try JournalOnDisk.state(of: elsewhere).isFinished)
    // No later command may resume the abandoned merge, which would overwrite later writes to the
    // origin.
    #expect(!FileManager.default.fileExists(atPath: merge.journal))
    try expectGivenUp(merge.journal + ".old", was: journal, for: elsewhere)
  }

  @Test("a restart with the default journal sets aside an unfinished journal at another path")
  func putAside() throws {
    let merge = try MergeCase()
    let elsewhere = merge.folder.path("elsewhere")
    merge.journal = elsewhere
    try merge.interruptMerge(["--journal", elsewhere])
    let journal = try content(of: elsewhere)
    expectSuccess(try merge.merge(["--restart"]))
    #expect(try merge.wrongSectors() == [])
    #expect(!FileManager.default.fileExists(atPath: elsewhere))
    try expectGivenUp(
      elsewhere + ".old", was: journal, for: merge.originFile + ".thin-merge")
  }

  /// Expects a journal that has its old content plus a record that its merge was abandoned.
  private func expectGivenUp(_ path: String, was journal: Data, for taker: String) throws {
    #expect(try content(of: path).starts(with: journal))
    let givenUp = try JournalOnDisk.state(of: path).givenUp
    #expect(givenUp?.deviceID == 0 && givenUp?.journalPath == taker)
  }

  @Test("--journal creates no new journal if the default one records the merge as finished")
  func finished() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    let elsewhere = merge.folder.path("elsewhere")
    let equal = try merge.merge(["--journal", elsewhere, "--output", "json"])
    expectSuccess(equal)
    #expect(try equal.report()["changed"] == .boolean(false))
    #expect(try equal.report()["journal"] == .string(merge.journal))
    try overwrite(
      merge.originFile, at: Int(merge.mappings[5].thinBlock) * merge.blockByteCount,
      with: Data(repeating: 0x33, count: 1024))
    let origin = try content(of: merge.originFile)
    for options in [[], ["--dry-run"]] {
      let result = try merge.merge(["--journal", elsewhere] + options)
      #expect(result.exitStatus == (options.isEmpty ? 4 : 0), "\(result.standardError)")
    }
    let plan = try merge.plan(["--journal", elsewhere, "--output", "json"])
    #expect(try plan.report()["finished"] == .boolean(true))
    #expect(try plan.report()["journal"] == .string(merge.journal))
    #expect(!FileManager.default.fileExists(atPath: elsewhere))
    #expect(try content(of: merge.originFile) == origin)

    expectSuccess(try merge.merge(["--journal", elsewhere, "--again", "--yes"]))
    #expect(try merge.wrongSectors() == [])
    #expect(try JournalOnDisk.state(of: elsewhere).isFinished)
  }

  @Test("--journal does not hide writes to the thin device after a finished merge")
  func mappingsChanged() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    expectSuccess(try merge.merge())
    try merge.replaceMappings(merge.mappings.dropLast())
    let elsewhere = merge.folder.path("elsewhere")
    let origin = try content(of: merge.originFile)
    expectError(
      try merge.merge(["--journal", elsewhere]), exitStatus: 4, naming: merge.journal)
    expectError(
      try merge.merge(["--journal", elsewhere, "--dry-run"]), exitStatus: 4, naming: merge.journal)
    #expect(!FileManager.default.fileExists(atPath: elsewhere))
    #expect(try content(of: merge.originFile) == origin)
  }

  @Test(
    "--journal does not hide a merge that another process finishes while the user is being asked")
  func finishedMeanwhile() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let elsewhere = merge.folder.path("elsewhere")
    let same = merge.mergeArguments()
    let outcome = try EngineInProcess.merge(
      MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0),
      onto: merge.origin, options: MergeOptions(journalPath: elsewhere),
      answer: { (try? ThinMergeCommand.run(same).exitStatus) == 0 })
    #expect(outcome.exitStatus == 4, "\(outcome.message)")
    #expect(!FileManager.default.fileExists(atPath: elsewhere))
  }
}
