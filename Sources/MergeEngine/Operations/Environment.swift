internal import SystemPackage

/// The engine's environment: where records are kept, who is notified, and when to stop.
public struct Environment: Sendable {
  /// The folder that stores the records of block devices and active pools; created when needed.
  ///
  /// The journal of a merge onto a regular file is stored next to that file instead.
  public var stateFolder: String
  /// The folder that stores the records and locks of active pools; the same as ``stateFolder`` by
  /// default.
  ///
  /// All runs that may work on the same pool must use the same folder. Otherwise, no run knows
  /// about the changes that other runs made to the pool.
  package var poolStateFolder: String
  /// True if a merge may write to a file or loop device even though an undetected loop device may
  /// be using the same file, either because sysfs is not mounted or because it lists a loop device
  /// that is in use but has no node in `/dev`.
  public var allowsUnseenLoopDevices = false
  /// The interruption that stops the operations in this environment when requested.
  public var interruption: Interruption
  /// The observer that receives notes and progress, and approves merges.
  public var observer: any MergeObserver
  /// The clock used for intervals, rates, and rate limits.
  package var clock = ThisSystem.clock
  /// Returns the current time in seconds since 1970, for records meant to be read by people.
  package var secondsSince1970: @Sendable () -> Int64 = ThisSystem.secondsSince1970
  /// The ID of the current boot of the system.
  package var bootID = ThisSystem.bootID
  /// The ID of this process, used in the names of temporary files.
  package var processID = ThisSystem.processID
  /// The interface to the system's mapped devices.
  package var deviceMapper: any DeviceMapper = KernelDeviceMapper()
  /// The LVM volumes that the operations activate when needed; nil if they never activate any.
  package var activatedVolumes: ActivatedVolumes?
  /// Returns a random number in the given range.
  package var drawNumber: @Sendable (ClosedRange<UInt32>) -> UInt32 = { .random(in: $0) }
  /// Runs a program and returns its output.
  package var runProgram: @Sendable ([String]) -> Program.End = { Program.run($0) }
  /// Runs a program that changes the system.
  package var runChange: @Sendable ([String]) -> Program.End = { Program.runChange($0) }

  /// Creates an environment for the system that this program runs on.
  ///
  /// - Parameters:
  ///   - stateFolder: The folder that stores the records. It must be the folder that the command
  ///     uses, or neither this program nor the command can find a block device merge that the other
  ///     one started.
  ///   - interruption: The interruption through which the caller can stop the operations.
  ///   - observer: The observer that receives notes and progress. If it is nil, nothing is reported
  ///     and every merge is approved.
  public init(
    stateFolder: String = "/var/lib/thin-merge", interruption: Interruption = Interruption(),
    observer: (any MergeObserver)? = nil
  ) {
    self.stateFolder = stateFolder
    poolStateFolder = stateFolder
    self.interruption = interruption
    self.observer = observer ?? NullObserver()
  }
}

extension Environment {
  /// Returns the function that a queue calls to find out whether to stop waiting for requests in
  /// flight.
  func waitLimit() -> @Sendable () -> Bool { interruption.waitLimit(clock: clock) }

  /// A copy of this environment for a single run of an operation, in which each note is reported
  /// only once.
  var notingOnce: Environment {
    var environment = self
    environment.observer = NotesOnce(observer)
    return environment
  }

  /// Returns the clock, interruption, and progress callback that every pass uses.
  func control(makeWritableAgain: @escaping () -> Bool = { false }) -> RunControl {
    RunControl(
      clock: clock, interruption: interruption, makeWritableAgain: makeWritableAgain,
      report: observer.progress)
  }

  /// Returns a reader for everything in a pool's metadata except the mappings.
  func reader(_ metadata: OpenFile) -> MetadataReader {
    MetadataReader(metadata, clock: clock, waitLimit: waitLimit)
  }

  /// Returns an I/O queue for transferring blocks.
  func transferQueue(
    depth: Int, slabByteCount: Int, files: [IOFile: OpenFile]
  ) throws(MergeError) -> LinuxAIO {
    try LinuxAIO(
      requestCount: depth + PipelineShape.ledgerRequestCount,
      atLeast: 1 + PipelineShape.ledgerRequestCount, slabByteCount: slabByteCount, files: files,
      clock: clock, isWaitOver: waitLimit(), note: observer.note)
  }

  /// The store of the merge journals in this environment.
  var journals: JournalStore {
    JournalStore(
      stateFolder: stateFolder, processID: processID, clock: clock, note: observer.note)
  }

  /// Returns the marks that merges have left for an origin.
  func marks(of origin: OpenFile, backing: OpenFile? = nil) -> OriginMarks {
    OriginMarks(
      of: origin, backing: backing, linearParts: linearParts(under: origin),
      stateFolder: poolStateFolder, bootID: bootID, journals: journals)
  }

  /// Returns the mapped devices, possibly including the origin, that each expose a part of another
  /// device; empty if the origin is not a block device.
  func linearParts(under origin: OpenFile) -> StorageExtent.LinearParts {
    // Without access to device-mapper, mapped devices cannot be opened either.
    guard origin.kind == .blockDevice, let devices = try? mappedDevices() else { return [:] }
    return devices.linearParts
  }

  /// Checks that no other known merge onto the same origin prevents a merge from starting or
  /// resuming.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if another merge onto the origin is unfinished or
  ///   more recent.
  func checkOtherMerges(
    onto marks: OriginMarks, _ journal: OpenJournal?, usualPath: String, mergesAgain: Bool
  ) throws(MergeError) {
    try marks.check(for: journal)
    guard let journal, !journal.state.isFinished || mergesAgain else { return }
    try journals.checkIsLatest(
      journal, usualPath: usualPath, marked: marks.place(of: journal),
      finished: marks.finishedMerges(besides: usualPath).map(\.path))
  }

  /// Returns the session in which a run works on an origin when no pool is active.
  func originSession() -> OriginSession {
    OriginSession(
      deviceMapper, stateFolder: poolStateFolder, bootID: bootID, note: observer.note)
  }

  /// Returns an object that tracks the LVM volumes that runs in this environment activate.
  package func makeActivatedVolumes() -> ActivatedVolumes {
    ActivatedVolumes(
      stateFolder: poolStateFolder, bootID: bootID, runChange: runChange, note: observer.note,
      find: { [self] volume in (try? mappedDevices())?.active(volume) })
  }

  /// Returns all devices that currently exist in device-mapper.
  ///
  /// - Throws: `MergeError` (`refused`) if device-mapper cannot be queried.
  func mappedDevices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try deviceMapper.devices())
    } catch {
      throw .noDeviceMapper(error)
    }
  }

  /// Returns a copy of this environment that traces every device-mapper change and every program
  /// run, each as one line before it happens.
  package func traced(by trace: @escaping @Sendable (String) -> Void) -> Environment {
    typealias Run = @Sendable ([String]) -> Program.End
    func traced(_ run: @escaping Run) -> Run {
      { command in
        trace("run: \(command.map(\.shellQuoted).joined(separator: " "))")
        return run(command)
      }
    }
    var environment = self
    environment.deviceMapper = TracedDeviceMapper(mapper: deviceMapper, trace: trace)
    environment.runProgram = traced(runProgram)
    environment.runChange = traced(runChange)
    return environment
  }

  /// Reports in a note that the source may be written to while it is being compared.
  func noteThatSourceMayChange() {
    observer.note(.sourceMayChange())
  }
}
