import Fixtures
import Foundation
import MergeEngine
import SystemPackage

/// A simulated device-mapper with one thin pool, whose metadata is rewritten after every change.
///
/// A metadata snapshot shares its trees with the pool until the pool changes.
///
/// The pool's metadata and data devices are real block devices. Mapped devices exist only in the
/// list `mapped`. Everything runs on the test's own thread.
final class SimulatedDeviceMapper: DeviceMapper, @unchecked Sendable {
  static let poolNumber = DeviceNumber(major: 253, minor: 300)

  var mapped: [MappedDevice] = [] {
    didSet { if mapped.map(\.name) != oldValue.map(\.name) { changeCount += 1 } }
  }
  /// The number of times the set of mapped devices changed.
  private var changeCount = 0
  var mode = "rw"
  var needsCheck = false
  /// The errors to return, keyed by the first word of a step, or by `devices`, `status`, `commit`
  /// or `reload`.
  var fails: [String: Errno] = [:]
  /// The completed steps, in order.
  private(set) var steps: [String] = []
  /// The point at which the simulated process dies.
  ///
  /// The value 2n means just before step n, and 2n + 1 just after step n, with steps numbered from
  /// 0.
  var diesAt: Int?
  /// An action that runs when the simulated process dies.
  ///
  /// After its death, the process cannot change anything.
  var dies: () -> Void = {}
  private(set) var isDead = false
  /// An action that receives the name of each step just before the step is performed.
  var told: (String) -> Void = { _ in }
  /// Actions that run just after a step, keyed by the step's index from 0.
  var happensAfter: [Int: () -> Void] = [:]
  /// An action that runs whenever the mapped devices are listed.
  var whenLookedAt: () -> Void = {}
  /// For each device, the devices that the kernel reports as stacked on top of it.
  var holders: [DeviceNumber: [DeviceNumber]] = [:]
  /// True if the pool's trees have uncommitted changes.
  ///
  /// If so, the next commit moves the roots of the trees.
  var hasUncommittedChanges = false
  /// The metadata snapshot's block that the pool's status reports, if different from the block in
  /// the superblock.
  var reportedHeldBlock: Int?
  /// The number of upcoming snapshots during which another program resumes the suspended thin
  /// device.
  var resumedByOthers = 0
  /// The number of used data blocks that the pool's status reports.
  var usedDataBlockCount = 30
  /// The used and total metadata blocks, as the pool's status reports them.
  var metadataUsage = "20/256"
  /// The metadata block count in the live superblock after the metadata device has grown; nil
  /// before.
  var grownMetadataBlockCount: UInt64?
  /// True to make the live trees unreadable, starting with the next change.
  var damagesLiveTrees = false

  private(set) var thinDevices: [Fixtures.ThinDevice]
  private(set) var heldDevices: [Fixtures.ThinDevice]?
  private var time: UInt32 = 1
  private var heldTime: UInt32 = 0
  private var transactionID: UInt64 = 7
  private var heldTransactionID: UInt64 = 0
  private(set) var heldBlock: Int?
  /// True if the live trees differ from those of the metadata snapshot.
  private var hasChangedSinceHold = false
  /// The number of commits that moved the roots.
  private var generation: UInt64 = 0
  /// For each device whose loaded table is not yet live, keyed by name: true if that table is
  /// read-only.
  private var loadedReadOnly: [String: Bool] = [:]
  /// The data device's size in blocks, as the pool's status reports it.
  var dataBlockCount = 256
  private let metadataPath: String

  init(_ thinDevices: [Fixtures.ThinDevice], metadataPath: String) throws {
    self.thinDevices = thinDevices
    self.metadataPath = metadataPath
    try write()
  }

  var isHolding: Bool { heldDevices != nil }

  static func builder(_ devices: [Fixtures.ThinDevice]) -> PoolImageBuilder {
    var builder = PoolImageBuilder(devices: devices)
    builder.metadataBlockCount = 256
    return builder
  }

  /// Takes a metadata snapshot as another program would, optionally after a change to the pool.
  func holdForSomebodyElse(afterChange: Bool = true) throws {
    if afterChange { transactionID += 1 }
    hold()
    try write()
  }

  /// Releases the metadata snapshot as another program would, no matter which program took it.
  func releaseBySomebodyElse() throws {
    heldDevices = nil
    try write()
  }

  /// Maps a block of a thin device, as a write by another program would.
  func writeBySomebodyElse(_ mapping: ThinMapping, to id: UInt64) throws {
    guard let index = thinDevices.firstIndex(where: { $0.devID == id }) else {
      throw SupportError("no device \(id)")
    }
    giveOwnTrees(toSnapshotsOf: id)
    thinDevices[index].mappings.append(mapping)
    thinDevices[index].mappings.sort { $0.thinBlock < $1.thinBlock }
    try changeBySomebodyElse()
  }

