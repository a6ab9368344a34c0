import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: journals that belong to another merge", .waitsForPrograms)
struct JournalMatchErrorTests {
  @Test(
    "every use of another merge's journal causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "a device that differs from the one in the journal causes the expected code and exit status",
    .needsLoopDevices, arguments: ofDevices)
  func ofDevice(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = ofAnother + withoutIdentity

  private static let ofAnother: [ErrorSituation] = [
    ErrorSituation(
      "the journal is of another thin device", "journal-of-other-thin-device", .journalConflict
    ) {
      let (merge, mergeOfOther) = try Self.twoDevices()
      try merge.interruptEarly()
      return try ReportedError(ThinMergeCommand.run(mergeOfOther)).followed().naming([
        (merge.folder.path, "FOLDER")
      ])
    },
    ErrorSituation(
      "a merge is resumed that was given up", "journal-given-up", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        expectSuccess(try merge.merge(["--restart"]))
        return try ThinMergeCommand.run(["resume", merge.journal + ".old", "--yes"])
      }),
    ErrorSituation(
      "a merge is resumed by a copy of its journal that was made before it finished",
      "journal-overtaken", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        let copy = merge.folder.path("copy")
        try Program.mustRun("cp", "-p", merge.journal, copy)
        expectSuccess(try merge.merge())
        return try ThinMergeCommand.run(["resume", copy, "--yes"])
      }),
    ErrorSituation(
      "the journal is of other mappings", "journal-of-other-mappings", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.merge()
      }),
    ErrorSituation(
      "the journal is of another end", "journal-of-other-end", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        return try merge.merge(["--thin-size", "1M"])
      }),
    ErrorSituation(
      "the origin became longer after the journal was made", "journal-of-other-size",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "+4096", merge.origin)
        return try merge.merge()
      }),
    ErrorSituation(
      "a merge is resumed with a copy of the origin", "journal-of-other-device", .journalConflict
    ) {
      try Self.goingOn(withCopyOf: { $0.originFile }, as: "--origin")
    },
    ErrorSituation(
      "a merge is resumed with a copy of the data device", "journal-of-other-device",
      .journalConflict
    ) {
      try Self.goingOn(withCopyOf: { $0.dataFile }, as: "--data")
    },
    ErrorSituation(
      "a merge is resumed with another data device that is said to be a copy", "no-copy-of-data",
      .journalConflict,
      command: { merge in
        try merge.interruptMerge(["--rate-limit", "256k"])
        let copy = merge.folder.path("copy.img")
        try Data(count: merge.dataBefore.count).write(to: URL(filePath: copy))
        return try merge.resume(["--data", copy, "--same-data"])
      }),
    ErrorSituation(
      "origin and copy of the data device lack the same merged bytes", "merged-bytes-lost",
      .stopped,
      command: { merge in
        try merge.interruptMerge(["--rate-limit", "256k"])
        let copy = merge.folder.path("copy.img")
        var content = merge.dataBefore
        content.replaceSubrange(0..<512, with: Data(count: 512))
        try content.write(to: URL(filePath: copy))
        let origin = try FileHandle(forUpdating: URL(filePath: merge.originFile))
        try origin.write(contentsOf: merge.before.prefix(512))
        try origin.close()
        return try merge.resume(["--data", copy, "--same-data"])
      }),
    ErrorSituation(
      "a copy of the data device of a finished merge is merged", "other-merge-finished",
      .journalConflict
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      merge.data = merge.folder.path("copy.img")
      try Program.mustRun("cp", merge.dataFile, merge.data)
      let names = try [merge.dataFile, merge.data].map { try Self.identity(of: $0) }
      return try ReportedError(merge.merge()).followed().naming([
        (merge.folder.path, "FOLDER"), (names[0], "ONE"), (names[1], "ANOTHER"),
      ])
    },
    ErrorSituation(
      "a merge is resumed after its origin became longer", "journal-of-other-size",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "+4096", merge.origin)
        return try merge.resume()
      }),
    ErrorSituation(
      "a merge is resumed after its origin became shorter than its mappings",
      "journal-of-other-size", .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "512K", merge.origin)
        return try merge.resume()
      }),
    ErrorSituation(
      "a merge is resumed after its mappings changed", "journal-of-other-mappings",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.resume()
      }),
    ErrorSituation(
      "a finished merge is resumed after its mappings changed", "journal-of-other-mappings",
      .journalConflict,
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.resume(["--again", "--yes"])
      }),
    ErrorSituation(
      "an unfinished merge is recorded at the usual place", "other-merge-unfinished",
      .journalConflict,
      command: { merge in
        try merge.interruptEarly()
        return try merge.merge(["--journal", merge.folder.path("other.journal")])
      }),
  ]

  private static let withoutIdentity: [ErrorSituation] = [
    foundInPlace("the system was booted, and the origin has no identity", "device-not-identified") {
      journal, wanted in
      journal.originIdentity.name = ""
      wanted.originIdentity.name = ""
      journal.bootID = "the boot before"
    },
    foundInPlace(
      "an origin without identity is at another place", "device-not-identified",
      originPlace: "device 43:1 at /dev/nbd1"
    ) { journal, wanted in
      journal.originIdentity.name = ""
      wanted.originIdentity.name = ""
      journal.bootID = "boot"
    },
    foundInPlace(
      "a data device without identity is at another place", "device-not-identified",
      dataPlace: "inode 8 on 0:40"
    ) { journal, wanted in
      journal.dataIdentity.name = ""
      wanted.dataIdentity.name = ""
      journal.bootID = "boot"
    },
    foundInPlace(
      "an origin without identity is in place of one with identity", "device-not-identified"
    ) { _, wanted in
      wanted.originIdentity.name = ""
    },
    foundInPlace(
      "a data device with identity is in place of one without identity", "device-not-identified"
    ) { journal, _ in
      journal.dataIdentity.name = ""
    },
  ]

  static let ofDevices: [ErrorSituation] = [
    ErrorSituation(
      "a merge is resumed from a data device without identity that has other bytes now",
      "data-not-as-recorded", .journalConflict
    ) {
      let (merge, device) = try MergeCase.stoppedOnUnidentifiedData()
      try overwrite(device.path, with: Data(repeating: 0x5a, count: merge.dataBefore.count))
      let said = try ReportedError(merge.resume()).followed().naming([
        (merge.folder.path, "FOLDER"), (device.path, "DEVICE"),
      ])
      let counts = said.message.matches(of: /\b\d+ of the first \d+/).map { String($0.0) }
      return said.naming(counts.map { ($0, "COUNT of the first COUNT") })
    },
    ErrorSituation(
      "a merge is resumed with another loop device as origin", "journal-of-other-device",
      .journalConflict
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let first = try LoopDevice(backing: merge.originFile)
      merge.origin = first.path
      try merge.interruptEarly(["--yes", "--journal", merge.journal])
      let copy = merge.folder.path("copy.img")
      try Program.mustRun("cp", merge.originFile, copy)
      let second = try LoopDevice(backing: copy)
      let said = try ReportedError(merge.resume(["--origin", second.path, "--yes"]))
      let names = try [merge.originFile, copy].map { try Self.identity(of: $0) }
      return said.naming([
        (merge.folder.path, "FOLDER"), (first.path, "EARLIER"), (second.path, "DEVICE"),
        (names[0], "FIRST"),
        (names[1], "SECOND"),
      ])
    },
  ]

  // MARK: Preparation

  /// Returns a situation in which another journal is in place of the expected one; `describe` sets
  /// the contents of both.
  private static func foundInPlace(
    _ name: String, _ code: String,
    dataPlace: String = "inode 7 on 0:40", originPlace: String = "device 43:0 at /dev/nbd0",
    _ describe:
      @escaping @Sendable (_ journal: inout JournalHeader, _ wanted: inout JournalHeader)
      -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, .journalConflict) {
      var (journal, wanted) = (JournalSample.header, JournalSample.header)
      describe(&journal, &wanted)
      let folder = try TemporaryFolder()
      let path = folder.path("journal")
      let run = JournalRecord.attempt(
        JournalRecord.Attempt(
          seconds: 1, bootID: journal.bootID, metadataPath: "meta", dataPath: "data",
          originPath: "origin", dataPlace: "inode 7 on 0:40",
          originPlace: "device 43:0 at /dev/nbd0"))
      try Data(JournalSample(header: journal, records: [run]).bytes).write(to: URL(filePath: path))
      do throws(MergeError) {
        _ = try Environment().journals.find(
          path,
          match: JournalMatch(
            wanted: wanted, bootID: "boot", originIsTheSame: false, dataPlace: dataPlace,
            originPlace: originPlace),
          restarts: false)
      } catch {
        return ReportedError(error).naming([(path, "JOURNAL")])
      }
      throw SupportError("used")
    }
  }

  static func twoDevices() throws -> (merge: MergeCase, mergeOfOther: [String]) {
    let builder = PoolImageBuilder(devices: [
      ThinDevice(0, .everyThird(count: 8)),
      ThinDevice(1, .everyThird(count: 8, startingAt: 1, dataBlock: 100)),
    ])
    let merge = try MergeCase(pool: builder.build(), originByteCount: 24 * 65_536)
    let arguments = [
      "merge", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "1",
      "--origin", merge.origin,
    ]
    return (merge, arguments)
  }

  /// Resumes an unfinished merge after one of its files was replaced with a copy.
  private static func goingOn(
    withCopyOf file: (MergeCase) -> String, as option: String
  ) throws -> ReportedError {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let (path, copy) = (file(merge), merge.folder.path("copy.img"))
    try Program.mustRun("cp", path, copy)
    let names = try [path, copy].map { try Self.identity(of: $0) }
    return try ReportedError(merge.resume([option, copy])).followed().naming([
      (merge.folder.path, "FOLDER"), (names[0], "ONE"), (names[1], "ANOTHER"),
    ])
  }

  /// Returns the identity under which a journal records the file.
  private static func identity(of path: String) throws -> String {
    DeviceIdentity(try OpenFile(path, role: "file", access: .readOnly)).name
  }
}

extension MergeCase {
  func replaceMappings(_ mappings: some Sequence<ThinMapping>) throws {
    let pool = PoolImageBuilder(devices: [ThinDevice(0, Array(mappings))]).build()
    try overwrite(metadataFile, with: pool.metadata.data)
  }
}
