internal import SystemPackage

/// A run's work on an origin where no pool is active: who else is on it, and its layers of device-mapper, which
/// are made writable for the merge and read-only again.
///
/// Every step is in the origin's record before it is made, and is undone by ``end()``, or by the next run
/// if this one is killed.
package final class OriginSession {
  private let mapper: any DeviceMapper
  private let stateFolder: String
  private let bootID: String
  private let note: (MergeNote) -> Void
  private var layers: OriginLayers?
  /// What was applied; nil until then.
  private var applied: OriginPlan?
  /// What could not be undone.
  package private(set) var cleanupFailures: [MergeNote] = []

  package init(
    _ mapper: any DeviceMapper, stateFolder: String, bootID: String,
    note: @escaping (MergeNote) -> Void
  ) {
    self.mapper = mapper
    self.stateFolder = stateFolder
    self.bootID = bootID
    self.note = note
  }

  /// Makes origins read-only again that killed runs left writable, whichever they are.
  ///
  /// - Returns: What could not be undone, by the record that has it.
  @discardableResult
  package func settle() -> [String: [MergeNote]] {
    var notUndone: [String: [MergeNote]] = [:]
    for record in OriginStateFile.left(in: stateFolder) {
      for layer in layers(record).restoreReadOnly() { note(.originLeft(layer.path)) }
      notUndone[record.path] = cleanupFailures
      // The next run tries again, and says so again.
      cleanupFailures = []
    }
    return notUndone
  }

  /// Decides how an origin gets ready to be written to.
  ///
  /// - `lvm`: asks LVM about the origin, whose layers it gets, the topmost first.
  /// - Returns: nil for a regular file, and where there is no device-mapper.
  /// - Throws: `MergeError`: `busy` where something lies on the origin, `refused` where others show it or it is
  ///   read-only, and that was not agreed to.
  package func plan(
    _ path: String, options: PoolOptions,
    lvm: ([MappedDevice]) throws(MergeError) -> VolumesOnOrigin? = { _ in nil }
  ) throws(MergeError) -> OriginPlan? {
    guard let number = FileSystem.blockDevice(at: path),
      let devices = try devices(besides: number), !devices.all.isEmpty
    else { return nil }
    var plan = try OriginPlan(
      path, number, of: [], asSettled(devices), options: options, lvm: lvm)
    try plan.addVolumes(agreedTo: options)
    try plan.check(users: [], devices, mapper.holders)
    return plan
  }

  /// Who may have the origin open until the plan is applied.
  package func use(_ plan: OriginPlan) -> OriginUse { plan.use(users: [], mapper.holders) }

  /// Makes the changes that were decided.
  ///
  /// - Returns: what keeps everybody else off the origin.
  package func apply(_ plan: OriginPlan) throws(MergeError) -> OriginUse {
    if let lowest = plan.readOnlyLayers.first {
      let layers = layers(
        try OriginStateFile.open(lowest, of: plan.path, stateFolder: stateFolder))
      self.layers = layers
      try layers.makeWritable(plan.readOnlyLayers)
    }
    applied = plan
    try plan.check(users: [], devices(), mapper.holders)
    return use(plan)
  }

  /// Makes the origin writable again that somebody made read-only in mid-merge, and says so.
  ///
  /// - Returns: false where it was not read-only, or stays so.
  func makeWritableAgain() -> Bool {
    guard let applied, layers?.makeWritableAgain() == true else { return false }
    note(.originMadeWritableAgain(applied.path))
    return true
  }

  /// Checks once more, when all is merged, that nobody else came to lie on the origin.
  ///
  /// - Throws: `MergeError` (`stopped`).
  package func checkStillUnused() throws(MergeError) {
    guard let applied else { return }
    do throws(MergeError) {
      try applied.check(users: [], devices(), mapper.holders)
    } catch {
      throw error.atTheEnd()
    }
  }

  /// Undoes what the run did to the origin.
  ///
  /// What cannot be undone is said, and stays in the record for the next run.
  package func end() {
    cleanupFailures = []
    layers?.restoreReadOnly()
    layers = nil
  }

  private func layers(_ record: OriginStateFile) -> OriginLayers {
    OriginLayers(
      record: record, mapper: mapper, bootID: bootID,
      devices: { () throws(MergeError) in try self.devices() },
      recordCleanupFailure: { failure in
        self.cleanupFailures.append(failure)
        self.note(failure)
      })
  }

  private func devices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try mapper.devices())
    } catch {
      throw .noDeviceMapper(error)
    }
  }

  /// Nil where device-mapper cannot be asked, and the origin is none of its devices.
  ///
  /// Whoever of them lies on the origin keeps it from being opened exclusively.
  private func devices(besides origin: DeviceNumber) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try devices()
    } catch {
      guard !FileSystem.exists("/sys/dev/block/\(origin)/dm") else { throw error }
      return nil
    }
  }

  /// The devices as they are once what killed runs left is settled.
  package func asSettled(_ devices: MappedDevices) -> MappedDevices {
    OriginStateFile.left(in: stateFolder).reduce(devices) { found, record in
      layers(record).asRestored(in: found)
    }
  }
}
