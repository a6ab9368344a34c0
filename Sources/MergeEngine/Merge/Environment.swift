internal import Synchronization

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

/// A request to stop, which may be made at any time, from a signal handler too.
public final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)

  /// Makes one that has not been requested.
  public init() {}

  /// Asks the verb that is running to drain, checkpoint and return.
  public func request() { requested.store(true, ordering: .relaxed) }

  /// Whether it has been asked to stop.
  public var isRequested: Bool { requested.load(ordering: .relaxed) }
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

/// How far a verb is.
public struct Progress: Sendable {
  /// What is being done.
  public enum Phase: String, Sendable {
    /// Reading and checking the mapping tree; counts mapped bytes.
    case planning
    /// Writing blocks onto the origin.
    case merging
    /// Trying again what could not be read.
    case retrying
    /// Reading again what earlier runs recorded.
    case rechecking
    /// Comparing.
    case verifying
  }

  /// What is being done.
  public var phase: Phase
  /// Bytes of this phase that are done, those of earlier runs among them.
  public var doneByteCount: UInt64
  /// Bytes of this phase in all.
  public var totalByteCount: UInt64
  /// Of `doneByteCount`, those that were done before this run.
  public var earlierByteCount: UInt64
  /// Time since the phase began.
  public var elapsed: Duration
  /// Requests in flight.
  public var readsInFlight: Int
  /// Requests in flight.
  public var writesInFlight: Int
  /// Time since the last checkpoint was durable; nil where there are none.
  public var sinceCheckpoint: Duration?
}
