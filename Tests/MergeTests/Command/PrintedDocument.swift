import Fixtures
import Foundation
import Testing

/// A final state that a verb can reach, and the document that it prints in that state.
struct PrintedDocument: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// The name of the report's schema; nil if no report is printed.
  let schema: String?
  let exitStatus: Int32
  /// The fields and values that show that the report describes the intended state.
  let shows: [String: JSONValue]
  let run: @Sendable () throws -> CommandResult

  init(
    _ description: String, _ schema: String?, exitStatus: Int32 = 0,
    shows: [String: JSONValue] = [:], run: @escaping @Sendable () throws -> CommandResult
  ) {
    testDescription = description
    self.schema = schema
    self.exitStatus = exitStatus
    self.shows = shows
    self.run = run
  }

  static let all = plans + merges + comparisons + states + refusals

  fileprivate static let json = ["--output", "json", "--progress", "json"]
}

extension PrintedDocument {
  static let plans = [
    PrintedDocument(
      "a plan whose thin size is the origin's", "plan", shows: ["thin_size_assumed": .boolean(true)]
    ) {
      try MergeCase().plan(["--output", "json"])
    },
    PrintedDocument(
      "a plan with a thin size", "plan", shows: ["thin_size_assumed": .boolean(false)]
    ) {
      try MergeCase().plan(["--thin-size", "1G", "--output", "json"])
    },
    PrintedDocument(
      "a plan without an origin", "plan", shows: ["origin_bytes": .null, "journal": .null]
    ) {
      try MergeCase().planWithoutOrigin(["--output", "json"])
    },
    PrintedDocument(
      "a plan of a pool that is not active", "plan", shows: ["metadata_snapshot": .null]
    ) {
      try MergeCase().plan(["--inactive", "--output", "json"])
    },
    PrintedDocument(
      "a plan that leaves out what is past the end", "plan",
      shows: ["past_end_blocks": .integer(35), "clipped_bytes": .integer(512)]
    ) {
      let merge = try MergeCase(scatteredBlocks: 40)
      try merge.cutOrigin(to: 13 * merge.blockByteCount - 512)
      return try merge.plan(["--past-end", "clip", "--output", "json"])
    },
    PrintedDocument(
      "a plan of a merge that is finished", "plan",
      shows: ["finished": .boolean(true), "refused": .null]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      return try merge.plan(["--output", "json"])
    },
    PrintedDocument(
      "a dry run over a finished merge", "plan", shows: ["again": .boolean(true)]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      return try merge.merge(["--again", "--yes", "--dry-run", "--output", "json"])
    },
    PrintedDocument("a dry run that puts a journal aside", "plan") {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      let result = try merge.merge(["--restart", "--yes", "--dry-run", "--output", "json"])
      let path = try result.report()["put_aside"]?.array?.first?["journal"]
      #expect(path == .string(merge.journal))
      return result
    },
    PrintedDocument("a plan that extends the origin", "plan") {
      let merge = try MergeCase(scatteredBlocks: 40)
      try merge.cutOrigin(to: 1 << 20)
      return try merge.plan(["--past-end", "grow", "--output", "json"])
    },
  ]

  static let merges = [
    PrintedDocument(
      "a merge that was finished before", "merge",
      shows: ["changed": .boolean(false), "compared": .boolean(true)]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      return try merge.merge(json)
    },
    PrintedDocument(
      "a resume of a merge that is finished", "status", shows: ["state": .string("finished")]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      return try merge.resume(json)
    },
    PrintedDocument("a merge", "merge", shows: ["state": .string("finished")]) {
      try MergeCase().merge(json)
    },
    PrintedDocument(
      "a merge that is read back", "merge", shows: ["verified": .boolean(true)]
    ) {
      try MergeCase().merge(["--verify"] + json)
    },
    PrintedDocument("a merge of a thin device without blocks", "merge") {
      let pool = PoolImageBuilder(devices: [ThinDevice(0)]).build()
      return try MergeCase(pool: pool, originByteCount: 1 << 20).merge(json)
    },
    PrintedDocument(
      "a merge that a signal stopped", "merge", exitStatus: 3, shows: ["state": .string("stopped")]
    ) {
      try MergeCase().interruptMerge(json)
    },
    PrintedDocument("a merge whose source cannot be read in places", "merge", exitStatus: 3) {
      try MergeCase().mergeWhileDataIsCut(json)
    },
    PrintedDocument("a merge whose origin cannot be written", "merge", exitStatus: 3) {
      try MergeCase().merge(json, under: ["prlimit", "--fsize=\(4 << 20)"])
    },
    PrintedDocument("a merge that goes on", "merge", shows: ["state": .string("finished")]) {
      let merge = try MergeCase()
      try merge.interruptMerge()
      return try merge.resume(json)
    },
    PrintedDocument(
      "a merge that writes again what was lost", "merge", shows: ["state": .string("finished")]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      try merge.restoreOrigin()
      return try merge.merge(["--again", "--yes"] + json)
    },
  ]

