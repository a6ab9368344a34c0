import Foundation
import Testing

@testable import MergeEngine

@Suite("Journal: resuming after reading it without a lock")
struct ResumedJournalTests {
  private static let records = [
    JournalSample.run,
    JournalSample.checkpoint(watermark: 4096, [JournalSample.entry(0, 4096)]),
    JournalSample.checkpoint(watermark: 8192, [JournalSample.entry(4096, 4096)]),
  ]

  private let journals = Environment(stateFolder: "/nonexistent").journals
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("journal")
  }

  @Test("reading a journal does not lock it")
  func looking() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    #expect(try JournalFile.open(path) != nil, "locked, although only looked at")
    #expect(looked.state.doneByteCount == 8192)
  }

  @Test("resume uses records that another run appended after the first read")
  func appendedMeanwhile() throws {
    try write(Self.records.dropLast())
    let looked = try journals.open(path)
    try write(Self.records)
    #expect(looked.state.doneByteCount == 4096)
    #expect(try found(after: looked).doneByteCount == 8192)
  }

  @Test("resume ignores records that another run cut off after the first read")
  func cutMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    let kept = JournalSample(records: Array(Self.records.dropLast())).bytes.count
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: UInt64(kept))
    #expect(try found(after: looked).doneByteCount == 4096)
  }

  @Test("resume uses the file that another run put in the journal's place after the first read")
  func replacedMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    try write(Self.records.dropLast())
    #expect(try found(after: looked).doneByteCount == 4096)
  }

  @Test("opening the journal for the lock skips a file that was replaced during the opening")
  func replacedBeforeTheLock() throws {
    try write(Self.records)
    let replacement = folder.path("replacement")
    try Data(JournalSample(records: []).bytes).write(to: URL(filePath: replacement))
    let lease = try HeldFile.withLease(path)
    let opening = Opening(path)
    // The kernel has resolved the name by the time it makes the opening wait.
    while !HeldFile.leaseIsInTheWay(lease), !opening.hasEnded { sched_yield() }
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.moveItem(atPath: replacement, toPath: path)
    try lease.close()
    let there = try OpenFile(path, role: "journal", access: .readOnly, direct: false)
    #expect(try opening.inode.get() == there.inode)
  }

  @Test("resume fails if the journal was removed after the first read")
  func removedMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: MergeError.self) { try found(after: looked) }
  }

  @Test(
    "reading a journal that is being written does not report a gap before a new record as damage")
  func beingWritten() throws {
    let scratch = try JournalScratch()
    let sample = JournalSample(records: Self.records)
    var bytes = sample.bytes
    for place in sample.ends[1]..<sample.ends[2] { bytes[place] = 0 }
    #expect(throws: MergeError.self) { try scratch.state(of: bytes) }
    var reader = try scratch.reader(of: bytes)
    #expect(try JournalState(reading: &reader, isBeingWritten: true).doneByteCount == 0)
  }

  /// Writes into the existing file, if there is one, so that its inode stays the same.
  private func write(_ records: some Sequence<JournalRecord>) throws {
    let bytes = Data(JournalSample(records: Array(records)).bytes)
    guard let file = FileHandle(forWritingAtPath: path) else {
      return try bytes.write(to: URL(filePath: path))
    }
    try file.write(contentsOf: bytes)
  }

  private func found(after looked: OpenJournal) throws -> JournalState {
    let match = JournalMatch(
      wanted: JournalSample.header, bootID: "boot", originIsTheSame: false)
    guard
      case .sameMerge(let journal) = try journals.find(
        path, match: match, restarts: false, resuming: looked)
    else { throw SupportError("the journal is not taken for the merge's") }
    return journal.state
  }
}

/// A journal that another thread is opening.
private final class Opening: @unchecked Sendable {
  private let condition = NSCondition()
  private var result: Result<UInt64?, MergeError>?

  init(_ path: String) {
    Thread { [self] in
      let opened: Result<UInt64?, MergeError>
      do throws(MergeError) {
        opened = .success(try JournalFile.open(path)?.inode)
      } catch {
        opened = .failure(error)
      }
      condition.lock()
      result = opened
      condition.signal()
      condition.unlock()
    }.start()
  }

  var hasEnded: Bool { condition.withLock { result != nil } }

  /// Waits for the opening to end, and returns the inode of the opened file.
  var inode: Result<UInt64?, MergeError> {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let result { return result }
      condition.wait()
    }
  }
}
