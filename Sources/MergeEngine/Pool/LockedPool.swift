internal import SystemPackage

/// An active pool that this run has locked: what is asked of it, what is sent to it, and the record of what
/// was changed for a merge.
package final class LockedPool {
  package let device: MappedDevice
  let target: PoolTarget
  let mapper: any DeviceMapper
  let stateFile: PoolStateFile
  let reader: MetadataReader
  /// Draws a number at random.
  let drawNumber: (ClosedRange<UInt32>) -> UInt32
  /// Runs a program and brings what it prints.
  let runProgram: ([String]) -> Program.End
  /// Runs a program that changes something.
  let runChange: ([String]) -> Program.End
  private let clock: Clock
  let note: (MergeNote) -> Void
  /// What could not be undone.
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

  /// The live superblock.
  func superblock() throws(MergeError) -> Superblock { try reader.liveSuperblock() }

  /// The superblocks with the trees of the metadata snapshot that is held.
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

  /// Looks at tables, status and superblock.
  package func observed() throws(MergeError) -> ObservedPool {
    ObservedPool(
      pool: device, target: target, devices: try devices(), status: try status(),
      live: try superblock())
  }

  /// Looks at them once nobody has the thin device open for a moment, as udev and LVM do.
  ///
  /// Whoever has it open for longer than that still has. What lies on it has it for longer.
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

  /// - Throws: `MergeError` (`refused`) where nothing can be added to the pool's metadata, or must not be.
  func checkHasRoom(_ status: PoolStatus) throws(MergeError) {
    guard status.mode != .readOnly else { throw .poolReadOnly(name) }
    guard !status.isMetadataNearlyUsedUp else {
      throw .poolMetadataUsedUp(
        name, freeBlockCount: status.freeMetadataBlockCount, of: status.metadataBlockCount,
        min: status.freeMetadataBlockCountMin)
    }
  }

  /// Makes the pool commit what it has changed.
  func commit() throws(MergeError) {
    do throws(Errno) {
      try mapper.commit(device.number)
    } catch {
      throw .cannotCommitPool(name, error)
    }
  }

  /// Those of the thin devices that are in the live metadata.
  func liveDevices(_ ids: Set<UInt32>) throws(MergeError) -> [MetadataReader.Device] {
    try commit()
    return try reader.liveDevices(ids)
  }

  /// Says what could not be undone.
  func recordCleanupFailure(_ failure: MergeNote) {
    cleanupFailures.append(failure)
    note(failure)
  }

  /// All of it is tried again.
  func forgetCleanupFailures() { cleanupFailures = [] }
}

/// An active pool as it was when it was looked at: what is decided about it is decided from this.
package struct ObservedPool: Sendable {
  package let pool: MappedDevice
  let target: PoolTarget
  package var devices: MappedDevices
  let status: PoolStatus
  let live: Superblock

  /// Where a metadata snapshot is held, by whomever.
  package var heldRoot: UInt64? { live.heldRoot?.rawValue }

  /// The devices that show a thin device of the pool, or would with the table that was loaded.
  func showing(_ deviceID: UInt32) -> [MappedDevice] { devices.showing(deviceID, of: pool.number) }

  /// Whether somebody may write to a thin device now.
  func isWritable(_ deviceID: UInt32) -> Bool { showing(deviceID).contains { !$0.isReadOnly } }

  /// - Throws: `MergeError` (`refused`) for a pool that is not to be relied on.
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
