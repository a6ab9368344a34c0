import Fixtures
import Foundation
import MergeEngine
import SystemPackage
import Testing

@testable import thin_merge

@Suite("Errors: active pools that cannot be used", .waitsForPrograms, .needsLoopDevices)
struct PoolErrorTests {
  @Test(
    "every unusable active pool causes the expected error code and exit status",
    arguments: situations
  )
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = names + paths + health + metadataSnapshots + onlyCopies + records

  private static let names: [ErrorSituation] = [
    row("device-mapper has no devices", "no-active-pool", .refused, .device("vm")) {
      $0.mapper.mapped = []
    },
    row(
      "neither device-mapper nor LVM knows the name", "no-such-thin-device", .refused, .device("vm")
    ) { _ in },
    row("the named device is linear", "not-thin-device", .refused, .device("base")) {
      try $0.addBase()
    },
    row("the table of the named device has two lines", "not-thin-device", .refused, .device("vm")) {
      pool in
      var thin = try pool.thin()
      thin.liveTable += thin.liveTable
      pool.mapper.mapped.append(thin)
    },
    row("the table of the thin device names no pool", "no-pool-of-device", .refused, .device("vm"))
    { pool in
      var thin = try pool.thin()
      thin.liveTable[0].arguments = "\(try pool.number(pool.data.path)) 5"
      pool.mapper.mapped.append(thin)
    },
    row(
      "the pool of the logical volume is not active", "volume-pool-not-active", .refused,
      .device("vg/vm")
    ) { pool in
      pool.runProgram = { SimulatedLVM([], transactionID: 0).run($0) }
    },
    row(
      "the external origin of the logical volume is not active", "no-origin", .refused,
      .device("vg/vm")
    ) { pool in
      try pool.become(SimulatedLVM([], transactionID: 0))
      pool.mapper.mapped.removeLast()
    },
    ofGroup("the volume group is exported", "volume-group-exported", exported: "exported"),
    ofGroup("the volume group is partial", "volume-group-partial", partial: "partial"),
    ofGroup("the volume group is shared", "volume-group-shared", lockType: "sanlock"),
    ofGroup("the volume group is another system's", "volume-group-foreign", systemID: "other"),
    ofGroup(
      "the volume group is another system's, and this system has no id", "volume-group-foreign",
      systemID: "other", ownID: ""),
    row("LVM does not answer", "lvm-silent", .busy, .device("vg/vm")) { pool in
      pool.runProgram = { _ in .noAnswer }
    },
    row("LVM does not answer while a device is suspended", "lvm-silent", .busy, .device("vg/vm")) {
      pool in
      var thin = try pool.thin()
      thin.isSuspended = true
      pool.mapper.mapped.append(thin)
      pool.runProgram = { _ in .noAnswer }
    },
    row("the logical volume is a snapshot", "no-origin", .refused, .device("vg/vm")) { pool in
      try pool.become(
        SimulatedLVM([
          SimulatedLVM.Volume(name: "pool", data: "[pool_tdata]"),
          SimulatedLVM.Volume(name: "vm", pool: "pool", origin: "base", thinID: "5"),
          SimulatedLVM.Volume(name: "base", pool: "pool", thinID: "4"),
        ]))
    },
    row("the thin device has no external origin", "no-origin", .refused, .device("vm")) { pool in
      pool.mapper.mapped.append(try pool.thin(hasOrigin: false))
    },
    row("two tables do not agree about the thin device", "thin-device-ambiguous", .refused) {
      pool in
      var thin = try pool.thin()
      thin.isReadOnly = true
      var alias = try pool.thin("other", minor: 303, hasOrigin: false)
      alias.isReadOnly = true
      pool.mapper.mapped += [thin, alias]
    },
    row(
      "device-mapper has no pool of that name", "no-such-pool", .refused,
      .member(pool: "loop", deviceID: 5)
    ) { _ in },
    row("device-mapper does not answer", "no-device-mapper", .refused) {
      $0.mapper.fails["devices"] = .permissionDenied
    },
  ]

