import Fixtures
import Foundation
import SystemPackage
import Testing

@testable import MergeEngine
@testable import thin_merge

/// What ends a verb that has begun.
enum WhyAMergeStopped {
  static let rows = signals + devices + changes + comparisons + onlyStated

  private static let signals: [ErrorRow] = [
    ErrorRow(
      "a signal", .stopped,
      "interrupted, FOLDER/origin.img: a signal came; what is recorded is durable",
      hints: ["to go on: thin-merge resume FOLDER/origin.img.thin-merge"],
      command: { merge in
        try merge.interruptEarly()
      }),
    ErrorRow(
      "a signal while the mappings are read", .stopped,
      """
      interrupted, FOLDER/metadata.img: a signal came while the mappings were being read; \
      nothing was written
      """
    ) {
      var builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 70))])
      builder.leafEntryCount = 1
      let merge = try MergeCase(pool: builder.build(), originByteCount: 210 * 65_536)
      let interruption = Interruption()
      interruption.request()
      return try merge.stopped(by: interruption)
    },
    ErrorRow(
      "a signal while room is taken for holes", .stopped,
      """
      interrupted, FOLDER/origin.img: a signal came while its holes were being allocated; \
      nothing was written
      """
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try Program.mustRun("truncate", "--size", "0", merge.origin)
      try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
      let interruption = Interruption()
      return try merge.stopped(by: interruption) { interruption.request() }
    },
  ]

  private static let devices: [ErrorRow] = [
    ErrorRow(
      "a source that cannot be read in places", .stopped,
      """
      some blocks cannot be read, FOLDER/data.img: 327680 bytes in 5 ranges; everything \
      else is merged
      """,
      hints: [
        """
        once the cause is gone, this tries only those: thin-merge resume \
        FOLDER/origin.img.thin-merge
        """
      ]
    ) {
      let merge = try MergeCase(scatteredBlocks: 40)
      let running = try merge.startMerge(MergeCase.slowly)
      try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
      try Program.mustRun("truncate", "--size", "\(35 * merge.blockByteCount)", merge.dataFile)
      return try SaidError(running.wait()).naming([(merge.folder.path, "FOLDER")])
    },
    ErrorRow(
      "an origin that cannot be written", .stopped,
      "cannot write to the origin, FOLDER/origin.img, byte 1179648: File too large",
      hints: ["to go on: thin-merge resume FOLDER/origin.img.thin-merge"],
      command: { merge in
        try merge.merge(
          ["--io-size", "64k", "--queue-depth", "1"], under: ["prlimit", "--fsize=\(1 << 20)"])
      }),
    ErrorRow(
      "an origin that cannot be extended", .stopped,
      "cannot extend the origin, FOLDER/origin.img: to 1441792 bytes: File too large",
      hints: ["to go on: thin-merge resume FOLDER/origin.img.thin-merge"],
      command: { merge in
        try Program.mustRun("truncate", "--size", "512K", merge.origin)
        return try merge.merge(["--past-end", "grow"], under: ["prlimit", "--fsize=\(1 << 20)"])
      }),
    failing(
      "a flush of the origin",
      "cannot make the origin's blocks durable, origin: Input/output error",
      hints: ["to go on: thin-merge resume journal"]
    ) { $0.failing[DiskFaults.Class(.flush, .target)] = 1 },
    failing(
      "a flush of the journal", "cannot make the journal durable, journal: Input/output error",
      hints: ["to go on: thin-merge resume journal"]
    ) { $0.failing[DiskFaults.Class(.flush, .journal)] = 2 },
    failing(
      "a journal without room", "cannot append to the journal, journal: No space left on device",
      hints: ["to go on: thin-merge resume journal"]
    ) { $0.fullFrom[.journal] = 2 },
  ]

  private static let changes: [ErrorRow] = [
    changing(
      "a metadata snapshot that was released",
      """
      cannot use the metadata, FOLDER/metadata.img, block 0: no metadata snapshot is held
      """,
      hints: [
        """
        of an active pool: 'dmsetup message POOL 0 reserve_metadata_snap', and give \
        --inactive only if the pool is not active
        """, "to go on: thin-merge resume FOLDER/origin.img.thin-merge",
      ]
    ) { image in
      image.editSuperblock(.live) { $0.heldRoot = 0 }
    },
    changing(
      "a metadata snapshot that is another one",
      """
      the metadata changed during the merge, FOLDER/metadata.img: the metadata snapshot \
      was released, so blocks may have been used again
      """,
      hints: [
        "hold a metadata snapshot until the merge has finished, and resume",
        "to go on: thin-merge resume FOLDER/origin.img.thin-merge",
      ]
    ) { image in
      image.editSuperblock(.held) { $0.transactionID += 1 }
    },
    changing(
      "a pool that was activated",
      """
      the metadata changed during the merge, FOLDER/metadata.img: the superblock is \
      another one: the pool was active
      """,
      hints: [
        "hold a metadata snapshot until the merge has finished, and resume",
        "to go on: thin-merge resume FOLDER/origin.img.thin-merge",
      ], mappings: .inactivePool
    ) { image in
      image.editSuperblock(.live) { $0.transactionID += 1 }
    },
    changing(
      "a node that is another one",
      """
      bad metadata, FOLDER/metadata.img, block 1: the node changed since the plan was made
      """,
      hints: [
        """
        the metadata snapshot was released, or the pool was active with --inactive: one has \
        to be held until the merge has finished
        """, "to go on: thin-merge resume FOLDER/origin.img.thin-merge",
      ]
    ) { image in
      image.editNode(at: image.held.mapping(of: 0).leaves[0]) { $0.setValue(0, to: 60 << 24) }
    },
  ]

  private static let comparisons: [ErrorRow] = [
    ErrorRow(
      "comparing, by a signal", .stopped,
      "interrupted, FOLDER/origin.img: a signal came before all was compared",
      hints: ["nothing was changed; the same command compares again"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let interruption = Interruption()
      let report = try merge.merger(interruption, whenPlanned: interruption.request).verify(
        merge.engineSource, against: merge.origin, extent: ExtentOptions(),
        transfer: TransferOptions())
      return try SaidError(#require(report.failure)).naming([(merge.folder.path, "FOLDER")])
    },
    ErrorRow(
      "comparing, since the origin is cut short", .stopped,
      """
      not everything could be compared, FOLDER/origin.img: 327680 bytes of the source or \
      of the origin cannot be read
      """,
      hints: [
        """
        the kernel's log may say more; once the cause is gone, the same command compares \
        again
        """
      ],
      command: { merge in
        expectSuccess(try merge.merge())
        try Program.mustRun("truncate", "--size", "512K", merge.origin)
        return try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      }),
    ErrorRow(
      "comparing, since not all is merged", .stopped,
      """
      only part of the merge could be compared, FOLDER/origin.img.thin-merge: the merge is \
      not finished: RECORDED of 524288 bytes are recorded
      """, hints: ["to go on with it: thin-merge resume FOLDER/origin.img.thin-merge"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      let recorded = try #require(try merge.status()["done_bytes"]?.integer)
      let result = try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      return try SaidError(result).naming([
        (merge.folder.path, "FOLDER"), (": \(recorded) of", ": RECORDED of"),
      ])
    },
    ErrorRow(
      "comparing, since not all has a checksum", .stopped,
      """
      only part of the merge could be compared, FOLDER/origin.img.thin-merge: the journal has \
      checksums of 462848 of 524288 bytes
      """,
      hints: [
        "'thin-merge verify' with --metadata, --data and --dev-id compares all with the source"
      ]
    ) {
      let crafted = try CraftedMerge()
      try crafted.putReplacedInPart()
      return try crafted.said(["verify", "--journal", crafted.merge.journal])
    },
    ErrorRow(
      "a journal that lacks half of the merge", .stopped,
      """
      the journal does not record the whole merge, FOLDER/origin.img.thin-merge: byte 786432 of \
      the origin is not recorded
      """,
      hints: ["merge from the beginning with 'thin-merge merge' and --restart"]
    ) {
      let crafted = try CraftedMerge()
      try crafted.put(Array(crafted.entries.prefix(4)), isFinished: true)
      return try crafted.said(crafted.merge.mergeArguments())
    },
    ErrorRow(
      "comparing, since the merge was cut off at its last record", .stopped,
      "only part of the merge could be compared, FOLDER/origin.img.thin-merge: the merge is not "
        + "finished: all bytes are recorded, but not yet checked to be those of the source still",
      hints: ["to go on with it: thin-merge resume FOLDER/origin.img.thin-merge"],
      command: { merge in
        expectSuccess(try merge.merge())
        let last = try #require(try JournalOnDisk.recordRanges(of: merge.journal).last)
        try Program.mustRun("truncate", "--size", "\(last.lowerBound)", merge.journal)
        return try ThinMergeCommand.run(["verify", "--journal", merge.journal])
      }),
    ErrorRow(
      "putting back what was changed", .stopped,
      """
      merged, but not everything was put back as it was, the pool: the metadata snapshot \
      of pool POOL could not be released (Device or resource busy); the next run tries \
      again, or: dmsetup message POOL 0 release_metadata_snap; could not make \
      /dev/mapper/base read-only again: Device or resource busy; the next run tries again
      """, hints: ["the next run of any verb on that pool tries again"]
    ) {
      var report = try MergeReport.finished()
      report.cleanupFailures = [
        .metadataSnapshotHeld("POOL", .resourceBusy),
        .cannotRestoreReadOnly("/dev/mapper/base", .resourceBusy),
      ]
      return try SaidError(#require(report.failure))
    },
  ]

  /// Where the system refuses a call on the origin.
  static let refused: [ErrorRow] = [
    ErrorRow(
      "reads of the metadata that cannot be waited for", .refused,
      "cannot use the metadata, FOLDER/metadata.img: cannot wait for reads: Operation not permitted",
      hints: [asynchronousHint],
      command: { merge in
        try ThinMergeCommand.run(
          ["plan"] + merge.sourceArguments, under: SystemCallTrace.withoutCompletions(from: 1))
      }),
    ErrorRow(
      "reads and writes that cannot be waited for", .stopped,
      "cannot wait for reads and writes, FOLDER/origin.img: Operation not permitted",
      hints: [asynchronousHint, "to go on: thin-merge resume FOLDER/origin.img.thin-merge"],
      command: { merge in
        try ThinMergeCommand.run(
          merge.mergeArguments(MergeCase.slowly),
          under: SystemCallTrace.withoutCompletions(from: 12))
      }),
    ErrorRow(
      "metadata that does not answer, and signals", .stopped,
      "interrupted, METADATA: signals came while it was being read; it did not answer within 5 s"
    ) {
      SaidError(MetadataFault.cannotWait(.canceled).refusal(path: "METADATA"))
    },
    ErrorRow(
      "an origin that cannot be flushed before it is looked at again", .stopped,
      "cannot make durable what earlier runs wrote, FOLDER/origin.img: Input/output error",
      hints: ["nothing is lost; once the device is well, the same command goes on"],
      command: { merge in
        try merge.interruptEarly()
        return try merge.run(
          merge.mergeArguments(), refusing: "fsync,fdatasync", on: merge.origin, with: "EIO")
      }),
    ErrorRow(
      "an origin that cannot be looked at", .refused,
      "cannot look at the origin, FOLDER/origin.img: Input/output error",
      hints: ["the kernel's log may say more"],
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "statx", on: merge.origin, with: "EIO")
      }),
    ErrorRow(
      "an origin that cannot be locked", .refused,
      "cannot lock the origin, FOLDER/origin.img: No locks available",
      hints: ["its file system has to be one with locks"],
      command: { merge in
        try merge.run(merge.mergeArguments(), refusing: "flock", on: merge.origin, with: "ENOLCK")
      }),
  ]

  private static let asynchronousHint =
    "the kernel has to be one with CONFIG_AIO, and a sandbox, such as a container's seccomp profile, has to "
    + "allow io_setup, io_submit, io_getevents, io_pgetevents and io_destroy"

  /// Where it refuses root what it refuses others for want of rights.
  static let refusedToRoot = ErrorRow(
    "an origin that root may not open", .refused,
    "cannot open the origin, FOLDER/origin.img: Operation not permitted",
    hints: ["'lsattr' shows whether it is immutable, 'findmnt -T' how its file system is mounted"],
    command: { merge in
      try merge.run(merge.mergeArguments(), refusing: "openat", on: merge.origin, with: "EPERM")
    })

  /// Where it refuses one on an origin that is a device.
  static let refusedOfDevice = ErrorRow(
    "a device that is gone", .refused,
    "cannot ask the origin for its size, DEVICE: No such device",
    hints: ["the kernel's log may say more"]
  ) {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    return try SaidError(
      merge.run(
        merge.mergeArguments(["--yes", "--journal", merge.journal]), refusing: "ioctl",
        on: device.path, with: "ENODEV")
    ).naming([(device.path, "DEVICE")])
  }

  // Mistakes of the program, which nobody knows how to make; changes between two calls in one breath; and
  // what no machine here has: 65537 bad spots, files of an unknown kind, a journal that is wrong throughout.
  private static let onlyStated: [ErrorRow] = [
    ErrorRow(
      onlyStated: "a journal that records what is not mapped behind its first transfers", .stopped,
      """
      the journal does not record the whole merge, JOURNAL: byte 65536 of the origin is \
      recorded, and the device does not map it
      """,
      hints: ["merge from the beginning with 'thin-merge merge' and --restart"]),
    ErrorRow(
      onlyStated: "a signal while recorded transfers are looked for on the origin", .stopped,
      "interrupted, ORIGIN: a signal came before this run wrote anything"),
    ErrorRow(
      onlyStated: "65537 bad spots", .stopped,
      "too much cannot be read, ORIGIN: more than 65536 ranges of it have no source that can be "
        + "read",
      hints: ["the pool's data device may be failing: see the kernel's log"]),
    ErrorRow(
      onlyStated: "checksums that are right, and bytes that are not", .journalConflict,
      "the journal names bytes that the device does not map, origin byte 65536: it is of the same "
        + "mappings, and says otherwise",
      hints: ["'thin-merge merge' with --restart puts it aside and merges from the beginning"]),
    ErrorRow(
      onlyStated: "a mistake of the program", .bug,
      "the origin is not open, ORIGIN: it should be", hints: [pleaseReport]),
    ErrorRow(
      onlyStated: "a mistake of the program", .bug,
      "could not go on, the command line: the reason", hints: [pleaseReport]),
    ErrorRow(
      onlyStated: "a file that is replaced in that moment", .refused,
      "cannot use the origin, ORIGIN: it was replaced while being opened",
      hints: ["see what replaces it, then give the same command again"]),
    ErrorRow(
      onlyStated: "a file that is replaced in that moment", .refused,
      "cannot open the origin, ORIGIN: it was replaced while being opened",
      hints: ["see what replaces it, then give the same command again"]),
    ErrorRow(
      onlyStated: "there are no files of other kinds", .refused,
      "cannot use the origin, ORIGIN: it is of an unknown kind; a regular file or a block device "
        + "is expected"),
  ]

  private static let pleaseReport =
    "this is a mistake in thin-merge; please report it with the whole command"

  // MARK: Preparing

  /// A merge on a simulated disk, of which something fails.
  private static func failing(
    _ what: String, _ message: String, hints: [String] = [],
    _ faults: @escaping @Sendable (inout DiskFaults) -> Void
  ) -> ErrorRow {
    ErrorRow(what, .stopped, message, hints: hints) {
      let harness = MergeHarness(
        InterruptedMergeTests.merge(TransferOptions(queueDepth: 2, ioByteCount: 16 << 10)), seed: 1)
      faults(&harness.disk.faults)
      return try SaidError(
        Failure(stopping: #require(harness.run().end.error), journalPath: "journal"))
    }
  }

  /// A merge whose metadata changes once its plan is made.
  private static func changing(
    _ what: String, _ message: String, hints: [String] = [],
    mappings: MergeSource.Mappings = .metadataSnapshot(block: nil),
    _ change: @escaping @Sendable (inout PoolImage) -> Void
  ) -> ErrorRow {
    ErrorRow(what, .stopped, message, hints: hints) {
      let image = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 8))]).build()
      var changed = image
      change(&changed)
      let merge = try MergeCase(pool: image, originByteCount: 24 * 65_536)
      let (bytes, metadata) = (changed.metadata.data, merge.metadataFile)
      return try merge.stopped(by: Interruption(), mappings: mappings) {
        try? overwrite(metadata, with: bytes)
      }
    }
  }
}