  /// Deletes a thin device as another program would, and optionally creates a new one with the same
  /// ID.
  ///
  /// Like `create_thin`, this leaves the pool's time unchanged.
  func replaceBySomebodyElse(_ id: UInt64, with new: Fixtures.ThinDevice? = nil) throws {
    giveOwnTrees(toSnapshotsOf: id)
    thinDevices.removeAll { $0.devID == id }
    if let new { thinDevices = (thinDevices + [new]).sorted { $0.devID < $1.devID } }
    try changeBySomebodyElse()
  }

  /// Gives each snapshot of a device its own copy of the mappings, before those of the device
  /// change.
  private func giveOwnTrees(toSnapshotsOf id: UInt64) {
    let mappings = thinDevices.first { $0.devID == id }?.mappings ?? []
    for index in thinDevices.indices where thinDevices[index].sharesTreeOf == id {
      thinDevices[index].sharesTreeOf = nil
      thinDevices[index].mappings = mappings
    }
  }

  func changeBySomebodyElse() throws {
    hasChangedSinceHold = true
    try write()
  }

  func revive() {
    isDead = false
    diesAt = nil
    steps = []
  }

  private func hold() {
    heldDevices = thinDevices
    heldTime = time
    heldTransactionID = transactionID
    hasChangedSinceHold = false
  }

  private func write() throws {
    var builder = Self.builder(heldDevices ?? thinDevices)
    builder.time = time
    builder.transactionID = transactionID
    builder.holdsMetadataSnapshot = isHolding
    if isHolding, hasChangedSinceHold {
      builder.liveDevices = thinDevices
      builder.sharesUnchangedTrees = true
    }
    if generation > 0 { builder.placement = .shuffled(seed: generation) }
    var image = builder.build()
    if damagesLiveTrees { image.flip(1, inBlock: image.live.topLevel.root, atByte: 100) }
    image.editSuperblock(.live) {
      if let grownMetadataBlockCount { $0.metadataBlockCount = grownMetadataBlockCount }
      $0.dataBlockCount = UInt64(dataBlockCount)
    }
    heldBlock = image.heldBlock
    if isHolding {
      let (time, transactionID) = (heldTime, heldTransactionID)
      image.editSuperblock(.held) {
        $0.time = time
        $0.transactionID = transactionID
      }
    }
    let file = try FileHandle(forWritingTo: URL(filePath: metadataPath))
    try file.write(contentsOf: image.metadata.data)
    try file.synchronize()
    try file.close()
  }

  // MARK: DeviceMapper requests

  func devices() throws(Errno) -> [MappedDevice] {
    try fail("devices")
    if isDead { throw .ioError }
    whenLookedAt()
    return mapped
  }

  func status(of device: DeviceNumber) throws(Errno) -> [TableLine] {
    try fail("status")
    if isDead { throw .ioError }
    let held = (reportedHeldBlock ?? heldBlock).map(String.init) ?? "-"
    return [
      TableLine(
        sectorCount: 32768, kind: "thin-pool",
        arguments:
          "\(transactionID) \(metadataUsage) \(usedDataBlockCount)/\(dataBlockCount) \(held) \(mode) discard_passdown "
          + "queue_if_no_space \(needsCheck ? "needs_check" : "-") 1024 ")
    ]
  }

  func send(_ message: String, to device: DeviceNumber) throws(Errno) {
    try step(message) { () throws(Errno) in
      guard device == Self.poolNumber else { throw .invalidArgument }
      try handle(message)
    }
  }

  func remove(_ device: MappedDevice) throws(Errno) {
    try step("remove \(device.name)") { () throws(Errno) in
      guard let index = index(of: device) else { throw .noSuchAddressOrDevice }
      guard mapped[index].openCount == 0 else { throw .resourceBusy }
      mapped.remove(at: index)
    }
  }

  func make(_ device: MappedDevice) throws(Errno) {
    try step("make \(device.name)") { () throws(Errno) in
      let isTaken = mapped.contains {
        $0.name == device.name || (!device.uuid.isEmpty && $0.uuid == device.uuid)
      }
      guard !isTaken else { throw .resourceBusy }
      var made = device
      while mapped.contains(where: { $0.number == made.number }) { made.number.minor += 1 }
      mapped.append(made)
    }
  }

