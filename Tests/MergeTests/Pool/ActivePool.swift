import Fixtures
import Foundation
import MergeEngine
import Synchronization
import Testing

@testable import thin_merge

/// A simulated active pool on loop devices, with a thin device (ID 5) that has an external origin.
final class ActivePool {
  static let blockByteCount = 65_536
  static let blockCount = 24

  let folder: TemporaryFolder
  let state: String
  let mapper: SimulatedDeviceMapper
  let origin: LoopDevice
  var bootID = "tests"
  let metadata: LoopDevice
  let data: LoopDevice
  /// An action that runs once, when the merging phase begins.
  var whenMerging: () -> Void = {}
  /// An action that runs once, when the verification after a merge begins.
  var whenVerifying: () -> Void = {}
  /// The UUID of the pool's mapped device, from which the name of the pool's record is derived.
  var poolUUID = "POOL-1"
  /// A stand-in for system programs that only print information, such as `lvs`.
  var runProgram: @Sendable ([String]) -> MergeEngine.Program.End = { _ in .failed(words: "") }
  /// A stand-in for system programs that change something, such as `lvchange`.
  var runChange: @Sendable ([String]) -> MergeEngine.Program.End = { _ in .failed(words: "") }
  /// True if LVM volumes are activated when a verb needs them.
  var activatesVolumes = false
  /// The cleanup failures in the most recent merge report.
  private(set) var cleanupFailures: [MergeNote] = []
  /// The thin device's state in the most recent merge report; nil if there is no report yet.
  private(set) var thinDeviceState: ThinDeviceState?
  /// The plan that the last run submitted for approval; nil if the run submitted none.
  private(set) var planAskedOf: PlanReport?
  /// The ID of the snapshot that the last merge read instead of the thin device; nil if there was
  /// none.
  private(set) var snapshotID: UInt32?
  /// The number of runs so far.
  ///
  /// Each run is given a different time in seconds, because the time is part of a journal's ID.
  private var runCount: Int64 = 0
  /// The pool's mapped device, saved when the pool is deactivated; nil if it never was.
  var inactive: MappedDevice?
  private let before: Data
  private let dataContent: Data

  /// The thin device's mappings.
  ///
  /// The pool may also contain other thin devices.
  static let mappings = [0, 3, 4, 9, 17, 23].enumerated().map {
    ThinMapping(UInt64($0.element), UInt64(40 - $0.offset))
  }

  init(otherIDs: [UInt64] = []) throws {
    folder = try TemporaryFolder()
    state = folder.path("state")
    let devices =
      [Fixtures.ThinDevice(5, Self.mappings)]
      + otherIDs.map { Fixtures.ThinDevice($0, [ThinMapping(1, 60 + $0)]) }
    let files = try SimulatedDeviceMapper.builder(devices).build().write(to: folder.path)
    let originFile = folder.path("origin.img")
    before = SectorContent(source: .origin, seed: 2)
      .bytes(in: 0..<Self.blockCount * Self.blockByteCount)
    try before.write(to: URL(filePath: originFile))
    dataContent = try Data(contentsOf: URL(filePath: files.data))
    metadata = try LoopDevice(backing: files.metadata)
    data = try LoopDevice(backing: files.data)
    origin = try LoopDevice(backing: originFile)
    mapper = try SimulatedDeviceMapper(devices, metadataPath: files.metadata)
    mapper.mapped = [
      MappedDevice(
        name: "pool", uuid: "POOL-1", number: SimulatedDeviceMapper.poolNumber, openCount: 1,
        liveTable: [
          TableLine(
            sectorCount: 32768, kind: "thin-pool",
            arguments: "\(try number(metadata.path)) \(try number(data.path)) 128 0 0 ")
        ])
    ]
  }

  func number(_ path: String) throws -> DeviceNumber {
    guard let number = FileSystem.blockDevice(at: path) else {
      throw SupportError("\(path) is no block device")
    }
    return number
  }

  /// Returns a mapped device for one of the pool's thin devices.
  func thin(
    _ name: String = "vm", id: Int = 5, minor: UInt32 = 301, hasOrigin: Bool = true
  ) throws -> MappedDevice {
    let origin = hasOrigin ? " \(try number(origin.path))" : ""
    return MappedDevice(
      name: name, uuid: "THIN-\(name)", number: DeviceNumber(major: 253, minor: minor),
      liveTable: [
        TableLine(
          sectorCount: UInt64(Self.blockCount * Self.blockByteCount / 512), kind: "thin",
          arguments: "\(SimulatedDeviceMapper.poolNumber) \(id)\(origin)")
      ])
  }

