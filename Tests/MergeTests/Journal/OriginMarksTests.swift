import Foundation
import Testing

@testable import MergeEngine

@Suite("Origin marks: disks whose marks are stored in the state folder")
struct OriginMarksTests {
  /// An origin file that stands in for a disk, with a state folder for journals and marks.
  private final class Disk {
    let folder: TemporaryFolder
    let origin: OpenFile
    let journals: JournalStore

    init() throws {
      folder = try TemporaryFolder()
      try Data(count: 4096).write(to: URL(filePath: folder.path("disk")))
      origin = try OpenFile(folder.path("disk"), role: "origin", access: .readOnly)
      journals = JournalStore(
        stateFolder: folder.path("state"), processID: 1, clock: ThisSystem.clock, note: { _ in })
      try Program.mustRun("mkdir", "-m", "0700", folder.path("state"))
    }

    func marks(
      _ range: Range<UInt64> = 0..<UInt64.max, identity: String = "wwid-t10.ATA  Disk 1",
      bootID: String = "this boot"
    ) -> OriginMarks {
      OriginMarks(
        of: origin, range: ByteRange(start: range.lowerBound, end: range.upperBound),
        identity: identity,
        place: MarkPlace(
          in: nil, named: identity.isEmpty ? "device-8:0" : identity, isOfBoot: identity.isEmpty,
          stateFolder: journals.stateFolder),
        bootID: bootID, journals: journals)
    }

    /// Creates and returns a journal that records only the start of a merge and, optionally, its
    /// end.
    func journal(_ name: String, deviceID: UInt32 = 5, finished: Bool = false) throws -> OpenJournal
    {
      var sample = JournalSample()
      sample.header.deviceID = deviceID
      sample.header.plannedByteCount = 0
      sample.records = [
        .attempt(
          JournalRecord.Attempt(
            seconds: 1, bootID: "", metadataPath: "m", dataPath: "d", originPath: "o",
            dataPlace: "", originPlace: ""))
      ]
      if finished { sample.records.append(.finished(seconds: 2)) }
      let path = folder.path("state/\(name)")
      try Data(sample.bytes).write(to: URL(filePath: path))
      try Program.mustRun("chmod", "0600", path)
      return try journals.look(at: path)
    }

