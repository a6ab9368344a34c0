import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite(
  "Command: origin marks after a merge is killed",
  .waitsForPrograms, .needsStopLibrary)
struct OriginMarkCrashTests {
  @Test("after a kill at any file change, a merge blocks others if and only if it is half done")
  func firstMerge() throws {
    let merge = try MergeCase.twoDevices(blockCount: 4)
    let link = merge.folder.path("link.img")
    var changeCount = 0
    while true {
      changeCount += 1
      try restore(merge, origin: merge.before)
      try Program.mustRun("ln", merge.originFile, link)
      let result = try kill(merge.mergeArguments(MergeCase.steadily), at: changeCount)
      if result.exitStatus == 0 { break }
      try #require(result.exitStatus == 128 + SIGKILL)
      let state = try isThere(merge.journal) ? JournalOnDisk.state(of: merge.journal) : nil
      let isHalfMerged = state.map { $0.attemptCount > 0 && !$0.isFinished } ?? false
      if try content(of: merge.originFile) != merge.before, state?.isFinished != true {
        #expect(isHalfMerged, "change \(changeCount)")
      }
      #expect(
        try (merge.refusalOfDevice1(onto: link) == "other-merge-unfinished") == isHalfMerged,
        "change \(changeCount)")
      expectSuccess(try merge.merge(MergeCase.steadily))
      #expect(try merge.wrongSectors() == [], "change \(changeCount)")
      #expect(try MergeCase.markNames(of: merge.originFile) == [], "change \(changeCount)")
      try Program.remove(merge.journal)
      #expect(try merge.refusalOfDevice1(onto: link) == nil, "change \(changeCount)")
    }
    #expect(changeCount > 15)
  }

  @Test("a restart killed at any file change blocks other merges unless it had finished")
  func restart() throws {
    let merge = try MergeCase.twoDevices(blockCount: 4)
    let link = merge.folder.path("link.img")
    try merge.interruptEarly()
    let halfMerged = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    let marks = try MergeCase.marks(of: merge.originFile)
    try #require(halfMerged != merge.before && marks.count == 1)
    var changeCount = 0
    while true {
      changeCount += 1
      try restore(merge, origin: halfMerged)
      try journal.write(to: URL(filePath: merge.journal))
      try Program.mustRun("chmod", "0600", merge.journal)
      try MergeCase.set(marks, of: merge.originFile)
      let result = try kill(
        merge.argumentsOfDevice1(
          "merge", onto: merge.originFile, ["--restart"] + MergeCase.steadily), at: changeCount)
      if result.exitStatus == 0 { break }
      try #require(result.exitStatus == 128 + SIGKILL)
      // A finished merge may still have its mark, but that mark no longer blocks other merges.
      let isFinished =
        try isThere(merge.journal) && JournalOnDisk.state(of: merge.journal).isFinished
      try Program.mustRun("ln", merge.originFile, link)
      merge.origin = link
      let plan = try merge.plan(["--output", "json"])
      merge.origin = merge.originFile
      let refusal = try plan.report()["refused"]?["code"]?.string
      #expect((refusal == nil) == isFinished, "change \(changeCount): \(plan.standardOutput)")
    }
    #expect(changeCount > 15)
  }

  private func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  private func restore(_ merge: MergeCase, origin: Data) throws {
    for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
    try MergeCase.removeMarks(of: merge.originFile)
    try overwrite(merge.originFile, with: origin)
  }

  private func kill(_ arguments: [String], at change: Int) throws -> CommandResult {
    try ThinMergeCommand.run(
      arguments,
      environment: ["LD_PRELOAD": StopLibrary.path ?? "", "STOP_AT": "kill:\(change)"])
  }
}