  /// The result of running a verb on the simulated pool.
  struct Outcome {
    var exitStatus: Int32
    /// The error, or nil if the run succeeded.
    var error: MergeError?
    var message: String
    var hint: String
    var notes: [String]
  }

  /// An observer that records notes, and approves plans unless `agrees` is false.
  private final class Listener: MergeObserver, @unchecked Sendable {
    var notes: [String] = []
    var agrees = true
    var asked: () -> Void = {}
    var plan: PlanReport?
    var begins: [MergeProgress.Phase: () -> Void] = [:]

    func note(_ note: MergeNote) { notes.append(note.textInCommandTerms) }
    func progress(_ progress: MergeProgress) {
      begins.removeValue(forKey: progress.phase)?()
    }
    func approve(_ plan: PlanReport) -> Bool {
      self.plan = plan
      asked()
      return agrees
    }
  }

  /// A deterministic substitute for random numbers, which counts down from the top of the range.
  private final class SinkingNumbers: @unchecked Sendable {
    private var count: UInt32 = 0

    func next(_ range: ClosedRange<UInt32>) -> UInt32 {
      count += 1
      return range.upperBound - (count - 1)
    }
  }

  /// Merges the thin device as the command does.
  ///
  /// - `whenAsked`: an action that runs when the plan is submitted for approval.
  func merge(
    _ selection: ThinDeviceReference = .member(pool: "pool", deviceID: 5),
    _ pool: PoolOptions = PoolOptions(), agrees: Bool = true, restarts: Bool = false,
    again: Bool = false, verifies: Bool = false, waits: Bool = true,
    whenAsked: @escaping () -> Void = {}
  ) -> Outcome {
    run(agrees: agrees, waits: waits, whenAsked: whenAsked) { [origin] merger throws(MergeError) in
      let found = try merger.resolve(selection)
      var options = MergeOptions(
        restarts: restarts, mergesAgain: again, verifies: verifies, pool: pool)
      options.extent.thinByteCount = found.thinByteCount
      let report = try merger.merge(
        found.source, onto: found.originPath ?? origin.path, options: options)
      cleanupFailures = report.cleanupFailures
      snapshotID = report.plan.snapshotID
      thinDeviceState = report.thinDevice
      if case .stopped(let error) = report.state { throw error }
    }
  }

  /// Merges from the pool's metadata and data devices, which are specified by path.
  func mergeByHand(
    _ mappings: MergeSource.Mappings, _ options: PoolOptions = PoolOptions(),
    metadataPath: String? = nil, dataPath: String? = nil
  ) -> Outcome {
    run { [origin] merger throws(MergeError) in
      var source = try merger.resolve(.member(pool: "pool", deviceID: 5)).source
      source.mappings = mappings
      if let metadataPath { source.metadataPath = metadataPath }
      if let dataPath { source.dataPath = dataPath }
      let report = try merger.merge(source, onto: origin.path, options: MergeOptions(pool: options))
      if case .stopped(let error) = report.state { throw error }
    }
  }

  /// A reference to the thin device by its ID, which works even if the device is not active.
  static let byNumber = ThinDeviceReference.member(pool: "pool", deviceID: 5)

  /// Runs a merge that creates a snapshot and then stops at unreadable blocks.
  func stopInMidMerge() throws {
    try cutData()
    #expect(merge(Self.byNumber).exitStatus == 3)
    try restoreData()
    #expect(mapper.thinDevices.map(\.devID) == [5, 16_777_215])
  }

  /// Returns the path of the journal in the state folder, or nil if there is none.
  func journalPath() throws -> String? {
    try FileManager.default.contentsOfDirectory(atPath: state)
      .first { $0.hasSuffix(".journal") }.map { "\(state)/\($0)" }
  }

  /// Resumes the merge whose journal is in the state folder.
  func resume(
    _ options: ResumeOptions = ResumeOptions(), agrees: Bool = true,
    whenAsked: @escaping () -> Void = {}
  ) throws -> Outcome {
    guard let journal = try journalPath() else { throw SupportError("no journal in \(state)") }
    return run(agrees: agrees, whenAsked: whenAsked) { merger throws(MergeError) in
      let report = try merger.resume(journalPath: journal, options: options)
      cleanupFailures = report.cleanupFailures
      thinDeviceState = report.thinDevice
      if case .stopped(let error) = report.state { throw error }
    }
  }

  /// Truncates the data device's file, which makes half of the thin device's blocks unreadable.
  func cutData() throws {
    let file = try FileHandle(forWritingTo: URL(filePath: folder.path("data.img")))
    try file.truncate(atOffset: UInt64(38 * Self.blockByteCount))
    try file.close()
  }