extension MergeReport {
  /// One that went well.
  fileprivate static func finished() throws -> MergeReport {
    let merge = try MergeCase(scatteredBlocks: 1)
    return try merge.merger(Interruption())
      .merge(merge.engineSource, onto: merge.origin, options: MergeOptions())
  }
}

/// Agrees to a merge, and lets something happen before; or once it is told, of the plan, which end was
/// taken for that of the thin device.
private struct Agreeing: MergeObserver {
  let happens: @Sendable () -> Void
  let planned: @Sendable () -> Void

  func note(_ note: MergeNote) { planned() }
  func progress(_ progress: MergeProgress) {}
  func approve(_ plan: PlanReport) -> Bool {
    happens()
    return true
  }
}

extension MergeCase {
  fileprivate var engineSource: MergeSource {
    MergeSource(metadataPath: metadata, dataPath: data, deviceID: 0)
  }

  /// The engine as the command calls it.
  fileprivate func merger(
    _ interruption: Interruption, whenAsked happens: @escaping @Sendable () -> Void = {},
    whenPlanned planned: @escaping @Sendable () -> Void = {}
  ) -> Merger {
    Merger(
      environment: Environment(
        stateFolder: "/nonexistent", interruption: interruption,
        observer: Agreeing(happens: happens, planned: planned)))
  }