  /// Returns a situation in which LVM reports the given attributes for the volume group of an
  /// active volume.
  private static func ofGroup(
    _ name: String, _ code: String, lockType: String = "", systemID: String = "",
    exported: String = "", partial: String = "", ownID: String = "here"
  ) -> ErrorSituation {
    row(name, code, .refused, .device("vg/vm")) { pool in
      pool.mapper.mapped.append(try pool.thin("vg-vm"))
      pool.runProgram = { words in
        guard words[0] == "vgs" else { return .succeeded(output: "  system ID: \(ownID)\n") }
        return .succeeded(
          output: #"{"report":[{"vg":[{"vg_lock_type":"\#(lockType)","vg_systemid":"\#(systemID)","#
            + #""vg_exported":"\#(exported)","vg_partial":"\#(partial)"}]}]}"#)
      }
    }
  }

  private static let paths: [ErrorSituation] = [
    byPath("two pools are active on one metadata device", "several-pools", .refused) { pool, _ in
      var other = pool.mapper.mapped[0]
      other.name = "other"
      other.number.minor += 50
      pool.mapper.mapped.append(other)
    },
    byPath(
      "the given data device is another one than that of the active pool", "not-pool-device",
      .refused
    ) { pool, source in
      source.dataPath = pool.origin.path
    },
    byPath("the given data device lies under that of the active pool", "not-pool-device", .refused)
    { pool, source in
      source.dataPath = pool.folder.path("data.img")
      try Program.mustRun("truncate", "--size", "17M", source.dataPath)
    },
    byPath(
      "the given metadata device lies under that of the active pool", "not-pool-device", .refused
    ) { pool, source in
      source.metadataPath = pool.folder.path("metadata.img")
      try Program.mustRun("truncate", "--size", "2M", source.metadataPath)
    },
    byPath(
      "a pool with other metadata is active on the data device", "pool-active-on-data", .refused
    ) { pool, source in
      source.metadataPath = pool.folder.path("copy.img")
      try Program.mustRun("cp", pool.folder.path("metadata.img"), source.metadataPath)
      source.mappings = .inactivePool
    },
    byPath(
      "a metadata snapshot is to be taken of a pool that is not active", "pool-not-active", .refused
    ) { pool, source in
      source.metadataPath = pool.folder.path("copy.img")
      source.dataPath = pool.folder.path("copy.data.img")
      try Program.mustRun("cp", pool.folder.path("metadata.img"), source.metadataPath)
      try Program.mustRun("cp", pool.folder.path("data.img"), source.dataPath)
    },
    byPath("the live mappings of an active pool are wanted", "pool-active", .busy) { _, source in
      source.mappings = .inactivePool
    },
    ErrorSituation(
      "a merge from an active pool is resumed with another origin", "not-recorded-device",
      .journalConflict
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
      return pool.reported { merger throws(MergeError) in
        try merger.resume(journalPath: "\(pool.state)/\(journal)", options: options).failure()
      }.naming([(other.path, "OTHER")])
    },
  ]

  private static let health: [ErrorSituation] = [
    row("the active pool is marked needs_check", "pool-needs-check", .refused) {
      $0.mapper.needsCheck = true
    },
    row("the kernel has given the pool up", "pool-failed", .refused) { $0.mapper.mode = "Fail" },
    row("the pool does not tell its status", "cannot-ask-pool", .refused) {
      $0.mapper.fails["status"] = .ioError
    },
    row("the active pool has other metadata than its own", "pool-mismatch", .refused) {
      $0.mapper.dataBlockCount = 255
    },
    row("the pool's metadata is nearly used up", "pool-metadata-used-up", .refused) {
      $0.mapper.metadataUsage = "4016/4096"
    },
    row("the user does not agree to the merge", "not-approved", .refused, agrees: false) { _ in },
  ]

  private static let metadataSnapshots: [ErrorSituation] = [
    row("somebody else holds the metadata snapshot", "metadata-snapshot-foreign", .busy) {
      try $0.mapper.holdForSomebodyElse()
    },
    byPath(
      "somebody else holds a metadata snapshot that is old", "metadata-snapshot-foreign", .busy
    ) { pool, source in
      try pool.mapper.holdForSomebodyElse()
      try pool.mapper.writeBySomebodyElse(ThinMapping(24, 50), to: 5)
      source.mappings = .metadataSnapshot(block: nil)
    },
    row("somebody takes the metadata snapshot in that moment", "metadata-snapshot-foreign", .busy) {
      $0.mapper.fails["reserve_metadata_snap"] = .resourceBusy
    },
    row("the kernel does not take a metadata snapshot", "cannot-take-metadata-snapshot", .refused) {
      $0.mapper.fails["reserve_metadata_snap"] = .ioError
    },
    row("the pool does not commit the metadata snapshot", "cannot-take-metadata-snapshot", .refused)
    { pool in
      pool.mapper.happensAfter[0] = { [unowned mapper = pool.mapper] in mapper.mode = "ro" }
    },
    row("the pool does not commit", "cannot-commit-pool", .refused) {
      $0.mapper.fails["commit"] = .ioError
    },
    row("the pool is read-only", "pool-read-only", .refused) { $0.mapper.mode = "ro" },
    row(
      "the metadata snapshot of an earlier run could not be released", "metadata-snapshot-left",
      .busy
    ) { pool in
      pool.mapper.fails["release_metadata_snap"] = .ioError
      _ = pool.merge(agrees: false)
    },
  ]

  private static let onlyCopies: [ErrorSituation] = [
    row(
      "the metadata snapshot is the only copy of another thin device",
      "metadata-snapshot-only-copy", .busy, .member(pool: "pool", deviceID: 6)
    ) { pool in
      try pool.cutData()
      _ = pool.merge(
        .member(pool: "pool", deviceID: 5), PoolOptions(mergesThinDeviceItself: true),
        whenAsked: { try? pool.mapper.replaceBySomebodyElse(5) })
      try pool.restoreData()
    }
  ]

  private static let records: [ErrorSituation] = [
    leftByFinished("a merge is finished, and its metadata snapshot is held") { _ in },
    leftByFinished("a merge is finished, and held its metadata snapshot in a pool that is gone") {
      $0.mapper.mapped = []
    },
    ErrorSituation("another run works on the pool", "pool-in-use", .busy) {
      let pool = try ActivePool()
      var inner: ReportedError?
      _ = pool.merge(whenAsked: { inner = pool.reportedByMerge(waits: false) })
      return try #require(inner)
    },
    row("the record of the pool is damaged", "pool-record-damaged", .refused) { pool in
      try pool.writeRecord("{}")
    },
    row("a newer version wrote the record of the pool", "pool-record-newer", .refused) { pool in
      try pool.writeRecord(ActivePool.recordOfANewerVersion)
    },
    row("the record of the pool cannot be locked", "cannot-lock-pool", .refused) { pool in
      try Data().write(to: URL(filePath: pool.state))
    },
    row("the record of the pool cannot be written", "cannot-write-pool-record", .refused) { pool in
      try Program.mustRun("mkdir", "-p", pool.state + "/pools/POOL-1.json.new/in the way")
    },
    ofOrigin(
      "the record of an origin is damaged, and no pool is active", "cannot-read-origin-record"
    ) { pool in
      try pool.writeOriginRecord("{}")
    },
    ofOrigin(
      "the record of an origin cannot be written, and no pool is active",
      "cannot-write-origin-record"
    ) { pool in
      try Program.mustRun("mkdir", "-p", pool.originRecordPath + ".new/in the way")
    },
  ]

  // MARK: Preparation

  /// Returns a situation in which a merge reads from a pool that `prepare` has changed.
  private static func row(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    _ selection: ThinDeviceReference = .member(pool: "pool", deviceID: 5),
    options: PoolOptions = PoolOptions(), agrees: Bool = true,
    prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(
      name, code, exitStatus, pool: selection, options: options,
      agrees: agrees, prepare: prepare)
  }

  /// Returns a situation in which a merge that finished without releasing its metadata snapshot is
  /// resumed.
  private static func leftByFinished(
    _ name: String, then change: @escaping @Sendable (ActivePool) -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, "merge-not-settled", .busy) {
      let pool = try ActivePool()
      pool.mapper.fails["release_metadata_snap"] = .ioError
      _ = pool.merge()
      change(pool)
      let names = try FileManager.default.contentsOfDirectory(atPath: pool.state)
      let name = try #require(names.first { $0.hasSuffix(".journal") })
      return pool.reported { merger throws(MergeError) in
        try merger.resume(journalPath: "\(pool.state)/\(name)").failure()
      }
    }
  }