  /// Inverts every bit of an origin sector that was already merged.
  func overwriteOrigin() throws {
    let byteOffset = Int(Self.mappings[0].thinBlock) * Self.blockByteCount
    let file = try FileHandle(forUpdating: URL(filePath: origin.path))
    try file.seek(toOffset: UInt64(byteOffset))
    let sector = try file.read(upToCount: 512) ?? Data()
    try file.seek(toOffset: UInt64(byteOffset))
    try file.write(contentsOf: Data(sector.map { ~$0 }))
    try file.synchronize()
    try file.close()
  }

  func restoreData() throws {
    let file = try FileHandle(forWritingTo: URL(filePath: folder.path("data.img")))
    try file.write(contentsOf: dataContent)
    try file.close()
  }

  /// Runs one verb on the simulated system, and retries for a while if a device or the pool is in
  /// use.
  ///
  /// While another test starts a program, the child process briefly has copies of all file
  /// descriptors of this process, which keep the locks of a finished run held.
  func run(
    agrees: Bool = true, waits: Bool = true, whenAsked: @escaping () -> Void = {},
    _ body: (Merger) throws(MergeError) -> Void
  ) -> Outcome {
    var outcome = Outcome(exitStatus: -1, message: "not run", hint: "", notes: [])
    _ = poll {
      outcome = runOnce(agrees, whenAsked, body)
      return !waits || !Self.waitsFor.contains(where: outcome.message.contains)
    }
    return outcome
  }

  static let isLocked = "another thin-merge run holds its lock"
  private static let waitsFor = [
    isLocked, "the device is in use: mounted, or held", "has it locked",
  ]

  private func runOnce(
    _ agrees: Bool, _ whenAsked: @escaping () -> Void,
    _ body: (Merger) throws(MergeError) -> Void
  ) -> Outcome {
    let listener = Listener()
    listener.agrees = agrees
    listener.asked = whenAsked
    listener.begins = [.merging: whenMerging, .verifying: whenVerifying]
    (whenMerging, whenVerifying) = ({}, {})
    var environment = Environment(stateFolder: state, observer: listener)
    environment.bootID = bootID
    runCount += 1
    environment.secondsSince1970 = { [runCount] in 1_764_500_000 + runCount }
    environment.deviceMapper = mapper
    environment.runProgram = runProgram
    environment.runChange = runChange
    environment.drawNumber = SinkingNumbers().next
    environment.clock = environment.clock.skipping
    if activatesVolumes { environment.activatedVolumes = environment.makeActivatedVolumes() }
    defer {
      environment.activatedVolumes?.end()
      planAskedOf = listener.plan
    }
    do throws(MergeError) {
      try body(Merger(environment: environment))
      return Outcome(exitStatus: 0, message: "", hint: "", notes: listener.notes)
    } catch {
      let said = error.inCommandTerms
      return Outcome(
        exitStatus: Failure(error).exitStatus.rawValue, error: error, message: said.message,
        hint: said.hint ?? "", notes: listener.notes)
    }
  }

  // MARK: Expectations

  /// The origin's expected content after the merge.
  var merged: Data {
    var content = before
    for mapping in Self.mappings {
      let target = Int(mapping.thinBlock) * Self.blockByteCount
      let source = Int(mapping.dataBlock) * Self.blockByteCount
      content.replaceSubrange(
        target..<target + Self.blockByteCount,
        with: dataContent[source..<source + Self.blockByteCount])
    }
    return content
  }

  func originContent() throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path("origin.img")))
  }

  func isUntouched() throws -> Bool { try originContent() == before }

  func isMerged() throws -> Bool { try originContent() == merged }

  /// A pool record such as a newer version might write, with a required feature unknown to this
  /// version.
  static let recordOfANewerVersion = """
    {"format":1,"requiredFeatures":4,"removals":[],"madeWritable":[],"journals":["a","b"]}
    """

  var recordPath: String { "\(state)/pools/\(poolUUID).json" }

  /// Writes a pool record for the next run to find.
  func writeRecord(_ text: String) throws {
    try FileManager.default.createDirectory(
      atPath: state + "/pools", withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: recordPath))
  }

  /// Returns the file names of all pool records in the state folder.
  func recordFiles() throws -> [String] {
    let pools = state + "/pools"
    guard FileManager.default.fileExists(atPath: pools) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: pools).filter {
      $0.hasSuffix(".json")
    }
  }
}

extension Clock {
  /// The same clock, except that each wait takes only a thousandth of its nominal duration.
  fileprivate var skipping: Clock {
    let skipped = Mutex(Duration.zero)
    return Clock(
      now: { [now] in now() + skipped.withLock { $0 } },
      sleep: { [sleep] duration in
        sleep(duration / 1000)
        skipped.withLock { $0 += duration }
      })
  }
}
