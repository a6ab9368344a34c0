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
