internal import SystemPackage

/// Prepares an origin for a merge without an active pool: finds its other users, and makes its
/// device-mapper layers writable for the merge and read-only again afterwards.
///
/// Each step is recorded in the origin's record before it is taken. ``end()`` undoes the steps; if
/// this run is killed, the next one undoes them.
package final class OriginSession {
  private let mapper: any DeviceMapper
  private let stateFolder: String
  private let bootID: String
  private let note: (MergeNote) -> Void
  private var layers: OriginLayers?
  /// The plan that was applied; nil until a plan is applied.
  private var applied: OriginPlan?
  /// Notes about the steps that could not be undone.
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

  /// Makes origins read-only again if a killed run left them writable.
  ///
  /// - Returns: notes about the steps that could not be undone, for each record left behind, keyed
  ///   by its path.
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
  /// - `lvm`: asks LVM about the origin, given the origin's layers, topmost first.
  /// - Returns: nil if the origin is a regular file, or if no mapped devices are found.
  /// - Throws: `MergeError`: `busy` if an unexpected device uses the origin, `refused` if the user
  ///   has not agreed that other thin devices use the origin, or to making a read-only origin
  ///   writable.
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

  /// Returns the kind of access with which to open the origin until the plan is applied.
  package func use(_ plan: OriginPlan) -> OriginUse { plan.use(users: [], mapper.holders) }

  /// Makes the planned changes to the origin.
  ///
  /// - Returns: the kind of access with which to open the origin so that nothing unexpected can use
  ///   it.
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

  /// Makes the origin writable again if something made it read-only during the merge, and adds a
  /// note about it.
  ///
  /// - Returns: false if the origin was not read-only, or could not be made writable.
  func makeWritableAgain() -> Bool {
    guard let applied, layers?.makeWritableAgain() == true else { return false }
    note(.originMadeWritableAgain(applied.path))
    return true
  }

  /// Checks, after the merge, that no unexpected device uses the origin.
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
  /// A step that cannot be undone is reported, and stays in the record so that the next run can
  /// undo it.
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

  /// Returns all mapped devices; nil if device-mapper does not respond and the origin is not itself
  /// a mapped device.
  ///
  /// If the result is nil, a mapped device on the origin is still noticed, because it makes the
  /// exclusive open fail.
  private func devices(besides origin: DeviceNumber) throws(MergeError) -> MappedDevices? {
    do throws(MergeError) {
      return try devices()
    } catch {
      guard !FileSystem.exists("/sys/dev/block/\(origin)/dm") else { throw error }
      return nil
    }
  }

  /// Returns the given devices as they will be once the leftovers of killed runs are undone.
  package func asSettled(_ devices: MappedDevices) -> MappedDevices {
    OriginStateFile.left(in: stateFolder).reduce(devices) { found, record in
      layers(record).asRestored(in: found)
    }
  }
}