    func names() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: folder.path("state")).sorted()
    }
  }

  private func refusal(_ marks: OriginMarks, for own: OpenJournal? = nil) -> MergeError.Code? {
    do throws(MergeError) {
      try marks.check(for: own)
      return nil
    } catch {
      return error.code
    }
  }

  @Test(
    "a mark blocks every merge except the one whose journal it names, until that merge finishes")
  func mark() throws {
    let disk = try Disk()
    let own = try disk.journal("own")
    let other = try disk.journal("other", deviceID: 6)
    try disk.marks().set(own, isUsualPlace: false)
    #expect(
      try disk.names() == ["other", "own", "wwid-t10.ATA%20%20Disk%201.mark.0-end"])
    #expect(refusal(disk.marks()) == .otherMergeUnfinished)
    #expect(refusal(disk.marks(), for: other) == .otherMergeUnfinished)
    #expect(refusal(disk.marks(), for: own) == nil)
    #expect(refusal(disk.marks(identity: "wwid-t10.ATA  Disk_1")) == nil)
    disk.marks().finish(other)
    #expect(refusal(disk.marks()) == .otherMergeUnfinished)
    disk.marks().finish(own)
    #expect(refusal(disk.marks()) == nil)
    #expect(
      try disk.names() == ["other", "own", "wwid-t10.ATA%20%20Disk%201.finished.0-end"])
  }

  @Test("a mark blocks only merges that overlap its range")
  func ranges() throws {
    let disk = try Disk()
    let own = try disk.journal("own")
    try disk.marks(1024..<2048).set(own, isUsualPlace: true)
    for range in [0..<UInt64.max, 0..<1025, 2047..<4096, 1024..<2048] as [Range<UInt64>] {
      #expect(refusal(disk.marks(range)) == .otherMergeUnfinished, "\(range)")
    }
    for range in [0..<1024, 2048..<UInt64.max] as [Range<UInt64>] {
      #expect(refusal(disk.marks(range)) == nil, "\(range)")
    }
  }

  @Test("a mark left by a finished merge no longer blocks other merges, and settling removes it")
  func finished() throws {
    let disk = try Disk()
    let own = try disk.journal("own", finished: true)
    try disk.marks().set(own, isUsualPlace: true)
    #expect(refusal(disk.marks()) == nil)
    disk.marks().removeSettled()
    #expect(try disk.names() == ["own"])
  }

  @Test(
    "an origin is refused if the journal its mark names is missing, replaced or writable by others")
  func doubts() throws {
    let disk = try Disk()
    try disk.marks().set(try disk.journal("own"), isUsualPlace: true)
    #expect(refusal(disk.marks()) == .otherMergeUnfinished)
    try Program.mustRun("chmod", "0666", disk.folder.path("state/own"))
    #expect(refusal(disk.marks()) == .markWithoutJournal)
    let other = try disk.journal("own", deviceID: 6, finished: true)
    #expect(refusal(disk.marks()) == .markWithoutJournal)
    #expect(refusal(disk.marks(), for: other) == .markWithoutJournal)
    try Program.remove(disk.folder.path("state/own"))
    #expect(refusal(disk.marks()) == .markWithoutJournal)
    disk.marks().removeSettled()
    #expect(refusal(disk.marks()) == .markWithoutJournal)
  }

  @Test("a mark on a disk without an identity is valid only until the next boot")
  func boots() throws {
    let disk = try Disk()
    try disk.marks(identity: "").set(try disk.journal("own"), isUsualPlace: true)
    #expect(refusal(disk.marks(identity: "")) == .otherMergeUnfinished)
    #expect(refusal(disk.marks(identity: "", bootID: "the next boot")) == nil)
  }

  @Test("a mark on a file remains valid after a reboot, even if the file system has no birth times")
  func bootsOfFile() throws {
    let disk = try Disk()
    func marks(bootID: String) -> OriginMarks {
      OriginMarks(
        of: disk.origin, range: ByteRange(start: 0, end: .max), identity: "",
        place: MarkPlace(
          in: disk.origin, named: "inode-1-on-8:0", isOfBoot: true,
          stateFolder: disk.journals.stateFolder),
        bootID: bootID, journals: disk.journals)
    }
    try marks(bootID: "this boot").set(try disk.journal("own"), isUsualPlace: true)
    #expect(refusal(marks(bootID: "the next boot")) == .otherMergeUnfinished)
  }

  @Test("a new mark replaces all marks that overlap its range")
  func replaced() throws {
    let disk = try Disk()
    try disk.marks(0..<2048).set(try disk.journal("first"), isUsualPlace: true)
    try disk.marks(8192..<9000).set(try disk.journal("second"), isUsualPlace: true)
    let third = try disk.journal("third", deviceID: 6)
    try disk.marks(0..<4096).set(third, isUsualPlace: true)
    #expect(try disk.names().filter { $0.contains(".mark.") }.count == 2)
    #expect(refusal(disk.marks(0..<4096), for: third) == nil)
    #expect(refusal(disk.marks(8192..<9000)) == .otherMergeUnfinished)
  }

  @Test("a mark survives an encode/decode round trip, whatever its journal path contains")
  func coding() {
    for path in ["/a/b", "", "/with\nlines\n", PathText.text([0x2F, 0xE9, 0x0A])] {
      let mark = OriginMark(journalID: "1", identity: "file-2", bootID: "", journalPath: path)
      #expect(OriginMark(decoding: mark.encoded) == mark)
    }
    #expect(OriginMark(decoding: []) == nil)
    #expect(OriginMark(decoding: Array("thin-merge 2\na\nb\nc\nd".utf8)) == nil)
  }
}