  /// What the command says of a merge that does not finish.
  fileprivate func stopped(
    by interruption: Interruption, mappings: MergeSource.Mappings = .metadataSnapshot(block: nil),
    whenAsked happens: @escaping @Sendable () -> Void = {}
  ) throws -> SaidError {
    var source = engineSource
    source.mappings = mappings
    let said: SaidError
    do throws(MergeError) {
      let report = try merger(interruption, whenAsked: happens)
        .merge(source, onto: origin, options: MergeOptions())
      guard let failure = report.failure else {
        throw MergeError(.bug, .bug, "", at: "", because: "")
      }
      said = SaidError(failure)
    } catch {
      said = SaidError(error)
    }
    return said.naming([(folder.path, "FOLDER")])
  }
}

@Suite("Errors: why a verb stopped", .waitsForPrograms)
struct StopErrorTests {
  @Test("in these words", arguments: WhyAMergeStopped.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }

  @Test(
    "where the system refuses a call, in these words", .needsTracing,
    arguments: WhyAMergeStopped.refused)
  func wordsOfRefusals(row: ErrorRow) throws { try row.check() }

  @Test("where it refuses one on a device, in these words", .needsTracing, .needsLoopDevices)
  func wordsOfRefusalByDevice() throws { try WhyAMergeStopped.refusedOfDevice.check() }

  @Test("where the system refuses root, in these words", .needsTracing, .needsRoot)
  func wordsOfRefusalToRoot() throws { try WhyAMergeStopped.refusedToRoot.check() }
}
