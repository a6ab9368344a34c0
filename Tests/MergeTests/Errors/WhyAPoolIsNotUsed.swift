import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

/// Active pools, thin devices and origins that are not found, or not as they have to be.
enum WhyAPoolIsNotUsed {
  static let rows = names + paths + health + metadataSnapshots + onlyCopies + records

  private static let names: [ErrorRow] = [
    row(
      "no mapped device at all", .refused,
      "no active pool, vm: device-mapper has no devices on this system",
      hints: ["of a pool that is not active: --metadata, --data, --dev-id and --inactive"],
      .device("vm")
    ) { $0.mapper.mapped = [] },
    row(
      "a name that nobody knows", .refused,
      """
      no such thin device, vm: device-mapper has no device of that name, and LVM no thin \
      volume
      """,
      hints: [
        """
        'dmsetup ls --target thin' and 'lvs' list them; one that is not active and not \
        LVM's: --pool NAME --dev-id N --origin PATH --thin-size SIZE
        """
      ], .device("vm")
    ) { _ in },
    row(
      "a device that is linear", .refused,
      "not a thin device, base: its table is of the target linear",
      hints: ["'dmsetup ls --target thin' lists thin devices"], .device("base")
    ) { try $0.addBase() },
    row(
      "a device of several lines", .refused,
      "not a thin device, vm: its table is of 2 lines; one line 'thin' is expected",
      hints: ["'dmsetup ls --target thin' lists thin devices"], .device("vm")
    ) { pool in
      var thin = try pool.thin()
      thin.liveTable += thin.liveTable
      pool.mapper.mapped.append(thin)
    },
    row(
      "a thin device whose pool is none", .refused,
      "cannot find the thin device's pool, vm: its table names DATA, which is no pool",
      hints: ["see 'dmsetup table'"], .device("vm")
    ) { pool in
      var thin = try pool.thin()
      thin.liveTable[0].arguments = "\(try pool.number(pool.data.path)) 5"
      pool.mapper.mapped.append(thin)
    },
    row(
      "a logical volume of a pool that is not active", .refused,
      """
      the thin device's pool is not active, vg/vm: there is no device vg-thinpool-tpool
      """, hints: ["lvchange -ay vg/thinpool"], .device("vg/vm")
    ) { pool in
      pool.runProgram = { _ in volume(pool: "thinpool", origin: "") }
    },
    row(
      "a logical volume whose origin is not active", .refused,
      "no origin, dev 5: its table names no external origin",
      hints: ["its external origin vg/base is not active: lvchange -ay vg/base"], .device("vg/vm")
    ) { pool in
      pool.mapper.mapped[0].name = "vg-thinpool-tpool"
      pool.runProgram = { words in
        words.last == "vg/vm" ? volume(pool: "thinpool", origin: "base") : nil
      }
    },
    row(
      "a logical volume that is a snapshot", .refused,
      "no origin, dev 5: its table names no external origin",
      hints: ["it is a snapshot of vg/base: --origin PATH says which external origin"],
      .device("vg/vm")
    ) { pool in
      pool.mapper.mapped[0].name = "vg-thinpool-tpool"
      pool.runProgram = { _ in volume(pool: "thinpool", origin: "base") }
    },
    row(
      "a thin device without an external origin", .refused,
      "no origin, dev 5: its table names no external origin",
      hints: ["--origin PATH says what is to be written to, if it has one all the same"],
      .device("vm")
    ) { pool in
      pool.mapper.mapped.append(try pool.thin(hasOrigin: false))
    },
    row(
      "tables that do not agree", .refused,
      """
      cannot tell how the thin device is meant, /dev/mapper/vm: dev 5 is shown by tables \
      of more than one line, or with different lengths or origins: vm, other
      """, hints: ["see 'dmsetup table', and remove the devices that are not meant"]
    ) { pool in
      var thin = try pool.thin()
      thin.isReadOnly = true
      var alias = try pool.thin("other", minor: 303, hasOrigin: false)
      alias.isReadOnly = true
      pool.mapper.mapped += [thin, alias]
    },
    row(
      "a pool that nobody knows", .refused,
      "no such pool, loop: device-mapper has no thin-pool of that name",
      hints: ["'dmsetup ls --target thin-pool' lists them"], .member(pool: "loop", deviceID: 5)
    ) { _ in },
    row(
      "a device-mapper that does not answer", .refused,
      "cannot ask device-mapper, /dev/mapper/control: Permission denied", hints: ["that takes root"]
    ) {
      $0.mapper.fails["devices"] = .permissionDenied
    },
  ]

