import Fixtures
import Foundation
import Testing

@Suite("Command: printed JSON reports", .waitsForPrograms)
struct JSONReportTests {
  static let plan = [
    ("block_size", "integer"), ("dev_id", "integer"), ("mapped_blocks", "integer"),
    ("runs", "integer"), ("bytes", "integer"), ("past_end_blocks", "integer"),
    ("clipped_bytes", "integer"), ("thin_size_assumed", "boolean"),
    ("journal_bytes_max", "integer"), ("fingerprint", "string"), ("schema", "string"),
  ]
  static let merge =
    plan + [
      ("bytes_written", "integer"), ("resumed_from_bytes", "integer"), ("seconds", "number"),
      ("verified", "boolean"), ("journal", "string"), ("state", "string"),
      ("unreadable", "array"),
    ]

  @Test("a plan's report has every field, each of the right type")
  func planNames() throws {
    try expectNames(
      Self.plan + [
        ("run_lengths", "array"), ("map", "object"), ("recorded_bytes", "integer"),
        ("finished", "boolean"),
        ("refused", "null"),
      ],
      in: MergeCase().plan(["--output", "json"]))
  }

  @Test("a merge's report has every field, each of the right type")
  func mergeNames() throws {
    try expectNames(Self.merge, in: MergeCase().merge(["--output", "json"]))
  }

