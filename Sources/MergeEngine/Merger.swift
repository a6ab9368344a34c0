/// The verbs: what can be done with a thin device and its external origin.
///
/// Each runs to its end on the thread that calls it, on Linux AIO. Several threads may do so at once, for
/// different origins; with active pools only one, since libdevmapper is for one thread.
public struct Merger: Sendable {
  private let environment: Environment

  /// Makes verbs that run in `environment`.
  public init(environment: Environment = Environment()) { self.environment = environment }

  // MARK: Looking

  /// Resolves the name of a thin device of an active pool, from device-mapper's tables and, where it is not
  /// active, from LVM.
  ///
  /// - Parameters:
  ///   - reference: Its name.
  ///   - mappings: Which mapping tree is to be read; goes into the ``ResolvedThinDevice/source``.
  ///   - ignoresNeedsCheck: Goes into the source as well.
  /// - Returns: What a merge of it takes.
  /// - Throws: `MergeError` (`refused`) where there is no such device, it is no thin device, or its pool is
  ///   not active.
  public func resolve(
    _ reference: ThinDeviceReference, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> ResolvedThinDevice {
    try ThinDeviceLookup(environment: environment).resolve(
      reference, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// The thin devices in the metadata, by rising id.
  ///
  /// - Parameters:
  ///   - metadataPath: The pool's metadata device, or a file with its content.
  ///   - mappings: Which state of the metadata is read.
  ///   - ignoresNeedsCheck: As in ``MergeSource``.
  /// - Returns: All of them; whether one has an external origin is not in the metadata.
  /// - Throws: `MergeError`: `refused` where the metadata is damaged or cannot be read, `busy` where it is in
  ///   use.
  public func devices(
    metadataPath: String, mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devices(
      metadataPath: metadataPath, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// The thin devices of an active pool, by rising id.
  ///
  /// - Parameters:
  ///   - name: The pool's, as device-mapper has it or as `VG/LV`.
  ///   - mappings: Which state of the metadata is read.
  ///   - ignoresNeedsCheck: As in ``MergeSource``.
  /// - Returns: All of them, active or not.
  /// - Throws: `MergeError`: `refused` where no pool of that name is active or its metadata is damaged,
  ///   `busy` where somebody else holds a metadata snapshot.
  public func devices(
    pool name: String, mappings: MergeSource.Mappings = .ownMetadataSnapshot,
    ignoresNeedsCheck: Bool = false
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devices(
      pool: name, mappings: mappings, ignoresNeedsCheck: ignoresNeedsCheck)
  }

  /// What earlier runs left in active pools, and what is recorded of pools that are not active, and of origins.
  ///
  /// Changes nothing and keeps nobody from anything.
  ///
  /// - Parameter name: The pool's, as device-mapper has it or as `VG/LV`; with nil, all pools and origins.
  /// - Returns: Those pools in which something is left, the named one in any case; and the origins that have a record.
  /// - Throws: `MergeError` (`refused`) where device-mapper cannot be asked, no pool of that name is active, or
  ///   the records cannot be read.
  public func leftovers(pool name: String? = nil) throws(MergeError) -> Leftovers {
    try SettleOperation(environment: environment).leftovers(pool: name)
  }

  /// Undoes what runs that were killed left in active pools, and at origins where no pool is active, as every merge
  /// does first.
  ///
  /// What a merge needs that is not finished is kept. What is recorded of a pool that is not active stays.
  ///
  /// - Parameter name: The pool's, as device-mapper has it or as `VG/LV`; with nil, every pool and origin that
  ///   has a record.
  /// - Returns: The pools that have a record, and the named one in any case, and the origins, with what was undone and
  ///   what is left; of one that could not be had, ``PoolLeftovers/error`` or ``OriginLeftovers/error`` says why.
  /// - Throws: `MergeError` (`refused`) as ``leftovers(pool:)`` does.
  public func settle(pool name: String? = nil) throws(MergeError) -> Leftovers {
    try SettleOperation(environment: environment).settle(pool: name)
  }

  /// What ``merge(_:onto:options:)`` would do; writes nothing to the origin.
  ///
  /// The whole mapping tree is read and checked. What the merge would be refused for at the moment, such as an
  /// origin in use or another merge's journal, is in the report; what only writing can tell is not.
  ///
  /// - Parameters:
  ///   - source: What would be merged.
  ///   - originPath: What would be written to; with nil nothing is said of its end and of the journal.
  ///   - options: Everything else. Nothing is put aside, compared or asked for them.
  /// - Returns: The plan.
  /// - Throws: `MergeError`: `refused` for metadata and sizes that a merge would refuse, `busy` where the
  ///   mappings cannot be read now, `stopped` where it was interrupted.
  public func plan(
    _ source: MergeSource, onto originPath: String?, options: MergeOptions = MergeOptions()
  ) throws(MergeError) -> PlanReport {
    try PlanOperation(environment: environment).plan(source, onto: originPath, options: options)
  }

  /// What ``resume(_:options:)`` would do; writes nothing to the origin, and appends nothing to the journal.
  ///
  /// - Returns: The plan, with what the merge would be refused for.
  /// - Throws: `MergeError` as ``plan(_:onto:options:)`` does; also `refused` where the merge is finished, unless
  ///   ``ResumeOptions/mergesAgain`` is set, and `busy` where a device or the pool is not there (yet).
  public func plan(
    _ recorded: RecordedMerge, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> PlanReport {
    try ResumeOperation(environment: environment).plan(recorded, options: options)
  }

  /// The thin devices in metadata, for who only looks: an active pool is not taken, what an earlier run left
  /// in it stays, and only a metadata snapshot that is held already is read.
  package func devicesAsTheyAre(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    try DevicesOperation(environment: environment).devicesAsTheyAre(
      metadataPath: metadataPath, mappings: mappings)
  }

  /// How far the merge of a journal is; works while the merge runs.
  ///
  /// - Throws: `MergeError`: `journalConflict` for what is no journal or is damaged, `refused` where it
  ///   cannot be opened or read.
  public func status(journalPath: String) throws(MergeError) -> StatusReport {
    try StatusOperation(environment: environment).status(journalPath: journalPath)
  }

  /// The thin devices of this system that have an external origin, volumes of LVM that are not active among them.
  ///
  /// Neither a pool nor a volume is changed for it.
  ///
  /// - Throws: `MergeError`: `refused` where device-mapper cannot be asked, `busy` where LVM does not answer.
  public func thinDevices() throws(MergeError) -> [ThinDeviceListing] {
    try ListOperation(environment: environment).list()
  }

  /// The journals in the state folder, and those that marks there name, with how far each merge is.
  public func journals() -> [JournalListing] { StatusOperation(environment: environment).all() }

  /// The path of a journal that may be named by the thin device or the origin of its merge, as volumes or as mapped
  /// devices.
  ///
  /// - Parameter text: A path, or the name.
  /// - Returns: A path as it is; of several merges the one that is not finished, or the latest.
  /// - Throws: `MergeError`: `journalConflict` where there is no such journal, or several merges are not finished;
  ///   `busy` where LVM does not answer.
  public func journalPath(named text: String) throws(MergeError) -> String {
    try JournalLookup(environment: environment).path(named: text)
  }

  /// The path of an origin that may be named as a logical volume.
  ///
  /// - Throws: `MergeError` (`refused`) where the text is the name of a file and of an active volume.
  package func originPath(named text: String) throws(MergeError) -> String {
    try ThinDeviceLookup(environment: environment).originPath(named: text)
  }

  /// The finished merge of the same thin device, data device and origin; nil where there is none to be
  /// found without reading the pool.
  package func finishedMerge(
    of source: MergeSource, onto originPath: String, journalPath: String?
  ) -> StatusReport? {
    FinishedMergeComparison(environment: environment).find(
      source, onto: originPath, journalPath: journalPath)
  }

  // MARK: Merging

  /// Writes the device's blocks onto the origin, going on where an earlier run stopped.
  ///
  /// Where the journal of the same merge is there, what it records is not written again, unless it is
  /// found to differ. Where that merge is finished, source and origin are compared with what it recorded, and
  /// nothing is written: ``MergeReport/earlier-swift.property``. An origin that is a block device is opened
  /// exclusively, one that is a file is locked.
  ///
  /// - Parameters:
  ///   - source: What is merged; it must not change meanwhile, and is never written to.
  ///   - originPath: A block device or a regular file, written in place.
  ///   - options: Everything else.
  /// - Returns: What was done. A merge that has begun and stops is no error but a report whose state is
  ///   ``MergeReport/State-swift.enum/stopped(_:)``.
  /// - Throws: `MergeError`: `refused`, `busy` or `journalConflict`, where this run has written nothing, also
  ///   where source or origin changed since the merge was finished; `stopped` where it was interrupted, or a
  ///   device failed, before it wrote.
  public func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions = MergeOptions()
  ) throws(MergeError) -> MergeReport {
    try MergeOperation(environment: environment.notingOnce).merge(
      source, onto: originPath, options: options)
  }

  /// Goes on with the merge that a journal tells of; everything that is not given is as it says.
  ///
  /// - Throws: `MergeError` as ``merge(_:onto:options:)`` does; `refused` where the merge is finished, unless
  ///   ``ResumeOptions/mergesAgain`` is set, and `busy` where a run left something of it in its pool;
  ///   `journalConflict` also where the journal is of another merge than
  ///   the devices are; `busy` also where a device or the pool is not there (yet).
  public func resume(
    journalPath: String, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    try resume(recordedMerge(journalPath: journalPath), options: options)
  }

  /// Reads a journal whose merge is to be gone on with.
  ///
  /// - Throws: `MergeError`: `busy` while a merge has it; `journalConflict` for what is no journal, is
  ///   damaged, or was given up for another merge, `refused` where it cannot be opened or read.
  public func recordedMerge(journalPath: String) throws(MergeError) -> RecordedMerge {
    let journal = try environment.journals.open(FileSystem.absolute(journalPath))
    if let taker = journal.state.givenUp { throw .journalGivenUp(journal.file.path, for: taker) }
    return RecordedMerge(journal)
  }

  /// Why a finished merge is not over: what a run left of it in its pool; nil where that is nothing.
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

  /// Goes on with a merge as ``resume(journalPath:options:)`` does, without reading its journal again.
  public func resume(
    _ recorded: RecordedMerge, options: ResumeOptions = ResumeOptions()
  ) throws(MergeError) -> MergeReport {
    try ResumeOperation(environment: environment.notingOnce).resume(recorded, options: options)
  }

  /// Lets the origin take the place of a thin volume of LVM whose merge is finished, as
  /// ``MergeOptions/handsOver`` does; goes on where an earlier call was cut off.
  ///
  /// - Parameters:
  ///   - journalPath: The journal of the merge.
  ///   - takesName: Whether the origin gets the thin volume's name.
  /// - Returns: What was done.
  /// - Throws: `MergeError`: `refused` or `busy`, where nothing was changed; `stopped` where LVM did not take a step.
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

  /// What ``handOver(journalPath:takesName:)`` would do, refused where somebody has the thin volume open.
  package func rehearsedHandover(
    journalPath: String, takesName: Bool
  ) throws(MergeError) -> PlannedHandover {
    try HandoverOperation(environment: environment).rehearse(journalPath, takesName: takesName)
  }

  /// What ``handOver(journalPath:takesName:)`` would do, without doing it.
  package func plannedHandover(
    journalPath: String, takesName: Bool
  ) throws(MergeError) -> PlannedHandover {
    try HandoverOperation(environment: environment).plan(journalPath, takesName: takesName)
  }

  /// The journal of a merge whose thin volume had a name, and was removed, so that the name leads nowhere or to the
  /// origin; nil where the name is a volume's that can be merged.
  ///
  /// - Throws: `MergeError` (`busy`) where LVM does not answer.
  package func handoverJournalPath(named text: String) throws(MergeError) -> String? {
    try JournalLookup(environment: environment).handoverPath(named: text)
  }

  // MARK: Comparing

  /// Compares the origin with the source, by sectors of 512 bytes; what is not mapped is not compared.
  ///
  /// - Parameters:
  ///   - source: What was merged.
  ///   - originPath: What it was merged onto; read past the page cache, never written.
  ///   - extent: As it was for the merge.
  ///   - transfer: How bytes are moved; the rate limit is not for reading.
  /// - Returns: What was found; an error or a stop in mid-way is ``VerifyReport/incomplete``.
  /// - Throws: `MergeError`: `refused` or `busy` where a plan is, `stopped` where it was interrupted during
  ///   planning.
  public func verify(
    _ source: MergeSource, against originPath: String,
    extent: ExtentOptions = ExtentOptions(), transfer: TransferOptions = TransferOptions()
  ) throws(MergeError) -> VerifyReport {
    try VerifyOperation(environment: environment).verify(
      source, against: originPath, extent: extent, transfer: transfer)
  }

  /// Compares the origin with the checksums in a journal; needs no pool.
  ///
  /// - Parameters:
  ///   - journalPath: The journal, finished or not; of one that is not, or lacks checksums of some of the
  ///     plan, what it records is compared, and ``VerifyReport/incomplete`` says so.
  ///   - originPath: Where the origin is now; nil for where the journal has it.
  ///   - transfer: How bytes are moved; the rate limit is not for reading.
  /// - Returns: What was found; an error or a stop in mid-way is ``VerifyReport/incomplete``.
  /// - Throws: `MergeError`: `journalConflict` for what is no journal or is damaged, `refused` where journal
  ///   or origin cannot be opened.
  public func verify(
    journalPath: String, originPath: String? = nil,
    transfer: TransferOptions = TransferOptions()
  ) throws(MergeError) -> VerifyReport {
    try VerifyOperation(environment: environment).verify(
      journalPath: journalPath, originPath: originPath, transfer: transfer)
  }
}