  private static let paths: [ErrorRow] = [
    byPath(
      "two pools on one metadata device", .refused,
      """
      several pools are active on the metadata device, METADATA: pool, other; one is \
      expected
      """,
      hints: [
        """
        they destroy each other's metadata: take them down, and check it with thin_check
        """
      ]
    ) { pool, _ in
      var other = pool.mapper.mapped[0]
      other.name = "other"
      other.number.minor += 50
      pool.mapper.mapped.append(other)
    },
    byPath(
      "another data device", .refused,
      """
      not the pool's data device, ORIGIN: DATA is that of pool pool, which is active; this \
      one is another device
      """, hints: ["name the thin device instead: --pool pool --dev-id N"]
    ) { pool, source in
      source.dataPath = pool.origin.path
    },
    byPath(
      "what lies under the data device, and is longer", .refused,
      """
      not the pool's data device, FOLDER/data.img: DATA is that of pool pool, which is \
      active; this one shares blocks with it, and has other bytes in other places
      """, hints: ["name the thin device instead: --pool pool --dev-id N"]
    ) { pool, source in
      source.dataPath = pool.folder.path("data.img")
      try Program.mustRun("truncate", "--size", "17M", source.dataPath)
    },
    byPath(
      "what lies under the metadata device, and is longer", .refused,
      """
      not the pool's metadata device, FOLDER/metadata.img: METADATA is that of pool pool, \
      which is active; this one shares blocks with it, and has other bytes in other places
      """, hints: ["name the thin device instead: --pool pool --dev-id N"]
    ) { pool, source in
      source.metadataPath = pool.folder.path("metadata.img")
      try Program.mustRun("truncate", "--size", "2M", source.metadataPath)
    },
    byPath(
      "the data device of an active pool", .refused,
      """
      a pool is active on the data device, DATA: it is the data device of pool pool, whose \
      metadata is elsewhere
      """, hints: ["name the thin device instead: --pool pool --dev-id N"]
    ) { pool, source in
      source.metadataPath = pool.folder.path("copy.img")
      try Program.mustRun("cp", pool.folder.path("metadata.img"), source.metadataPath)
      source.mappings = .inactivePool
    },
    byPath(
      "a pool that is not active, by its name", .refused,
      """
      the pool is not active, FOLDER/copy.img: no pool of device-mapper has that metadata \
      device
      """,
      hints: [
        """
        activate it, or merge from its devices with --metadata, --data, --dev-id and \
        --inactive
        """
      ]
    ) { pool, source in
      source.metadataPath = pool.folder.path("copy.img")
      source.dataPath = pool.folder.path("copy.data.img")
      try Program.mustRun("cp", pool.folder.path("metadata.img"), source.metadataPath)
      try Program.mustRun("cp", pool.folder.path("data.img"), source.dataPath)
    },
    byPath(
      "the live mappings of an active pool", .busy,
      """
      the pool is active, pool: --inactive reads the live mappings, which change under an \
      active pool
      """, hints: ["leave --inactive out: a metadata snapshot is then taken"]
    ) { _, source in
      source.mappings = .inactivePool
    },
    ErrorRow(
      "a journal of another origin", .journalConflict,
      """
      the journal is of another merge, OTHER: it is another origin than the journal's
      """, hints: ["--metadata, --data and --origin say where the same devices are now"]
    ) {
      let pool = try ActivePool()
      try pool.cutData()
      try #require(pool.merge().exitStatus == 3)
      let journal = try #require(
        FileManager.default.contentsOfDirectory(atPath: pool.state)
          .first { $0.hasSuffix(".journal") })
      try Program.mustRun(
        "cp", pool.folder.path("origin.img"), pool.folder.path("other.img"))
      let other = try LoopDevice(backing: pool.folder.path("other.img"))
      var options = ResumeOptions()
      options.originPath = other.path
      return pool.said { merger throws(MergeError) in
        try merger.resume(journalPath: "\(pool.state)/\(journal)", options: options).failure
      }.naming([(other.path, "OTHER")])
    },
  ]

  private static let health: [ErrorRow] = [
    row(
      "a pool that needs a check", .refused,
      "the pool is marked needs_check, pool: its metadata may be damaged",
      hints: [
        """
        repair it with thin_check and thin_repair, or give --ignore-needs-check to read a \
        metadata snapshot that is held already
        """
      ]
    ) { $0.mapper.needsCheck = true },
    row(
      "a pool that the kernel has given up", .refused,
      """
      the pool is not usable, pool: its status is Fail or Error: the kernel has given it \
      up
      """, hints: ["see 'dmsetup status pool' and the kernel's log"]
    ) { $0.mapper.mode = "Fail" },
    row(
      "a pool that does not answer", .refused,
      "cannot ask for the pool's status, pool: Input/output error",
      hints: ["see 'dmsetup status pool' and the kernel's log"]
    ) { $0.mapper.fails["status"] = .ioError },
    row(
      "a pool with other metadata than its own", .refused,
      """
      the pool's metadata is not what device-mapper says, pool: it tells of 256 blocks of \
      65536 bytes; 255 of 65536 are expected
      """,
      hints: [
        """
        another device may have taken the metadata device's place: see 'dmsetup table pool'
        """
      ]
    ) {
      $0.mapper.dataBlockCount = 255
    },
    row(
      "a merge that was not agreed to", .refused,
      "not merged, ORIGIN: writing was not agreed to; nothing was written", agrees: false
    ) { _ in },
  ]

  private static let metadataSnapshots: [ErrorRow] = [
    row(
      "a metadata snapshot of somebody else", .busy,
      "the pool's metadata snapshot is held by someone else, pool: it is at block 4",
      hints: [
        """
        'dmsetup status pool' shows it; if nobody needs it any more: dmsetup message pool 0 \
        release_metadata_snap, and if it is to be merged from: --metadata-snap BLOCK
        """
      ]
    ) {
      try $0.mapper.holdForSomebodyElse()
    },
    byPath(
      "an old metadata snapshot", .busy,
      """
      the pool's metadata snapshot is held by someone else, pool: it is at block 4, and \
      older than the pool's last changes
      """,
      hints: [
        """
        'dmsetup status pool' shows it; if nobody needs it any more: dmsetup message pool 0 \
        release_metadata_snap, and if it is to be merged from: --metadata-snap BLOCK
        """
      ]
    ) { pool, source in
      try pool.mapper.holdForSomebodyElse()
      try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
      source.mappings = .metadataSnapshot(block: nil)
    },
    row(
      "a metadata snapshot that somebody takes in that moment", .busy,
      """
      the pool's metadata snapshot is held by someone else, pool: it was taken just now
      """,
      hints: [
        """
        'dmsetup status pool' shows it; if nobody needs it any more: dmsetup message pool 0 \
        release_metadata_snap, and if it is to be merged from: --metadata-snap BLOCK
        """
      ]
    ) {
      $0.mapper.fails["reserve_metadata_snap"] = .resourceBusy
    },
    row(
      "a pool that gives none", .refused,
      "cannot take a metadata snapshot, pool: Input/output error",
      hints: ["see 'dmsetup status pool' and the kernel's log"]
    ) {
      $0.mapper.fails["reserve_metadata_snap"] = .ioError
    },
    row(
      "a pool that does not commit it", .refused,
      "cannot take a metadata snapshot, pool: the pool did not commit it",
      hints: ["see 'dmsetup status pool' and the kernel's log"]
    ) { pool in
      pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in mapper.mode = "ro" }
    },
    row(
      "a pool that does not commit", .refused,
      "cannot make the pool commit, pool: Input/output error",
      hints: ["see 'dmsetup status pool' and the kernel's log"]
    ) { $0.mapper.fails["commit"] = .ioError },
    row(
      "a pool that is read-only", .refused,
      "no metadata snapshot can be taken, pool: the pool is read-only",
      hints: ["deactivate it, and merge from its devices with --inactive"]
    ) { $0.mapper.mode = "ro" },
    row(
      "a metadata snapshot that could not be released", .busy,
      """
      the metadata snapshot of an earlier run is still held, pool: it could not be \
      released
      """, hints: ["dmsetup message pool 0 release_metadata_snap"]
    ) { pool in
      pool.mapper.fails["release_metadata_snap"] = .ioError
      _ = pool.merge(agrees: false)
    },
  ]

  private static let onlyCopies: [ErrorRow] = [
    ErrorRow(
      onlyStated: "a metadata snapshot whose thin device may be gone", .busy,
      """
      the metadata snapshot of an earlier run is still held, POOL: it may be the only copy of \
      dev 5, and could not be released
      """,
      hints: ["the notes above say why; once that is mended, give the same command again"]),
    row(
      "a metadata snapshot that is the only copy of another thin device", .busy,
      """
      the metadata snapshot of an earlier run is still held, pool: it is the only copy of \
      dev 5, which was deleted before all of it was merged
      """,
      hints: [
        """
        'thin-merge resume' with the journal of that merge finishes it; to give the copy up: \
        dmsetup message pool 0 release_metadata_snap
        """
      ], .member(pool: "pool", deviceID: 6)
    ) { pool in
      try pool.cutData()
      _ = pool.merge(whenAsked: { try? pool.mapper.replaceBySomebodyElse(5) })
      try pool.restoreData()
    },
  ]

  private static let records: [ErrorRow] = [
    ErrorRow(
      "a pool that another run works on", .busy,
      """
      pool pool is in use, FOLDER/state/pools/POOL-1.json.lock: another run of thin-merge \
      works on it
      """, hints: ["'lsof FOLDER/state/pools/POOL-1.json.lock' shows which"]
    ) {
      let pool = try ActivePool()
      var inner: SaidError?
      _ = pool.merge(whenAsked: { inner = pool.saidOfMerge(waits: false) })
      return try #require(inner)
    },
    row(
      "a record that is damaged", .refused,
      """
      cannot read the record of pool pool, FOLDER/state/pools/POOL-1.json: this program \
      wrote it, and it is not what it was
      """,
      hints: [
        """
        see whether a metadata snapshot is held with 'dmsetup status pool', then remove the \
        file
        """
      ]
    ) { pool in
      try pool.writeRecord("{}")
    },
    row(
      "a record of a newer version", .refused,
      """
      cannot read the record of pool pool, FOLDER/state/pools/POOL-1.json: it was written \
      by a newer thin-merge
      """, hints: ["use that version: the record says what is to be undone in the pool"]
    ) { pool in
      try pool.writeRecord(ActivePool.recordOfANewerVersion)
    },
    row(
      "a record that cannot be locked", .refused,
      "cannot lock pool pool, FOLDER/state/pools/POOL-1.json.lock: Not a directory",
      hints: ["root may write there; $STATE_DIRECTORY names another folder"]
    ) { pool in
      try Data().write(to: URL(filePath: pool.state))
    },
    row(
      "a record that cannot be written", .refused,
      """
      cannot write the record of pool pool, FOLDER/state/pools/POOL-1.json: Is a directory
      """, hints: ["what is done to a pool is written down before; see to that file system first"]
    ) { pool in
      try Program.mustRun("mkdir", "-p", pool.state + "/pools/POOL-1.json.new/in the way")
    },
  ]

  // MARK: Preparing

  /// A merge from a pool that was made so.
  private static func row(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    _ selection: ThinDeviceReference = .member(pool: "pool", deviceID: 5),
    options: PoolOptions = PoolOptions(), agrees: Bool = true,
    prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) -> ErrorRow {
    ErrorRow(
      situation, exitStatus, message, hints: hints, pool: selection, options: options,
      agrees: agrees, prepare: prepare)
  }

  /// A merge from the pool's devices, or others, by their paths.
  private static func byPath(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    prepare: @escaping @Sendable (ActivePool, inout MergeSource) throws -> Void
  ) -> ErrorRow {
    ErrorRow(situation, exitStatus, message, hints: hints) {
      let pool = try ActivePool()
      var source = MergeSource(
        metadataPath: pool.metadata.path, dataPath: pool.data.path, deviceID: 5,
        mappings: .ownMetadataSnapshot)
      try prepare(pool, &source)
      return pool.said { [source] merger throws(MergeError) in
        try merger.merge(source, onto: pool.origin.path, options: MergeOptions()).failure
      }
    }
  }

  /// What `lvs` prints of a thin volume.
  private static func volume(pool: String, origin: String) -> String {
    """
    {"report": [{"lv": [{"lv_size": "1572864", "pool_lv": "\(pool)", "origin": "\(origin)", \
    "thin_id": "5"}]}]}
    """
  }
}