  @Test("a resume's report has every field, each of the right type")
  func resumeNames() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    try expectNames(Self.merge, in: merge.resume(["--output", "json"]))
  }

  @Test("a stopped merge's report has every field, each of the right type")
  func stoppedNames() throws {
    let result = try MergeCase().interruptMerge(["--output", "json"])
    try expectNames(Self.merge, in: result, exitStatus: 3)
  }

  @Test("a verify report has every field, each of the right type")
  func verifyNames() throws {
    try expectNames(
      [
        ("compared_bytes", "integer"), ("differing_bytes", "integer"), ("granularity", "string"),
        ("differences", "array"), ("schema", "string"),
      ], in: MergeCase().verify(["--output", "json"]), exitStatus: 1)
  }

  @Test("a status report has every field, each of the right type")
  func statusNames() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    try expectNames(
      [
        ("state", "string"), ("done_bytes", "integer"), ("total_bytes", "integer"),
        ("schema", "string"),
      ], in: ThinMergeCommand.run(["status", merge.journal, "--output", "json"]))
  }

  @Test("a devices report has every field, each of the right type")
  func devicesNames() throws {
    let merge = try MergeCase()
    let result = try ThinMergeCommand.run([
      "devices", "--metadata", merge.metadata, "--output", "json",
    ])
    expectSuccess(result)
    let device = try #require(try result.report()["devices"]?.array?.first)
    let names = [
      "dev_id", "mapped_blocks", "transaction_id", "creation_time", "snapshotted_time",
    ]
    for name in names { #expect(device[name]?.kind == "integer", "\(name)") }
  }

  @Test("the figures in a plan's report match the pool")
  func planNumbers() throws {
    let merge = try MergeCase()
    let report = try merge.plan(["--output", "json"]).report()
    #expect(report["block_size"]?.integer == merge.blockByteCount)
    #expect(report["mapped_blocks"]?.integer == merge.mappings.count)
    #expect(report["runs"]?.integer == MappedRun.runs(of: merge.mappings).count)
    #expect(report["bytes"]?.integer == merge.mappedByteCount)
    #expect(report["thin_size_assumed"] == .boolean(true))
    expectSubject(of: report, merge)
    // Every third block is mapped, so each mapped block is a run of its own.
    let lengths = try #require(report["run_lengths"]?.array)
    #expect(lengths.map { $0["min_bytes"]?.integer } == [merge.blockByteCount])
    #expect(lengths.map { $0["runs"]?.integer } == [merge.mappings.count])
    #expect(lengths.map { $0["bytes"]?.integer } == [merge.mappedByteCount])
    #expect(report["map"]?["cell_bytes"]?.integer == merge.blockByteCount)
    var cells = Array(repeating: 0, count: merge.before.count / merge.blockByteCount)
    for mapping in merge.mappings { cells[Int(mapping.thinBlock)] = merge.blockByteCount }
    #expect(report["map"]?["mapped_bytes"]?.array?.map(\.integer) == cells)
  }

  @Test("the plan of a stopped merge includes the bytes already recorded")
  func planGoesOn() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let recorded = try merge.status()["done_bytes"]?.integer
    let report = try merge.plan(["--output", "json"]).report()
    #expect(report["recorded_bytes"]?.integer == recorded)
    #expect(report["refused"] == .null)
    #expect(try merge.plan().standardOutput.contains("To continue:"))
  }

  @Test(
    "a plan reports a refusal if its thin size differs from the unfinished merge's")
  func planRefused() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let refused = try merge.merge(["--thin-size", "64k", "--output", "json"])
    let report = try merge.plan(["--thin-size", "64k", "--output", "json"]).report()
    let message = try #require(report["refused"]?["message"]?.string)
    #expect(refused.standardError.contains(message))
    #expect(report["refused"]?["exit_status"]?.integer == Int(refused.exitStatus))
    #expect(
      try merge.plan(["--thin-size", "64k"]).standardOutput.contains("A merge would be refused:"))
  }

  @Test(
    "a note says that active-pool options are not needed if no pool is active",
    arguments: ["--snapshot", "--no-snapshot", "--reactivate"])
  func needsNoPool(option: String) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let note =
      "note: the devices are not those of an active pool; permissions for active pools have no effect\n"
    #expect(try merge.plan([option]).standardError.contains(note))
    #expect(try merge.merge([option]).standardError.contains(note))
    for (options, isSaid) in [([], false), ([option], true)] {
      let stopped = try MergeCase(scatteredBlocks: 8)
      try stopped.interruptMerge(afterCheckpoints: 1)
      #expect(try stopped.resume(options).standardError.contains(note) == isSaid)
    }
  }

  @Test("a plan with --journal still finds an unfinished journal in the default location")
  func planFindsUsualPlace() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let elsewhere = ["--journal", merge.folder.path("other.journal")]
    let refused = try merge.merge(elsewhere)
    let report = try merge.plan(elsewhere + ["--output", "json"]).report()
    let message = try #require(report["refused"]?["message"]?.string)
    #expect(refused.standardError.contains(message))
    #expect(report["refused"]?["exit_status"]?.integer == 4)
  }

  @Test("a plan locks the journal in shared mode, and reports busy if it is locked exclusively")
  func planDoesNotLock() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let recorded = try merge.status()["done_bytes"]?.integer
    let report = try withExtendedLifetime(HeldFile.withSharedFileLock(merge.journal)) {
      try merge.plan(["--output", "json"]).report()
    }
    #expect(report["refused"] == .null)
    #expect(report["recorded_bytes"]?.integer == recorded)
    let busy = try withExtendedLifetime(HeldFile.withFileLock(merge.journal)) {
      try merge.plan(["--output", "json"]).report()
    }
    #expect(busy["refused"]?["exit_status"]?.integer == 5)
  }

  @Test("a plan writes nothing and leaves no files behind")
  func planWritesNothing() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.plan())
    #expect(try merge.changedSectors() == [])
    #expect(try merge.newFiles() == [])
  }

  @Test("the figures in a finished merge's report match the pool")
  func mergeNumbers() throws {
    let merge = try MergeCase()
    let report = try merge.merge(["--verify", "--output", "json"]).report()
    #expect(report["bytes_written"]?.integer == merge.mappedByteCount)
    #expect(report["resumed_from_bytes"]?.integer == 0)
    #expect(report["verified"] == .boolean(true))
    #expect(report["state"] == .string("finished"))
    #expect(report["unreadable"] == .array([]))
    #expect(report["journal"] == .string(merge.journal))
    expectSubject(of: report, merge)
  }

  @Test("a verify report names the source and origin, even if only the journal identifies them")
  func verifySubject() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    let bySource = try merge.verify(["--output", "json"]).report()
    expectSubject(of: bySource, merge)
    #expect(bySource["journal"] == .null)
    let byJournal = try ThinMergeCommand.run([
      "verify", "--journal", merge.journal, "--output", "json",
    ]).report()
    expectSubject(of: byJournal, merge)
    #expect(byJournal["journal"] == .string(merge.journal))
  }

  private func expectSubject(
    of report: JSONValue, _ merge: MergeCase, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let paths = [("metadata", merge.metadata), ("data", merge.data), ("origin", merge.origin)]
    for (name, path) in paths {
      #expect(report[name] == .string(path), "\(name)", sourceLocation: sourceLocation)
    }
    #expect(report["dev_id"] == .integer(merge.deviceID), sourceLocation: sourceLocation)
    #expect(report["thin_device"] == .null, sourceLocation: sourceLocation)
  }

  @Test("a merge writes exactly the planned bytes, and its journal is no larger than planned")
  func planHolds() throws {
    let merge = try MergeCase()
    let plan = try merge.plan(["--output", "json"]).report()
    let report = try merge.merge(MergeCase.slowly + ["--output", "json"]).report()
    #expect(report["bytes_written"]?.integer == plan["bytes"]?.integer)
    let largest = try #require(plan["journal_bytes_max"]?.integer)
    #expect(try byteCount(ofFile: merge.journal) <= largest)
  }

  @Test("an error is printed as one JSON object with a message, an exit status and a hint")
  func error() throws {
    let merge = try MergeCase()
    merge.origin = merge.folder.path("nothing")
    let messages = try merge.merge(["--output", "json"]).messages()
    let errors = messages.filter { $0["type"] == .string("error") }
    try #require(errors.count == 1)
    #expect(errors[0]["message"]?.string?.contains(merge.origin) == true)
    #expect(errors[0]["exit_status"]?.integer == 2)
    #expect(errors[0]["hint"] != nil)
  }

  @Test(
    "with JSON output, every line on standard error is a JSON object with a type",
    arguments: [[], ["--progress", "json"], ["--progress", "none"]])
  func messages(options: [String]) throws {
    let merge = try MergeCase()
    let result = try merge.merge(MergeCase.slowly + ["--output", "json"] + options)
    expectSuccess(result)
    for message in try result.messages() { #expect(message["type"]?.string != nil) }
  }

  @Test("JSON progress reports the bytes done, which never decrease")
  func progress() throws {
    let merge = try MergeCase()
    let result = try merge.merge(
      MergeCase.slowly + ["--output", "json", "--progress", "json"])
    let progress = try result.messages().filter { $0["type"] == .string("progress") }
    let done = progress.compactMap { $0["done_bytes"]?.integer }
    #expect(!progress.isEmpty)
    #expect(done.count == progress.count && done == done.sorted())
  }

  private func expectNames(
    _ names: [(String, String)], in result: CommandResult, exitStatus: Int32 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(
      result.exitStatus == exitStatus, "\(result.standardError)", sourceLocation: sourceLocation)
    let report = try result.report()
    for (name, kind) in names {
      let found = report[name]?.kind
      // A number of seconds may be printed as an integer.
      #expect(
        found == kind || (kind == "number" && found == "integer"),
        "\(name) is \(found ?? "missing")", sourceLocation: sourceLocation)
    }
  }
}

