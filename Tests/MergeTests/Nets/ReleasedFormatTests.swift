import Foundation
import MergeEngine
import Testing

@testable import thin_merge

/// Tests that this version can read the full content of files written by released versions.
///
/// The files are never regenerated, because later versions must be able to read what earlier
/// versions wrote.
@Suite("Formats: files written by released versions")
struct ReleasedFormatTests {
  private static func path(_ name: String) throws -> String {
    try ReleasedFormats.made.get()
    return PackageFolder.path(ReleasedFormats.folder + name)
  }

  @Test("an unfinished 0.1.0 journal is read with its run count, progress and unreadable ranges")
  func unfinished() throws {
    let state = try JournalOnDisk.state(of: try Self.path("unfinished.journal"))
    #expect(!state.isFinished && !state.isVerified && !state.hasTornEnd)
    #expect(state.attemptCount == 2)
    #expect(
      state.unreadable.ranges == [
        ByteRange(start: 30 * 65_536, end: 31 * 65_536),
        ByteRange(start: 33 * 65_536, end: 33 * 65_536 + 40_001),
      ])
    #expect(state.doneByteCount == 10 * 65_536)
    let reader = try JournalOnDisk.reader(of: try Self.path("unfinished.journal"))
    let header = reader.header
    #expect(header.deviceID == 0 && header.dataBlockByteCount == 65_536)
    #expect(header.plannedByteCount == 11 * 65_536 + 40_001)
    #expect(header.endByteOffset == 33 * 65_536 + 40_001)
    #expect(header.metadataPath == "/srv/thin-merge/metadata.img")
    #expect(header.dataPath == "/srv/thin-merge/data.img")
    #expect(header.originPath == "/srv/thin-merge/origin.img")
  }

  @Test("a finished journal written by 0.1.0 is read as finished and verified")
  func finished() throws {
    let state = try JournalOnDisk.state(of: try Self.path("finished.journal"))
    #expect(state.isFinished && state.isVerified && !state.hasTornEnd)
    #expect(state.attemptCount == 1 && state.unreadable.isEmpty)
    #expect(state.doneByteCount == 11 * 65_536 + 40_001)
  }

  @Test(
    "status reports the correct state and progress for journals written by 0.1.0",
    arguments: [
      ("unfinished", StatusReport.State.stopped, 655_360), ("finished", .verified, 760_897),
    ])
  func status(name: String, state: StatusReport.State, doneByteCount: UInt64) throws {
    let report = try EngineInProcess.merger.status(journalPath: try Self.path(name + ".journal"))
    #expect(report.state == state)
    #expect(report.doneByteCount == doneByteCount)
    #expect(report.totalByteCount == 760_897)
    #expect(report.originPath == "/srv/thin-merge/origin.img")
  }

  @Test("a journal written by 0.1.0 is read, including its checkpoint entries and their checksums")
  func entries() throws {
    let bytes = try content(of: try Self.path("finished.journal"))
    let entries = try JournalOnDisk.entries(of: try Self.path("finished.journal"))
    #expect(bytes.count == 20_480)
    #expect(entries.count == 13)
    #expect(entries.first?.range == ByteRange(start: 0, end: 65_536))
    #expect(entries.map(\.checksum) == Self.checksums)
  }

  // The CRC-32C of each mapped block, in the origin's order, followed by that of the unaligned
  // tail.
  private static let checksums: [UInt32] = [
    1917618504, 2143651671, 1767806326, 1691851625, 1147711796, 1239531307, 1601875210, 1391698709,
    503642544, 328071087, 85386638, 2766634578, 3337759369,
  ]

  @Test("a 0.1.0 pool record with a snapshot is read, including everything that must be undone")
  func snapshot() throws {
    let record = try Self.record("snapshot.json")
    #expect(record.format == 1 && !record.isSettled && record.removals.isEmpty)
    let hold = try #require(record.metadataHold)
    #expect(hold.timeBefore == 2 && hold.transactionBefore == 7)
    #expect(hold.held?.time == 2 && hold.held?.transactionID == 7)
    let snapshot = try #require(record.snapshots.first)
    #expect(record.snapshots.count == 1)
    #expect(snapshot.deviceID == 16_777_215 && snapshot.originalID == 5)
    #expect(snapshot.timeBefore == 1 && snapshot.creationTime == 2)
    #expect(snapshot.isMade && snapshot.hasBegun && snapshot.isMerged)
    #expect(!snapshot.mayBeSuspended)
    #expect(snapshot.thinDevice?.name == "vm" && snapshot.thinDevice?.uuid == "THIN-vm")
    #expect(snapshot.thinDevice?.bootID == "tests")
    #expect(snapshot.thinDevice?.number == DeviceNumber(major: 253, minor: 301))
  }

  @Test(
    "a 0.1.0 pool record with a removed device is read, including everything that must be undone")
  func removal() throws {
    let record = try Self.record("removal.json")
    #expect(record.format == 1 && !record.isSettled && record.snapshots.isEmpty)
    let removal = try #require(record.removals.first)
    #expect(record.removals.count == 1 && removal.isPutBack && !removal.staysRemoved)
    #expect(removal.bootID == "tests" && removal.device.name == "vm")
    #expect(removal.device.uuid == "THIN-vm")
    #expect(removal.device.liveTable.map(\.kind) == ["thin"])
    #expect(removal.device.liveTable.map(\.sectorCount) == [3072])
    #expect(removal.device.liveTable.first?.arguments.hasPrefix("253:300 5 7:") == true)
  }

  private static func record(_ name: String) throws -> PoolState {
    try JSONDecoder().decode(PoolState.self, from: content(of: path(name)))
  }

  @Test("a pool state with every field set survives a decode/encode round trip")
  func everyFieldOfAPoolState() throws {
    let device = """
      {"name": "vm", "uuid": "id", "number": {"major": 253, "minor": 7}, "openCount": 1,
       "isReadOnly": true, "isSuspended": true, "liveTable": [\(Self.line)],
       "inactiveTable": [\(Self.line)]}
      """
    let known = """
      {"name": "vm", "uuid": "id", "number": {"major": 253, "minor": 7}, "bootID": "boot"}
      """
    let written = Data(
      """
      {"format": 1, "requiredFeatures": 3,
       "hold": {"timeBefore": 1, "transactionBefore": 2, "mappingRootBefore": 3,
         "detailsRootBefore": 4, "writtenFrom": 10,
         "taken": {"block": 5, "mappingRoot": 6, "detailsRoot": 7, "time": 8, "transactionID": 9}},
       "snapshots": [{"deviceID": 11, "originalID": 12, "thinDevice": \(known), "timeBefore": 13,
         "creationTime": 14, "originName": "base", "journalID": "j-1", "isMade": true, "mayBeSuspended": false, "hasBegun": true,
         "isMerged": true}],
       "removals": [{"device": \(device), "bootID": "boot", "originName": "base",
         "isPutBack": true, "isLeft": true}],
       "madeWritable": [\(known)]}
      """.utf8)
    let state = try JSONDecoder().decode(PoolState.self, from: written)
    let again = try JSONEncoder().encode(state)
    #expect(
      try JSONDecoder().decode(JSONValue.self, from: again)
        == JSONDecoder().decode(JSONValue.self, from: written))
  }

  private static let line = """
    {"startSector": 0, "sectorCount": 8, "kind": "thin", "arguments": "253:1 5 253:0"}
    """
}