extension ErrorRow {
  /// A merge from an active pool.
  init(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    pool selection: ThinDeviceReference, options: PoolOptions = PoolOptions(), agrees: Bool = true,
    restarts: Bool = false, prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) {
    self.init(situation, exitStatus, message, hints: hints) {
      let pool = try ActivePool()
      try prepare(pool)
      return pool.saidOfMerge(selection, options, agrees: agrees, restarts: restarts)
    }
  }
}

extension ActivePool {
  /// The linear device under the name `base` that the origin is from now on.
  func addBase(isReadOnly: Bool = false, kind: String = "linear") throws {
    mapper.mapped.append(
      MappedDevice(
        name: "base", number: try number(origin.path), isReadOnly: isReadOnly,
        liveTable: [
          TableLine(
            sectorCount: UInt64(Self.blockCount * Self.blockByteCount / 512), kind: kind,
            arguments: "8:1 0")
        ]))
  }

  /// What the command says of a merge of the thin device.
  func saidOfMerge(
    _ selection: ThinDeviceReference = .member(pool: "pool", deviceID: 5),
    _ options: PoolOptions = PoolOptions(), agrees: Bool = true, restarts: Bool = false,
    waits: Bool = true, whenAsked: @escaping () -> Void = {}
  ) -> SaidError {
    said(agrees: agrees, waits: waits, whenAsked: whenAsked) { merger throws(MergeError) in
      let found = try merger.resolve(selection)
      var merge = MergeOptions(restarts: restarts, pool: options)
      merge.extent.thinByteCount = found.thinByteCount
      // Of a number in a pool no table need tell the origin: a person would have typed it.
      var typed: String?
      if case .member = selection { typed = found.originPath ?? self.origin.path }
      do {
        let path = try found.originPath(typed: typed)
        return try merger.merge(found.source, onto: path, options: merge).failure
      } catch let error as MergeError {
        throw error
      } catch {
        return error as? Failure
      }
    }
  }