  /// Returns a situation in which the origin of a merge is read-only and the pool is not active.
  private static func ofOrigin(
    _ name: String, _ code: String, prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, .refused) {
      let pool = try ActivePool.withoutPool()
      try prepare(pool)
      let options = MergeOptions(pool: PoolOptions(makesOriginWritable: true))
      return pool.reported { merger throws(MergeError) in
        try merger.merge(pool.inactiveSource, onto: pool.origin.path, options: options).failure()
      }
    }
  }

  /// Returns a situation in which a merge is given its devices by path, whether or not they belong
  /// to the pool.
  private static func byPath(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    prepare: @escaping @Sendable (ActivePool, inout MergeSource) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, exitStatus) {
      let pool = try ActivePool()
      var source = MergeSource(
        metadataPath: pool.metadata.path, dataPath: pool.data.path, deviceID: 5,
        mappings: .ownMetadataSnapshot)
      try prepare(pool, &source)
      return pool.reported { [source] merger throws(MergeError) in
        try merger.merge(source, onto: pool.origin.path, options: MergeOptions()).failure()
      }
    }
  }
}

extension ErrorSituation {
  /// Creates a situation in which a merge reads from an active pool.
  init(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    pool selection: ThinDeviceReference, options: PoolOptions = PoolOptions(), agrees: Bool = true,
    restarts: Bool = false, prepare: @escaping @Sendable (ActivePool) throws -> Void
  ) {
    self.init(name, code, exitStatus) {
      let pool = try ActivePool()
      try prepare(pool)
      return pool.reportedByMerge(selection, options, agrees: agrees, restarts: restarts)
    }
  }
}