  static let comparisons = [
    PrintedDocument(
      "an origin that differs", "verify", exitStatus: 1, shows: ["granularity": .string("sector")]
    ) {
      try MergeCase().verify(json)
    },
    PrintedDocument("an origin that is half merged", "verify", exitStatus: 1) {
      let merge = try MergeCase()
      try merge.interruptMerge()
      let result = try merge.verify(json)
      #expect(try result.report()["unfinished_journal"]?.string == merge.journal)
      return result
    },
    PrintedDocument(
      "an origin that is merged", "verify", shows: ["differing_bytes": .integer(0)]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      return try merge.verify(json)
    },
    PrintedDocument(
      "an origin that differs from the journal", "verify", exitStatus: 1,
      shows: ["granularity": .string("entry")]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      try merge.restoreOrigin()
      return try ThinMergeCommand.run(["verify", "--journal", merge.journal] + json)
    },
    PrintedDocument("an origin that is half merged, by the journal", "verify", exitStatus: 3) {
      let merge = try MergeCase()
      try merge.interruptMerge()
      return try ThinMergeCommand.run(["verify", "--journal", merge.journal] + json)
    },
  ]

  static let states = [
    PrintedDocument(
      "the status of a merge that runs", "status", shows: ["state": .string("running")]
    ) {
      let merge = try MergeCase()
      let running = try merge.startMerge(MergeCase.slowly)
      try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
      return try merge.printedStatus()
    },
    PrintedDocument(
      "the status of a merge that stopped", "status", shows: ["state": .string("stopped")]
    ) {
      let merge = try MergeCase()
      try merge.interruptMerge()
      return try merge.printedStatus()
    },
    PrintedDocument("the status of a merge with unreadable ranges", "status") {
      let merge = try MergeCase()
      _ = try merge.mergeWhileDataIsCut([])
      return try merge.printedStatus()
    },
    PrintedDocument(
      "the status of a finished merge", "status", shows: ["state": .string("finished")]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge())
      return try merge.printedStatus()
    },
    PrintedDocument(
      "the status of a merge that was read back", "status", shows: ["state": .string("verified")]
    ) {
      let merge = try MergeCase()
      expectSuccess(try merge.merge(["--verify"]))
      return try merge.printedStatus()
    },
    PrintedDocument("the devices of a pool", "devices") {
      try MergeCase(kernel: "snapshots").printedDevices()
    },
    PrintedDocument("the devices of an empty pool", "devices", shows: ["devices": .array([])]) {
      let folder = try TemporaryFolder()
      let pool = try PoolImageBuilder().build().write(to: folder.path)
      return try ThinMergeCommand.run(["devices", "--metadata", pool.metadata, "--output", "json"])
    },
  ]

  static let refusals = [
    PrintedDocument("a command line that makes no sense", nil, exitStatus: 64) {
      try ThinMergeCommand.run(["merge", "--output", "json"])
    },
    PrintedDocument("a merge onto nothing", nil, exitStatus: 2) {
      let merge = try MergeCase()
      merge.origin = merge.folder.path("nothing")
      return try merge.merge(json)
    },
    PrintedDocument("a merge where another one is unfinished", nil, exitStatus: 4) {
      let merge = try MergeCase(kernel: "snapshots")
      try merge.interruptMerge(afterCheckpoints: 1)
      return try merge.merge(["--thin-size", "1M"] + json)
    },
    PrintedDocument("a merge onto an origin in use", nil, exitStatus: 5) {
      let merge = try MergeCase()
      return try withExtendedLifetime(HeldFile.withFileLock(merge.originFile)) {
        try merge.merge(json)
      }
    },
    PrintedDocument("a plan of a merge that would be refused", "plan") {
      let merge = try MergeCase()
      return try withExtendedLifetime(HeldFile.withOpenFileLock(merge.originFile)) {
        try merge.plan(["--output", "json"])
      }
    },
  ]
}

extension MergeCase {
  fileprivate func cutOrigin(to byteCount: Int) throws {
    try Program.mustRun("truncate", "--size", "\(byteCount)", originFile)
  }

  fileprivate func planWithoutOrigin(_ options: [String]) throws -> CommandResult {
    try ThinMergeCommand.run(["plan"] + sourceArguments + options)
  }

  /// Runs a merge whose data file loses its last blocks while the merge runs.
  fileprivate func mergeWhileDataIsCut(_ options: [String]) throws -> CommandResult {
    let running = try startMerge(Self.slowly + options)
    try #require(try running.waitUntilCheckpoint(1, in: journal))
    try Program.mustRun(
      "truncate", "--size", "\((mappings.count - 5) * blockByteCount)", dataFile)
    return try running.wait()
  }

  fileprivate func printedStatus() throws -> CommandResult {
    try ThinMergeCommand.run(["status", journal, "--output", "json"])
  }

  fileprivate func printedDevices() throws -> CommandResult {
    try ThinMergeCommand.run(["devices", "--metadata", metadata, "--output", "json"])
  }
}
