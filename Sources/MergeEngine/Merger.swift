/// The operations on a thin device and its external origin, called verbs.
///
/// Each verb runs to completion on the calling thread and uses Linux AIO. Several threads may run
/// verbs at once for different origins. With active pools, only one thread may run verbs, because
/// libdevmapper is not thread-safe.
public struct Merger: Sendable {
  private let environment: Environment

  /// Creates a merger whose verbs run in `environment`.
  public init(environment: Environment = Environment()) { self.environment = environment }

  // MARK: Inspecting

  /// Resolves the name of a thin device of an active pool, from device-mapper's tables or, if the
  /// device is not active, from LVM.
  ///
  /// - Parameters:
  ///   - reference: The name of the thin device.
  ///   - mappings: The mapping tree to read; copied into ``ResolvedThinDevice/source``.
  ///   - ignoresNeedsCheck: Copied into ``ResolvedThinDevice/source``, like `mappings`.
  /// - Returns: The input for a merge of the device.
  /// - Throws: `MergeError` (`refused`) if there is no such device, it is not a thin device, or its
  ///   pool is not active.
  public func resolve(
    _ reference: ThinDeviceReference, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> ResolvedThinDevice {
    try ThinDeviceLookup(environment: environment).resolve(
      reference, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// Returns the thin devices in the metadata, by ascending id.
  ///
  /// - Parameters:
  ///   - metadataPath: The pool's metadata device, or a file with its content.
  ///   - mappings: The state of the metadata to read.
  ///   - ignoresNeedsCheck: As in ``MergeSource``.
  /// - Returns: All thin devices; the metadata does not record which of them have an external
  ///   origin.
  /// - Throws: `MergeError`: `refused` if the metadata is corrupt or unreadable, `busy` if it is in
  ///   use.
  public func devices(
    metadataPath: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devices(
      metadataPath: metadataPath, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// Returns the thin devices of an active pool, by ascending id.
  ///
  /// - Parameters:
  ///   - name: The pool's name, in device-mapper or as `VG/LV`.
  ///   - mappings: The state of the metadata to read.
  ///   - ignoresNeedsCheck: As in ``MergeSource``.
  /// - Returns: All thin devices, active or not.
  /// - Throws: `MergeError`: `refused` if no pool of that name is active or its metadata is
  ///   corrupt, `busy` if another program holds a metadata snapshot.
  public func devices(
    pool name: String, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devices(
      pool: name, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// Returns what earlier runs left behind in pools (active or not), at origins, and as activated
  /// volumes.
  ///
  /// Changes nothing, and takes no lock that would block other processes.
  ///
  /// - Parameter name: The pool's name, in device-mapper or as `VG/LV`; nil for all pools, origins
  ///   and volumes.
  /// - Returns: The pools with leftovers, and the origins and volumes that have a record. A pool
  ///   given by `name` is always included.
  /// - Throws: `MergeError` (`refused`) if device-mapper cannot be queried, no pool of that name is
  ///   active, or the records are unreadable.
  public func leftovers(pool name: String? = nil) throws(MergeError) -> Leftovers {
    try SettleOperation(environment: environment).leftovers(pool: name)
  }

  /// Cleans up after killed runs, as every merge does first: in active pools, at origins used
  /// without an active pool, and among the volumes that those runs activated.
  ///
  /// Anything that an unfinished merge needs is kept, and so are the records of inactive pools.
  ///
  /// - Parameter name: The pool's name, in device-mapper or as `VG/LV`; nil for every pool, origin
  ///   and volume that has a record.
  /// - Returns: The pools, origins and volumes that have a record, each with the changes that were
  ///   undone and those that remain. A pool given by `name` is always included. If a pool or origin
  ///   could not be settled, ``PoolLeftovers/error`` or ``OriginLeftovers/error`` is the reason.
  /// - Throws: `MergeError` (`refused`) in the same cases as ``leftovers(pool:)``.
  public func settle(pool name: String? = nil) throws(MergeError) -> Leftovers {
    try SettleOperation(environment: environment).settle(pool: name)
  }

  /// Returns the plan of ``merge(_:onto:options:)``; writes nothing to the origin.
  ///
  /// The whole mapping tree is read and checked. The report contains any reason to refuse the merge
  /// now, such as an origin in use or another merge's journal, except for reasons that only writing
  /// can reveal.
  ///
  /// - Parameters:
  ///   - source: The source to merge.
  ///   - originPath: The origin to write; if nil, the report omits the origin's end and the
  ///     journal.
  ///   - options: All other options. Planning renames no journal, compares no data, and does not
  ///     ask the observer for approval.
  /// - Returns: The plan.
  /// - Throws: `MergeError`: `refused` for metadata and sizes that a merge would refuse, `busy` if
  ///   the mappings cannot be read at the moment, `stopped` if interrupted.
  public func plan(
    _ source: MergeSource, onto originPath: String?, options: MergeOptions = MergeOptions()
  ) throws(MergeError) -> PlanReport {
    try PlanOperation(environment: environment).plan(source, onto: originPath, options: options)
  }

  /// Returns the plan of ``resume(_:options:)``; writes nothing to the origin and appends nothing
  /// to the journal.
  ///
  /// - Returns: The plan, with any reason to refuse the merge.
  /// - Throws: `MergeError` as ``plan(_:onto:options:)`` does; also `refused` if the merge is
  ///   finished, unless ``ResumeOptions/mergesAgain`` is set, and `busy` if a device or the pool
  ///   does not exist (yet).
  public func plan(
    _ recorded: RecordedMerge, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> PlanReport {
    try ResumeOperation(environment: environment).plan(recorded, options: options)
  }

  /// Returns the thin devices in the metadata without locking an active pool: leftovers of earlier
  /// runs are not cleaned up, and a metadata snapshot is read only if one is already held.
  package func devicesAsTheyAre(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devicesAsTheyAre(
      metadataPath: metadataPath, mappings: mappings)
  }

  /// Returns the status of the merge that a journal records, even while that merge is running.
  ///
  /// - Throws: `MergeError`: `journalConflict` if the file is not a journal or is corrupt,
  ///   `refused` if it cannot be opened or read.
  public func status(journalPath: String) throws(MergeError) -> StatusReport {
    try StatusOperation(environment: environment).status(journalPath: journalPath)
  }

  /// Returns the thin devices of this system that have an external origin, including inactive LVM
  /// volumes.
  ///
  /// Changes no pool and no volume.
  ///
  /// - Throws: `MergeError`: `refused` if device-mapper cannot be queried, `busy` if LVM does not
  ///   answer.
  public func thinDevices() throws(MergeError) -> [ThinDeviceListing] {
    try ListOperation(environment: environment).list()
  }

  /// Returns the journals in the state folder, and any others that marks in that folder refer to,
  /// each with the status of its merge.
  public func journals() -> [JournalListing] { StatusOperation(environment: environment).all() }

  /// Returns the path of a journal, given either that path or the name of the merge's thin device
  /// or origin, which may be a volume or a mapped device.
  ///
  /// - Parameter text: The journal's path, or the name of the thin device or origin.
  /// - Returns: A path is returned unchanged. If several merges match a name, the result is the
  ///   journal of the unfinished merge, or else of the latest.
  /// - Throws: `MergeError`: `journalConflict` if there is no such journal, or several merges are
  ///   unfinished; `busy` if LVM does not answer.
  public func journalPath(named text: String) throws(MergeError) -> String {
    try JournalLookup(environment: environment).path(named: text)
  }

  /// Returns the path of an origin that may be given as the name of a logical volume.
  ///
  /// - Throws: `MergeError` (`refused`) if the text names both a file and an active volume.
  package func originPath(named text: String) throws(MergeError) -> String {
    try ThinDeviceLookup(environment: environment).originPath(named: text)
  }

  /// Returns the finished merge of the given source onto the given origin; nil if none can be found
  /// without reading the pool.
  package func finishedMerge(
    of source: MergeSource, onto originPath: String, journalPath: String?
  ) -> StatusReport? {
    FinishedMergeComparison(environment: environment).find(
      source, onto: originPath, journalPath: journalPath)
  }

  // MARK: Merging

  /// Writes the thin device's blocks onto the origin, resuming an earlier run that stopped.
  ///
  /// If a journal of the same merge exists, bytes recorded in it are not written again unless they
  /// differ. If that merge is finished, source and origin are compared with its records and nothing
  /// is written; see ``MergeReport/earlier-swift.property``. The origin is opened exclusively if it
  /// is a block device, and locked if it is a file.
  ///
  /// - Parameters:
  ///   - source: The source to merge; it must not change during the merge, and is never written to.
  ///   - originPath: A block device or a regular file, which is written in place.
  ///   - options: All other options.
  /// - Returns: The result. A merge that stops after it has begun throws no error; its report's
  ///   state is ``MergeReport/State-swift.enum/stopped(_:)``.
  /// - Throws: `MergeError`: `refused`, `busy` or `journalConflict` if this run has written
  ///   nothing, including when source or origin changed since the merge was finished; `stopped` if
  ///   this run was interrupted, or a device failed, before the first write.
  public func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions = MergeOptions()
  ) throws(MergeError) -> MergeReport {
    try MergeOperation(environment: environment.notingOnce).merge(
      source, onto: originPath, options: options)
  }

  /// Resumes the merge that a journal records; the journal supplies everything that `options`
  /// leaves unset.
  ///
  /// - Throws: `MergeError` as ``merge(_:onto:options:)`` does; also `refused` if the merge is
  ///   finished, unless ``ResumeOptions/mergesAgain`` is set, `busy` if a finished merge has
  ///   leftovers in its pool, or if a device or the pool does not exist (yet), and
  ///   `journalConflict` if the devices are not those in the journal.
  public func resume(
    journalPath: String, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    try resume(recordedMerge(journalPath: journalPath), options: options)
  }

  /// Reads the journal of a merge to be resumed.
  ///
  /// - Throws: `MergeError`: `busy` while a merge has the journal open; `journalConflict` if the
  ///   file is not a journal, is corrupt, or its merge was abandoned in favor of another; `refused`
  ///   if it cannot be opened or read.
  public func recordedMerge(journalPath: String) throws(MergeError) -> RecordedMerge {
    let journal = try environment.journals.open(FileSystem.absolute(journalPath))
    if let taker = journal.state.givenUp { throw .journalGivenUp(journal.file.path, for: taker) }
    return RecordedMerge(journal)
  }

  /// Returns the error to report if a finished merge has leftovers in its pool; nil if it has none.
  package func refusalAsUnsettled(
    _ merge: RecordedMerge, metadataPath: String?
  ) -> MergeError? {
    do throws(MergeError) {
      try ResumeOperation(environment: environment).checkSettled(merge, metadataPath: metadataPath)
      return nil
    } catch {
      return error
    }
  }

  /// Resumes a merge as ``resume(journalPath:options:)`` does, without reading its journal again.
  public func resume(
    _ recorded: RecordedMerge, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    try ResumeOperation(environment: environment.notingOnce).resume(recorded, options: options)
  }

  /// Replaces a thin LVM volume with its origin after the merge is finished, as
  /// ``MergeOptions/handsOver`` does; resumes an earlier call that was interrupted.
  ///
  /// - Parameters:
  ///   - journalPath: The journal of the merge.
  ///   - takesName: True to give the origin the thin volume's name.
  /// - Returns: The completed handover.
  /// - Throws: `MergeError`: `refused` or `busy` if nothing was changed; `stopped` if a step in LVM
  ///   failed.
  @discardableResult
  public func handOver(
    journalPath: String, takesName: Bool = false
  ) throws(MergeError) -> VolumeHandover {
    let operation = HandoverOperation(environment: environment.notingOnce)
    do throws(MergeError) {
      let handover = try operation.run(journalPath, takesName: takesName)
      environment.activatedVolumes?.end()
      return handover
    } catch {
      environment.activatedVolumes?.end()
      throw error
    }
  }

  /// Returns the plan of ``handOver(journalPath:takesName:)``; throws an error if the thin volume
  /// is open.
  package func rehearsedHandover(
    journalPath: String, takesName: Bool
  ) throws(MergeError) -> PlannedHandover {
    try HandoverOperation(environment: environment).rehearse(journalPath, takesName: takesName)
  }

  /// Returns the plan of ``handOver(journalPath:takesName:)``, without carrying it out.
  package func plannedHandover(
    journalPath: String, takesName: Bool
  ) throws(MergeError) -> PlannedHandover {
    try HandoverOperation(environment: environment).plan(journalPath, takesName: takesName)
  }

  /// Returns the path of the journal of a merge whose thin volume had this name and has been
  /// removed, so the name is now unused or belongs to the origin; nil if the name belongs to a
  /// volume that can be merged.
  ///
  /// - Throws: `MergeError` (`busy`) if LVM does not answer.
  package func handoverJournalPath(named text: String) throws(MergeError) -> String? {
    try JournalLookup(environment: environment).handoverPath(named: text)
  }

  // MARK: Comparing

  /// Compares the origin with the source, in sectors of 512 bytes; unmapped ranges are not
  /// compared.
  ///
  /// - Parameters:
  ///   - source: The merged source.
  ///   - originPath: The origin of the merge; it is read with direct I/O and never written to.
  ///   - extent: The extent options that the merge used.
  ///   - transfer: The transfer settings; the rate limit does not apply to reads.
  /// - Returns: The result; ``VerifyReport/incomplete`` is set if an error or an interruption cut
  ///   the comparison short.
  /// - Throws: `MergeError`: `refused` or `busy` in the same cases as a plan, `stopped` if
  ///   interrupted during planning.
  public func verify(
    _ source: MergeSource, against originPath: String,
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions()
  ) throws(MergeError) -> VerifyReport {
    try VerifyOperation(environment: environment).verify(
      source, against: originPath, extent: extent, transfer: transfer)
  }

  /// Compares the origin with the checksums in a journal; does not need the pool.
  ///
  /// - Parameters:
  ///   - journalPath: The journal, finished or not. If it is unfinished or lacks checksums for part
  ///     of the plan, only the recorded part is compared, and ``VerifyReport/incomplete`` is set.
  ///   - originPath: The origin's current path; nil for the path in the journal.
  ///   - transfer: The transfer settings; the rate limit does not apply to reads.
  /// - Returns: The result; ``VerifyReport/incomplete`` is set if an error or an interruption cut
  ///   the comparison short.
  /// - Throws: `MergeError`: `journalConflict` if the file is not a journal or is corrupt,
  ///   `refused` if the journal or the origin cannot be opened.
  public func verify(
    journalPath: String, originPath: String? = nil,
    transfer: TransferOptions = TransferOptions()
  ) throws(MergeError) -> VerifyReport {
    try VerifyOperation(environment: environment).verify(
      journalPath: journalPath, originPath: originPath, transfer: transfer)
  }
}
