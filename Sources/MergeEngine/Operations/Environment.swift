internal import SystemPackage

/// The engine's surroundings: where records are kept, who is notified, and when to stop.
public struct Environment: Sendable {
  /// The folder of the records of block devices and active pools; created when needed.
  ///
  /// The journal of a merge onto a regular file is next to that file instead.
  public var stateFolder: String
  /// The folder of the records and locks of active pools; the same as ``stateFolder`` by default.
  ///
  /// All runs that may work on the same pool must use the same folder, or none of them knows the
  /// others' changes to the pool.
  package var poolStateFolder: String
  /// True if a merge may write to a file or loop device although another, undetected loop device
  /// may lie over the same file: where sysfs is not mounted, or where it lists a loop device in use
  /// without a node in `/dev`.
  public var allowsUnseenLoopDevices = false
  /// The interruption that stops the operations in this environment.
  public var interruption: Interruption
  /// The receiver of notes and progress, which also approves merges.
  public var observer: any MergeObserver
  /// The clock for intervals, rates and rate limits.
  package var clock = ThisSystem.clock
  /// The time in seconds since 1970, for records that people read.
  package var secondsSince1970: @Sendable () -> Int64 = ThisSystem.secondsSince1970
  /// The id of the current boot.
  package var bootID = ThisSystem.bootID
  /// The id of this process, for names of temporary files.
  package var processID = ThisSystem.processID
  /// The access to the system's mapped devices.
  package var deviceMapper: any DeviceMapper = KernelDeviceMapper()
  /// The LVM volumes that the operations activate when needed; nil if they activate none.
  package var activatedVolumes: ActivatedVolumes?
  /// The random number generator.
  package var drawNumber: @Sendable (ClosedRange<UInt32>) -> UInt32 = { .random(in: $0) }
  /// Runs a program and returns its output.
  package var runProgram: @Sendable ([String]) -> Program.End = { Program.run($0) }
  /// Runs a program that changes the system.
  package var runChange: @Sendable ([String]) -> Program.End = { Program.runChange($0) }

  /// Creates the environment for the system that the program runs on.
  ///
  /// - Parameters:
  ///   - stateFolder: The folder of the records, shared with the command: each finds a block device
  ///     merge that the other started only if both use the same folder.
  ///   - interruption: The interruption by which its other owners stop the operations.
  ///   - observer: The receiver of notes and progress; with nil, nothing is reported and every
  ///     merge may write.
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
  /// Returns the function by which a queue asks whether to stop waiting for requests in flight.
  func waitLimit() -> @Sendable () -> Bool { interruption.waitLimit(clock: clock) }

  /// The same environment for one run of an operation, in which each note is given once.
  var notingOnce: Environment {
    var environment = self
    environment.observer = NotesOnce(observer)
    return environment
  }

  /// Returns the clock, stop flag and progress callback of every pass.
  func control(makeWritableAgain: @escaping () -> Bool = { false }) -> RunControl {
    RunControl(
      clock: clock, interruption: interruption, makeWritableAgain: makeWritableAgain,
      report: observer.progress)
  }

  /// Returns a reader for a pool's metadata besides mappings.
  func reader(_ metadata: OpenFile) -> MetadataReader {
    MetadataReader(metadata, clock: clock, waitLimit: waitLimit)
  }

  /// Returns a queue for transferring blocks.
  func transferQueue(
    depth: Int, slabByteCount: Int, files: [IOFile: OpenFile]
  ) throws(MergeError) -> LinuxAIO {
    try LinuxAIO(
      requestCount: depth + PipelineShape.ledgerRequestCount,
      atLeast: 1 + PipelineShape.ledgerRequestCount, slabByteCount: slabByteCount, files: files,
      clock: clock, isWaitOver: waitLimit(), note: observer.note)
  }

  /// The journals of merges in this environment.
  var journals: JournalStore {
    JournalStore(
      stateFolder: stateFolder, processID: processID, clock: clock, note: observer.note)
  }

  /// Returns the marks of merges on an origin.
  func marks(of origin: OpenFile, backing: OpenFile? = nil) -> OriginMarks {
    OriginMarks(
      of: origin, backing: backing, linearParts: linearParts(under: origin),
      stateFolder: poolStateFolder, bootID: bootID, journals: journals)
  }

  /// Returns the mapped devices that show one part of another device, of which the origin may be
  /// one.
  func linearParts(under origin: OpenFile) -> StorageExtent.LinearParts {
    // Without access to device-mapper, mapped devices cannot be opened, either.
    guard origin.kind == .blockDevice, let devices = try? mappedDevices() else { return [:] }
    return devices.linearParts
  }

  /// Checks that other known merges onto the same origin let a merge start or resume.
  ///
  /// - Throws: `MergeError` (`journalConflict`) if another merge is unfinished, or is a later
  ///   one.
  func checkOtherMerges(
    onto marks: OriginMarks, _ journal: OpenJournal?, usualPath: String, mergesAgain: Bool
  ) throws(MergeError) {
    try marks.check(for: journal)
    guard let journal, !journal.state.isFinished || mergesAgain else { return }
    try journals.checkIsLatest(
      journal, usualPath: usualPath, marked: marks.place(of: journal),
      finished: marks.finishedMerges(besides: usualPath).map(\.path))
  }

  /// Returns the session for a run's work on an origin where no pool is active.
  func originSession() -> OriginSession {
    OriginSession(
      deviceMapper, stateFolder: poolStateFolder, bootID: bootID, note: observer.note)
  }

  /// Returns the LVM volumes that runs in this environment activate.
  package func makeActivatedVolumes() -> ActivatedVolumes {
    ActivatedVolumes(
      stateFolder: poolStateFolder, bootID: bootID, runChange: runChange, note: observer.note,
      find: { [self] volume in (try? mappedDevices())?.active(volume) })
  }

  /// Returns all current devices of device-mapper.
  ///
  /// - Throws: `MergeError` (`refused`) if device-mapper cannot be asked.
  func mappedDevices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try deviceMapper.devices())
    } catch {
      throw .noDeviceMapper(error)
    }
  }

  /// Returns the same environment, in which each change in device-mapper and each program that is
  /// run is reported first, in one line.
  package func traced(by trace: @escaping @Sendable (String) -> Void) -> Environment {
    var environment = self
    environment.deviceMapper = TracedDeviceMapper(mapper: deviceMapper, trace: trace)
    environment.runProgram = { [runProgram] command in
      trace("run: \(command.map(\.shellQuoted).joined(separator: " "))")
      return runProgram(command)
    }
    environment.runChange = { [runChange] command in
      trace("run: \(command.map(\.shellQuoted).joined(separator: " "))")
      return runChange(command)
    }
    return environment
  }

  /// Notes that the source may be written to while it is compared.
  func noteThatSourceMayChange() {
    observer.note(.sourceMayChange())
  }
}
