import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// Journals that are damaged, locked, or of another merge.
enum WhyAJournalIsNotUsed {
  static let rows =
    notReadable + crafted + locked + ofAnother + withoutIdentity + onlyStated
    + WhyAFinishedMergeIsNotMerged.rows

  private static let notReadable: [ErrorRow] = [
    ErrorRow(
      "another file", .journalConflict,
      "cannot use the journal, FOLDER/metadata.img: it is not a journal of thin-merge",
      hints: [
        """
        'thin-merge plan' names the journal of a merge, and --journal gives it another place
        """
      ],
      command: { merge in
        try ThinMergeCommand.run(["status", merge.metadata])
      }),
    ErrorRow(
      "another file, to be put aside", .journalConflict,
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: it is not a journal of \
      thin-merge
      """,
      hints: [
        """
        'thin-merge plan' names the journal of a merge, and --journal gives it another place
        """
      ],
      command: { merge in
        try Data("these are my notes\n".utf8).write(to: URL(filePath: merge.journal))
        return try merge.merge(["--restart"])
      }),
    damaged(
      "cut within its first bytes",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: it is cut short within its \
      header
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]
    ) { $0.prefix(12) },
    damaged(
      "cut within its header",
      "cannot use the journal, FOLDER/origin.img.thin-merge: its header is cut short",
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]
    ) { $0.prefix(100) },
    damaged(
      "of a later format",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: its format version is 2; 1 is \
      expected
      """, hints: ["another version of thin-merge wrote it, and reads it"]
    ) { edited($0, at: 8, to: 2) },
    damaged(
      "of a newer version",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: it was written by a newer thin-merge
      """, hints: ["use the version that began this merge"]
    ) { Data(Array($0.prefix(4096)).settingField(50, to: 1)) },
    damaged(
      "with a header of no bytes",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: its header says that it has 0 \
      bytes; a multiple of 4096, up to 1048576, is expected
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]
    ) { edited(edited($0, at: 12, to: 0), at: 13, to: 0) },
    damaged(
      "with a changed header",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: its header's checksum is wrong
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]
    ) { edited($0, at: 40, to: ~$0[40]) },
    damaged(
      "with a header that lacks something",
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: its header lacks a field that \
      this version needs
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]
    ) { journal in
      var header = Array(journal.prefix(12)) + [0, 16, 0, 0]
      header += [UInt8](repeating: 0, count: 4096 - 4 - header.count)
      var sum = ByteWriter()
      sum.append(CRC32C.checksum(of: RawSpan(_elements: header.span)))
      return Data(header + sum.bytes)
    },
  ]

  private static let crafted = [
    craftedRow(
      "a record of more ranges than one has",
      "cannot use the journal, JOURNAL: the record at byte 8192 cannot be understood",
      hints: [
        """
        perhaps another version of thin-merge wrote it, and reads it; if not, 'thin-merge \
        merge' with --restart puts this journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "data blocks of 512 bytes",
      """
      cannot use the journal, JOURNAL: its header lacks a field that this version needs
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "an entry of more than 64 MiB",
      """
      cannot use the journal, JOURNAL: an entry at byte 8192 has 67109376 bytes; at most \
      67108864 are expected
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "an entry behind the end",
      """
      cannot use the journal, JOURNAL: the checkpoint at byte 8192 names bytes that the \
      merge does not have
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "an unreadable range behind the end",
      """
      cannot use the journal, JOURNAL: the record at byte 8192 names unreadable bytes that \
      the merge does not have
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "entries of more than is planned",
      """
      cannot use the journal, JOURNAL: its entries come to more bytes than the merge has
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "more planned than there is",
      """
      cannot use the journal, JOURNAL: its header lacks a field that this version needs
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "two sweeps of the same half, and a watermark at the end",
      """
      cannot use the journal, JOURNAL: the checkpoint at byte 16384 records bytes again that \
      were not unreadable
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "an entry behind its watermark",
      """
      cannot use the journal, JOURNAL: the checkpoint at byte 12288 records bytes behind its \
      watermark
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "entries that go back",
      """
      cannot use the journal, JOURNAL: the entries at byte 16384 do not follow those \
      before; rising ones are expected
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "more unreadable ranges than a merge goes on with",
      "cannot use the journal, JOURNAL: it names more than 65536 unreadable ranges",
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
    craftedRow(
      "a record that is gone, before others",
      """
      cannot use the journal, JOURNAL: it is damaged: no valid record at byte 4200, but \
      valid ones behind it
      """,
      hints: [
        """
        the origin may be merged in part; 'thin-merge merge' with --restart puts this \
        journal aside and merges from the beginning
        """
      ]),
  ]

  private static let locked: [ErrorRow] = [
    ErrorRow(
      "locked by a merge that runs", .busy,
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: another merge has it locked
      """, hints: ["how far that merge is: thin-merge status FOLDER/origin.img.thin-merge"],
      command: { merge in
        try merge.interruptEarly()
        return try withExtendedLifetime(HeldFile.withFileLock(merge.journal)) { try merge.resume() }
      })
  ]

