internal import SystemPackage

/// A run's work on an origin without an active pool: finding other users, and making device-mapper
/// layers writable for the merge and read-only again.
///
/// Each step is written to the origin's record first. ``end()`` undoes it, or the next run does if
/// this one is killed.
package final class OriginSession {
  private let mapper: any DeviceMapper
  private let stateFolder: String
  private let bootID: String
  private let note: (MergeNote) -> Void
  private var layers: OriginLayers?
  /// The plan that was applied; nil until then.
  private var applied: OriginPlan?
  /// The steps that could not be undone.
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

  /// Makes every origin read-only again that a killed run left writable.
  ///
  /// - Returns: the steps that could not be undone, keyed by the path of their record.
  @discardableResult
  package func settle() -> [String: [MergeNote]] {
    var notUndone: [String: [MergeNote]] = [:]
    for record in OriginStateFile.left(in: stateFolder) {
      for layer in layers(record).restoreReadOnly() { note(.originLeft(layer.path)) }
      notUndone[record.path] = cleanupFailures
      // The next run retries and reports these steps again.
      cleanupFailures = []
    }
    return notUndone
  }

  /// Decides how to prepare an origin for writing.
  ///
  /// - `lvm`: asks LVM about the origin, given its layers, the topmost first.
  /// - Returns: nil for a regular file, and if there is no device-mapper.
  /// - Throws: `MergeError`: `busy` if another device lies on the origin, `refused` if other
  ///   devices show it or it is read-only, without the user's consent.
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

  /// Returns who may have the origin open until the plan is applied.
  package func use(_ plan: OriginPlan) -> OriginUse { plan.use(users: [], mapper.holders) }

  /// Makes the planned changes.
  ///
  /// - Returns: the kind of access that keeps everybody else off the origin.
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

  /// Makes the origin writable again if somebody made it read-only in mid-merge, and notes that.
  ///
  /// - Returns: false if the origin was not read-only, or could not be made writable.
  func makeWritableAgain() -> Bool {
    guard let applied, layers?.makeWritableAgain() == true else { return false }
    note(.originMadeWritableAgain(applied.path))
    return true
  }

  /// Checks after the merge that no other device uses the origin by now.
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
  /// A step that cannot be undone is reported and stays in the record for the next run.
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

  /// Returns all mapped devices; nil if device-mapper does not answer and the origin is not a
  /// mapped device.
  ///
  /// In that case a mapped device on the origin still makes the exclusive open fail.
  private func devices(besides origin: DeviceNumber) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try devices()
    } catch {
      guard !FileSystem.exists("/sys/dev/block/\(origin)/dm") else { throw error }
      return nil
    }
  }

  /// Returns the devices as they will be once the leftovers of killed runs are undone.
  package func asSettled(_ devices: MappedDevices) -> MappedDevices {
    OriginStateFile.left(in: stateFolder).reduce(devices) { found, record in
      layers(record).asRestored(in: found)
    }
  }
}