extension ActivePool {
  /// Maps the origin as a device-mapper device named `base`, which is linear by default.
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

  /// Merges the thin device, and returns the error that the command reports.
  func reportedByMerge(
    _ selection: ThinDeviceReference = .member(pool: "pool", deviceID: 5),
    _ options: PoolOptions = PoolOptions(), agrees: Bool = true, restarts: Bool = false,
    again: Bool = false, waits: Bool = true, whenAsked: @escaping () -> Void = {}
  ) -> ReportedError {
    func reported(dry: Bool) -> ReportedError {
      self.reported(agrees: agrees, waits: waits, whenAsked: dry ? {} : whenAsked) {
        merger throws(MergeError) in
        try failure(selection, options, restarts: restarts, again: again, dry: dry, merger)
      }
    }
    guard let rehearsals = ThinMergeCommand.rehearsals else { return reported(dry: false) }
    let (dry, real) = (reported(dry: true), reported(dry: false))
    rehearsals.append("\(selection)", dry: Rehearsals.End(dry), real: Rehearsals.End(real))
    return real
  }

  private func failure(
    _ selection: ThinDeviceReference, _ options: PoolOptions, restarts: Bool, again: Bool,
    dry: Bool,
    _ merger: Merger
  ) throws(MergeError) -> Failure? {
    let found = try merger.resolve(selection)
    var merge = MergeOptions(restarts: restarts, mergesAgain: again, pool: options)
    merge.extent.thinByteCount = found.thinByteCount
    // A device ID within a pool does not identify a table that names the origin, so a user would
    // have typed the path.
    var typed: String?
    if case .member = selection { typed = found.originPath ?? self.origin.path }
    do {
      let path = try found.originPath(typed: typed, by: merger)
      if dry {
        return try merger.plan(found.source, onto: path, options: merge).refusal
          .map { Failure($0) }
      }
      return try merger.merge(found.source, onto: path, options: merge).failure()
    } catch let error as MergeError {
      throw error
    } catch {
      return error as? Failure
    }
  }

  /// Returns the error that the command reports when the given verb fails.
  func reported(
    agrees: Bool = true, waits: Bool = true, whenAsked: @escaping () -> Void = {},
    _ body: (Merger) throws(MergeError) -> Failure?
  ) -> ReportedError {
    var failure: Failure?
    let outcome = run(agrees: agrees, waits: waits, whenAsked: whenAsked) {
      merger throws(MergeError) in
      failure = try body(merger)
    }
    let error =
      failure.map { ReportedError($0) } ?? outcome.error.map { ReportedError($0) }
      ?? ReportedError(code: "", message: "nothing failed", exitStatus: outcome.exitStatus)
    var names = [(folder.path, "FOLDER"), (metadata.path, "METADATA")]
    names += [(data.path, "DATA"), (origin.path, "ORIGIN")]
    if let number = FileSystem.blockDevice(at: origin.path) {
      names.append((" \(number)'", " NUMBER'"))
    }
    let files = try? FileManager.default.contentsOfDirectory(atPath: state)
    for file in files ?? [] where file.hasSuffix(".journal") {
      names.append(("\(state)/\(file)", "JOURNAL"))
    }
    return error.naming(names)
  }
}

extension Rehearsals.End {
  fileprivate init(_ error: ReportedError) {
    self.init(
      exitStatus: error.exitStatus, code: error.code.isEmpty ? nil : error.code,
      message: error.message)
  }
}
