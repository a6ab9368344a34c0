internal import SystemPackage

/// An active pool that this run has locked, with the means to query it, send it messages, and
/// record the changes made to it for a merge.
package final class LockedPool {
  package let device: MappedDevice
  let target: PoolTarget
  let mapper: any DeviceMapper
  let stateFile: PoolStateFile
  let reader: MetadataReader
  /// Returns a random number in the given range.
  let drawNumber: (ClosedRange<UInt32>) -> UInt32
  /// Runs a program that only reads, and returns its result.
  let runProgram: ([String]) -> Program.End
  /// Runs a program that makes changes, and returns its result.
  let runChange: ([String]) -> Program.End
  private let clock: Clock
  let note: (MergeNote) -> Void
  /// Notes about the steps that could not be undone.
  private(set) var cleanupFailures: [MergeNote] = []

  package init(
    _ device: MappedDevice, target: PoolTarget, mapper: any DeviceMapper, stateFile: PoolStateFile,
    reader: MetadataReader, clock: Clock,
    drawNumber: @escaping (ClosedRange<UInt32>) -> UInt32,
    runProgram: @escaping ([String]) -> Program.End,
    runChange: @escaping ([String]) -> Program.End, note: @escaping (MergeNote) -> Void
  ) {
    self.device = device
    self.target = target
    self.mapper = mapper
    self.stateFile = stateFile
    self.note = note
    self.reader = reader
    self.clock = clock
    self.drawNumber = drawNumber
    self.runProgram = runProgram
    self.runChange = runChange
  }

  var name: String { device.name }
  var state: PoolState { stateFile.state }
  var bootID: String { stateFile.bootID }

  func devices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try mapper.devices())
    } catch {
      throw .noDeviceMapper(ofPool: name, error)
    }
  }

  /// Reads the pool's live superblock.
  func superblock() throws(MergeError) -> Superblock { try reader.liveSuperblock() }

  /// Reads the pool's superblocks, selecting the trees of the held metadata snapshot.
  func heldMetadata() throws(MergeError) -> PoolMetadata {
    try reader.superblocks(.metadataSnapshot(block: nil), ignoresNeedsCheck: true)
  }

  func status() throws(MergeError) -> PoolStatus {
    do throws(Errno) {
      if let status = PoolStatus(try mapper.status(of: device.number)) { return status }
    } catch {
      throw .cannotAskPool(name, error)
    }
    throw .poolFailed(name)
  }

  /// Reads the pool's device tables, status and superblock.
  package func observed() throws(MergeError) -> ObservedPool {
    ObservedPool(
      pool: device, target: target, devices: try devices(), status: try status(),
      live: try superblock())
  }

  /// Reads the pool's device tables, status and superblock, after waiting for programs that have
  /// the thin device open only briefly, such as udev and LVM.
  ///
  /// The wait ends when the thin device is no longer open, after `limit` at the latest. It ends at
  /// once if another device or a mount uses the thin device.
  func observed(
    onceClosed deviceID: UInt32, after limit: Duration = .seconds(5)
  ) throws(MergeError) -> ObservedPool {
    let begin = clock.now()
    while true {
      let observed = try observed()
      let open = observed.showing(deviceID).filter { $0.openCount > 0 }
      guard !open.isEmpty, !open.contains(where: { hasSomethingOnIt($0.number) }),
        clock.now() - begin < limit
      else { return observed }
      clock.sleep(.milliseconds(100))
    }
  }

  private func hasSomethingOnIt(_ device: DeviceNumber) -> Bool {
    !mapper.holders(of: device).isEmpty || !StorageAbove.now().mounts(on: device).isEmpty
  }

  /// Checks that the pool's metadata has room for a snapshot.
  ///
  /// - Throws: `MergeError` (`refused`) if the pool is read-only or its metadata space is nearly
  ///   used up.
  func checkHasRoom(_ status: PoolStatus) throws(MergeError) {
    guard status.mode != .readOnly else { throw .poolReadOnly(name) }
    guard !status.isMetadataNearlyUsedUp else {
      throw .poolMetadataUsedUp(
        name, freeBlockCount: status.freeMetadataBlockCount, of: status.metadataBlockCount,
        min: status.freeMetadataBlockCountMin)
    }
  }

  /// Makes the pool commit its changes.
  func commit() throws(MergeError) {
    do throws(Errno) {
      try mapper.commit(device.number)
    } catch {
      throw .cannotCommitPool(name, error)
    }
  }

  /// Returns the given thin devices that exist in the live metadata.
  func liveDevices(_ ids: Set<UInt32>) throws(MergeError) -> [MetadataReader.Device] {
    try commit()
    return try reader.liveDevices(ids)
  }

  /// Records a step that could not be undone, and adds a note about it.
  func recordCleanupFailure(_ failure: MergeNote) {
    cleanupFailures.append(failure)
    note(failure)
  }

  /// Forgets the recorded cleanup failures, because every step is about to be retried.
  func forgetCleanupFailures() { cleanupFailures = [] }
}

/// The state of an active pool at one point in time; all decisions about the pool are based on it.
package struct ObservedPool: Sendable {
  package let pool: MappedDevice
  let target: PoolTarget
  package var devices: MappedDevices
  let status: PoolStatus
  let live: Superblock

  /// The block of the held metadata snapshot, no matter which program took it; nil if none is held.
  package var heldRoot: UInt64? { live.heldRoot?.rawValue }

  /// Returns the mapped devices whose live or inactive table refers to the given thin device of the
  /// pool.
  func showing(_ deviceID: UInt32) -> [MappedDevice] { devices.showing(deviceID, of: pool.number) }

  /// Returns whether any mapped device for the thin device is currently writable.
  func isWritable(_ deviceID: UInt32) -> Bool { showing(deviceID).contains { !$0.isReadOnly } }

  /// Checks that the pool is healthy enough to merge from.
  ///
  /// - Throws: `MergeError` (`refused`) if the pool needs a check that is not to be ignored, or if
  ///   its table and status contradict its metadata.
  package func checkHealth(ignoresNeedsCheck: Bool) throws(MergeError) {
    guard !status.needsCheck || ignoresNeedsCheck else {
      throw .poolNeedsCheck(
        pool.name, metadataPath: devices.path(of: target.metadata),
        holdsSnapshot: status.heldRoot != nil)
    }
    guard live.dataBlockByteCount == target.blockByteCount,
      live.dataBlockCount == status.dataBlockCount
    else {
      throw .poolMismatch(
        pool.name, found: (live.dataBlockCount, live.dataBlockByteCount),
        expected: (status.dataBlockCount, target.blockByteCount))
    }
  }
}