  /// What the command says of a verb that does not end well.
  func said(
    agrees: Bool = true, waits: Bool = true, whenAsked: @escaping () -> Void = {},
    _ body: (Merger) throws(MergeError) -> Failure?
  ) -> SaidError {
    var failure: Failure?
    let outcome = run(agrees: agrees, waits: waits, whenAsked: whenAsked) {
      merger throws(MergeError) in
      failure = try body(merger)
    }
    let said =
      failure.map { SaidError($0) } ?? outcome.error.map { SaidError($0) }
      ?? SaidError(outcome.message, hints: [], exitStatus: outcome.exitStatus)
    var names = [
      (folder.path, "FOLDER"), (metadata.path, "METADATA"), (data.path, "DATA"),
      (origin.path, "ORIGIN"),
    ]
    if let number = FileSystem.blockDevice(at: origin.path) {
      names.append((" \(number)'", " NUMBER'"))
    }
    let files = try? FileManager.default.contentsOfDirectory(atPath: state)
    for file in files ?? [] where file.hasSuffix(".journal") {
      names.append(("\(state)/\(file)", "JOURNAL"))
    }
    return said.naming(names)
  }
}

@Suite("Errors: why a pool is not used", .waitsForPrograms, .needsLoopDevices)
struct PoolErrorTests {
  @Test("in these words", arguments: WhyAPoolIsNotUsed.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }
}