@Suite("Command: printed text reports", .waitsForPrograms)
struct PrintedReportTests {
  @Test("a merge's report shows the origin, the speed and the verify command")
  func merge() throws {
    let merge = try MergeCase()
    let result = try merge.merge()
    expectSuccess(result)
    let report = result.standardOutput
    for word in [merge.origin, "/s", "thin-merge verify"] {
      #expect(report.contains(word), "no \(word) in: \(report)")
    }
  }

  @Test("the thin device is reported as no longer needed only if the origin has all of its blocks")
  func stillNeeded() throws {
    let merge = try MergeCase()
    let before = try merge.verify(["--inactive"])
    #expect(!before.standardOutput.contains("You can remove the thin device"))
    let inactive = try merge.merge(["--inactive", "--verify"])
    #expect(inactive.standardOutput.contains("You can remove the thin device"))
    #expect(
      try merge.verify(["--inactive"]).standardOutput
        .contains("You can remove the thin device"))
    // Nothing was mapped after the metadata snapshot was taken.
    #expect(
      try merge.verify().standardOutput.contains("You can remove the thin device"))
    #expect(
      try merge.verify(["--inactive", "--thin-size", "64k"]).standardOutput
        .contains("You need the thin device only for"))
  }

  @Test("a merge without a terminal prints progress lines instead of a bar")
  func progressLines() throws {
    let result = try MergeCase().merge(MergeCase.slowly)
    #expect(result.standardError.contains("%"), "\(result.standardError)")
    #expect(!result.standardError.contains("\r"))
    #expect(!result.standardError.contains("\u{1b}"))
  }

  @Test("a merge with --progress none prints no progress")
  func noProgress() throws {
    let result = try MergeCase().merge(MergeCase.slowly + ["--progress", "none"])
    #expect(!result.standardError.contains("%"), "\(result.standardError)")
  }

  @Test("a plan reports that the thin size is assumed if it is unknown")
  func assumedThinSize() throws {
    #expect(try MergeCase().plan().standardOutput.contains(", assumed"))
  }

  @Test("the status of a stopped merge names the resume command")
  func statusOfStopped() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let status = try ThinMergeCommand.run(["status", merge.journal])
    #expect(status.standardOutput.contains("thin-merge resume \(merge.journal)"))
  }
}

@Suite("Command: status", .waitsForPrograms)
struct StatusTests {
  @Test("the status of a finished merge is reported as finished, with all bytes done")
  func finished() throws {
    let merge = try MergeCase()
    expectSuccess(try merge.merge())
    let status = try merge.status()
    #expect(status["state"] == .string("finished"))
    #expect(status["done_bytes"]?.integer == merge.mappedByteCount)
    #expect(status["total_bytes"]?.integer == merge.mappedByteCount)
  }

  @Test("the status of a stopped merge is reported as stopped, with some bytes done")
  func stopped() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let status = try merge.status()
    let done = try #require(status["done_bytes"]?.integer)
    #expect(status["state"] == .string("stopped"))
    #expect(done > 0 && done < merge.mappedByteCount)
  }

  @Test("the status of a killed merge is not reported as finished")
  func killed() throws {
    let merge = try MergeCase()
    let running = try merge.startMerge(MergeCase.slowly)
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    running.send(SIGKILL)
    _ = try running.wait()
    #expect(try merge.status()["state"] != .string("finished"))
  }

  @Test("the status verb does not change the journal")
  func readsOnly() throws {
    let merge = try MergeCase()
    try merge.interruptMerge()
    let journal = try content(of: merge.journal)
    _ = try merge.status()
    #expect(try content(of: merge.journal) == journal)
  }

  @Test("the status verb refuses a file that is not a journal")
  func noJournal() throws {
    let merge = try MergeCase()
    let result = try ThinMergeCommand.run(["status", merge.metadata])
    #expect([2, 4].contains(result.exitStatus), "\(result.standardError)")
    #expect(result.errorLines.count == 1, "\(result.standardError)")
  }
}
