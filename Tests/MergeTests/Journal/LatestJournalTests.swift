import Foundation
import Testing

@testable import MergeEngine

@Suite("Journal: comparison with another journal for the same origin")
struct LatestJournalTests {
  private let folder: TemporaryFolder
  private let journals = JournalStore(
    stateFolder: "/nonexistent", processID: 1, clock: ThisSystem.clock, note: { _ in })

  init() throws { folder = try TemporaryFolder() }

  /// Returns the error code if the journal is refused, or nil if it is accepted.
  private func refusal(
    _ one: JournalSample, beside usual: JournalSample, marked: Bool = false
  ) throws -> MergeError.Code? {
    let (path, usualPath) = (folder.path("one"), folder.path("usual"))
    for (path, sample) in [(path, one), (usualPath, usual)] {
      try Data(sample.bytes).write(to: URL(filePath: path))
      try Program.mustRun("chmod", "0600", path)
    }
    do throws(MergeError) {
      try journals.checkIsLatest(
        journals.look(at: path), usualPath: usualPath, marked: marked ? path : nil, finished: [])
      return nil
    } catch {
      return error.code
    }
  }

  private static func run(at seconds: Int64) -> JournalRecord {
    .attempt(
      JournalRecord.Attempt(
        seconds: seconds, bootID: "boot", metadataPath: "meta", dataPath: "data",
        originPath: "origin"))
  }

  private static let all = JournalSample.checkpoint(
    watermark: 4096, [JournalSample.entry(0, 4096)])

  /// Returns a journal for the given thin device, with a run that began at the given time.
  private static func sample(
    of deviceID: UInt32, at seconds: Int64, _ records: [JournalRecord] = []
  ) -> JournalSample {
    var sample = JournalSample(records: [run(at: seconds)] + records)
    sample.header.deviceID = deviceID
    sample.header.plannedByteCount = 4096
    return sample
  }

  @Test(
    "a journal is refused if its run began before another merge finished, unless a mark names it")
  func finished() throws {
    let usual = Self.sample(of: 1, at: 100, [Self.all, .finished(seconds: 200)])
    #expect(try refusal(Self.sample(of: 2, at: 50), beside: usual) == .journalOvertaken)
    #expect(try refusal(Self.sample(of: 2, at: 200), beside: usual) == .journalOvertaken)
    #expect(try refusal(Self.sample(of: 2, at: 201), beside: usual) == nil)
    #expect(try refusal(Self.sample(of: 2, at: 50), beside: usual, marked: true) == nil)
  }

  @Test(
    "a journal is refused if another merge is unfinished or abandoned, but not if it never ran"
  )
  func unfinished() throws {
    let one = Self.sample(of: 2, at: 300)
    #expect(try refusal(one, beside: Self.sample(of: 1, at: 100)) == .otherMergeUnfinished)
    let taker = StatusReport.GivenUp(seconds: 200, deviceID: 3, journalPath: "other")
    #expect(
      try refusal(one, beside: Self.sample(of: 1, at: 100, [.givenUp(taker)])) == .journalGivenUp)
    var never = Self.sample(of: 1, at: 100)
    never.records = []
    #expect(try refusal(one, beside: never) == nil)
  }

  @Test(
    "of two copies of a journal, the one with fewer records is refused, whatever the mark names")
  func copy() throws {
    let begun = Self.sample(of: 1, at: 100)
    let further = Self.sample(of: 1, at: 100, [Self.all])
    for isMarked in [true, false] {
      #expect(try refusal(begun, beside: further, marked: isMarked) == .journalOvertaken)
      #expect(try refusal(further, beside: begun, marked: isMarked) == nil)
      #expect(try refusal(begun, beside: begun, marked: isMarked) == nil)
    }
  }

  @Test("an unfinished journal for another origin does not prevent a journal from being accepted")
  func otherOrigin() throws {
    var usual = Self.sample(of: 1, at: 100)
    usual.header.originIdentity.name = "file-99-9.9"
    #expect(try refusal(Self.sample(of: 2, at: 50), beside: usual) == nil)
  }
}
