import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Command: a merge that is refused leaves the journals as they are", .waitsForPrograms)
struct RefusedRestartTests {
  @Test("a restart that nobody agrees to leaves an unfinished journal at its name")
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

  @Test("a merge of another device that nobody agrees to leaves a finished journal at its name")
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

  @Test("a restart onto an origin that is in use leaves an unfinished journal at its name")
  func inUse() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let holder = try HeldFile.withOpenFileLock(merge.originFile)
    try expectKept(merge) {
      expectError(try merge.merge(["--restart"]), exitStatus: 5, naming: merge.originFile)
    }
    try holder.close()
  }

  @Test("a restart of a device that is not there leaves an unfinished journal at its name")
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

  /// Expects that `refused` changes neither origin nor journal, and makes no other file.
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

@Suite("Command: a merge that fails before it begins", .waitsForPrograms)
struct NeverBegunTests {
  /// Limits under which a merge may get some way, but not to its end.
  static let limits: [[String]] =
    (3...12).map { ["prlimit", "--nofile=\($0)"] }
    + [32, 48, 64, 80, 96, 128].map { ["prlimit", "--as=\($0 << 20)"] }

  @Test(
    "leaves no journal, or one that does not stand in the way of another merge",
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
    // Where the loader or the runtime lacks what it needs, the program says nothing of its own.
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

  @Test("a journal without a run is replaced by that of another merge")
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

@Suite("Command: a journal elsewhere", .waitsForPrograms)
struct JournalElsewhereTests {
  @Test("does not hide that the usual one is unfinished")
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
    // Nobody goes on with the merge that was given up, over what is written to the origin from now on.
    #expect(!FileManager.default.fileExists(atPath: merge.journal))
    try expectGivenUp(merge.journal + ".old", was: journal, for: elsewhere)
  }

  @Test("is put aside by a merge from the beginning whose journal is in the usual place")
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

  /// Expects a journal that has what it had, and the record that its merge was given up.
  private func expectGivenUp(_ path: String, was journal: Data, for taker: String) throws {
    #expect(try content(of: path).starts(with: journal))
    let givenUp = try JournalOnDisk.state(of: path).givenUp
    #expect(givenUp?.deviceID == 0 && givenUp?.journalPath == taker)
  }

  @Test("is not made where the usual one is finished: the merge is compared, as without --journal")
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

  @Test("does not hide that the thin device was written to since the merge was finished")
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

  @Test("does not hide a merge that another run finishes while the question stands")
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
