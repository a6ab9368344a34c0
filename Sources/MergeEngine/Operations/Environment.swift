internal import SystemPackage

/// What the program around the engine decides: where records are kept, who is told, when to stop.
public struct Environment: Sendable {
  /// The folder of what is recorded of block devices and of active pools; made when it is needed.
  ///
  /// The journal of a merge onto a regular file lies beside that file instead.
  public var stateFolder: String
  /// The folder with that of the records and locks of active pools; ``stateFolder``, unless it is set.
  ///
  /// Runs that may work on the same pool have to have the same, or neither knows what the other did to it.
  package var poolStateFolder: String
  /// Merges onto a file, or a loop device, although nothing tells whether another loop device lies over the same file:
  /// where sysfs is not mounted, or has a loop device in use whose node is not in `/dev`.
  public var allowsUnseenLoopDevices = false
  /// Asks the verbs that run in this environment to stop.
  public var interruption: Interruption
  /// Is told how things go.
  public var observer: any MergeObserver
  /// Time for intervals, rates and rate limits.
  package var clock = ThisSystem.clock
  /// Seconds since 1970, for what is recorded for people.
  package var secondsSince1970: @Sendable () -> Int64 = ThisSystem.secondsSince1970
  /// Tells one boot of the system from another.
  package var bootID = ThisSystem.bootID
  /// This process, for names of temporary files.
  package var processID = ThisSystem.processID
  /// The mapped devices of the system.
  package var deviceMapper: any DeviceMapper = KernelDeviceMapper()
  /// The volumes of LVM that the verbs activate where they need them; nil where they activate none.
  package var activatedVolumes: ActivatedVolumes?
  /// Draws a number at random.
  package var drawNumber: @Sendable (ClosedRange<UInt32>) -> UInt32 = { .random(in: $0) }
  /// Runs a program and brings what it prints.
  package var runProgram: @Sendable ([String]) -> Program.End = { Program.run($0) }
  /// Runs a program that changes something.
  package var runChange: @Sendable ([String]) -> Program.End = { Program.runChange($0) }

  /// Describes the surroundings on the system that the program runs on.
  ///
  /// - Parameters:
  ///   - stateFolder: Where the command keeps what it records, too; a merge of a block device that one of
  ///     them began is found by the other only if both have the same folder.
  ///   - interruption: One that somebody else holds, to stop the verbs by it.
  ///   - observer: Who is told; with nil, nobody is told anything and every merge may write.
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
  /// Returns what tells a queue when it waits no longer for what is in flight.
  func waitLimit() -> @Sendable () -> Bool { interruption.waitLimit(clock: clock) }

  /// The same for one run of a verb, in which each note is said once.
  var notingOnce: Environment {
    var environment = self
    environment.observer = NotesOnce(observer)
    return environment
  }

  /// The clock, the stop flag and the progress callback of every pass.
  func control(makeWritableAgain: @escaping () -> Bool = { false }) -> RunControl {
    RunControl(
      clock: clock, interruption: interruption, makeWritableAgain: makeWritableAgain,
      report: observer.progress)
  }

  /// What reads a pool's metadata besides mappings.
  func reader(_ metadata: OpenFile) -> MetadataReader {
    MetadataReader(metadata, clock: clock, waitLimit: waitLimit)
  }

  /// A queue for moving blocks.
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

  /// The marks of unfinished merges at an origin.
  func marks(of origin: OpenFile, backing: OpenFile? = nil) -> OriginMarks {
    OriginMarks(
      of: origin, backing: backing, linearParts: linearParts(under: origin),
      stateFolder: poolStateFolder, bootID: bootID, journals: journals)
  }

  /// The mapped devices that an origin may be one of, and that show one part of another device.
  func linearParts(under origin: OpenFile) -> StorageExtent.LinearParts {
    // Who may not ask device-mapper may not open what it maps, either.
    guard origin.kind == .blockDevice, let devices = try? mappedDevices() else { return [:] }
    return devices.linearParts
  }

  /// Asks whether a merge may begin, or go on with its journal, beside what is known of others onto the same origin.
  ///
  /// - Throws: `MergeError` (`journalConflict`) where another merge is unfinished, or is a later one.
  func checkOtherMerges(
    onto marks: OriginMarks, _ journal: OpenJournal?, usualPath: String, mergesAgain: Bool
  ) throws(MergeError) {
    try marks.check(for: journal)
    guard let journal, !journal.state.isFinished || mergesAgain else { return }
    try journals.checkIsLatest(
      journal, usualPath: usualPath, marked: marks.place(of: journal),
      finished: marks.finishedMerges(besides: usualPath).map(\.path))
  }

  /// A run's work on an origin where no pool is active.
  func originSession() -> OriginSession {
    OriginSession(
      deviceMapper, stateFolder: poolStateFolder, bootID: bootID, note: observer.note)
  }

  /// The volumes of LVM that runs in this environment activate.
  package func makeActivatedVolumes() -> ActivatedVolumes {
    ActivatedVolumes(
      stateFolder: poolStateFolder, bootID: bootID, runChange: runChange, note: observer.note,
      find: { [self] volume in (try? mappedDevices())?.active(volume) })
  }

  /// Every device of device-mapper, as it is now.
  ///
  /// - Throws: `MergeError` (`refused`) where device-mapper cannot be asked.
  func mappedDevices() throws(MergeError) -> MappedDevices {
    do throws(Errno) {
      return MappedDevices(try deviceMapper.devices())
    } catch {
      throw .noDeviceMapper(error)
    }
  }

  /// Notes that somebody may write to the source while it is compared.
  func noteThatSourceMayChange() {
    observer.note(.sourceMayChange())
  }
}
