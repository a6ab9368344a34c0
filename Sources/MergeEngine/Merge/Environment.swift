/// What the engine needs from the program around it: time, a place for journals, somebody to tell.
public struct Environment: Sendable {
  /// Time for intervals, rates and rate limits.
  public var clock: Clock
  /// Seconds since 1970, for what is recorded for people.
  public var secondsSince1970: @Sendable () -> Int64
  /// The folder of the journals of block devices.
  public var stateFolder: String
  /// Tells one boot of the system from another.
  public var bootID: String
  /// This process, for names of temporary files.
  public var processID: Int32
  /// Asks verbs to stop.
  public var interruption: Interruption
  /// Is told how things go.
  public var observer: any MergeObserver
  /// The mapped devices of the system.
  package var deviceMapper: any DeviceMapper = KernelDeviceMapper()
  /// Runs a program and brings what it prints.
  package var runProgram: @Sendable ([String]) -> String? = Program.output

  /// Describes the surroundings.
  public init(
    clock: Clock, secondsSince1970: @escaping @Sendable () -> Int64,
    stateFolder: String = "/var/lib/thin-merge", bootID: String, processID: Int32,
    interruption: Interruption, observer: any MergeObserver
  ) {
    self.clock = clock
    self.secondsSince1970 = secondsSince1970
    self.stateFolder = stateFolder
    self.bootID = bootID
    self.processID = processID
    self.interruption = interruption
    self.observer = observer
  }
}

/// Who is told how a verb goes on; called on the thread that called the verb.
public protocol MergeObserver: Sendable {
  /// Something worth knowing that is no failure, one sentence.
  func note(_ text: String)
  /// How far it is; called several times a second.
  func progress(_ progress: Progress)
  /// Whether a merge that was planned so may write; asked once, before anything is written.
  func mayWrite(_ plan: PlanReport) -> Bool
}