  func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno) {
    try fail("reload")
    try step("load \(device.name) \(isReadOnly ? "ro" : "rw")") { () throws(Errno) in
      guard let index = index(of: device) else { throw .noSuchAddressOrDevice }
      mapped[index].inactiveTable = device.liveTable
      loadedReadOnly[device.name] = isReadOnly
    }
    try resume(device)
  }

  func clear(_ device: MappedDevice) throws(Errno) {
    try step("clear \(device.name)") { () throws(Errno) in
      guard let index = index(of: device) else { throw .noSuchAddressOrDevice }
      mapped[index].inactiveTable = []
      loadedReadOnly[device.name] = nil
    }
  }

  func watchForChanges() -> (() -> Bool)? {
    let before = changeCount
    return { [unowned self] in changeCount != before }
  }

  func holders(of device: DeviceNumber) -> [DeviceNumber] { holders[device] ?? [] }

  func resume(_ device: MappedDevice) throws(Errno) {
    try step("resume \(device.name)") { () throws(Errno) in
      guard let index = index(of: device) else { throw .noSuchAddressOrDevice }
      mapped[index].isSuspended = false
      if let isReadOnly = loadedReadOnly.removeValue(forKey: device.name) {
        mapped[index].liveTable = mapped[index].inactiveTable
        mapped[index].inactiveTable = []
        mapped[index].isReadOnly = isReadOnly
      }
    }
  }

  /// The failures to return when caches are written back.
  var cacheFailures: [CacheFailure] = []

  func writeBackCaches(above device: DeviceNumber) -> [CacheFailure] {
    guard !isDead, let name = mapped.first(where: { $0.number == device })?.name else { return [] }
    told("write back \(name)")
    return cacheFailures
  }

  func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure) {
    guard let index = mapped.firstIndex(where: { $0.number == thin }) else {
      throw SuspendedMessageFailure(.suspending, .noSuchAddressOrDevice)
    }
    // There is no watchdog here, so tests also cover what a killed watchdog would leave undone.
    try suspendedStep(.suspending, "suspend") { mapped[index].isSuspended = true }
    var failure: SuspendedMessageFailure?
    do throws(SuspendedMessageFailure) {
      try suspendedStep(.sending, message) { () throws(Errno) in try handle(message) }
    } catch {
      if isDead { throw error }
      failure = error
    }
    if failure == nil, resumedByOthers > 0 {
      resumedByOthers -= 1
      mapped[index].isSuspended = false
    }
    if failure == nil, !mapped[index].isSuspended {
      failure = SuspendedMessageFailure(.resumedByOthers, .resourceBusy)
    }
    if let resumeFails { throw SuspendedMessageFailure(.resuming, resumeFails) }
    try suspendedStep(.resuming, "resume") { mapped[index].isSuspended = false }
    if let failure { throw failure }
  }

  /// The error to return when a thin device is resumed after a snapshot; nil for none.
  var resumeFails: Errno?

  func commit(_ pool: DeviceNumber) throws(Errno) {
    try fail("commit")
    if isDead { throw .ioError }
    try commitChanges()
  }

  private func commitChanges() throws(Errno) {
    guard hasUncommittedChanges else { return }
    hasUncommittedChanges = false
    generation += 1
    do {
      try write()
    } catch {
      throw .ioError
    }
  }

  private func suspendedStep(
    _ step: SuspendedMessageFailure.Step, _ name: String, _ change: () throws(Errno) -> Void
  ) throws(SuspendedMessageFailure) {
    do throws(Errno) {
      try self.step(name, change)
    } catch {
      throw SuspendedMessageFailure(step, error)
    }
  }

  private func index(of device: MappedDevice) -> Int? {
    mapped.firstIndex { $0.name == device.name }
  }

  private func fail(_ what: some StringProtocol) throws(Errno) {
    if let errno = fails[String(what)] { throw errno }
  }

  private func step(_ name: String, _ change: () throws(Errno) -> Void) throws(Errno) {
    if isDead { throw .ioError }
    try fail(name.prefix { $0 != " " })
    told(name)
    let number = steps.count
    if diesAt == 2 * number { throw die() }
    try change()
    steps.append(name)
    happensAfter[number]?()
    if diesAt == 2 * number + 1 { throw die() }
  }

  private func die() -> Errno {
    isDead = true
    dies()
    return .ioError
  }

  private func handle(_ message: String) throws(Errno) {
    let words = message.split(separator: " ")
    guard mode != "ro" else { throw .notSupportedOnSocket }
    try commitChanges()
    switch words.first {
    case "reserve_metadata_snap":
      if isHolding { throw .resourceBusy }
      hold()
    case "release_metadata_snap":
      if !isHolding { throw .invalidArgument }
      heldDevices = nil
    case "create_snap":
      guard let id = UInt64(words[1]), let originalID = UInt64(words[2]),
        var copy = thinDevices.first(where: { $0.devID == originalID })
      else { throw .noData }
      if thinDevices.contains(where: { $0.devID == id }) { throw .fileExists }
      time += 1
      copy.devID = id
      copy.sharesTreeOf = originalID
      copy.creationTime = time
      copy.snapshottedTime = time
      thinDevices = (thinDevices + [copy]).sorted { $0.devID < $1.devID }
      hasChangedSinceHold = true
    case "delete":
      guard let id = UInt64(words[1]), thinDevices.contains(where: { $0.devID == id }) else {
        throw .noData
      }
      let isActive = mapped.flatMap(\.thinTargets).contains { $0.deviceID == UInt32(id) }
      guard !isActive else { throw .resourceBusy }
      thinDevices.removeAll { $0.devID == id }
      hasChangedSinceHold = true
    default:
      throw .invalidArgument
    }
    do {
      try write()
    } catch {
      throw .ioError
    }
  }
}