  private static let ofAnother: [ErrorRow] = [
    ErrorRow(
      "of another thin device", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: it is the journal of \
      device 0, this merge is of device 1
      """,
      hints: [
        """
        the origin is half merged with dev 0: either go on with that merge by 'thin-merge \
        resume FOLDER/origin.img.thin-merge', or put its journal aside with --restart
        """
      ]
    ) {
      let (merge, mergeOfOther) = try Self.twoDevices()
      try merge.interruptEarly()
      return try SaidError(ThinMergeCommand.run(mergeOfOther)).naming([
        (merge.folder.path, "FOLDER")
      ])
    },
    ErrorRow(
      "of other mappings", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the device's mappings \
      changed: the fingerprint is b5302913342f37cb-0a236b67, the journal's \
      c43485fd9f615259-ae57ea57
      """,
      hints: [
        """
        the origin is half merged with dev 0: either go on with that merge by 'thin-merge \
        resume FOLDER/origin.img.thin-merge', or put its journal aside with --restart
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.merge()
      }),
    ErrorRow(
      "of another end", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: it merges up to byte \
      1572864 (--past-end refuse), this merge up to byte 1048576 (--past-end refuse)
      """,
      hints: [
        """
        the origin is half merged with dev 0: either go on with that merge by 'thin-merge \
        resume FOLDER/origin.img.thin-merge', or put its journal aside with --restart
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        return try merge.merge(["--thin-size", "1M"])
      }),
    ErrorRow(
      "of a longer origin", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the origin \
      FOLDER/origin.img has 1576960 bytes; it had 1572864
      """,
      hints: [
        """
        the origin is half merged with dev 0: either go on with that merge by 'thin-merge \
        resume FOLDER/origin.img.thin-merge', or put its journal aside with --restart
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "+4096", merge.origin)
        return try merge.merge()
      }),
    ErrorRow(
      "of another origin, to be gone on with", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the origin \
      FOLDER/copy.img is not the one that was merged onto, FOLDER/origin.img; a copy counts \
      as another (ANOTHER, not ONE)
      """, hints: [sameFile]
    ) {
      try Self.goingOn(withCopyOf: { $0.originFile }, as: "--origin")
    },
    ErrorRow(
      "of another data device, to be gone on with", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the data device \
      FOLDER/copy.img is not the one that was merged from, FOLDER/data.img; a copy counts as \
      another (ANOTHER, not ONE)
      """, hints: [sameFile]
    ) {
      try Self.goingOn(withCopyOf: { $0.dataFile }, as: "--data")
    },
    ErrorRow(
      "of a longer origin, to be gone on with", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the origin \
      FOLDER/origin.img has 1576960 bytes; it had 1572864
      """,
      hints: [
        """
        the origin is half merged with dev 0: either give it the size that it had, or merge \
        from the beginning with 'thin-merge merge' and --restart
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "+4096", merge.origin)
        return try merge.resume()
      }),
    ErrorRow(
      "of other mappings, to be gone on with", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the device's mappings \
      changed: the fingerprint is b5302913342f37cb-0a236b67, the journal's \
      c43485fd9f615259-ae57ea57
      """,
      hints: [
        """
        the origin is half merged with dev 0: either give the metadata as it was, or merge \
        from the beginning with 'thin-merge merge' and --restart
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.resume()
      }),
    ErrorRow(
      "of a finished merge of other mappings, to be gone on with", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the device's mappings \
      changed: the fingerprint is b5302913342f37cb-0a236b67, the journal's \
      c43485fd9f615259-ae57ea57
      """, hints: ["'thin-merge merge' with --journal and another path keeps this one"],
      command: { merge in
        expectSuccess(try merge.merge())
        try merge.replaceMappings(merge.mappings.dropLast())
        return try merge.resume(["--again", "--yes"])
      }),
    ErrorRow(
      "left at the usual place", .journalConflict,
      """
      the origin is half merged, FOLDER/origin.img.thin-merge: a merge of dev 0 is \
      recorded there and not finished
      """,
      hints: [
        """
        either go on with it by 'thin-merge resume FOLDER/origin.img.thin-merge', or give \
        --restart if that merge is given up
        """
      ],
      command: { merge in
        try merge.interruptEarly()
        return try merge.merge(["--journal", merge.folder.path("other.journal")])
      }),
  ]

  private static let sameFile =
    "give the path of the same file or device; to merge with another one, begin again with "
    + "'thin-merge merge' and --restart"

  /// What only root can bring about: loop devices, and somebody with fewer rights.
  static let asRoot: [ErrorRow] = [
    ErrorRow(
      "that may not be put aside", .refused,
      "cannot put the journal aside, FOLDER/origin.img.thin-merge: Permission denied",
      hints: ["its folder has to be writable"],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("chmod", "0666", merge.journal, merge.origin)
        return try ThinMergeCommand.runAsNobody(
          merge.mergeArguments(["--restart"]), in: merge.folder)
      }),
    ErrorRow(
      "a block device", .refused,
      """
      cannot use the journal, FOLDER/node: it is a block device; a regular file is \
      expected
      """,
      command: { merge in
        let spare = merge.folder.path("spare.img")
        try Program.mustRun("truncate", "--size", "1M", spare)
        let device = try LoopDevice(backing: spare)
        merge.journal = merge.folder.path("node")
        try Program.mustRun("cp", "-a", device.path, merge.journal)
        let said = try merge.merge(["--journal", merge.journal])
        for verb in [["status"], ["resume"], ["verify", "--journal"]] {
          let other = try ThinMergeCommand.run(verb + [merge.journal])
          #expect(try SaidError(other) == SaidError(said), "\(verb)")
        }
        return said
      }),
    ErrorRow(
      "of another device", .journalConflict,
      """
      the journal is of another merge, FOLDER/origin.img.thin-merge: the origin DEVICE is \
      not the one that was merged onto, EARLIER; a copy counts as another (loop-SECOND, not \
      loop-FIRST)
      """,
      hints: [sameFile]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let first = try LoopDevice(backing: merge.originFile)
      merge.origin = first.path
      try merge.interruptEarly(["--yes", "--journal", merge.journal])
      let copy = merge.folder.path("copy.img")
      try Program.mustRun("cp", merge.originFile, copy)
      let second = try LoopDevice(backing: copy)
      let said = try SaidError(merge.resume(["--origin", second.path, "--yes"]))
      let names = try [merge.originFile, copy].map { try Self.identity(of: $0) }
      return said.naming([
        (merge.folder.path, "FOLDER"), (first.path, "EARLIER"), (second.path, "DEVICE"),
        (names[0], "FIRST"),
        (names[1], "SECOND"),
      ])
    },
  ]

  private static let withoutIdentity: [ErrorRow] = [
    foundInPlace(
      "of devices without identity, after a boot",
      "cannot tell whether these are the same devices, JOURNAL: a device of this merge has no "
        + "identity, and the system was booted since",
      hints: ["give --same-origin if they are the same"]
    ) { journal, wanted in
      journal.originIdentity.name = ""
      wanted.originIdentity.name = ""
      journal.bootID = "the boot before"
    },
    foundInPlace(
      "of a device without identity, in whose place is another one in the same boot",
      "cannot tell whether these are the same devices, JOURNAL: the origin has no identity, and is "
        + "device 43:1 at /dev/nbd1; it was device 43:0 at /dev/nbd0",
      hints: ["give --same-origin if they are the same"], originPlace: "device 43:1 at /dev/nbd1"
    ) { journal, wanted in
      journal.originIdentity.name = ""
      wanted.originIdentity.name = ""
      journal.bootID = "boot"
    },
    foundInPlace(
      "of a data device without identity, in whose place is another one in the same boot",
      "cannot tell whether these are the same devices, JOURNAL: the data device has no identity, and "
        + "is inode 8 on 0:40; it was inode 7 on 0:40",
      hints: ["give --same-origin if they are the same"], dataPlace: "inode 8 on 0:40"
    ) { journal, wanted in
      journal.dataIdentity.name = ""
      wanted.dataIdentity.name = ""
      journal.bootID = "boot"
    },
    foundInPlace(
      "of a device with a name, in whose place is one without",
      "the journal is of another merge, JOURNAL: the origin /srv/é base.img is not the one that was "
        + "merged onto; a copy counts as another (without identity, not file-12-3.4)",
      hints: [sameFile]
    ) { _, wanted in
      wanted.originIdentity.name = ""
    },
  ]

  /// Where the system refuses a call on the journal.
  static let refused: [ErrorRow] = [
    ErrorRow(
      "that cannot be locked", .refused,
      "cannot lock the journal, FOLDER/origin.img.thin-merge: No locks available",
      hints: ["its file system has to be one with locks"],
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "flock", on: merge.journal, with: "ENOLCK")
      }),
    ErrorRow(
      "that cannot be flushed", .refused,
      "cannot make the journal durable, FOLDER/origin.img.thin-merge: Input/output error",
      hints: ["the kernel's log may say more about the device that it is on"],
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "fsync,fdatasync", on: merge.journal, with: "EIO")
      }),
    ErrorRow(
      "of a merge that did not begin, and not to be removed", .refused,
      "cannot remove the journal, FOLDER/origin.img.thin-merge: Read-only file system",
      hints: ["its folder has to be writable"],
      command: { merge in
        try Data(JournalSample().bytes).write(to: URL(filePath: merge.journal))
        return try merge.run(
          merge.mergeArguments(), refusing: "?unlink,unlinkat", on: merge.journal, with: "EROFS")
      }),
    ErrorRow(
      "whose torn end cannot be cut", .refused,
      "cannot cut the journal's torn end, FOLDER/origin.img.thin-merge: Read-only file system",
      hints: [
        "nothing was changed; see to the journal's file system, then give the same command again"
      ],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("truncate", "--size", "-1", merge.journal)
        return try merge.run(
          merge.mergeArguments(), refusing: "ftruncate", on: merge.journal, with: "EROFS")
      }),
    ErrorRow(
      "that cannot be read", .refused,
      "cannot read the journal, FOLDER/origin.img.thin-merge: Input/output error",
      hints: ["the kernel's log may say more about the device that it is on"],
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          ["status", merge.journal], refusing: "pread64", on: merge.journal, with: "EIO")
      }),
  ]

  private static let onlyStated: [ErrorRow] = [
    ErrorRow(
      onlyStated: "a journal that another program writes to in that moment", .journalConflict,
      "cannot use the journal, JOURNAL: it changed at byte 4096 while being read",
      hints: [
        "the origin may be merged in part; 'thin-merge merge' with --restart puts this journal aside "
          + "and merges from the beginning"
      ])
  ]

  // MARK: Preparing

  private static func damaged(
    _ how: String, _ message: String, hints: [String] = [],
    _ damage: @escaping @Sendable (Data) throws -> Data
  ) -> ErrorRow {
    ErrorRow(
      how, .journalConflict, message, hints: hints,
      command: { merge in
        expectSuccess(try merge.merge())
        try damage(content(of: merge.journal)).write(to: URL(filePath: merge.journal))
        return try ThinMergeCommand.run(["status", merge.journal])
      })
  }

  private static func edited(_ journal: Data, at place: Int, to value: UInt8) -> Data {
    var journal = journal
    journal[place] = value
    return journal
  }

  private static func craftedRow(
    _ name: String, _ message: String, hints: [String] = []
  ) -> ErrorRow {
    ErrorRow(name, .journalConflict, message, hints: hints) {
      let journal = try #require(CraftedJournalTests.journals[name])
      let scratch = try JournalScratch()
      guard case .refused(let error) = try scratch.verdict(on: journal.bytes) else {
        throw SupportError("believed")
      }
      return SaidError(error).naming([(error.place, "JOURNAL")])
    }
  }

  /// A journal that is found in the place of a wanted one, both as `describe` has them.
  private static func foundInPlace(
    _ situation: String, _ message: String, hints: [String],
    dataPlace: String = "inode 7 on 0:40", originPlace: String = "device 43:0 at /dev/nbd0",
    _ describe:
      @escaping @Sendable (_ journal: inout JournalHeader, _ wanted: inout JournalHeader)
      -> Void
  ) -> ErrorRow {
    ErrorRow(situation, .journalConflict, message, hints: hints) {
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
        return SaidError(error).naming([(path, "JOURNAL")])
      }
      throw SupportError("used")
    }
  }

  private static func twoDevices() throws -> (merge: MergeCase, mergeOfOther: [String]) {
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

  /// An unfinished merge is gone on with, and in place of a file there is a copy of it.
  private static func goingOn(
    withCopyOf file: (MergeCase) -> String, as option: String
  ) throws -> SaidError {
    let merge = try MergeCase(scatteredBlocks: 8)
    try merge.interruptEarly()
    let (path, copy) = (file(merge), merge.folder.path("copy.img"))
    try Program.mustRun("cp", path, copy)
    let names = try [path, copy].map { try Self.identity(of: $0) }
    return try SaidError(merge.resume([option, copy])).naming([
      (merge.folder.path, "FOLDER"), (names[0], "ONE"), (names[1], "ANOTHER"),
    ])
  }

  /// What the journal calls a file.
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

@Suite("Errors: why a journal is not used", .waitsForPrograms)
struct JournalErrorTests {
  @Test("in these words", arguments: WhyAJournalIsNotUsed.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }

  @Test(
    "as root brings them about, in these words", .needsLoopDevices,
    arguments: WhyAJournalIsNotUsed.asRoot)
  func wordsAsRoot(row: ErrorRow) throws { try row.check() }

  @Test(
    "where the system refuses a call, in these words", .needsTracing,
    arguments: WhyAJournalIsNotUsed.refused)
  func wordsOfRefusals(row: ErrorRow) throws { try row.check() }
}
