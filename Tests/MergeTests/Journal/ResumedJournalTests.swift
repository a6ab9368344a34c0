import Foundation
import Testing

@testable import MergeEngine

@Suite("Journal: resuming after reading a journal without a lock")
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

  @Test("resuming uses records that another run appended after the journal was first read")
  func appendedMeanwhile() throws {
    try write(Self.records.dropLast())
    let looked = try journals.open(path)
    try write(Self.records)
    #expect(looked.state.doneByteCount == 4096)
    #expect(try found(after: looked).doneByteCount == 8192)
  }

  @Test("resuming ignores records that another run cut off after the journal was first read")
  func cutMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    let kept = JournalSample(records: Array(Self.records.dropLast())).bytes.count
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: UInt64(kept))
    #expect(try found(after: looked).doneByteCount == 4096)
  }

  @Test("if another run replaced the journal after it was first read, resuming uses the new file")
  func replacedMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    try write(Self.records.dropLast())
    #expect(try found(after: looked).doneByteCount == 4096)
  }

  @Test("if the journal is replaced while it is being opened for locking, the new file is opened")
  func replacedBeforeTheLock() throws {
    try write(Self.records)
    let replacement = folder.path("replacement")
    try Data(JournalSample(records: []).bytes).write(to: URL(filePath: replacement))
    let lease = try HeldFile.withLease(path)
    let opening = Opening(path)
    // By the time the kernel makes the open call wait, it has already resolved the name.
    while !HeldFile.leaseIsInTheWay(lease), !opening.hasEnded { sched_yield() }
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.moveItem(atPath: replacement, toPath: path)
    try lease.close()
    let there = try OpenFile(path, role: "journal", access: .readOnly, direct: false)
    #expect(try opening.inode.get() == there.inode)
  }

  @Test("resuming fails if the journal was removed after it was first read")
  func removedMeanwhile() throws {
    try write(Self.records)
    let looked = try journals.open(path)
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: MergeError.self) { try found(after: looked) }
  }

  @Test(
    "while a journal is being written, a gap before its newest record is not reported as damage")
  func beingWritten() throws {
    let scratch = try JournalScratch()
    let sample = JournalSample(records: Self.records)
    var bytes = sample.bytes
    for place in sample.ends[1]..<sample.ends[2] { bytes[place] = 0 }
    #expect(throws: MergeError.self) { try scratch.state(of: bytes) }
    var reader = try scratch.reader(of: bytes)
    #expect(try JournalState(reading: &reader, isBeingWritten: true).doneByteCount == 0)
  }

  /// Writes a journal with the given records.
  ///
  /// An existing file is overwritten in place, which keeps its inode.
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

/// A journal file that is being opened on another thread.
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

  /// The inode number of the opened file, or the error.
  ///
  /// Reading this property waits until the attempt to open the file ends.
  var inode: Result<UInt64?, MergeError> {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let result { return result }
      condition.wait()
    }
  }
}
